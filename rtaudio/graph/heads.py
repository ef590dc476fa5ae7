"""Heads of autoregressive networks: the distribution of the next value, and how it is drawn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from rtaudio.dsp.mulaw import mu_law_compress, mu_law_decode, mu_law_encode, mu_law_expand
from rtaudio.errors import GraphError
from rtaudio.graph.frozen import frozen
from rtaudio.graph.layer import (
    MAX_CHANNELS,
    FloatArray,
    Kernel,
    Layer,
    TensorSpec,
    check_channels,
    check_range,
)

MODES = ("random", "argmax", "greedy", "mode")


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
    """What Feedback and Refine are made of besides layers; no layer of its own."""

    def out_channels(self, channels: int) -> int:
        raise GraphError(f"{self.kind} is a part of another layer and cannot stand among layers.")


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
