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

import numpy as np

from rtaudio.dsp.mulaw import mu_law_compress, mu_law_decode, mu_law_encode, mu_law_expand
from rtaudio.errors import GraphError
from rtaudio.graph.composite import Fused
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import (
    MAX_CHANNELS,
    FloatArray,
    Generated,
    Kernel,
    Layer,
    TensorSpec,
    check_channels,
    check_range,
)
from rtaudio.graph.plan import Plan, plan

MODES = ("random", "argmax", "greedy", "mode")
MAX_HOP = 1 << 16


@frozen
class Embedding(Layer):
    """weight[:, code] for codes 0 to levels - 1 in one channel: a matrix times a one-hot vector."""

    kind: ClassVar[str] = "embedding"

    levels: int
    outputs: int

    def __post_init__(self) -> None:
        check_range(self, levels=(self.levels, 1, 1 << 16), outputs=(self.outputs, 1, MAX_CHANNELS))

    def out_channels(self, channels: int) -> int:
        check_channels(self, channels, 1)
        return self.outputs

    def tensors(self, channels: int) -> dict[str, TensorSpec]:
        return {"weight": TensorSpec((self.outputs, self.levels), self.levels)}

    def kernel(self, channels: int) -> Kernel:
        return Kernel("embedding", {"levels": self.levels}, tensors={"weight": "weight"})


@frozen
class Part(Layer):
    """What Feedback is made of besides its body; no layer of its own."""

    def out_channels(self, channels: int) -> int:
        raise GraphError(f"{self.kind} is a part of feedback and cannot stand among layers.")


@frozen
class Head(Part):
    """A distribution of the next value: what its parameters are, and how a value becomes audio."""

    @property
    def width(self) -> int:
        """Values of one draw, and channels of the audio."""
        return 1

    @property
    def num_parameters(self) -> int:
        raise NotImplementedError

    def encode(self, audio: FloatArray) -> FloatArray:
        """The values that are fed back for these samples."""
        raise NotImplementedError

    def decode(self, values: FloatArray) -> FloatArray:
        raise NotImplementedError


@frozen
class MuLawSoftmax(Head):
    """Logits of mu-law codes. The code itself is fed back: give the body an Embedding."""

    kind: ClassVar[str] = "mu_law_softmax"

    levels: int = 256

    def __post_init__(self) -> None:
        check_range(self, levels=(self.levels, 2, 1 << 16))

    @property
    def num_parameters(self) -> int:
        return self.levels

    def encode(self, audio: FloatArray) -> FloatArray:
        return mu_law_encode(audio, self.levels).astype(np.float32)

    def decode(self, values: FloatArray) -> FloatArray:
        return mu_law_decode(values.astype(np.int64), self.levels).astype(np.float32)

    def kernel(self, channels: int) -> Kernel:
        codes = np.arange(self.levels, dtype=np.float32)
        return Kernel("softmax", {"levels": self.levels}, tensors={"decode": self.decode(codes)})


@frozen
class Mixture(Head):
    """A mixture of `components` logistic or Gaussian densities: [logits; means; log scales].

    One component needs no logit and may have several `values`, independent of one another:
    [means(values); log scales(values)]. Log scales are clamped to [min_log_scale, max_log_scale],
    what is drawn to [-limit, limit], and rounded where there are `levels` of it in [-1, 1].
    `mu_law_levels`: the values are companded samples and are expanded on their way out; 0: they are
    the samples.
    """

    kind: ClassVar[str] = "mixture"

    distribution: str
    components: int = 1
    values: int = 1
    min_log_scale: float = -7.0
    max_log_scale: float = 7.0
    limit: float = 1.0
    levels: int = 0
    mu_law_levels: int = 0

    def __post_init__(self) -> None:
        if self.distribution not in ("logistic", "gaussian"):
            raise GraphError(
                f"mixture: distribution is {self.distribution!r}; it must be logistic or gaussian."
            )
        check_range(
            self,
            components=(self.components, 1, 1 << 12),
            values=(self.values, 1, 1 if self.components > 1 else 1 << 12),
            min_log_scale=(self.min_log_scale, -50.0, self.max_log_scale),
            max_log_scale=(self.max_log_scale, -50.0, 50.0),
            limit=(self.limit, 1e-6, 1.0 if self.mu_law_levels else 1e6),
            levels=(self.levels, 0, 1 << 24),
            mu_law_levels=(self.mu_law_levels, 0, 1 << 16),
        )
        if 1 in (self.levels, self.mu_law_levels):
            raise GraphError("mixture: one level is no sound; give 0 or at least 2 levels.")

    @property
    def width(self) -> int:
        return self.values

    @property
    def num_parameters(self) -> int:
        return 3 * self.components if self.components > 1 else 2 * self.values

    def encode(self, audio: FloatArray) -> FloatArray:
        if self.mu_law_levels:
            return mu_law_compress(audio, self.mu_law_levels).astype(np.float32)
        return np.asarray(audio, np.float32)

    def decode(self, values: FloatArray) -> FloatArray:
        if self.mu_law_levels:
            return mu_law_expand(values, self.mu_law_levels).astype(np.float32)
        return values

    def kernel(self, channels: int) -> Kernel:
        ints = {
            "gaussian": int(self.distribution == "gaussian"),
            "components": self.components,
            "values": self.values,
            "levels": self.levels,
            "mu_law_levels": self.mu_law_levels,
        }
        floats = {
            "min_log_scale": self.min_log_scale,
            "max_log_scale": self.max_log_scale,
            "limit": self.limit,
        }
        return Kernel("mixture", ints, floats)


@frozen
class Sampler(Part):
    """How a value is drawn: "random"; "argmax" (the likeliest code, or the mean of the likeliest
    component); "greedy": argmax where the sound is voiced, else random; "mode": random, in voiced
    parts with scales (of codes: the temperature) `voiced_scale` times smaller.

    `temperature` divides logits and multiplies scales. greedy and mode read a voiced flag, the last
    channel of the condition: above 0.5 is voiced.
    """

    kind: ClassVar[str] = "sampler"

    mode: str = "random"
    temperature: float = 1.0
    voiced_scale: float = 0.7

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise GraphError(
                f"sampler: mode is {self.mode!r}; it must be one of {', '.join(MODES)}."
            )
        check_range(
            self,
            temperature=(self.temperature, 1e-3, 1e3),
            voiced_scale=(self.voiced_scale, 1e-3, 1e3),
        )

    @property
    def needs_voiced(self) -> bool:
        return self.mode in ("greedy", "mode")

    def kernel(self, channels: int) -> Kernel:
        floats = {"temperature": self.temperature, "voiced_scale": self.voiced_scale}
        return Kernel("sampler", {"mode": MODES.index(self.mode)}, floats)


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


def inner_plan(layer: Layer, channels: int) -> Plan | None:
    """The plan of a node that holds nodes of its own, else None."""
    if isinstance(layer, Fused):
        return plan(layer.expansion(), channels)
    return layer.body_plan(channels) if isinstance(layer, Feedback) else None
