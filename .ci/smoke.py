"""What a person does first with the installed wheel; run from a folder that is not the clone."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def command(*arguments: str) -> None:
    print("$", " ".join(arguments), flush=True)
    subprocess.run(arguments, check=True)


start = time.perf_counter()
import rtaudio  # noqa: E402

model = rtaudio.load(rtaudio.DEFAULT_DENOISER)
print(f"import and load: {1000 * (time.perf_counter() - start):.0f} ms")
assert "site-packages" in str(rtaudio.__file__), rtaudio.__file__
assert "torch" not in sys.modules

noise = np.random.default_rng(0).standard_normal(48000).astype(np.float32) * 0.1
with model.stream(sample_rate=48000) as stream:
    streamed = np.concatenate([*map(stream.push, np.split(noise, [7, 500, 20000])), stream.flush()])
assert np.array_equal(streamed, model(noise, 48000))
print("streamed == whole, bit for bit")

command("rtaudio", "doctor")
command("rtaudio", "info", rtaudio.DEFAULT_DENOISER)
command("rtaudio", "demo", "-o", "demo")
assert any(Path("demo").glob("*.wav"))
