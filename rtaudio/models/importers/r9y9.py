"""Checkpoints of r9y9/wavenet_vocoder: mu-law codes, mixtures of logistics, Gaussians.

Two generations are known: the package wavenet-vocoder 0.1 (transposed 2-D convolutions raise the
rate; skips are scaled by sqrt(1/2) at every layer) and what came after it (stretched frames, each
stretch followed by a 2-D convolution; the sum of the skips is scaled by sqrt(1/layers)). Both scale
x by sqrt(1/2) after every layer. Here x is kept unscaled: weights take the scales in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.errors import GraphError, ModelFileError
from rtaudio.graph import (
    Activation,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    Layer,
    Mixture,
    Serial,
    Upsample,
)
from rtaudio.graph.heads import Head, MuLawSoftmax
from rtaudio.graph.layer import FloatArray
from rtaudio.models.autoregressive import Array, WaveNet, wavenet_vocoder
from rtaudio.models.importers.importer import Imported

Weights = Mapping[str, NDArray[Any]]
ROOT = math.sqrt(0.5)
FIRST_CODE = 127  # what the first step is fed with


def convert_r9y9(
    weights: Weights, hparams: Mapping[str, Any], name: str, speaker: int | None = None
) -> Imported:
    """The network of a checkpoint's `state_dict` and its hparams, with the voice of `speaker` where
    it has several. Raises ModelFileError for one of another kind or size."""
    try:
        return _Reader(weights, hparams, speaker).convert(name)
    except (GraphError, ValueError, OverflowError) as error:
        raise ModelFileError(f"the checkpoint and its hparams do not fit: {error}") from error


class _Reader:
    def __init__(self, weights: Weights, hparams: Mapping[str, Any], speaker: int | None) -> None:
        self.weights = fold_weight_norm(weights)
        self.speaker = speaker
        self.hparams = hparams
        layers = 0
        while f"conv_layers.{layers}.conv.weight" in self.weights:
            layers += 1
        if not layers or "first_conv.weight" not in self.weights:
            raise ModelFileError(
                "the checkpoint holds no WaveNet of r9y9/wavenet_vocoder: first_conv and "
                "conv_layers are missing."
            )
        self.layers = layers
        self.later = "output_distribution" in hparams or any(
            n.startswith("upsample_net.") for n in self.weights
        )

    def convert(self, name: str) -> Imported:
        config = self.config()
        graph = wavenet_vocoder(config)
        tensors = self.tensors(config)
        graph.check_tensors(tensors)
        return Imported(
            graph,
            tensors,
            {
                "name": name[:100],
                "description": "WaveNet vocoder (r9y9/wavenet_vocoder)",
                "license": "not stated in the file",
                "audio_rate": str(config.sample_rate),
                "hop": str(config.hop),
            },
        )

    def config(self) -> WaveNet:
        outputs, channels, kernel = self.take("conv_layers.0.conv.weight", 3).shape
        stacks = self.whole("stacks", 2, 1, self.layers)
        if self.layers % stacks or self.layers // stacks > 20 or outputs % 2:
            raise ModelFileError(
                f"{self.layers} layers of {outputs} gate channels in {stacks} stacks are none that "
                "is known."
            )
        dilations = tuple(2 ** (i % (self.layers // stacks)) for i in range(self.layers))
        skip = self.take("last_conv_layers.1.weight", 3).shape[0]
        head = self.head()
        conditioner, ratio = self.conditioner()
        return WaveNet(
            sample_rate=self.whole("sample_rate", 22050, 1, 10_000_000),
            hop=ratio,
            mel_channels=self.condition_channels,
            arrays=(
                Array(
                    channels=channels, hidden=outputs // 2, dilations=dilations, kernel_size=kernel
                ),
            ),
            skip_channels=skip,
            head_channels=(skip,),
            head=head,
            start=float(FIRST_CODE) if isinstance(head, MuLawSoftmax) else 0.0,
            conditioner=conditioner,
        )

    @property
    def condition_channels(self) -> int:
        key = "conv_layers.0.conv1x1c.weight"
        return self.take(key, 3).shape[1] if key in self.weights else 1

    def head(self) -> Head:
        outputs = self.take("last_conv_layers.3.weight", 3).shape[0]
        kind = self.hparams.get("input_type", "mulaw-quantize")
        if kind == "mulaw-quantize":
            return MuLawSoftmax(levels=outputs)
        if kind not in ("raw", "mulaw"):
            raise ModelFileError(
                f"input_type is {kind!r:.60}; mulaw-quantize, mulaw or raw is known."
            )
        distribution = self.hparams.get("output_distribution", "Logistic")
        if distribution not in ("Logistic", "Normal"):
            raise ModelFileError(
                f"output_distribution is {distribution!r:.60}; it must be Logistic or Normal."
            )
        if outputs != 2 and outputs % 3:
            raise ModelFileError(
                f"{outputs} outputs are no mixture: their number must be 2 or 3 K."
            )
        if outputs == 3:
            raise ModelFileError("a mixture of one component has a useless logit; it is not known.")
        low = self.hparams.get("log_scale_min", -7.0)
        if type(low) not in (int, float):
            raise ModelFileError(f"log_scale_min is {low!r:.60}, no number.")
        return Mixture(
            distribution="logistic" if distribution == "Logistic" else "gaussian",
            components=1 if outputs == 2 else outputs // 3,
            min_log_scale=max(-50.0, float(low)),
            max_log_scale=50.0,
            mu_law_levels=self.whole("quantize_channels", 256, 2, 1 << 16)
            if kind == "mulaw"
            else 0,
        )

    def conditioner(self) -> tuple[Layer, int]:
        """The layers that raise the condition to the sample rate, and how much they do."""
        if "conv_layers.0.conv1x1c.weight" not in self.weights:
            return Serial(), self.whole("hop_size", 256, 1, 1 << 16)
        layers: list[Layer] = []
        ratio, bands = 1, self.condition_channels
        if "upsample_net.conv_in.weight" in self.weights:
            width = self.take("upsample_net.conv_in.weight", 3).shape[2]
            layers.append(
                Conv1d(
                    name="in",
                    outputs=bands,
                    kernel_size=width,
                    lookahead_frames=width // 2,
                    bias=False,
                )
            )
        for i, key in enumerate(self.stages()):
            freq, width = self.take(key, 4).shape[2:]
            factor = (width - 1) // 2 if self.later else width
            ratio *= factor
            if self.later:
                layers += [Upsample(factor=factor), self.stretched(i, bands, freq, width, factor)]
            else:
                layers += [
                    ConvTranspose1d(name=f"up.{i}", outputs=bands, kernel_size=width, stride=width),
                    Activation(function="relu"),
                ]
        return Serial(layers=tuple(layers)), ratio

    @staticmethod
    def stretched(index: int, bands: int, freq: int, width: int, factor: int) -> Layer:
        return Conv2d(
            name=f"up.{index}",
            bands=bands,
            outputs=1,
            kernel_frames=width,
            kernel_bands=freq,
            padding_bands=freq // 2,
            lookahead_frames=factor,
            bias=False,
        )

    def stages(self) -> list[str]:
        """The names of the kernels that raise the rate, in order."""
        known = [n for n in self.weights if n.startswith(("upsample_net.", "upsample_conv."))]
        kernels = [n for n in known if n.endswith(".weight") and self.weights[n].ndim == 4]
        if "upsample_net.conv_in.weight" in known and not kernels:
            raise ModelFileError("the checkpoint's upsample_net has no stages; it is not known.")
        activation = self.hparams.get("upsample_params", {})
        used = activation.get("upsample_activation", "none") if isinstance(activation, dict) else ""
        if self.later and used != "none":
            raise ModelFileError(f"upsample_activation is {used!r:.60}; only none is known.")
        return sorted(kernels, key=lambda n: [int(p) for p in n.split(".") if p.isdigit()])

    def tensors(self, config: WaveNet) -> dict[str, FloatArray]:
        found: dict[str, NDArray[np.float64]] = {}
        array, bands, voice = config.arrays[0], config.mel_channels, self.voice()
        v, b = [], []
        for i in range(self.layers):
            path, own = f"conv_layers.{i}.", f"loop.arrays.0.layers.{i}."
            skip = ROOT ** (self.layers - max(i, 1)) if self.legacy else 1.0
            skip = math.sqrt(1 / self.layers) if self.later else skip
            # x here is x there / ROOT^i.
            found[own + "in.past.conv.weight"] = self.take(path + "conv.weight", 3) * ROOT**i
            found[own + "out.x.weight"] = np.concatenate(
                [
                    self.take(path + "conv1x1_out.weight", 3)[:, :, 0] / ROOT**i,
                    self.take(path + "conv1x1_skip.weight", 3)[:, :, 0] * skip,
                ]
            )
            found[own + "out.x.bias"] = np.concatenate(
                [self.bias(path + "conv1x1_out") / ROOT**i, self.bias(path + "conv1x1_skip") * skip]
            )
            b.append(self.bias(path + "conv") + self.bias(path + "conv1x1c"))
            if voice is not None:
                told = self.take(path + "conv1x1g.weight", 3)[:, :, 0] @ voice
                b[-1] = b[-1] + (told + self.bias(path + "conv1x1g"))
            key = path + "conv1x1c.weight"
            zero = np.zeros((2 * array.hidden, bands, 1))
            v.append((self.take(key, 3) if key in self.weights else zero)[:, :, 0])
        found["condition.v.weight"], found["condition.v.bias"] = (
            np.concatenate(v),
            np.concatenate(b),
        )
        found |= self.ends(config) | self.upsampling(bands)
        return {n: np.ascontiguousarray(t, np.float32) for n, t in found.items()}

    def voice(self) -> NDArray[np.float64] | None:
        """What every layer is told of the speaker [channels]; None where there is one alone."""
        if "conv_layers.0.conv1x1g.weight" not in self.weights:
            if self.speaker is not None:
                raise ModelFileError("the checkpoint is of one speaker; leave its number out.")
            return None
        if "embed_speakers.weight" not in self.weights:
            raise ModelFileError(
                "the checkpoint wants features of a speaker from elsewhere; it is not known."
            )
        voices: NDArray[np.float64] = self.take("embed_speakers.weight", 2)
        if self.speaker is None or not 0 <= self.speaker < len(voices):
            asked = "" if self.speaker is None else f", but not {self.speaker}"
            raise ModelFileError(
                f"the checkpoint is of {len(voices)} speakers{asked}: give --speaker 0 to "
                f"{len(voices) - 1}."
            )
        return np.asarray(voices[self.speaker])

    def ends(self, config: WaveNet) -> dict[str, NDArray[np.float64]]:
        first = self.take("first_conv.weight", 3)[:, :, 0]
        found = {"loop.in.x.embed.weight": first}
        if isinstance(config.head, MuLawSoftmax):
            found["loop.in.x.embed.weight"] = first + self.bias("first_conv")[:, None]
        else:
            found["loop.in.x.embed.bias"] = self.bias("first_conv")
        for i, stored in enumerate(("last_conv_layers.1", "last_conv_layers.3")):
            found[f"loop.head.{i}.weight"] = self.take(stored + ".weight", 3)[:, :, 0]
            found[f"loop.head.{i}.bias"] = self.bias(stored)
        return found

    def upsampling(self, bands: int) -> dict[str, NDArray[np.float64]]:
        found = {}
        if "upsample_net.conv_in.weight" in self.weights:
            found["condition.features.in.weight"] = self.take("upsample_net.conv_in.weight", 3)
        for i, key in enumerate(self.stages()):
            kernel, path = self.take(key, 4), f"condition.features.up.{i}."
            if self.later:
                found[path + "weight"] = kernel.transpose(0, 1, 3, 2)
                continue
            # Bands are a convolution too: a band matrix for each of the output's frames.
            dense = np.zeros((bands, bands, kernel.shape[3]))
            for k in range(kernel.shape[2]):
                out = np.arange(bands) + k - kernel.shape[2] // 2
                inside = (out >= 0) & (out < bands)
                dense[np.arange(bands)[inside], out[inside]] = kernel[0, 0, k]
            found[path + "weight"] = dense
            bias = self.bias(key.removesuffix(".weight"))
            found[path + "bias"] = np.full(bands, bias[0] if bias.size else 0.0)
        return found

    @property
    def legacy(self) -> bool:
        return not self.later and bool(self.hparams.get("legacy", True))

    def take(self, name: str, dimensions: int) -> NDArray[np.float64]:
        if name not in self.weights:
            raise ModelFileError(f"the checkpoint lacks {name}.")
        if self.weights[name].ndim != dimensions or not self.weights[name].size:
            raise ModelFileError(f"the checkpoint's {name} has shape {self.weights[name].shape}.")
        return self.weights[name]

    def bias(self, layer: str) -> NDArray[np.float64]:
        """A layer's bias; zero where it has none."""
        found = self.weights.get(f"{layer}.bias")
        if found is not None:
            return found
        weight = self.weights.get(f"{layer}.weight")
        return np.zeros(1 if weight is None else len(weight))

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        value = self.hparams.get(name, default)
        if type(value) is not int or not low <= value <= high:
            raise ModelFileError(
                f"{name} is {value!r:.60} in the hparams; it must be {low} to {high}."
            )
        return value


def fold_weight_norm(weights: Weights) -> dict[str, NDArray[np.float64]]:
    """w = g v / |v| over all but the first dimension, by either of torch's names for g and v."""
    plain: dict[str, NDArray[np.float64]] = {}
    for name, value in weights.items():
        stored = np.asarray(value, np.float64)
        if name.endswith(("_g", ".original0")):
            continue
        for end, other, to in (
            ("_v", "_g", ""),
            (".original1", ".original0", ".parametrizations"),
        ):
            if name.endswith(end) and name.removesuffix(end) + other in weights:
                g = np.asarray(weights[name.removesuffix(end) + other], np.float64)
                axes = tuple(range(1, stored.ndim))
                norm = np.sqrt((stored * stored).sum(axis=axes, keepdims=True))
                stored = stored * (g / np.maximum(norm, 1e-300))
                name = name.removesuffix(end).replace(to, "") if to else name.removesuffix(end)
        plain[name] = stored
    return plain
