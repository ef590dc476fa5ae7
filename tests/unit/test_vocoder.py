"""Vocoder: mel frames in, speech out, whatever the pieces."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

import rtaudio
from rtaudio.bench.denoise import test_signal as speech_like
from rtaudio.dsp.mel import mel_spectrogram
from rtaudio.dsp.pqmf import CUTOFFS, pqmf_analysis, pqmf_synthesis
from rtaudio.dsp.presets import MEL_PRESETS
from rtaudio.errors import MelError, RtaudioError
from rtaudio.graph import Graph, StreamPort
from rtaudio.models.copy_synthesis import mel_layers, mel_tensors
from rtaudio.models.rt_wavenet import rt_wavenet
from rtaudio.runtime.model import Model
from rtaudio.runtime.vocoder import Vocoder, to_int16
from rtaudio.training.vocoder_score import mel_distance

from .vocoders import speech_like_mel, tiny_config, tiny_model, tiny_tensors

HOP = 256


@pytest.fixture
def vocoder() -> Vocoder:
    return Vocoder(tiny_model(), preset="hifigan22")


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("split", [(1,), (2, 5, 1), (3, 0, 4), (23,)])
def test_any_split_is_one_pass(vocoder, split):
    mel = speech_like_mel(23)
    whole = vocoder(mel)
    assert whole.shape == (23 * HOP,)
    assert np.abs(whole).max() > 1e-3
    parts, at, i = [], 0, 0
    while at < 23:
        n = split[i % len(split)]
        parts.append(vocoder.push(mel[:, at : at + n]))
        at, i = at + n, i + 1
    parts.append(vocoder.flush())
    assert same_bits(np.concatenate(parts), whole)


@pytest.mark.parametrize("block_frames", [1, 4, 50])
def test_streams_give_the_same_bits(vocoder, block_frames):
    mel = speech_like_mel(9)
    whole = vocoder(mel)
    assert same_bits(np.concatenate(list(vocoder.stream(mel, block_frames=block_frames))), whole)
    frames = (frame for frame in mel.T)  # an acoustic model's, one by one
    assert same_bits(np.concatenate(list(vocoder.stream(frames))), whole)

    async def collect() -> np.ndarray:
        return np.concatenate([y async for y in vocoder.stream_async(mel, block_frames=2)])

    assert same_bits(asyncio.run(collect()), whole)


def test_seed_says_which_speech(vocoder):
    mel = speech_like_mel(5)
    first, other = vocoder(mel), vocoder(mel, seed=1)
    assert not np.array_equal(first, other)
    vocoder.reset(seed=1)
    assert same_bits(np.concatenate([vocoder.push(mel), vocoder.flush()]), other)
    vocoder.reset(seed=0)
    assert same_bits(np.concatenate([vocoder.push(mel), vocoder.flush()]), first)


def test_latency_is_what_is_declared(vocoder):
    # Three frames ahead, the pitch of the one after, overlapping frames, and the filter bank twice.
    assert vocoder.latency_samples == 5 * HOP + 28 + 31
    assert len(vocoder.push(speech_like_mel(8))) == 8 * HOP - vocoder.latency_samples


def test_cancel_ends_the_speech_until_reset(vocoder):
    mel = speech_like_mel(40)
    stream = vocoder.stream(mel)
    next(stream)
    thread = threading.Thread(target=vocoder.cancel)
    thread.start()
    thread.join()
    assert list(stream) == []
    assert vocoder.push(mel).size == vocoder.flush().size == 0
    assert same_bits(np.concatenate(list(vocoder.stream(mel))), vocoder(mel))


def test_silence_stays_silent(vocoder):
    silence = np.full((80, 90), np.log(1e-5), np.float32)
    peak = np.abs(vocoder(silence)).max()
    assert 0 < peak < 1e-3  # -60 dB of full scale


@pytest.mark.parametrize(
    ("mel", "sentence"),
    [
        (np.zeros((100, 4)), r"\[80, frames\], not \(100, 4\).*vocos24"),
        (np.zeros((4, 80)), "transposed"),
        (np.zeros((80, 2, 2)), "not"),
        (np.full((80, 3), np.nan), "NaN"),
        (np.full((80, 3), "x"), "numbers"),
        (np.full((80, 3), -50.0), "no mel of hifigan22"),
        (np.full((80, 3), 60.0), "no mel of hifigan22"),
    ],
)
def test_wrong_mels_are_refused_in_a_sentence(vocoder, mel, sentence):
    with pytest.raises(MelError, match=sentence):
        vocoder.push(mel)
    good = speech_like_mel(3)  # and nothing of them is remembered
    assert same_bits(np.concatenate([vocoder.push(good), vocoder.flush()]), vocoder(good))


def test_other_models_are_no_vocoders():
    with pytest.raises(RtaudioError, match="no vocoder"):
        Vocoder("rt-tcn")
    with pytest.raises(RtaudioError, match="80 channels"):
        Vocoder(tiny_model(), preset="vocos24")


def test_the_shipped_vocoder_keeps_silence_and_has_the_mel_it_was_given():
    shipped = Vocoder("rt-wavenet")
    preset = shipped.preset
    quiet = np.full((80, 87), np.log(preset.floor), np.float32)
    assert np.abs(shipped(quiet)).max() < 1e-3  # -60 dB of full scale, for a second
    x = 0.2 * speech_like(preset.sample_rate, 1.0)
    mel = mel_spectrogram(x, preset, dtype=np.float32)
    assert mel_distance(mel, shipped(mel), preset) < 6.0  # dB, far from any voice


def test_resynthesis_keeps_the_length(vocoder):
    x = 0.1 * np.sin(np.arange(10 * HOP + 17) * 0.05)
    assert vocoder.resynthesise(x).shape == (10 * HOP,)


def test_live_model_makes_the_mel_on_its_way():
    # The noise is another one, and hardly any; a pitch that the edges' mel changes would turn all
    # phases. What is left follows from the mel.
    config, tensors = tiny_config(temperature=1e-3), tiny_tensors()
    tensors["0.pitch.out.weight"] *= 0
    model = Model.from_graph(rt_wavenet(config), tensors, "quiet")
    vocoder = Vocoder(model, preset="hifigan22")
    x = np.random.default_rng(4).normal(0, 0.1, 30 * HOP).astype(np.float32)
    live = vocoder.live_model()
    assert live.makes_audio
    # The analysis waits for 384 samples, which the plan rounds up to whole hops.
    assert live.latency().signal_delay == vocoder.latency_samples + 2 * HOP
    made, expected = live(x), vocoder.resynthesise(x)
    middle = slice(12 * HOP, -6 * HOP)  # what no frame at an end has a part in, or hardly any
    assert np.abs(expected[middle]).max() > 1e-3
    assert np.abs(made - expected)[middle].max() < 0.03 * np.abs(expected[middle]).max()
    with live.stream() as stream:
        parts = [stream.push(part) for part in np.split(x, [1, 77, 1000, 4000])]
        assert same_bits(np.concatenate([*parts, stream.flush()])[: len(x)], made)
    with pytest.raises(RtaudioError, match="normalised"):
        mel_layers(MEL_PRESETS["matcha_lj"])


def test_live_mel_is_the_presets():
    x = np.random.default_rng(5).normal(0, 0.1, 9000).astype(np.float32)
    for name in ("hifigan22", "vocos24", "tacotron22", "wavegrad24"):  # the last one's are padded
        preset = MEL_PRESETS[name]
        graph = Graph(
            body=mel_layers(preset),
            sample_rate=preset.sample_rate,
            input=StreamPort(name="audio"),
            output=StreamPort(name="mel", channels=preset.num_mels),
        )
        tensors = mel_tensors(preset)
        made = Model.from_graph(graph, tensors)(x).T
        expected = mel_spectrogram(x, preset)
        assert np.abs(made[:, 3:28] - expected[:, 3:28]).max() < 1e-3


def test_int16_rounds_and_clips():
    x = np.array([0.0, 0.5, -1.0, 1.0, 2.0, -3.0, 1.6 / 32768], np.float32)
    assert to_int16(x).tolist() == [0, 16384, -32768, 32767, 32767, -32768, 2]


@pytest.mark.parametrize("bands", CUTOFFS)
def test_filter_bank_reconstructs(bands):
    x = np.random.default_rng(1).standard_normal(2400).astype(np.float32)
    y = pqmf_synthesis(pqmf_analysis(x, bands))
    error = (y - x)[100:-100]
    assert 10 * np.log10(np.mean(error**2)) < -49


def test_config_refuses_what_does_not_fit():
    with pytest.raises(RtaudioError, match="3 bands times 16 do not divide"):
        tiny_config(bands=3)
    with pytest.raises(RtaudioError, match="diffwave22"):
        tiny_config(mel="diffwave22")


def test_public_names():
    assert rtaudio.Vocoder is Vocoder
