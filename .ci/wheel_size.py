"""The size of a wheel without the model weights, against the bound: python wheel_size.py WHEEL."""

import sys
import zipfile

# Half of it are kernels for GPUs.
BOUND_BYTES = 5_000_000

with zipfile.ZipFile(sys.argv[1]) as wheel:
    entries = wheel.infolist()
weights = sum(e.compress_size for e in entries if e.filename.startswith("rtaudio/weights/"))
rest = sum(e.compress_size for e in entries) - weights
print(f"wheel: {rest / 1e6:.2f} MB without weights, weights {weights / 1e6:.2f} MB")
sys.exit(rest > BOUND_BYTES)
