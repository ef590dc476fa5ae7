"""Layers behave as the standard library's frozen dataclasses do."""

import copy
import dataclasses
import pickle

import pytest

from rtaudio.graph import Conv1d, Layer, Linear


def test_fields_cannot_be_changed_added_or_deleted() -> None:
    layer = Linear(outputs=3)
    for change in (
        lambda: setattr(layer, "outputs", 4),
        lambda: setattr(layer, "extra", 4),
        lambda: delattr(layer, "outputs"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    assert layer.outputs == 3


def test_equality_is_by_class_and_value() -> None:
    assert Linear(outputs=3) == Linear(outputs=3) != Linear(outputs=4)
    assert hash(Linear(outputs=3)) == hash(Linear(outputs=3))
    assert Linear(outputs=3) != Conv1d(outputs=3, kernel_size=1)
    assert len({Linear(outputs=3), Linear(outputs=3), Linear(outputs=4)}) == 2


def test_arguments_are_by_name() -> None:
    with pytest.raises(TypeError):
        Linear(3)  # type: ignore[misc]


def test_copies_and_replacements() -> None:
    layer = Linear(outputs=3, name="x")
    assert dataclasses.replace(layer, outputs=4) == Linear(outputs=4, name="x")
    assert copy.deepcopy(layer) == layer == pickle.loads(pickle.dumps(layer))
    assert eval(repr(layer), {"Linear": Linear}) == layer


def test_every_kind_is_made_so() -> None:
    # One stdlib frozen dataclass costs more at import than five of these.
    assert all("__eq__" not in vars(kind) for kind in Layer.registry.values())
