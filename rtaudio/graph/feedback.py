"""Autoregression: a network whose next input is the sample drawn from its last output (WaveNet,
1609.03499; mixtures of logistics after PixelCNN++, 1701.05517).

    condition = Serial(layers=(Linear(outputs=2 * 64 * 20),))           # all V c + b, once a frame
    body = Serial(layers=(
        Merge(op="cat", branches=(
            Serial(layers=(Channels(begin=2560, end=2561), Embedding(levels=256, outputs=64))),
            Channels(begin=0, end=2560),
        )),
        GatedStack(channels=64, ..., conditioned=True), ..., Linear(outputs=256),
    ))
    Serial(layers=(condition, Feedback(name="loop", body=body, head=MuLawSoftmax(), hop=256)))

turns frames of mels into samples: one tick is a frame in and `hop` samples out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from rtaudio.errors import GraphError
from rtaudio.graph.frozen import frozen
from rtaudio.graph.heads import Head, MuLawSoftmax, Sampler
from rtaudio.graph.layer import (
    Generated,
    Kernel,
    Layer,
    check_range,
)
from rtaudio.graph.plan import Plan, plan

MAX_HOP = 1 << 16


@frozen
class Feedback(Layer):
    """`hop` samples for each frame of the condition, each drawn from what `body` makes of the
    condition and of the sample before.

    The input is [condition], or [condition; voiced] where the sampler reads that flag. `body` maps
    [condition; previous] to the head's parameters, step by step: causal, at one rate, with a memory
    of its own. `start` stands for the value before the first. Noise is drawn at the step's number.
    """

    kind: ClassVar[str] = "feedback"

    body: Layer
    head: Layer
    sampler: Layer = Sampler()
    hop: int = 1
    start: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.head, Head) or not isinstance(self.sampler, Sampler):
            raise GraphError("feedback: its head must be a head and its sampler a sampler.")
        check_range(self, hop=(self.hop, 1, MAX_HOP), start=(self.start, -1e6, 1e6))
        if isinstance(self.head, MuLawSoftmax):
            check_range(self, start=(self.start, 0, self.head.levels - 1))

    def rule(self) -> Generated:
        return Generated(self.hop)

    @property
    def draws(self) -> Head:
        assert isinstance(self.head, Head)  # checked at construction
        return self.head

    @property
    def how(self) -> Sampler:
        assert isinstance(self.sampler, Sampler)
        return self.sampler

    def condition_channels(self, channels: int) -> int:
        return channels - int(self.how.needs_voiced)

    def body_plan(self, channels: int) -> Plan:
        """The body's plan, for an input of `channels` channels."""
        return _plan_body(self, self.condition_channels(channels))

    def out_channels(self, channels: int) -> int:
        self.body_plan(channels)
        return self.draws.width

    def num_layers(self, channels: int) -> int:
        return 1 + self.body_plan(channels).num_layers

    def constant_floats(self, channels: int) -> int:
        table = self.draws.levels if isinstance(self.draws, MuLawSoftmax) else 0
        return table + self.body_plan(channels).constant_floats

    def macs_per_frame(self, channels: int) -> float:
        return self.hop * self.body_plan(channels).macs_per_frame

    def kernel(self, channels: int) -> Kernel:
        head, sampler = self.draws.kernel(channels), self.how.kernel(channels)
        ints = {"hop": self.hop, "softmax": int(head.kind == "softmax")}
        return Kernel(
            "feedback",
            {**ints, **head.ints, **sampler.ints},
            {"start": self.start, **head.floats, **sampler.floats},
            head.tensors,
        )


@lru_cache(maxsize=256)
def _plan_body(layer: Feedback, condition: int) -> Plan:
    if condition < 1:
        raise GraphError("feedback: there is no condition; give at least one channel of it.")
    planned = plan(layer.body, condition + layer.draws.width)
    for node in planned.nodes:
        where = f"feedback: {node.path or node.layer.kind}"
        if isinstance(node.layer, Feedback):
            raise GraphError(f"{where} is a feedback too; one loop in another is not possible.")
        if node.output.rate != 1 or node.output.delay or not node.layer.exact:
            raise GraphError(f"{where} changes the rate or looks ahead; the body must be causal.")
        kernel = node.layer.kernel(node.inputs[0].channels)
        if kernel.control or kernel.constant:
            raise GraphError(f"{where} reads a control or a constant, which only a condition may.")
    if planned.output.channels != layer.draws.num_parameters:
        raise GraphError(
            f"feedback: the body makes {planned.output.channels} channels, but its head has "
            f"{layer.draws.num_parameters} parameters."
        )
    return planned
