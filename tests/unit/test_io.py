"""Audio in and out in blocks: nothing lost, nothing half-written, the same for every split."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaudio.errors import AudioFileError
from rtaudio.io import (
    SAMPLE_FORMATS,
    BlockResampler,
    CancelledError,
    FileSink,
    FileSource,
    PipeSource,
    process,
)
from rtaudio.io.formats import choose_format, format_duration
from rtaudio.io.pcm import read_wav_start, wav_header

RNG = np.random.default_rng(7)


def noise(frames: int, channels: int = 1) -> np.ndarray:
    return (0.1 * RNG.standard_normal((frames, channels))).astype(np.float32)


class DelayStream:
    """A stream with a known answer: the input, times a half, held back to whole hops."""

    def __init__(self, channels: int, hop: int = 160) -> None:
        self.rest = np.zeros((0, channels), np.float32)
        self.hop = hop

    def push(self, x: np.ndarray) -> np.ndarray:
        assert np.isfinite(x).all()
        joined = np.concatenate([self.rest, x])
        whole = len(joined) // self.hop * self.hop
        self.rest = joined[whole:]
        return joined[:whole] * np.float32(0.5)

    def flush(self) -> np.ndarray:
        tail, self.rest = self.rest, self.rest[:0]
        return tail * np.float32(0.5)


class ListSource:
    """Hands out an array in pieces of given sizes."""

    def __init__(self, audio: np.ndarray, sample_rate: int, sizes: list[int]) -> None:
        self.name, self.sample_rate, self.subtype = "list", sample_rate, "FLOAT"
        self.channels, self.frames = audio.shape[1], len(audio)
        self.warnings: list[str] = []
        self._audio, self._sizes, self._at = audio, sizes, 0

    def read(self, max_frames: int) -> np.ndarray:
        size = self._sizes.pop(0) if self._sizes else max_frames
        block = self._audio[self._at : self._at + max(1, min(size, max_frames))]
        self._at += len(block)
        return block

    def close(self) -> None: ...


class ListSink:
    def __init__(self, clips: bool = False) -> None:
        self.name, self.clips, self.blocks = "list", clips, []

    def write(self, block: np.ndarray) -> None:
        self.blocks.append(block)

    def commit(self) -> None: ...

    def abort(self) -> None: ...

    @property
    def audio(self) -> np.ndarray:
        return np.concatenate(self.blocks) if self.blocks else np.zeros((0, 1), np.float32)


def run(audio: np.ndarray, rate: int = 16_000, sizes: list[int] | None = None, **options):
    sink = ListSink(options.pop("clips", False))
    source = ListSource(audio, rate, list(sizes or []))
    stream_rate = options.pop("stream_rate", rate)
    result = process(source, sink, DelayStream(audio.shape[1]), stream_rate=stream_rate, **options)
    return sink.audio, result


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 3000), max_size=12), st.integers(1, 5000), st.integers(1, 3))
def test_process_keeps_length_and_bits_for_every_split(sizes, frames, channels):
    audio = noise(frames, channels)
    out, result = run(audio, sizes=sizes)
    assert result.frames == frames
    np.testing.assert_array_equal(out, audio * np.float32(0.5))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=12), st.integers(1, 2000))
def test_process_with_delay_is_late_by_it_and_as_long(sizes, frames):
    audio = noise(frames)
    out, _ = run(audio, sizes=sizes, delay_samples=160)
    late = np.concatenate([np.zeros((160, 1), np.float32), audio * np.float32(0.5)])
    np.testing.assert_array_equal(out, late[:frames])


@pytest.mark.parametrize(
    ("rate", "stream_rate"), [(11_025, 11_000), (22_050, 24_000), (7_999, 8_000)]
)
@pytest.mark.parametrize("frames", [1, 7, 1000, 20_011])
def test_process_resamples_to_the_exact_length(rate, stream_rate, frames):
    time = np.arange(frames)[:, None] / rate
    audio = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    out, _ = run(audio, rate, sizes=[100, 3, 900], stream_rate=stream_rate)
    assert out.shape == audio.shape
    if frames > 10_000:  # aligned in time: the middle agrees far below 16 bits
        middle = slice(2000, -2000)
        assert np.abs(out[middle] - 0.5 * audio[middle]).max() < 1e-4


def test_nan_is_silence_and_counted_and_strict_refuses_it():
    audio = noise(1000)
    audio[10], audio[20], audio[30] = np.nan, np.inf, -np.inf
    out, result = run(audio)
    assert result.bad_samples == 3
    assert not out[[10, 20, 30]].any()
    assert "3 NaN or infinite samples" in result.warnings[0]
    with pytest.raises(AudioFileError, match="NaN"):
        run(audio, strict=True)


def test_clipping_and_absurd_levels_are_told():
    loud = np.full((500, 1), 3.0, np.float32)
    _, result = run(loud, clips=True)
    assert result.clipped_samples == 500
    assert "500 samples" in result.warnings[-1]
    _, quiet = run(loud)
    assert quiet.warnings == []
    _, absurd = run(np.full((500, 1), 20_000.0, np.float32))
    assert "20,000 where 1.0 is full scale" in absurd.warnings[0]
    _, beyond = run(np.full((500, 1), 3e38, np.float32))
    assert "3.0e+38 where 1.0 is full scale" in beyond.warnings[0]


def test_a_request_to_stop_ends_between_blocks():
    with pytest.raises(CancelledError):
        run(noise(10), cancelled=lambda: True)


def test_resampler_gives_the_same_bits_for_every_split():
    audio = noise(5000, 2)
    outputs = []
    for size in (5000, 999, 64):
        resampler = BlockResampler(22_050, 24_000, 2)
        parts = [resampler.push(audio[at : at + size]) for at in range(0, 5000, size)]
        outputs.append(np.concatenate([*parts, resampler.flush()]))
    assert abs(len(outputs[0]) - 5000 * 24_000 / 22_050) < 1
    for each in outputs[1:]:
        np.testing.assert_array_equal(each, outputs[0])


@pytest.mark.parametrize(
    ("extension", "subtype"),
    [("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "FLOAT"), ("flac", "PCM_16"), ("ogg", None)],
)
def test_blocks_read_what_one_read_gives(tmp_path, extension, subtype):
    path = tmp_path / f"x.{extension}"
    soundfile.write(path, noise(30_000, 2), 44_100, subtype=subtype)
    whole, _ = soundfile.read(path, dtype="float32")
    with FileSource(path) as source:
        blocks = []
        while len(block := source.read(777)):
            blocks.append(block)
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize("name", SAMPLE_FORMATS)
def test_pcm_round_trip(name):
    sample_format = SAMPLE_FORMATS[name]
    audio = np.clip(noise(1000, 1)[:, 0], -1, 1)
    data = sample_format.encode(audio)
    assert len(data) == 1000 * sample_format.num_bytes
    step = 0 if "f" in name else 2.0 ** (1 - 8 * sample_format.num_bytes)
    again = sample_format.decode(data)
    assert np.abs(again - audio).max() <= max(step / 2, 1e-7)
    assert sample_format.encode(again) == data


def test_pcm_clips_instead_of_wrapping():
    loud = np.array([2.0, -2.0, 1.0, -1.0], np.float32)
    assert np.frombuffer(SAMPLE_FORMATS["s16le"].encode(loud), "<i2").tolist() == [
        32767, -32768, 32767, -32768,
    ]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLE_FORMATS)
@pytest.mark.parametrize("frames", [None, 123])
def test_wav_header_is_read_back_here_and_by_libsndfile(name, frames):
    sample_format = SAMPLE_FORMATS[name]
    header = wav_header(sample_format, 44_100, 2, frames)
    start = read_wav_start("pipe", io.BytesIO(header).read)
    assert (start.sample_format, start.sample_rate, start.channels) == (sample_format, 44_100, 2)
    assert start.frames == frames
    body = sample_format.encode(noise(123, 2).ravel())
    with soundfile.SoundFile(io.BytesIO(header + body)) as file:
        assert (file.samplerate, file.channels, file.frames) == (44_100, 2, 123)
        assert file.subtype == sample_format.subtype


def test_wav_pipe_skips_chunks_before_the_data():
    header = wav_header(SAMPLE_FORMATS["s16le"], 8_000, 1, 2)
    odd = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    data = header[:36] + odd + header[36:]
    assert read_wav_start("pipe", io.BytesIO(data).read).frames == 2


def test_pipe_returns_what_has_arrived_and_keeps_split_frames():
    reader, writer = os.pipe()
    raw = (SAMPLE_FORMATS["s16le"], 16_000, 2)
    source = PipeSource(reader, name="pipe", raw=raw)
    os.write(writer, b"\1\0\2\0\3")
    assert len(source.read(4096)) == 1
    os.write(writer, b"\0\4\0")
    np.testing.assert_array_equal(source.read(4096) * 32768, [[3, 4]])
    os.write(writer, b"\5")
    os.close(writer)
    assert len(source.read(4096)) == 0
    assert "1 of 4 bytes" in source.warnings[0]
    source.close()


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("a.wav", "PCM_16", ("WAV", "PCM_16")),
        ("a.wav", "FLOAT", ("WAV", "FLOAT")),
        ("a.wav", "PCM_U8", ("WAV", "PCM_16")),
        ("a.wav", "VORBIS", ("WAV", "PCM_16")),
        ("a.flac", "FLOAT", ("FLAC", "PCM_24")),
        ("a.flac", "PCM_16", ("FLAC", "PCM_16")),
        ("a.ogg", "PCM_16", ("OGG", "VORBIS")),
        ("a.opus", "PCM_16", ("OGG", "OPUS")),
        ("A.WAV", "PCM_24", ("WAV", "PCM_24")),
    ],
)
def test_output_keeps_the_format_where_that_loses_nothing(name, given, expected):
    chosen = choose_format(
        Path(name), sample_rate=48_000, channels=2, frames=100, input_subtype=given
    )
    assert chosen == expected


def test_long_recordings_become_rf64():
    ten_hours = 36_000 * 48_000
    options = {"sample_rate": 48_000, "channels": 2, "input_subtype": "PCM_16"}
    assert choose_format(Path("a.wav"), frames=ten_hours, **options)[0] == "RF64"
    assert choose_format(Path("a.wav"), frames=ten_hours // 10, **options)[0] == "WAV"


def test_aborted_output_leaves_no_trace_and_keeps_what_was_there(tmp_path):
    path = tmp_path / "out.wav"
    path.write_bytes(b"precious")
    sink = FileSink(path, sample_rate=16_000, channels=1)
    sink.write(noise(1000))
    assert path.read_bytes() == b"precious"
    sink.abort()
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


def test_committed_output_is_whole(tmp_path):
    path = tmp_path / "out.flac"
    sink = FileSink(path, sample_rate=16_000, channels=1)
    for _ in range(3):
        sink.write(noise(1000))
    assert not path.exists()
    sink.commit()
    sink.abort()
    assert soundfile.info(path).frames == 3000
    assert list(tmp_path.iterdir()) == [path]


def test_durations_read_well():
    assert [format_duration(each) for each in (0.0123, 3.21, 65, 36_000)] == [
        "12.3 ms", "3.2 s", "1:05 min", "10:00:00",
    ]  # fmt: skip
