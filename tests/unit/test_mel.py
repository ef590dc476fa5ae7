"""Mel front ends against published values; a stream has the bits of the whole signal."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rtaudio.dsp import (
    MEL_PRESETS,
    MelPreset,
    MelStream,
    convert_mel,
    find_preset,
    mel_spectrogram,
    mu_law_compress,
    mu_law_decode,
    mu_law_encode,
    mu_law_expand,
)
from rtaudio.errors import MelError

VECTORS = json.loads((Path(__file__).parent / "mel_vectors.json").read_text())["presets"]
NAMES = {"tacotron2": "tacotron22", "r9y9": "wavenet22"}
# Waits of the specification's table, in samples.
WAITS = {
    "hifigan22": 384,
    "tacotron22": 256,
    "bigvgan24": 384,
    "bigvgan22": 384,
    "vocos24": 256,
    "diffwave22": 256,
    "wavegrad22": 300,
    "wavenet22": 256,
    "pwg22": 256,
    "pwg24": 300,
    "specgrad24": 300,
}


@cache
def signal(rate: int) -> NDArray[np.float64]:
    """The vectors' sweep with noise from a linear congruential generator."""
    state, noise = 1, np.empty(rate)
    for i in range(rate):
        state = (1103515245 * state + 12345) % 2**31
        noise[i] = state / 2**30 - 1
    t = np.arange(rate) / rate
    return np.asarray(0.5 * np.sin(2 * np.pi * (100 * t + 3450 * t * t)) + 0.01 * noise)


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-3)])
def test_published_values(name: str, dtype: type, tolerance: float) -> None:
    vector = VECTORS[name]
    mel = mel_spectrogram(signal(vector["sr"]), NAMES.get(name, name), dtype=dtype)
    assert mel.dtype == dtype
    assert list(mel.shape) == vector["shape"]
    for frame, values in vector["frames"].items():
        np.testing.assert_allclose(mel[:, int(frame)], values, rtol=0, atol=tolerance)
    np.testing.assert_allclose(mel.mean(), vector["mean"], atol=tolerance)
    np.testing.assert_allclose(mel.std(), vector["std"], atol=tolerance)


def test_every_preset_of_the_specification_waits_as_long_as_it_says() -> None:
    assert {name: MEL_PRESETS[name].wait_samples for name in WAITS} == WAITS


@pytest.mark.parametrize("name", MEL_PRESETS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_stream_has_the_bits_of_the_whole_signal(name: str, dtype: type) -> None:
    preset = MEL_PRESETS[name]
    stream = MelStream(preset, dtype=dtype)
    random = np.random.default_rng(3)
    # Shorter than the mirrored ends, at their edge, and several frames long.
    for length in (0, 1, 5, preset.pad, preset.pad + 1, preset.fft_size, 20 * preset.hop + 7):
        x = random.standard_normal(length)
        whole = mel_spectrogram(x, preset, dtype=dtype)
        assert whole.shape == (preset.num_mels, preset.num_frames(length))
        for most in (60, 5000):
            parts, i = [], 0
            while i < length:
                n = int(random.integers(0, most + 1))
                parts.append(stream.push(x[i : i + n]))
                i += n
            np.testing.assert_array_equal(np.concatenate([*parts, stream.flush()], 1), whole)


@pytest.mark.parametrize("name", MEL_PRESETS)
def test_a_frame_leaves_with_the_last_sample_it_needs(name: str) -> None:
    preset = MEL_PRESETS[name]
    stream = MelStream(preset)
    x = signal(preset.sample_rate)
    frames = -(-preset.pad // preset.hop) + 1  # past those that wait for the mirrored start
    needed = frames * preset.hop + preset.wait_samples
    assert stream.push(x[: needed - 1]).shape[1] == frames - 1
    assert stream.push(x[needed - 1 : needed]).shape[1] == 1


def test_bigvgan_and_matcha_follow_from_presets_with_published_values() -> None:
    x = signal(22_050)
    hifigan = mel_spectrogram(x, "hifigan22")
    np.testing.assert_array_equal(mel_spectrogram(x, "bigvgan22_fmax8k"), hifigan)
    np.testing.assert_allclose(
        mel_spectrogram(x, "matcha_lj"), (hifigan + 5.536622) / 2.116101, atol=1e-12
    )
    same = mel_spectrogram(x, "vocos24_same")  # centred 128 samples later than vocos24
    np.testing.assert_allclose(
        same[:, 3:80], mel_spectrogram(x[128:], "vocos24")[:, 3:80], atol=1e-12
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_conversion_is_what_the_target_computes_from_the_same_samples(dtype: type) -> None:
    source = MEL_PRESETS["tacotron22"]
    x = signal(22_050)
    mel = mel_spectrogram(x, source, dtype=dtype)
    statistics = source.with_statistics(list(np.linspace(-6, -4, 80)), [0.5, 2.0] * 40)
    for target in (
        replace(source, name="log10", compression="log10"),
        replace(source, name="decibels", compression="db", gain=0.01, offset=0.8, clip=True),
        replace(source, name="energy", unit_energy=True, floor=1e-3),
        statistics,
    ):
        converted = convert_mel(mel, source, target)
        assert converted.dtype == dtype
        np.testing.assert_allclose(
            converted,
            mel_spectrogram(x, target, dtype=dtype),
            atol=1e-12 if dtype == np.float64 else 1e-5,
        )
    np.testing.assert_allclose(
        convert_mel(convert_mel(mel, source, statistics), statistics, source), mel, atol=1e-5
    )


def test_tacotron_and_hifigan_mels_differ_by_128_samples_and_the_power_floor() -> None:
    x = signal(22_050)
    same = mel_spectrogram(x[128:], "tacotron22")  # frames inside lie on the same samples
    converted = convert_mel(same, "tacotron22", "hifigan22")
    expected = mel_spectrogram(x, "hifigan22")
    np.testing.assert_allclose(converted[:, 4:80], expected[:, 4:80], atol=1e-3)


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("hifigan22", "vocos24", "sample_rate 22050 and 24000"),
        ("bigvgan24", "vocos24", "scale slaney and htk"),
        ("bigvgan22", "hifigan22", "high_hz 11025.0 and 8000.0"),
        ("wavenet22", "pwg22", "low_hz 125.0 and 80.0"),
        ("diffwave22", "wavegrad22", "num_mels 80 and 128"),
    ],
)
def test_presets_of_other_filters_are_refused_with_the_reason(
    source: str, target: str, reason: str
) -> None:
    mel = np.zeros((MEL_PRESETS[source].num_mels, 3))
    with pytest.raises(MelError, match=reason):
        convert_mel(mel, source, target)


def test_bad_calls_get_a_sentence() -> None:
    with pytest.raises(MelError, match="no mel preset 'hifigan'"):
        find_preset("hifigan")
    with pytest.raises(MelError, match=r"not of an array \(4, 2\)"):
        mel_spectrogram(np.zeros((4, 2)), "hifigan22")
    with pytest.raises(MelError, match="dtype is int16"):
        mel_spectrogram(np.zeros(4), "hifigan22", dtype=np.int16)
    with pytest.raises(MelError, match=r"\[80, frames\], not \(100, 2\)"):
        convert_mel(np.zeros((100, 2)), "hifigan22", "tacotron22")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fft_size", 1 << 40),
        ("hop", 0),
        ("hop", 1025),
        ("window", 2048),
        ("pad", -1),
        ("num_mels", 0),
        ("high_hz", 12_001.0),
        ("low_hz", 12_000.0),
        ("floor", 0.0),
        ("floor", float("nan")),
        ("compression", "log2"),
        ("scale", "bark"),
        ("gain", -1.0),
        ("mean", (0.0, 0.0)),
        ("std", (0.0,)),
        ("mean", (float("inf"),)),
    ],
)
def test_a_preset_that_cannot_exist_is_refused(field: str, value: object) -> None:
    with pytest.raises(MelError, match=f"mine.*{field} is"):
        MelPreset(**{"name": "mine", "sample_rate": 24_000, field: value})  # type: ignore[arg-type]


def test_mu_law_has_its_published_values() -> None:
    np.testing.assert_allclose(mu_law_compress(0.1), 0.590990056820, atol=1e-12)
    np.testing.assert_array_equal(mu_law_encode([0.1, -0.1, 0.5, 0.0]), [203, 52, 239, 128])
    np.testing.assert_allclose(
        mu_law_decode([203, 239, 128]), [0.100674567633, 0.496676626467, 8.6211596e-5], atol=1e-11
    )
    np.testing.assert_allclose(mu_law_decode(127), -8.6211596e-5, atol=1e-11)


def test_mu_law_codes_and_samples_come_back() -> None:
    codes = np.arange(256)
    np.testing.assert_array_equal(mu_law_encode(mu_law_decode(codes)), codes)
    x = np.linspace(-1, 1, 1001)
    np.testing.assert_allclose(mu_law_expand(mu_law_compress(x)), x, atol=1e-14)
    np.testing.assert_array_equal(mu_law_encode([-3.0, 3.0]), [0, 255])
    with pytest.raises(ValueError, match="0 to 255"):
        mu_law_decode([256])
    with pytest.raises(ValueError, match="1 levels"):
        mu_law_encode([0.0], 1)


@pytest.mark.parametrize(
    ("scale", "expected"), [(1.0, 37.97), (0.1, 37.44), (0.01, 33.71), (0.001, 20.11)]
)
def test_mu_law_keeps_the_published_distance_to_its_noise(scale: float, expected: float) -> None:
    x = scale * np.random.default_rng(1).uniform(-1, 1, 200_000)
    error = mu_law_decode(mu_law_encode(x)) - x
    assert abs(10 * np.log10(np.sum(x * x) / np.sum(error * error)) - expected) < 0.1
