"""WaveGrad: against the package's own network where it is installed, against its equations written
out in float64, and in a stream."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

from rtaudio import Model, Vocoder, load, verify_streaming  # noqa: E402
from rtaudio.bench.diffusion_nets import wavegrad_state  # noqa: E402
from rtaudio.diffusion import SCHEDULES  # noqa: E402
from rtaudio.errors import ModelFileError  # noqa: E402
from rtaudio.graph import Chain, Graph  # noqa: E402
from rtaudio.graph.chain import walk  # noqa: E402
from rtaudio.models.importers.importer import Imported  # noqa: E402
from rtaudio.models.importers.wavegrad import convert_wavegrad  # noqa: E402
from rtaudio.models.steps import num_steps  # noqa: E402
from rtaudio.models.wavegrad import WaveGrad, wavegrad  # noqa: E402
from rtaudio.nn import Net  # noqa: E402
from rtaudio.runtime.imported import import_any  # noqa: E402

from .chains import sample  # noqa: E402

MELS, HOP = 128, 300
DOWN, UP, FIRST = (4, 6, 6, 8, 10), (10, 8, 8, 6, 4), 12  # UP: the mel's block first
SIX = SCHEDULES["wavegrad-6"]
FACTORS = (5, 5, 3, 2, 2)
DILATIONS = ((1, 2, 1, 2), (1, 2, 1, 2), (1, 2, 4, 8), (1, 2, 4, 8), (1, 2, 4, 8))


def small_state(seed: int = 0) -> dict[str, np.ndarray]:
    return wavegrad_state(DOWN, UP, FIRST, seed=seed)


def some_mel(frames: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((MELS, frames), np.float32)


class Written:
    """The network's equations (2009.00713, section 3 and figures 3 to 5, in the sizes and with the
    choices of LMNT's package), [1, channel, time]."""

    def __init__(self, state: dict[str, np.ndarray]) -> None:
        self.w = {n: torch.from_numpy(v).double() for n, v in state.items()}

    def conv(self, x: torch.Tensor, name: str, dilation: int = 1) -> torch.Tensor:
        weight = self.w[f"{name}.weight"]
        padding = weight.shape[2] // 2 * dilation
        return F.conv1d(x, weight, self.w[f"{name}.bias"], dilation=dilation, padding=padding)

    def down(self, x: torch.Tensor, i: int, factor: int) -> torch.Tensor:
        skip = self.conv(x, f"downsample.{i}.residual_dense")[:, :, ::factor]
        x = x[:, :, ::factor]
        for j, dilation in enumerate((1, 2, 4)):
            x = self.conv(leaky(x), f"downsample.{i}.conv.{j}", dilation)
        return x + skip

    def film(self, x: torch.Tensor, level: float, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = leaky(self.conv(x, f"film.{i}.input_conv"))
        half = x.shape[1] // 2
        angles = level * 10.0 ** (-4.0 * torch.arange(half).double() / half)
        x = x + torch.cat([angles.sin(), angles.cos()])[None, :, None]
        shift, scale = self.conv(x, f"film.{i}.output_conv").chunk(2, 1)
        return shift, scale

    def up(self, x: torch.Tensor, i: int, shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        path, dilations = f"upsample.{i}.", DILATIONS[i]
        wide = self.conv(x.repeat_interleave(FACTORS[i], 2), path + "block1")
        h = self.conv(leaky(x).repeat_interleave(FACTORS[i], 2), path + "block2.0", dilations[0])
        h = wide + self.conv(leaky(shift + scale * h), path + "block2.1", dilations[1])
        g = self.conv(leaky(shift + scale * h), path + "block3.0", dilations[2])
        return h + self.conv(leaky(shift + scale * g), path + "block3.1", dilations[3])

    def __call__(self, x: torch.Tensor, mel: torch.Tensor, level: float) -> torch.Tensor:
        d = self.conv(x[None, None], "downsample.0")
        films = [self.film(d, level, 0)]
        for i, factor in enumerate(reversed(FACTORS[1:]), 1):
            d = self.down(d, i, factor)
            films.append(self.film(d, level, i))
        h = self.conv(mel[None], "first_conv")
        for i, (shift, scale) in enumerate(reversed(films)):
            h = self.up(h, i, shift, scale)
        return self.conv(h, "last_conv")[0, 0]


def leaky(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, 0.2)


def chain(graph: Graph, mel: np.ndarray, network: Any) -> torch.Tensor:
    """network(x, mel, level) gives epsilon."""
    m = torch.from_numpy(mel).double()
    count = HOP * mel.shape[1]
    return sample(graph, SIX, count, lambda x, t: network(x, m, t), told="noise_levels")


@pytest.fixture(scope="module")
def imported() -> Imported:
    return convert_wavegrad(small_state(), {}, "small")


@pytest.fixture(scope="module")
def model(imported: Imported) -> Model:
    return Model.from_graph(imported.graph, imported.tensors, "small")


def vocoder(model: Model, **options: Any) -> Vocoder:
    return Vocoder(model, preset="wavegrad24", **options)


def test_sizes_are_those_of_the_package() -> None:
    graph = wavegrad(WaveGrad())
    assert graph.num_parameters == 15_920_993
    # A step sees 1,141 samples ahead; rates meet at whole blocks, which costs less than a hop more.
    assert 6 * 1141 <= graph.plan.output.delay <= 6 * 1141 + HOP


def test_a_step_sees_as_far_as_the_written_network(imported: Imported) -> None:
    """Which samples a sample depends on goes with its place in the hop: up to 1,205 samples back
    and 1,146 ahead."""
    net = Net(imported.graph, imported.tensors).double()
    steps = next(layer for layer in walk(imported.graph.body) if isinstance(layer, Chain))
    network = replace(steps.network, name="network")
    signal = torch.randn(1, 1, 11 * HOP, dtype=torch.float64, requires_grad=True)
    mel = torch.from_numpy(some_mel(11)).double()
    x = torch.cat([mel.repeat_interleave(HOP, 1)[None], signal], 1)
    found = net.run(network, x, "refine.step.x.found.network")[0, 0]
    wanted = Written(small_state())(signal[0, 0], mel, 1.0)
    spans = []
    for t in (1502, 1557, 1650):
        (a,) = torch.autograd.grad(found[t], signal, retain_graph=True)
        (b,) = torch.autograd.grad(wanted[t], signal, retain_graph=True)
        assert torch.equal(a != 0, b != 0)
        assert (a - b).abs().max() < 1e-14
        seen = torch.nonzero(a[0, 0])[:, 0]
        spans.append((t - int(seen[0]), int(seen[-1]) - t))
    assert max(spans) == (1205, 1091)
    assert max(ahead for _, ahead in spans) == 1146


def test_imported_network_is_the_written_one_in_float64(imported: Imported) -> None:
    mel = some_mel(3)
    with torch.no_grad():
        wanted = chain(imported.graph, mel, Written(small_state()))
        net = Net(imported.graph, imported.tensors).double()
        found = net(torch.from_numpy(mel).double()[None])[0, 0]
    assert (wanted.abs() < 1).double().mean() > 0.2  # not all of it is clipped
    assert (found - wanted).abs().max() < 1e-12


def test_native_output_is_within_2e_6_a_step(imported: Imported, model: Model) -> None:
    mel = some_mel(9)
    with torch.no_grad():
        wanted = chain(imported.graph, mel, Written(small_state()))
    assert np.abs(vocoder(model)(mel) - wanted.numpy()).max() < 6 * 2e-6


def test_against_the_package() -> None:
    if importlib.util.find_spec("wavegrad") is None:
        pytest.skip("the package wavegrad is not installed")
    from wavegrad.model import WaveGrad as Package
    from wavegrad.params import params

    network = Package(params)
    state = wavegrad_state()
    network.load_state_dict({n: torch.from_numpy(v) for n, v in state.items()})
    network.double().eval()
    made = convert_wavegrad(state, params, "package", preset="wavegrad24")
    mel = some_mel(2)

    def step_of(x: torch.Tensor, mel: torch.Tensor, level: float) -> torch.Tensor:
        return network(x[None], mel[None], torch.tensor([level]).to(x))[0, 0]

    with torch.no_grad():
        wanted = chain(made.graph, mel, step_of)
        found = Net(made.graph, made.tensors).double()(torch.from_numpy(mel).double()[None])[0, 0]
        network.float()
        torch32 = chain(made.graph, mel, lambda x, m, t: step_of(x.float(), m.float(), t).double())
    assert (found - wanted).abs().max() < 1e-12
    native = vocoder(Model.from_graph(made.graph, made.tensors))(mel)
    # Random weights make much of small errors: torch's own in float32 are the measure.
    assert np.abs(native - wanted.numpy()).max() < 2 * (torch32 - wanted).abs().max()


@pytest.mark.parametrize("precision", ["fp32", "bf16dot"])
def test_every_law_holds(imported: Imported, precision: str) -> None:
    made = Model.from_graph(imported.graph, imported.tensors, "small", precision).with_steps(3)
    report = verify_streaming(made, num_ticks=6)
    assert not [f"{law.name}: {law.detail}" for law in report.laws if law.passed is False]


def test_every_law_holds_live(model: Model) -> None:
    """Audio to audio, by mels whose windows are shorter than their transform."""
    live = vocoder(model, steps=1).live_model()
    assert live.makes_audio
    assert live.sample_rate == 24_000
    # The analysis waits for 300 samples after a frame's hop.
    assert live.latency().signal_delay == vocoder(model, steps=1).latency_samples + HOP
    report = verify_streaming(live, num_ticks=4)
    assert not [f"{law.name}: {law.detail}" for law in report.laws if law.passed is False]


@pytest.mark.parametrize("frames", [1, 2, 13])
def test_any_split_of_a_mel_gives_the_same_bits(model: Model, frames: int) -> None:
    mel = some_mel(frames)
    whole = vocoder(model, seed=3)(mel)
    assert whole.shape == (frames * HOP,)
    for block in (1, 2, 5):
        again = np.concatenate(list(vocoder(model, seed=3).stream(mel, block_frames=block)))
        assert again.tobytes() == whole.tobytes()
    assert vocoder(model, seed=4)(mel).tobytes() != whole.tobytes()
    assert vocoder(model)(mel[:, :0]).shape == (0,)


@pytest.mark.parametrize("steps", [1, 6, 25])
def test_steps_are_chosen(model: Model, steps: int) -> None:
    changed = vocoder(model, steps=steps)
    assert num_steps(changed.model.graph) == steps
    assert np.isfinite(changed(some_mel(2))).all()


def test_a_checkpoint_is_imported(tmp_path: Path, imported: Imported) -> None:
    weights = {n: torch.from_numpy(v) for n, v in small_state().items()}
    params = {"sample_rate": 22_050, "noise_schedule": list(SIX.training_betas)}
    content = {"step": 7, "model": weights, "optimizer": {}, "params": params, "scaler": {}}
    torch.save(content, tmp_path / "weights.pt")
    found = import_any([tmp_path / "weights.pt"])
    assert found.metadata["mel_preset"] == "wavegrad22"
    for name, value in imported.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], value)
    # The published weights are of 24 kHz, and say 22,050.
    right = import_any([tmp_path / "weights.pt"], mel_preset="wavegrad24")
    assert right.metadata["mel_preset"] == "wavegrad24"
    assert right.graph.sample_rate == 80
    np.save(tmp_path / "betas.npy", [1e-4, 1e-3, 0.1])
    shorter = import_any([tmp_path / "weights.pt", tmp_path / "betas.npy"])
    assert num_steps(shorter.graph) == 3
    from rtaudio.graph import save_model

    save_model(tmp_path / "m.safetensors", shorter.graph, shorter.tensors, shorter.metadata)
    again = Vocoder(load(tmp_path / "m.safetensors"), steps=2)
    assert again.sample_rate == 22_050
    assert again(some_mel(1)).shape == (HOP,)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"hop_samples": 256}, "hop_samples is 256"),
        ({"sample_rate": 16_000}, "sample_rate is 16000"),
        ({"noise_schedule": [2.0]}, "no WaveGrad that is known"),
        ({"noise_schedule": "all"}, "no list of betas"),
    ],
)
def test_other_checkpoints_are_refused(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelFileError, match=sentence):
        convert_wavegrad(small_state(), params, "other")


@pytest.mark.parametrize("name", ["first_conv.weight", "film.3.output_conv.bias"])
def test_a_checkpoint_that_lacks_a_tensor_is_refused(name: str) -> None:
    state = {n: v for n, v in small_state().items() if n != name}
    with pytest.raises(ModelFileError, match="lacks"):
        convert_wavegrad(state, {}, "other")
    state[name] = np.zeros((3, 3, 3, 3))
    with pytest.raises(ModelFileError, match="no WaveGrad"):
        convert_wavegrad(state, {}, "other")
