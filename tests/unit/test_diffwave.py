"""DiffWave: against the package's own network where it is installed, against its equations written
out in float64, and against closed forms."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

from rtaudio import Model, Vocoder, load, verify_streaming  # noqa: E402
from rtaudio.bench.diffusion_nets import diffwave_state  # noqa: E402
from rtaudio.diffusion import SCHEDULES  # noqa: E402
from rtaudio.errors import ModelFileError, RtaudioError, ScheduleError  # noqa: E402
from rtaudio.graph import DiffWave, Graph, Refine  # noqa: E402
from rtaudio.models.diffwave import (  # noqa: E402
    DiffWaveVocoder,
    diffwave_vocoder,
)
from rtaudio.models.importers.diffwave import convert_diffwave  # noqa: E402
from rtaudio.models.importers.importer import Imported  # noqa: E402
from rtaudio.models.steps import choose_betas, num_steps  # noqa: E402
from rtaudio.nn import Net  # noqa: E402
from rtaudio.runtime.imported import import_any  # noqa: E402

from .chains import sample  # noqa: E402

LAYERS, CYCLE, CHANNELS, HOP = 4, 3, 6, 256
FAST = SCHEDULES["diffwave-6"]
PARAMS = {
    "dilation_cycle_length": CYCLE,
    "noise_schedule": list(FAST.training_betas),
    "inference_noise_schedule": list(FAST.betas),
}


def lmnt_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict as the package diffwave writes it."""
    state = diffwave_state(LAYERS, CHANNELS, seed)
    return {n: torch.from_numpy(v) for n, v in state.items()}


def table_row(step: float) -> torch.Tensor:
    """A row of the embedding's table, [128]; between two steps a mixture of theirs."""
    exponents = np.arange(64, dtype=np.float32) * np.float32(4.0) / np.float32(63.0)
    frequencies = (10.0 ** exponents.astype(np.float64)).astype(np.float32)

    def whole(n: float) -> np.ndarray:
        angles = (np.float32(n) * frequencies).astype(np.float64)
        both = np.concatenate([np.sin(angles), np.cos(angles)])
        return both.astype(np.float32).astype(np.float64)

    low, high = whole(math.floor(step)), whole(math.ceil(step))
    return torch.from_numpy(low + (high - low) * (step - math.floor(step)))


def epsilon(w: dict[str, torch.Tensor], x: torch.Tensor, mel: torch.Tensor, step: float) -> Any:
    """The network's equations (2009.09761, figure 2a, as the package has them): x [time], mel [80,
    frames] to the noise in x."""
    e = table_row(step)
    for name in ("projection1", "projection2"):
        e = F.linear(e, *pair(w, f"diffusion_embedding.{name}"))
        e = e * torch.sigmoid(e)
    c = mel[None, None]
    for name in ("conv1", "conv2"):
        c = F.conv_transpose2d(
            c, *pair(w, f"spectrogram_upsampler.{name}"), stride=(1, 16), padding=(1, 8)
        )
        c = F.leaky_relu(c, 0.4)
    h = F.relu(F.conv1d(x[None, None], *pair(w, "input_projection")))
    skips = torch.zeros_like(h)
    for i in range(LAYERS):
        path, dilation = f"residual_layers.{i}.", 2 ** (i % CYCLE)
        moved = h + F.linear(e, *pair(w, path + "diffusion_projection"))[None, :, None]
        z = F.conv1d(moved, *pair(w, path + "dilated_conv"), dilation=dilation, padding=dilation)
        z = z + F.conv1d(c[0], *pair(w, path + "conditioner_projection"))
        gated = torch.sigmoid(z[:, :CHANNELS]) * torch.tanh(z[:, CHANNELS:])
        out = F.conv1d(gated, *pair(w, path + "output_projection"))
        h = (h + out[:, :CHANNELS]) / math.sqrt(2)
        skips = skips + out[:, CHANNELS:]
    y = F.relu(F.conv1d(skips / math.sqrt(LAYERS), *pair(w, "skip_projection")))
    return F.conv1d(y, *pair(w, "output_projection"))[0, 0]


def pair(w: dict[str, torch.Tensor], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    return w[name + ".weight"].double(), w[name + ".bias"].double()


def chain(graph: Graph, mel: Any, network: Any, **more: Any) -> torch.Tensor:
    """network(x, mel, step) gives epsilon."""
    return sample(graph, FAST, HOP * mel.shape[1], lambda x, t: network(x, mel, t), **more)


def some_mel(frames: int, seed: int = 1) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(80, frames, generator=rng).double()


@pytest.fixture(scope="module")
def imported() -> Imported:
    weights = {n: v.double().numpy() for n, v in lmnt_weights().items()}
    return convert_diffwave(weights, PARAMS, "small")


@pytest.fixture(scope="module")
def model(imported: Imported) -> Model:
    return Model.from_graph(imported.graph, imported.tensors, "small")


def vocoder(model: Model, **options: Any) -> Vocoder:
    return Vocoder(model, preset="diffwave22", **options)


def test_imported_network_is_the_package_s_in_float64(imported: Imported) -> None:
    mel = some_mel(4)
    net = Net(imported.graph, imported.tensors).double()
    with torch.no_grad():
        weights = lmnt_weights()
        wanted = chain(imported.graph, mel, lambda x, m, t: epsilon(weights, x, m, t))
        found = net(mel[None])[0, 0]
    assert (wanted.abs() < 1).double().mean() > 0.2  # not all of it is clipped
    assert (found - wanted).abs().max() < 1e-12


def test_native_output_is_within_2e_6_a_step(imported: Imported, model: Model) -> None:
    mel = some_mel(9)
    with torch.no_grad():
        wanted = Net(imported.graph, imported.tensors).double()(mel[None])[0, 0]
    found = vocoder(model)(mel.numpy())
    assert np.abs(found - wanted.numpy()).max() < 6 * 2e-6


def test_against_the_package() -> None:
    if importlib.util.find_spec("diffwave") is None:
        pytest.skip("the package diffwave is not installed")
    from diffwave.model import DiffWave as Package
    from diffwave.params import AttrDict, params

    sizes = {"residual_layers": LAYERS, "dilation_cycle_length": CYCLE}
    network = Package(AttrDict({**params, **sizes, "residual_channels": CHANNELS}))
    network.load_state_dict(lmnt_weights())
    network.double().eval()
    table = network.diffusion_embedding.embedding
    ours = torch.stack([table_row(n) for n in range(50)])
    # torch's own float32 sines, made anew by each machine, are rounded a last bit otherwise.
    assert (table - ours).abs().max() < 1e-7
    network.diffusion_embedding.embedding = ours
    weights = {n: v.double().numpy() for n, v in lmnt_weights().items()}
    made = convert_diffwave(weights, PARAMS, "small")

    def step_of(x: torch.Tensor, mel: torch.Tensor, step: float) -> torch.Tensor:
        return network(x[None], mel[None], torch.tensor([step]))[0, 0]

    mel = some_mel(4)
    with torch.no_grad():
        wanted = chain(made.graph, mel, step_of)
        found = Net(made.graph, made.tensors).double()(mel[None])[0, 0]
    assert (found - wanted).abs().max() < 1e-12
    native = vocoder(Model.from_graph(made.graph, made.tensors))(mel.numpy())
    assert np.abs(native - wanted.numpy()).max() < 6 * 2e-6


@pytest.mark.parametrize("precision", ["fp32", "bf16", "bf16dot"])
def test_every_law_holds(imported: Imported, precision: str) -> None:
    made = Model.from_graph(imported.graph, imported.tensors, "small", precision)
    report = verify_streaming(made, num_ticks=6)
    assert not [f"{law.name}: {law.detail}" for law in report.laws if law.passed is False]


@pytest.mark.parametrize("frames", [1, 2, 13])
def test_any_split_of_a_mel_gives_the_same_bits(model: Model, frames: int) -> None:
    mel = some_mel(frames).numpy().astype(np.float32)
    whole = vocoder(model, seed=3)(mel)
    assert whole.shape == (frames * HOP,)
    for block in (1, 2, 5):
        again = np.concatenate(list(vocoder(model, seed=3).stream(mel, block_frames=block)))
        assert again.tobytes() == whole.tobytes()
    assert vocoder(model, seed=4)(mel).tobytes() != whole.tobytes()
    assert vocoder(model)(mel[:, :0]).shape == (0,)


def test_threads_give_the_bits_of_one_and_so_does_a_restart(model: Model) -> None:
    mel = some_mel(150).numpy().astype(np.float32)
    whole = vocoder(model)(mel)
    for threads in (2, 3):
        assert vocoder(model, threads=threads)(mel).tobytes() == whole.tobytes()
    x = np.ascontiguousarray(mel.T)
    first = model.stream(channels=80, threads=2)
    parts = [first.push(x[:70])]
    for threads in (1, 2):
        rest = model.stream(channels=80, threads=threads)
        rest.load_state(first.save_state())
        again = np.concatenate([*parts, rest.push(x[70:]), rest.flush()])
        assert again.tobytes() == whole.tobytes()
    with pytest.raises(RtaudioError, match="65 threads for 1 lanes"):
        vocoder(model, threads=65)
    with pytest.raises(RtaudioError, match="0 threads"):
        vocoder(model, threads=0)


def test_latency_is_that_of_the_steps_and_of_the_filters(model: Model) -> None:
    ahead = sum(2 ** (i % CYCLE) for i in range(LAYERS))
    assert vocoder(model).latency_samples == 6 * ahead + 8 * 16 + 8
    base = diffwave_vocoder(DiffWaveVocoder()).plan
    assert base.output.delay == 6 * 3069 + 136


def test_a_network_that_finds_no_noise_leaves_the_chain_of_noise(imported: Imported) -> None:
    tensors = dict(imported.tensors)
    for part in ("weight", "bias"):
        tensors[f"refine.output.{part}"] = np.zeros_like(tensors[f"refine.output.{part}"])
    mel = some_mel(3)
    wanted = chain(imported.graph, mel, lambda x, m, t: 0.0)
    found = vocoder(Model.from_graph(imported.graph, tensors))(mel.numpy())
    np.testing.assert_allclose(found, wanted.numpy(), atol=2e-6)


def test_noise_of_spread_one_is_plain_noise() -> None:
    network = DiffWave(condition=3, channels=5, dilations=(1, 2), embedding=8, embedding_hidden=9)
    sizes = {"scales": (1.2, 1.1), "weights": (0.4, 0.2), "deviations": (0.3, 0.0)}
    plain = Refine(network=network, timesteps=(5.0, 1.0), **sizes)
    shaped = Refine(network=network, timesteps=(5.0, 1.0), shaped=True, **sizes)
    from rtaudio.runtime.laws import graph_of

    x = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    tensors = graph_of(plain, 3).initial_tensors(0)
    one = Model.from_graph(graph_of(plain, 3), tensors)(x)
    both = Model.from_graph(graph_of(shaped, 4), tensors)
    assert (both(np.concatenate([x, np.ones((50, 1), np.float32)], 1)) == one).all()
    silent = both(np.concatenate([x, np.zeros((50, 1), np.float32)], 1))
    assert (silent != one).any()


@pytest.mark.parametrize("steps", [1, 6, 12, 50])
def test_steps_are_chosen(model: Model, steps: int) -> None:
    changed = vocoder(model, steps=steps)
    assert num_steps(changed.model.graph) == steps
    assert np.isfinite(changed(some_mel(2).numpy())).all()


def test_chains_of_a_number_of_steps() -> None:
    trained = FAST.training_betas
    assert choose_betas(trained, 6) == FAST.betas
    assert choose_betas(trained, 12) == SCHEDULES["priorgrad-12"].betas
    ends = np.cumprod(1 - np.array(choose_betas(trained, 4)))
    assert ends[-1] == pytest.approx(np.cumprod(1 - np.array(trained))[-1], rel=1e-12)
    with pytest.raises(ScheduleError, match="51 steps of 50"):
        choose_betas(trained, 51)
    with pytest.raises(ScheduleError, match="no diffusion steps"):
        load("rt-tcn").with_steps(6)


def save(path: Path, **more: Any) -> Path:
    content = {"step": 7, "model": lmnt_weights(), "optimizer": {}, "params": PARAMS, **more}
    torch.save(content, path)
    return path


def test_a_checkpoint_is_imported(tmp_path: Path, imported: Imported) -> None:
    found = import_any([save(tmp_path / "weights.pt", scaler={"scale": 1.0})])
    assert found.graph == imported.graph
    assert found.metadata["mel_preset"] == "diffwave22"
    for name, value in imported.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], value)
    parallel = {f"module.{n}": v for n, v in lmnt_weights().items()}
    assert import_any([save(tmp_path / "parallel.pt", model=parallel)]).graph == imported.graph


ENERGY_MIN = 0.03


def speech_mel(frames: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    levels = np.linspace(-11.5, 0.0, frames)  # from silence to full scale
    return (levels + rng.uniform(-0.5, 0.0, (80, frames))).clip(-11.51).astype(np.float32)


def test_priorgrad_s_noise_follows_the_mel(tmp_path: Path) -> None:
    np.save(tmp_path / "energy_min_train.npy", np.float32(ENERGY_MIN))
    found = import_any([save(tmp_path / "prior.pt"), tmp_path / "energy_min_train.npy"])
    assert found.metadata["mel_preset"] == "hifigan22"
    mel = speech_mel(9)
    least = float(np.float32(ENERGY_MIN))
    energy = np.minimum(np.sqrt(np.exp(mel.astype(np.float64)).sum(0)), 4.0)
    spread = np.maximum((energy - least) / (4.0 - least), 0.1).repeat(HOP)
    assert spread[0] == 0.1
    assert spread[-1] == 1.0
    tensors = dict(found.tensors)
    for part in ("weight", "bias"):  # the noise alone is left
        tensors[f"refine.output.{part}"] = np.zeros_like(tensors[f"refine.output.{part}"])
    made = Model.from_graph(found.graph, tensors)
    graph = found.graph
    x = chain(graph, mel, lambda x, m, t: 0.0, spread=torch.from_numpy(spread)).numpy()
    np.testing.assert_allclose(Vocoder(made, preset="hifigan22")(mel), x, atol=5e-6)
    report = verify_streaming(Model.from_graph(graph, found.tensors), num_ticks=6)
    assert not [f"{law.name}: {law.detail}" for law in report.laws if law.passed is False]


def test_a_bad_energy_is_refused(tmp_path: Path) -> None:
    checkpoint = save(tmp_path / "prior.pt")
    for value in (np.float32(0.0), np.zeros(3), np.float32(5.0)):
        np.save(tmp_path / "energy.npy", value)
        with pytest.raises(ModelFileError):
            import_any([checkpoint, tmp_path / "energy.npy"])


class Code:
    """What a pickle would run when it is loaded."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (Path("ran"),)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"model": {"a": torch.zeros(2)}}, "no checkpoint of the packages diffwave"),
        ({"params": {**PARAMS, "sample_rate": 24_000}}, "sample_rate is 24000.*22050"),
        ({"params": {**PARAMS, "hop_samples": 300}}, "hop_samples is 300"),
        ({"params": {**PARAMS, "dilation_cycle_length": 99}}, "dilation_cycle_length"),
        ({"params": {**PARAMS, "noise_schedule": [2.0]}}, "no DiffWave that is known"),
        ({"params": {**PARAMS, "noise_schedule": "all"}}, "no list of betas"),
        ({"extra": Code()}, "no checkpoint of plain tensors"),
    ],
)
def test_other_checkpoints_are_refused(tmp_path: Path, more: Any, sentence: str) -> None:
    with pytest.raises(ModelFileError, match=sentence):
        import_any([save(tmp_path / "other.pt", **more)])
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "name",
    ["skip_projection.bias", "residual_layers.1.dilated_conv.weight", "output_projection.weight"],
)
def test_a_checkpoint_that_lacks_a_tensor_is_refused(name: str) -> None:
    weights = {n: v.numpy() for n, v in lmnt_weights().items() if n != name}
    with pytest.raises(ModelFileError):
        convert_diffwave(weights, PARAMS, "small")
    weights[name] = np.zeros((3, 3, 3, 3))
    with pytest.raises(ModelFileError):
        convert_diffwave(weights, PARAMS, "small")


def test_int8_is_bf16dot(imported: Imported) -> None:
    mel = some_mel(2).numpy()
    a, b = (
        vocoder(Model.from_graph(imported.graph, imported.tensors, "small", precision))(mel)
        for precision in ("int8", "bf16dot")
    )
    assert a.tobytes() == b.tobytes()


def test_a_live_model_is_made_of_clipped_mels(imported: Imported, model: Model) -> None:
    live = vocoder(model).live_model()
    assert live.makes_audio
    assert live.sample_rate == 22_050
