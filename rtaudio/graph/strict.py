"""Reading of untrusted JSON: what the format leaves open is refused, and types are exact."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from rtaudio.errors import ModelFileError

T = TypeVar("T")

MAX_TEXT = 200
# Exact types: JSON's true is no number.
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
}


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. ValueError for a key that comes twice and for NaN and Infinity,
    which JSON does not have; RecursionError where it is nested too deep."""
    return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)


def visible(text: str) -> str:
    """Without control codes, which a terminal that shows the text would obey."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def quote(error: Exception) -> str:
    """What another library says, as part of one printable sentence."""
    return visible(" ".join(str(error).split())[:200]).rstrip(".")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice in one JSON object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def check_type(value: Any, annotation: str, where: str) -> Any:
    """`value` if it is of the annotated plain type: int, float, str or bool.

    Numbers fit a double; texts are short and printable, so that a message may quote them.
    Raises ModelFileError.
    """
    if type(value) not in _TYPES[annotation]:
        raise ModelFileError(f"{where} is {value!r:.60}, not {annotation}.")
    if annotation == "str" and (len(value) > MAX_TEXT or not value.isprintable()):
        raise ModelFileError(f"{where} is no short, printable text: {value!r:.60}.")
    if (annotation == "int" and abs(value) > 1 << 53) or (
        annotation == "float" and not abs(value) <= 1e300
    ):
        raise ModelFileError(f"{where} is {value!r:.60}, out of range.")
    return float(value) if annotation == "float" else value


def check_field(value: Any, annotation: str, where: str) -> Any:
    """As check_type; a list where the annotation is a tuple of plain values."""
    if not annotation.startswith("tuple["):
        return check_type(value, annotation, where)
    if not isinstance(value, list):
        raise ModelFileError(f"{where} is {value!r:.60}, not a list.")
    element = annotation.removeprefix("tuple[").removesuffix(", ...]")
    return tuple(check_type(v, element, where) for v in value)


def read_fields(cls: type[T], data: Any, where: str) -> T:
    """An instance of a dataclass of plain fields from a JSON object. Raises ModelFileError."""
    if not isinstance(data, Mapping):
        raise ModelFileError(f"{where} is {data!r:.60}, not an object.")
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name not in fields:
            raise ModelFileError(f"{where} has no field {name!r:.60}; export the model again.")
        values[name] = check_field(value, str(fields[name].type), f"{where}: {name}")
    missing = [n for n, f in fields.items() if n not in data and f.default is dataclasses.MISSING]
    if missing:
        raise ModelFileError(f"{where} lacks {', '.join(missing)}; export the model again.")
    return cls(**values)
