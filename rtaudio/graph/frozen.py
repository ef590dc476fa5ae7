"""Frozen, keyword-only dataclasses that cost little at import.

`dataclasses.dataclass(frozen=True)` compiles six methods a class, which for all layer kinds is most
of the time of `import rtaudio`. Here a class compiles its `__init__` alone; the rest is inherited.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:  # part of typing from Python 3.11 on, and without effect at run time

    def dataclass_transform(**_: Any) -> Any:
        return lambda function: function


T = TypeVar("T")


@dataclass_transform(
    kw_only_default=True, frozen_default=True, field_specifiers=(dataclasses.field,)
)
def frozen(cls: type[T]) -> type[T]:
    """Make a subclass of Frozen a dataclass."""
    made = dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
    made._names = tuple(field.name for field in dataclasses.fields(made))  # type: ignore[attr-defined, arg-type]
    return made


class Frozen:
    """What `frozen` classes inherit: each field can be set once, by `__init__`."""

    _names: ClassVar[tuple[str, ...]] = ()

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__ or name not in self._names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return isinstance(other, Frozen) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        fields = (f"{name}={getattr(self, name)!r}" for name in self._names)
        return f"{type(self).__qualname__}({', '.join(fields)})"

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self._names)
