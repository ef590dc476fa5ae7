"""A graph as JSON and back. The file is untrusted: sizes are bounded and kinds are known."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from rtaudio.errors import GraphError, ModelFileError
from rtaudio.graph.graph import ConstantPort, ControlPort, Graph, StreamPort
from rtaudio.graph.layer import Layer
from rtaudio.graph.plan import MAX_DEPTH, MAX_NODES
from rtaudio.graph.strict import check_field, check_type, parse_json, quote, read_fields

INTERNAL_KINDS = frozenset({"delay", "join"})


def graph_to_json(graph: Graph) -> str:
    constants = [dataclasses.asdict(c) for c in graph.constants]
    return json.dumps(
        {
            "sample_rate": graph.sample_rate,
            "input": dataclasses.asdict(graph.input),
            "output": dataclasses.asdict(graph.output),
            "controls": [dataclasses.asdict(c) for c in graph.controls],
            **({"constants": constants} if constants else {}),
            "body": _layer_to_data(graph.body),
        },
        separators=(",", ":"),
    )


def graph_from_json(text: str) -> Graph:
    """Raises ModelFileError for anything that is no graph this version can run."""
    try:
        data = parse_json(text)
        return Graph(
            body=_Reader().layer(data["body"], 0),
            sample_rate=check_type(data["sample_rate"], "int", "the graph's sample_rate"),
            input=read_fields(StreamPort, data["input"], "the input port"),
            output=read_fields(StreamPort, data["output"], "the output port"),
            controls=tuple(read_fields(ControlPort, c, "a control") for c in data["controls"]),
            constants=tuple(
                read_fields(ConstantPort, c, "a constant") for c in data.get("constants", [])
            ),
        )
    except ModelFileError:
        raise
    except GraphError as error:
        raise ModelFileError(f"the model's graph cannot run: {error}") from error
    except (
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ModelFileError(
            f"the graph in the model file cannot be read ({type(error).__name__}: {quote(error)}); "
            "export the model again."
        ) from error


def _layer_to_data(layer: Layer) -> dict[str, Any]:
    data: dict[str, Any] = {"kind": layer.kind}
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if value == field.default:
            continue
        if isinstance(value, Layer):
            value = _layer_to_data(value)
        elif isinstance(value, tuple):
            value = [_layer_to_data(v) if isinstance(v, Layer) else v for v in value]
        data[field.name] = value
    return data


class _Reader:
    def __init__(self) -> None:
        self.count = 0

    def layer(self, data: Any, depth: int) -> Layer:
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_NODES:
            raise ModelFileError("the model's graph is nested too deep or has too many layers.")
        if not isinstance(data, dict):
            raise ModelFileError(f"the model's graph has {data!r:.60} in place of a layer.")
        kind = data["kind"]
        cls = Layer.registry.get(kind) if kind not in INTERNAL_KINDS else None
        if cls is None:
            raise ModelFileError(
                f"the model holds a layer of kind {kind!r:.60}, which this rtaudio does not know; "
                "update rtaudio or export the model for this version."
            )
        fields = {f.name: f for f in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for key, value in data.items():
            if key == "kind":
                continue
            if key not in fields:
                raise ModelFileError(f"layer {kind!r} has no field {key!r:.60}; export it again.")
            values[key] = self.value(value, str(fields[key].type), depth, kind, key)
        return cls(**values)

    def value(self, value: Any, annotation: str, depth: int, kind: str, key: str) -> Any:
        if annotation == "Layer":
            return self.layer(value, depth + 1)
        if annotation == "tuple[Layer, ...]":
            if not isinstance(value, list):
                raise ModelFileError(f"layer {kind!r}: {key} is {value!r:.60}, not a list.")
            return tuple(self.layer(v, depth + 1) for v in value)
        return check_field(value, annotation, f"layer {kind!r}: {key}")
