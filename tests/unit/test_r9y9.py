"""Checkpoints of r9y9/wavenet_vocoder: against the package's own network where it is installed, and
against its equations written out in float64."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

from rtaudio import verify_streaming  # noqa: E402
from rtaudio.errors import ModelFileError  # noqa: E402
from rtaudio.models.importers.importer import Imported  # noqa: E402
from rtaudio.models.importers.r9y9 import convert_r9y9  # noqa: E402
from rtaudio.nn import Net  # noqa: E402
from rtaudio.runtime.imported import import_any  # noqa: E402

LAYERS, STACKS, CHANNELS, GATE, SKIP, MELS = 6, 2, 6, 10, 7, 9
TOLERANCE = 1e-5  # weights are rounded to fp32 once they are folded


def later_hparams(kind: str, outputs: int, **more: Any) -> dict[str, Any]:
    given = {"raw": {"input_type": "raw", "log_scale_min": -9.0}, "codes": {}}[kind]
    return {
        "stacks": STACKS,
        "sample_rate": 16000,
        "hop_size": 6,
        "output_distribution": "Normal" if outputs == 2 else "Logistic",
        **given,
        **more,
    }


def later_weights(kind: str, outputs: int, freq: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights as a checkpoint of the later generation names them, weight norm included."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        size = math.prod(shape[1:]) ** -0.5
        return size * torch.randn(*shape, generator=rng)

    found: dict[str, torch.Tensor] = {}

    def conv(name: str, *shape: int, bias: bool = True) -> None:
        found[f"{name}.weight_v"] = normal(*shape)
        found[f"{name}.weight_g"] = 0.5 + torch.rand(
            shape[0], *[1] * (len(shape) - 1), generator=rng
        )
        if bias:
            found[f"{name}.bias"] = 0.1 * normal(shape[0], 1)[:, 0]

    conv("first_conv", CHANNELS, 1 if kind == "raw" else outputs, 1)
    for i in range(LAYERS):
        path = f"conv_layers.{i}."
        conv(path + "conv", GATE, CHANNELS, 3)
        conv(path + "conv1x1c", GATE, MELS, 1, bias=False)
        conv(path + "conv1x1_out", CHANNELS, GATE // 2, 1)
        conv(path + "conv1x1_skip", SKIP, GATE // 2, 1)
    conv("last_conv_layers.1", SKIP, SKIP, 1)
    conv("last_conv_layers.3", outputs, SKIP, 1)
    found["upsample_net.conv_in.weight"] = normal(MELS, MELS, 5)
    for i, scale in enumerate((2, 3)):
        conv(f"upsample_net.upsample.up_layers.{2 * i + 1}", 1, 1, freq, 2 * scale + 1, bias=False)
    return found


def later_network(weights: dict[str, torch.Tensor], mels: torch.Tensor, x: torch.Tensor) -> Any:
    """Parameters [lane, outputs, time] for inputs [lane, channels, time], from the equations."""
    names = {n.removesuffix("_v") for n in weights if n.endswith("weight_v")}
    w = {n: t.double() for n, t in weights.items()}
    for name in names:
        v, g = w[name + "_v"], w[name + "_g"]
        w[name] = g * v / v.flatten(1).norm(dim=1).reshape(g.shape)
    c = F.conv1d(F.pad(mels, (2, 2)), w["upsample_net.conv_in.weight"])[:, None]
    for i, scale in enumerate((2, 3)):
        kernel = w[f"upsample_net.upsample.up_layers.{2 * i + 1}.weight"]
        c = F.conv2d(c.repeat_interleave(scale, 3), kernel, padding=(kernel.shape[2] // 2, scale))
    c, skips = c[:, 0], 0
    x = F.conv1d(x, w["first_conv.weight"], w["first_conv.bias"])
    for i in range(LAYERS):
        path, dilation = f"conv_layers.{i}.", 2 ** (i % (LAYERS // STACKS))
        weight, bias = w[path + "conv.weight"], w[path + "conv.bias"]
        z = F.conv1d(F.pad(x, (2 * dilation, 0)), weight, bias, dilation=dilation)
        a, b = (z + F.conv1d(c, w[path + "conv1x1c.weight"])).chunk(2, 1)
        h = torch.tanh(a) * torch.sigmoid(b)
        skips = skips + F.conv1d(h, w[path + "conv1x1_skip.weight"], w[path + "conv1x1_skip.bias"])
        out = F.conv1d(h, w[path + "conv1x1_out.weight"], w[path + "conv1x1_out.bias"])
        x = (x + out) * math.sqrt(0.5)
    y = skips * math.sqrt(1 / LAYERS)
    for stored in ("last_conv_layers.1", "last_conv_layers.3"):
        y = F.conv1d(F.relu(y), w[stored + ".weight"], w[stored + ".bias"])
    return y


def parameters(imported: Imported, mels: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    net = Net(imported.graph, imported.tensors).double()
    with torch.no_grad():
        return net.parameters_of(mels, values)


def random_values(kind: str, outputs: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values as they are fed back, and what the network of the others is fed: one step later."""
    rng = np.random.default_rng(3)
    if kind == "raw":
        values = torch.from_numpy(rng.uniform(-0.5, 0.5, (1, 1, count)))
        return values, torch.cat([torch.zeros(1, 1, 1), values], 2)[:, :, :-1]
    codes = torch.from_numpy(rng.integers(0, outputs, (1, 1, count)))
    before = torch.cat([torch.full((1, 1, 1), 127), codes], 2)[:, 0, :-1]
    return codes.double(), F.one_hot(before, outputs).transpose(1, 2).double()


@pytest.mark.parametrize(
    ("kind", "outputs", "freq"), [("codes", 256, 1), ("raw", 30, 3), ("raw", 2, 1)]
)
def test_later_checkpoints_compute_the_equations(kind: str, outputs: int, freq: int) -> None:
    weights = later_weights(kind, outputs, freq)
    numpy = {n: t.numpy() for n, t in weights.items()}
    imported = convert_r9y9(numpy, later_hparams(kind, outputs), "test")
    mels = torch.from_numpy(np.random.default_rng(1).normal(0, 1, (1, MELS, 20)))
    values, inputs = random_values(kind, outputs, 120)
    found = parameters(imported, mels, values)
    wanted = later_network(weights, mels, inputs)
    assert float((found - wanted).abs().max()) < TOLERANCE * float(wanted.abs().max())
    # 2 frames for conv_in, and what the stretches look ahead: 2 of 1/2 and 3 of 1/6 of a frame.
    assert imported.graph.plan.lookahead_samples == 4
    report = verify_streaming(imported.graph, imported.tensors, num_ticks=9)
    assert report.ok, [law for law in report.laws if law.passed is False]


def test_one_of_several_speakers_is_told_to_every_layer() -> None:
    weights = later_weights("raw", 30, 1)
    rng = torch.Generator().manual_seed(5)
    voices = torch.randn(3, 4, generator=rng)
    several, alone = {**weights, "embed_speakers.weight": voices}, dict(weights)
    for i in range(LAYERS):
        path = f"conv_layers.{i}."
        several[path + "conv1x1g.weight"] = 0.3 * torch.randn(GATE, 4, 1, generator=rng)
        told = several[path + "conv1x1g.weight"][:, :, 0].double() @ voices[2].double()
        alone[path + "conv.bias"] = weights[path + "conv.bias"].double() + told
    mels = torch.from_numpy(np.random.default_rng(1).normal(0, 1, (1, MELS, 20)))
    values, inputs = random_values("raw", 30, 120)
    numpy = {n: t.numpy() for n, t in several.items()}
    imported = convert_r9y9(numpy, later_hparams("raw", 30), "test", speaker=2)
    wanted = later_network(alone, mels, inputs)
    found = parameters(imported, mels, values)
    assert float((found - wanted).abs().max()) < TOLERANCE * float(wanted.abs().max())
    for speaker in (None, 3):
        with pytest.raises(ModelFileError, match=r"is of 3 speakers.*--speaker 0 to 2"):
            convert_r9y9(numpy, later_hparams("raw", 30), "test", speaker)
    plain = {n: t.numpy() for n, t in weights.items()}
    with pytest.raises(ModelFileError, match="of one speaker"):
        convert_r9y9(plain, later_hparams("raw", 30), "test", speaker=0)


def test_the_lookahead_of_four_stretches_by_four_is_the_specifications() -> None:
    weights = later_weights("raw", 30, 1)
    keys = [n for n in weights if "up_layers" in n]
    kernels = {n: t.numpy() for n, t in weights.items() if n not in keys}
    for i in range(4):
        kernels[f"upsample_net.upsample.up_layers.{2 * i + 1}.weight"] = np.ones((1, 1, 1, 9))
    plan = convert_r9y9(kernels, later_hparams("raw", 30), "test").graph.plan
    assert plan.frames_per_tick(plan.output) == 256 and plan.lookahead_samples == 4


MISSING = importlib.util.find_spec("wavenet_vocoder") is None


@pytest.mark.skipif(MISSING, reason="needs the package wavenet-vocoder")
@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize(("legacy", "speaker"), [(False, None), (True, None), (True, 2)])
def test_the_package_computes_the_same(scalar: bool, legacy: bool, speaker: int | None) -> None:
    from wavenet_vocoder import WaveNet

    torch.manual_seed(0)
    outputs = 30 if scalar else 256
    net = WaveNet(
        out_channels=outputs,
        layers=LAYERS,
        stacks=STACKS,
        residual_channels=CHANNELS,
        gate_channels=GATE,
        skip_out_channels=SKIP,
        cin_channels=MELS,
        upsample_conditional_features=True,
        upsample_scales=[2, 3],
        scalar_input=scalar,
        legacy=legacy,
        n_speakers=None if speaker is None else 3,
        gin_channels=-1 if speaker is None else 4,
    )
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    state = {n: t.numpy() for n, t in net.state_dict().items()}
    hparams = {"stacks": STACKS, "legacy": legacy, "sample_rate": 16000}
    if scalar:
        hparams["input_type"] = "raw"
    imported = convert_r9y9(state, hparams, "test", speaker)
    mels = torch.from_numpy(np.random.default_rng(1).uniform(0, 1, (1, MELS, 20)))
    values, inputs = random_values("raw" if scalar else "codes", outputs, 120)
    with torch.no_grad():
        g = None if speaker is None else torch.tensor([[speaker]])
        wanted = net.double().eval()(inputs, mels, g)
    found = parameters(imported, mels, values)
    assert float((found - wanted).abs().max()) < TOLERANCE * float(wanted.abs().max())


def write(folder: Path, checkpoint: Any, hparams: Any) -> list[Path]:
    paths = [folder / "step.pth", folder / "hparams.json"]
    torch.save(checkpoint, paths[0])
    paths[1].write_text(hparams if isinstance(hparams, str) else json.dumps(hparams))
    return paths


def test_a_checkpoint_is_imported_from_its_files(tmp_path: Path) -> None:
    weights = later_weights("raw", 30, 1)
    paths = write(tmp_path, {"state_dict": weights, "global_step": 7}, later_hparams("raw", 30))
    imported = import_any(paths)
    assert imported.metadata["imported_from"] == "step.pth"
    assert imported.metadata["audio_rate"] == "16000"
    assert imported.graph.plan.output.rate == 6


class Code:
    def __reduce__(self) -> Any:
        return (print, ("this must not run",))


def test_bad_checkpoints_give_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, hparams = later_weights("raw", 30, 1), later_hparams("raw", 30)
    less = {n: t for n, t in good.items() if "conv1x1_skip" not in n}
    shapes = {**good, "conv_layers.2.conv.weight_v": torch.zeros(4, 4, 3)}
    empty = {**good, "conv_layers.0.conv1x1_out.weight": torch.zeros(CHANNELS, GATE // 2, 0)}
    infinite = {**good, "first_conv.bias": torch.full((CHANNELS,), math.inf)}
    many = {**good, "first_conv.bias": torch.zeros(1).expand(1 << 40)}
    sparse = {**good, "first_conv.bias": good["first_conv.bias"].to_sparse()}
    speakers = {**good, "conv_layers.0.conv1x1g.weight": torch.zeros(GATE, 4, 1)}
    cases = [
        ({"state_dict": good, "more": Code()}, hparams, "no checkpoint of plain tensors"),
        ({"state_dict": less}, hparams, "lacks conv_layers.0.conv1x1_skip"),
        ({"state_dict": shapes}, hparams, "do not fit"),
        ({"state_dict": empty}, hparams, "has shape"),
        ({"state_dict": infinite}, hparams, "not finite"),
        ({"state_dict": many}, hparams, "no plain tensor"),
        ({"state_dict": sparse}, hparams, "no plain tensor"),
        ({"state_dict": speakers}, hparams, "features of a speaker"),
        ({"state_dict": {}}, hparams, "holds no WaveNet"),
        ([1, 2], hparams, "holds no state_dict"),
        ({"state_dict": good}, {**hparams, "stacks": -1}, "stacks is -1"),
        ({"state_dict": good}, {**hparams, "stacks": 4}, "none that is known"),
        ({"state_dict": good}, {**hparams, "input_type": "text"}, "input_type is 'text'"),
        ({"state_dict": good}, {**hparams, "log_scale_min": "low"}, "no number"),
        ({"state_dict": good}, "[1", "no JSON"),
    ]
    for checkpoint, text, message in cases:
        with pytest.raises(ModelFileError, match=message) as caught:
            import_any(write(tmp_path, checkpoint, text))
        assert "\n" not in str(caught.value)
    paths = write(tmp_path, {"state_dict": good}, hparams)
    with pytest.raises(ModelFileError, match="hparams beside it"):
        import_any(paths[:1])
    with pytest.raises(ModelFileError, match="a speaker is chosen in a WaveNet"):
        import_any(paths[:1], speaker=1)
    paths[0].write_bytes(paths[0].read_bytes()[:2000])
    with pytest.raises(ModelFileError, match="no checkpoint"):
        import_any(paths)
    assert "this must not run" not in capsys.readouterr().out
