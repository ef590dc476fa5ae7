"""Integer files hold the nearest values: written by hand, and by `rtaudio denoise`."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from rtaudio.cli.main import main
from rtaudio.io import FileSink, FileSource

RNG = np.random.default_rng(7)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("a.wav", 16), ("a.wav", 24), ("a.wav", 32), ("a.aiff", 16), ("a.aiff", 24),
        ("a.flac", 16), ("a.flac", 24), ("a.caf", 24), ("a.w64", 16), ("a.au", 24),
    ],
)  # fmt: skip
def test_integer_files_hold_the_nearest_values(tmp_path, name, bits):
    scale = 2.0 ** (bits - 1)
    ends = [-1.5, -1.0, 1.0, 1.5]
    audio = np.concatenate([0.1 * RNG.standard_normal(4000), ends]).astype(np.float32)[:, None]
    subtype = f"PCM_{bits}"
    sink = FileSink(tmp_path / name, sample_rate=48_000, channels=1, input_subtype=subtype)
    sink.write(audio)
    sink.commit()
    assert soundfile.info(tmp_path / name).subtype == subtype
    held = soundfile.read(tmp_path / name, dtype="int32")[0] / 2.0 ** (32 - bits)
    exact = np.clip(audio[:, 0].astype(np.float64) * scale, -scale, scale - 1)
    assert np.abs(held - exact).max() <= 0.5
    with FileSource(tmp_path / name) as source:  # what was read from such a file goes back as is
        again = source.read(5000)
    copy = FileSink(tmp_path / f"b{name}", sample_rate=48_000, channels=1, input_subtype=subtype)
    copy.write(again)
    copy.commit()
    if bits < 32:  # float32 holds 24 bits
        back = soundfile.read(tmp_path / f"b{name}", dtype="int32")[0] / 2.0 ** (32 - bits)
        np.testing.assert_array_equal(back, held)


@pytest.mark.parametrize("name", ["a.ogg", "a.opus"])
def test_lossy_files_keep_the_level_and_add_no_bias(tmp_path, name):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    sink = FileSink(tmp_path / name, sample_rate=48_000, channels=1)
    sink.write(tone.astype(np.float32)[:, None])
    sink.commit()
    held = soundfile.read(tmp_path / name)[0][2000:-2000]
    assert np.sqrt(2) * held.std() == pytest.approx(0.5, rel=0.02)
    assert abs(held.mean()) < 1e-4


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("in.wav", "PCM_16"), ("in.wav", "PCM_U8"), ("in.aiff", "PCM_16"), ("in.flac", "PCM_16")],
)
def test_no_attenuation_of_a_16_bit_file_is_the_identity(tmp_path, name, subtype, model_path):
    integers = np.random.default_rng(5).integers(-32_768, 32_768, (20_000, 2)).astype(np.int16)
    path = tmp_path / name
    soundfile.write(path, integers, 48_000, subtype=subtype)
    out = tmp_path / f"out{path.suffix}"
    arguments = ["denoise", path, "-o", out, "-a", 0, "-m", model_path]
    assert main([str(each) for each in arguments]) == 0
    before, after = (soundfile.read(each, dtype="int16")[0] for each in (path, out))
    np.testing.assert_array_equal(after, before)
