"""A differentiable relative of PESQ: loudness differences on the Bark scale.

After ITU-T P.862 and Martin-Donas et al. 2018 (PMSQE): band powers at a listening level of 79 dB
SPL, Zwicker loudness over the threshold in quiet, symmetric and asymmetric disturbance. There is
no time alignment and no equalisation, and the frames are the model's own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BIN_HZ = 50.0
NUM_BANDS = 42
LISTENING_DB = 79.0


def bark(hz: Tensor) -> Tensor:
    """Critical-band rate (Traunmueller 1990)."""
    return 26.81 * hz / (1960 + hz) - 0.53


def threshold_db(hz: Tensor) -> Tensor:
    """Threshold in quiet, dB SPL (Terhardt 1979)."""
    khz = hz / 1000
    hump = 6.5 * torch.exp(-0.6 * (khz - 3.3) ** 2)
    return 3.64 * khz**-0.8 - hump + 1e-3 * khz**4


class Disturbance(nn.Module):
    """[lane, frame, bin] power spectra of estimate and target to 0.1 D + 0.0309 DA, [lane]."""

    matrix: Tensor
    quiet: Tensor
    speech: Tensor

    def __init__(self, num_bins: int = 161) -> None:
        super().__init__()
        hz = torch.arange(num_bins) * BIN_HZ
        low, high = float(bark(torch.tensor(75.0))), float(bark(hz[-1]))
        edges = torch.linspace(low, high, NUM_BANDS + 1)
        # Bins belong to bands in proportion to how they overlap on the Bark axis.
        begin, end = bark((hz - BIN_HZ / 2).clamp(min=0)), bark(hz + BIN_HZ / 2)
        overlap = torch.minimum(end, edges[1:, None]) - torch.maximum(begin, edges[:-1, None])
        self.register_buffer("matrix", (overlap.clamp(min=0) / (end - begin)).T.contiguous())
        centre = (edges[1:] + edges[:-1]) / 2 + 0.53
        centre_hz = 1960 * centre / (26.81 - centre)
        self.register_buffer("quiet", 10 ** (threshold_db(centre_hz) / 10))
        self.width = (high - low) / NUM_BANDS  # of a band, Bark
        self.register_buffer("speech", ((hz >= 325) & (hz <= 3250)).float())

    def loudness(self, bands: Tensor) -> Tensor:
        """Sone a Bark (P.862, equation of Zwicker's law)."""
        scale = 0.1866 * (self.quiet / 0.5) ** 0.23
        return scale * ((0.5 + 0.5 * bands / self.quiet) ** 0.23 - 1).clamp(min=0)

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        level = 10 ** (LISTENING_DB / 10)
        bands = []
        for power in (estimate, target):
            mean = (power * self.speech).sum(-1).mean(-1)[:, None, None]
            bands.append((power / (mean + 1e-9) * level) @ self.matrix)
        heard, wanted = self.loudness(bands[0]), self.loudness(bands[1])
        difference = heard - wanted
        masked = 0.25 * torch.minimum(heard, wanted)
        size = (difference.abs() - masked).clamp(min=0)
        ratio = ((bands[0] + 50) / (bands[1] + 50)) ** 1.2
        asymmetry = torch.where(ratio < 3, 0.0, ratio.clamp(max=12))
        total = self.width * NUM_BANDS
        energy = bands[1].sum(-1)
        weight = ((energy + 1e5) / 1e7) ** -0.04
        symmetric = total * ((size**2).mean(-1) + 1e-6).sqrt()
        added = self.width * (size * asymmetry).sum(-1)
        parts = []
        for frames in (symmetric, added):
            spans = (frames * weight).clamp(max=45).unfold(-1, 32, 16)
            worst = ((spans / 8) ** 6).mean(-1).add(1e-6) ** (1 / 6) * 8
            parts.append(((worst**2).mean(-1) + 1e-6).sqrt())
        return 0.1 * parts[0] + 0.0309 * parts[1]
