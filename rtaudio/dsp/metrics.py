"""Quality measures of enhanced speech, one clip at a time, mono, aligned by the caller.

`pesq_wb` and `estoi` need the packages pesq and pystoi; they are imported on first use.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def _mono(x: ArrayLike) -> NDArray[np.float64]:
    out = np.asarray(x, dtype=np.float64)
    if out.ndim != 1:
        raise ValueError(f"a measure takes one mono clip (frames,), not an array of {out.shape}")
    return out


def si_sdr(estimate: ArrayLike, reference: ArrayLike) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019, eq. 3).

    Means are kept: an offset is an error. Infinite for a scaled copy of the reference.
    """
    e, r = _mono(estimate), _mono(reference)
    energy = float(r @ r)
    if energy == 0:
        raise ValueError("SI-SDR of a silent reference is undefined; measure attenuation instead")
    target = r * (float(e @ r) / energy)
    error = e - target
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(float(target @ target) / max(float(error @ error), 1e-300)))


def pesq_wb(estimate: ArrayLike, reference: ArrayLike, sample_rate: int = 16000) -> float:
    """Wide-band PESQ (ITU-T P.862.2), 1.04 to 4.64; `sample_rate` must be 16000."""
    from pesq import pesq

    return float(pesq(sample_rate, _mono(reference), _mono(estimate), "wb"))


def estoi(estimate: ArrayLike, reference: ArrayLike, sample_rate: int = 16000) -> float:
    """Extended short-time objective intelligibility (Jensen and Taal 2016), up to 1."""
    from pystoi import stoi

    return float(stoi(_mono(reference), _mono(estimate), sample_rate, extended=True))


def attenuation_db(output: ArrayLike, source: ArrayLike, skip: int = 16000) -> float:
    """How far the level falls from `source` to `output` after `skip` samples, in dB."""
    y, x = _mono(output)[skip:], _mono(source)[skip:]
    return float(10 * np.log10((x @ x + 1e-12) / (y @ y + 1e-12)))


def delay_samples(output: ArrayLike, source: ArrayLike, limit: int = 2048) -> int:
    """The lag in 0..limit at which `output` resembles `source` most (cross-correlation)."""
    y, x = _mono(output), _mono(source)
    size = 1 << (x.size + y.size).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(y, size) * np.conj(np.fft.rfft(x, size)), size)
    return int(np.argmax(correlation[: limit + 1]))
