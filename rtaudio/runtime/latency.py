"""The delay from input to output, by its parts."""

from __future__ import annotations

from dataclasses import dataclass

from rtaudio.graph.graph import Graph


@dataclass(frozen=True)
class Latency:
    """Delay from input to output in samples, by its parts.

    `signal_delay`: how far the output lags behind; `hop`: samples collected before a step;
    `window` and `lookahead` describe the model. Algorithmic latency = signal_delay + hop.
    """

    signal_delay: int
    hop: int
    lookahead: int
    window: int
    sample_rate: int

    @classmethod
    def of(cls, graph: Graph) -> Latency:
        """In samples of the graph's rate."""
        plan = graph.plan
        past, lookahead = plan.receptive_past, plan.lookahead_samples
        window = lookahead + 1 if past is None else past + lookahead + 1
        delay = int(plan.output.delay / plan.output.rate)
        return cls(delay, plan.block, lookahead, window, graph.sample_rate)

    @property
    def samples(self) -> int:
        return self.signal_delay + self.hop

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate

    def parts(self) -> list[tuple[str, int]]:
        return [("signal delay", self.signal_delay), ("one hop", self.hop)]
