"""Examples of autoregression: every head, the ways to draw, conditions at two rates."""

from __future__ import annotations

from rtaudio.graph import (
    GRU,
    Activation,
    Channels,
    Conv1d,
    Embedding,
    Feedback,
    GatedStack,
    Layer,
    Linear,
    Merge,
    Mixture,
    MuLawSoftmax,
    Sampler,
    Serial,
    Upsample,
    WithConstant,
)

LATE = Conv1d(name="late", outputs=5, kernel_size=3, lookahead_frames=2)
GAUSSIAN = Mixture(distribution="gaussian")
LOGISTICS = Mixture(distribution="logistic", components=3, min_log_scale=-4.0)


def narrow(parameters: int) -> Layer:
    """A body over the condition and the sample before together."""
    return Serial(
        layers=(
            Conv1d(name="conv", outputs=6, kernel_size=2),
            Activation(function="tanh"),
            Linear(name="out", outputs=parameters),
        )
    )


def stack(condition: int, first: Layer, parameters: int, gate: int, skip: int = 7) -> Layer:
    """WaveNet: a gated stack whose layers' sums start from the condition."""
    wide = 2 * gate * 3
    x = Serial(name="x", layers=(Channels(begin=wide, end=wide + 1), first))
    gated = GatedStack(
        name="stack",
        channels=gate,
        gate_channels=gate,
        skip_channels=skip,
        kernel_size=2,
        dilations=(1, 2, 5),
        conditioned=True,
    )
    body = (
        Merge(op="cat", name="in", branches=(x, Channels(begin=0, end=wide))),
        gated,
        Activation(function="relu"),
        Linear(name="out", outputs=parameters),
    )
    return Serial(layers=body)


def network(condition: Layer, gate: int, feedback: Feedback) -> Layer:
    return Serial(layers=(condition, Linear(name="v", outputs=6 * gate), feedback))


FEEDBACK: dict[str, tuple[Layer, int]] = {
    "feedback": (Feedback(body=narrow(2), head=GAUSSIAN, hop=3), 4),
    "feedback of a mixture": (Feedback(body=narrow(9), head=LOGISTICS, hop=2), 20),
    "feedback of several values": (
        Feedback(body=narrow(6), head=Mixture(distribution="gaussian", values=3, limit=8.0)),
        3,
    ),
    "feedback of codes": (
        Feedback(
            body=stack(24, Embedding(levels=32, outputs=4), 32, 4),
            head=MuLawSoftmax(levels=32),
            hop=2,
            start=15,
        ),
        24,
    ),
    "feedback wide": (
        network(
            Upsample(factor=2),
            24,  # wide enough for sums ahead, over some of the hop's samples
            Feedback(
                name="loop",
                body=stack(144, Linear(outputs=24), 9, 24),
                head=Mixture(distribution="gaussian", components=3),
                sampler=Sampler(temperature=0.8),
                hop=7,
            ),
        ),
        5,
    ),
    "feedback in panels": (
        network(
            Upsample(factor=2),
            64,  # one lane's frames go through the stack in registers, several lanes' do not
            Feedback(
                name="loop",
                body=stack(384, Linear(outputs=64), 2, 64, skip=64),
                head=GAUSSIAN,
                hop=7,
            ),
        ),
        5,
    ),
    "feedback behind a delay": (
        Serial(layers=(LATE, Feedback(body=narrow(2), head=GAUSSIAN, hop=2))),
        3,
    ),
    "feedback with a memory, rounded": (
        Feedback(
            body=Serial(layers=(GRU(name="gru", hidden=9), Linear(name="out", outputs=2))),
            head=Mixture(distribution="logistic", levels=65536, mu_law_levels=256),
            start=0.25,
        ),
        2,
    ),
    "feedback, the likeliest": (
        Feedback(body=narrow(9), head=LOGISTICS, sampler=Sampler(mode="argmax")),
        3,
    ),
    "feedback, the likeliest where voiced": (
        Feedback(body=narrow(9), head=LOGISTICS, sampler=Sampler(mode="greedy"), hop=2),
        3,
    ),
    "feedback, narrower where voiced": (
        Feedback(body=narrow(2), head=GAUSSIAN, sampler=Sampler(mode="mode", voiced_scale=0.5)),
        3,
    ),
    "with_constant": (WithConstant(constant="speaker", count=3), 4),
    "with_constant wide": (WithConstant(constant="speaker", count=20), 17),
    "gated_stack conditioned": (
        GatedStack(
            channels=8,
            gate_channels=6,
            skip_channels=5,
            kernel_size=3,
            dilations=(1, 2, 4),
            conditioned=True,
        ),
        8 + 36,
    ),
    "gated_stack conditioned wide": (
        GatedStack(
            channels=32,
            gate_channels=16,
            skip_channels=20,
            kernel_size=2,
            dilations=(1, 7),
            conditioned=True,
        ),
        32 + 64,
    ),
}
