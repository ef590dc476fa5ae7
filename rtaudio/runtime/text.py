"""A plan as text."""

from __future__ import annotations

from rtaudio.graph.graph import Graph, node_tensors
from rtaudio.graph.plan import Delay, Join


def summary(graph: Graph) -> str:
    """One line an operation: what it is, frames per second, delay in samples, channels, cost."""
    plan = graph.plan
    rows = [("operation", "kind", "channels", "frames/s", "delay", "parameters", "MMAC/s")]
    for node in plan.nodes:
        signal = node.output
        rate = float(signal.rate) * graph.sample_rate
        inputs = node.inputs[0]
        macs = node.layer.macs_per_frame(inputs.channels) * float(inputs.rate) * graph.sample_rate
        size = sum(_count(s.shape) for s in node_tensors(node.layer, inputs.channels).values())
        kind = node.layer.op if isinstance(node.layer, Join) else node.layer.kind
        path = "(alignment)" if isinstance(node.layer, Delay) else node.path or "(root)"
        delay = float(signal.delay / signal.rate)
        rows.append(
            (
                path,
                kind,
                str(signal.channels),
                f"{rate:g}",
                f"{delay:g}",
                str(size or ""),
                f"{macs / 1e6:.2f}" if macs else "",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    delay = plan.output.delay
    lines.append("")
    lines.append(
        f"signal delay {delay} samples ({1e3 * delay / graph.sample_rate:g} ms), "
        f"one tick {plan.block} samples, {graph.num_parameters} parameters, "
        f"{graph.macs_per_second / 1e6:.1f} MMAC/s"
    )
    if not plan.exact:
        lines.append(
            "streams only come near a call on the whole signal: a layer looks at all of it"
        )
    return "\n".join(lines)


def _count(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
