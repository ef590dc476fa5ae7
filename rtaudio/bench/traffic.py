"""What a stream's memory moves at least: each frame that a layer remembers is written once, and
read once for each of its older taps."""

from __future__ import annotations

from rtaudio.graph.conv import Conv1d, GatedStack
from rtaudio.graph.feedback import Feedback
from rtaudio.graph.layer import Layer
from rtaudio.graph.plan import Plan
from rtaudio.graph.recurrent import GRU, LSTM
from rtaudio.graph.refine import Refine

FLOAT = 4  # states are fp32 in every precision


def queue_bytes(planned: Plan) -> float:
    """Of one lane, a source frame. Layers that remember little beside these are left out."""
    return sum(
        float(node.output.rate) * _bytes(node.layer, node.inputs[0].channels)
        for node in planned.nodes
    )


def _bytes(layer: Layer, channels: int) -> float:
    """Of a frame that leaves the layer (of a loop: of its hop)."""
    if isinstance(layer, GatedStack):
        return FLOAT * len(layer.dilations) * layer.channels * layer.kernel_size
    if isinstance(layer, Refine):
        net = layer.inner
        each = len(net.dilations) * net.channels * net.kernel_size
        return FLOAT * len(layer.scales) * each
    if isinstance(layer, Feedback):
        return queue_bytes(layer.body_plan(channels))
    if isinstance(layer, Conv1d) and layer.kernel_size > 1:
        return FLOAT * channels * (layer.stride + layer.kernel_size - 1)
    if isinstance(layer, GRU | LSTM):
        return FLOAT * 2 * layer.hidden * (2 if isinstance(layer, LSTM) else 1)
    return 0.0
