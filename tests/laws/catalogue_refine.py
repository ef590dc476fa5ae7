"""Examples of diffusion: causal and not, one value a frame and several, shaped noise, delays."""

from __future__ import annotations

from typing import Any

from rtaudio.graph import (
    Activation,
    CentredISTFT,
    Cepstrum,
    Chain,
    Conv1d,
    DiffWave,
    FilteredNoise,
    HopISTFT,
    Layer,
    Linear,
    Merge,
    MinimumPhase,
    Modulate,
    Noise,
    NoiseLevel,
    NoiseSpectrum,
    Refine,
    Serial,
)


def steps(count: int) -> dict[str, Any]:
    """Coefficients of about the size that chains have, the noisiest step first."""
    return {
        "scales": tuple(1.0 + 0.4 / (i + 1) for i in range(count)),
        "weights": tuple(0.6 / (i + 1) for i in range(count)),
        "deviations": (*(0.4 / (i + 1) for i in range(count - 1)), 0.0),
        "timesteps": tuple(3.5 * (count - 1 - i) for i in range(count)),
    }


def network(**sizes: Any) -> DiffWave:
    given = {"dilations": (1, 2, 3), "channels": 6, "embedding": 8, "embedding_hidden": 10}
    return DiffWave(**{**given, **sizes})


def chain(count: int, *, values: int = 1, clip: bool = False) -> Serial:
    """A network of two convolutions that looks ahead, its noise beside the condition."""
    given = steps(count)
    given["levels"] = tuple(t / 20 for t in given.pop("timesteps"))
    layers = (
        Conv1d(name="in", outputs=18, kernel_size=3, lookahead_frames=1),
        NoiseLevel(),
        Modulate(),
        Activation(function="tanh"),
        Conv1d(name="out", outputs=values, kernel_size=2, dilation=3, lookahead_frames=3),
    )
    network = Serial(layers=layers)
    noise = Merge(op="cat", branches=(Serial(), Noise(steps=count, values=values)))
    refined = Chain(name="refine", network=network, condition=3, values=values, clip=clip, **given)
    return Serial(layers=(noise, refined))


LATE = Conv1d(name="late", outputs=5, kernel_size=3, lookahead_frames=2)

REFINE: dict[str, tuple[Layer, int]] = {
    "refine": (Refine(network=network(condition=5), **steps(2)), 5),
    "refine clipped, of one step": (Refine(network=network(condition=3), clip=True, **steps(1)), 3),
    "refine wide": (
        Refine(network=network(condition=20, channels=20, dilations=(1, 5)), **steps(2)),
        20,
    ),
    "refine causal": (
        Refine(network=network(condition=4, causal=True, kernel_size=2), **steps(3)),
        4,
    ),
    "refine causal, of several values": (
        Refine(network=network(condition=4, causal=True, values=5), clip=True, **steps(2)),
        4,
    ),
    "refine shaped": (
        Refine(network=network(condition=4, kernel_size=5), shaped=True, **steps(2)),
        5,
    ),
    "refine behind a delay": (
        Serial(layers=(LATE, Refine(name="refine", network=network(condition=5), **steps(2)))),
        2,
    ),
    "chain": (chain(2), 3),
    "chain clipped, of several values": (chain(3, values=2, clip=True), 3),
    "noise": (Noise(steps=2, values=9), 1),
    "noise behind a delay": (Serial(layers=(LATE, Noise())), 2),
    "modulate": (Modulate(), 9),
    "modulate wide": (Serial(layers=(Linear(outputs=60), Modulate())), 5),
    "noise level": (NoiseLevel(level=0.3), 20),
    "refine of given noise": (
        Refine(network=network(condition=3, values=2), given=True, **steps(3)),
        3 + 3 * 2,
    ),
    "noise spectrum": (NoiseSpectrum(step=1, fft_size=32, window=20, hop=5), 1),
    "centred istft": (CentredISTFT(fft_size=32, window=20, hop=5), 34),
    "hop istft": (HopISTFT(fft_size=30, hop=8), 32),
    "cepstrum and minimum phase": (
        Serial(layers=(Cepstrum(fft_size=32, order=6), MinimumPhase(fft_size=32, order=6))),
        17,
    ),
    "filtered noise": (
        FilteredNoise(filter=Linear(name="d", outputs=34), steps=2, fft_size=32, window=20, hop=5),
        3,
    ),
}
