"""What all denoisers look like from outside."""

from __future__ import annotations

from rtaudio.graph import ControlPort, Graph, Layer, StreamPort


def denoiser_graph(body: Layer, sample_rate: int) -> Graph:
    """One channel in, one out; `attenuation_limit_db` is for a Blend in the body."""
    return Graph(
        body=body,
        sample_rate=sample_rate,
        input=StreamPort(name="audio"),
        output=StreamPort(name="audio"),
        controls=(
            ControlPort(name="attenuation_limit_db", default=120.0, low=0.0, high=120.0, unit="dB"),
        ),
    )
