"""The config of a .nam file of WaveNet type, of every version, as one description.

Untrusted: every field is checked for its type and range, and what we cannot compute is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtaudio.errors import ModelFileError
from rtaudio.graph import Activation
from rtaudio.models.wavenet import Head, LayerArray

MAX_LAYERS, MAX_CHANNELS, MAX_REACH = 1024, 1024, 1 << 20
FILMS = (
    "conv_pre_film",
    "conv_post_film",
    "input_mixin_pre_film",
    "input_mixin_post_film",
    "activation_pre_film",
    "activation_post_film",
    "layer1x1_post_film",
    "head1x1_post_film",
)
# NAM's name: ours, and what its parameters are called there, with their defaults.
ACTIVATIONS: Mapping[str, tuple[str, dict[str, float]]] = {
    "Tanh": ("tanh", {}),
    "Sigmoid": ("sigmoid", {}),
    "ReLU": ("relu", {}),
    "SiLU": ("silu", {}),
    "Softplus": ("softplus", {}),
    "Identity": ("identity", {}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": 0.01}),
    "PReLU": ("leaky_relu", {"negative_slope": 0.01}),
    "Hardtanh": ("clamp", {"min_val": -1.0, "max_val": 1.0}),
}
LEGACY = {"head_size", "head_bias", "kernel_size", "gated"}
KNOWN = {
    "input_size",
    "condition_size",
    "head",
    "channels",
    "kernel_sizes",
    "dilations",
    "activation",
    "bottleneck",
    "head1x1",
    "layer1x1",
    "groups_input",
    "groups_input_mixin",
    "gating_mode",
    "secondary_activation",
    "slimmable",  # the full width is stored, and it is what we run
    *FILMS,
    *LEGACY,
}


@dataclass(frozen=True, kw_only=True)
class NamArray:
    """A layer array, and how its matrices are stored."""

    array: LayerArray
    has_residual: bool
    input_groups: int
    condition_groups: int
    residual_groups: int
    head_groups: int
    head_bias: bool


@dataclass(frozen=True, kw_only=True)
class NamConfig:
    arrays: tuple[NamArray, ...]
    head: Head | None


class Fields:
    """An object of the file; every question says where the answer stands."""

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, Mapping):
            raise ModelFileError(f"{where} is {data!r:.60}, not an object.")
        self.data, self.where = data, where

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self.data.get(name, default)
        return check_whole(value, low, high, f"{self.where}: {name}")

    def flag(self, name: str, default: bool) -> bool:
        value = self.data.get(name, default)
        if not isinstance(value, bool):
            raise ModelFileError(f"{self.where}: {name} is {value!r:.60}, not true or false.")
        return value

    def inner(self, name: str) -> Fields:
        return Fields(self.data.get(name, {}), f"{self.where}: {name}")

    def each(self, name: str, count: int, default: Any = None) -> list[Any]:
        """One value a layer; a single one is every layer's."""
        value = self.data.get(name, default)
        if not isinstance(value, list):
            return [value] * count
        if len(value) != count:
            raise ModelFileError(
                f"{self.where}: {name} has {len(value)} values for {count} layers."
            )
        return value


def check_whole(value: Any, low: int, high: int, where: str) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ModelFileError(
            f"{where} is {value!r:.60}; it must be a whole number from {low} to {high}."
        )
    return value


def read_config(config: Any) -> NamConfig:
    """Raises ModelFileError for a config that is broken or of another kind of network."""
    fields = Fields(config, "config")
    if fields.data.get("condition_dsp") is not None:
        raise ModelFileError(
            "a second network conditions this one (condition_dsp), which cannot be imported."
        )
    layers = fields.data.get("layers")
    if not isinstance(layers, list) or not 1 <= len(layers) <= MAX_LAYERS:
        raise ModelFileError(f"config: layers is {layers!r:.60}, not a list of layer arrays.")
    arrays: list[NamArray] = []
    for i, data in enumerate(layers):
        array = _array(Fields(data, f"layer array {i}"), arrays[-1].array if arrays else None)
        arrays.append(array)
    if sum(len(a.array.dilations) for a in arrays) > MAX_LAYERS:
        raise ModelFileError(f"the network has more than {MAX_LAYERS} layers.")
    head = None if fields.data.get("head") is None else _head(fields.inner("head"))
    if head is None and arrays[-1].array.head_outputs != 1:
        raise ModelFileError(
            f"the network makes {arrays[-1].array.head_outputs} channels; only mono is known."
        )
    return NamConfig(arrays=tuple(arrays), head=head)


def _array(fields: Fields, before: LayerArray | None) -> NamArray:
    unknown = sorted(set(fields.data) - KNOWN)
    if unknown:
        raise ModelFileError(f"{fields.where} has the unknown field {unknown[0]!r:.60}.")
    for film in FILMS:
        if fields.data.get(film) is not None and fields.inner(film).flag("active", False):
            raise ModelFileError(
                f"{fields.where} modulates its features ({film}), which cannot be imported."
            )
    fields.whole("condition_size", 1, 1)
    inputs = before.channels if before else 1
    fields.whole("input_size", inputs, inputs)
    channels = fields.whole("channels", 1, MAX_CHANNELS)
    hidden = fields.whole("bottleneck", 1, MAX_CHANNELS, channels)
    sizes, dilations = _sizes(fields)
    activation, gate = _activations(fields, len(dilations))
    residual, head1x1 = fields.inner("layer1x1"), fields.inner("head1x1")
    has_residual = residual.flag("active", True)
    if not has_residual and hidden != channels:
        raise ModelFileError(
            f"{fields.where}: {hidden} channels cannot be added to {channels} without layer1x1."
        )
    head_channels = None
    if head1x1.flag("active", False):
        head_channels = head1x1.whole("out_channels", 1, MAX_CHANNELS)
    if "head" in fields.data:
        head = fields.inner("head")
        outputs, size = head.whole("out_channels", 1, MAX_CHANNELS), "kernel_size"
        head_size, bias = head.whole(size, 1, MAX_REACH, 1), head.flag("bias", False)
    else:
        outputs, head_size = fields.whole("head_size", 1, MAX_CHANNELS), 1
        bias = fields.flag("head_bias", False)
    array = LayerArray(
        channels=channels,
        kernel_sizes=sizes,
        dilations=dilations,
        hidden=hidden,
        activation=activation,
        gate=gate,
        head_channels=head_channels,
        head_outputs=outputs,
        head_kernel_size=head_size,
    )
    if before and before.head_outputs != array.width:
        raise ModelFileError(
            f"{fields.where} sums {array.width} channels for the head, but "
            f"{before.head_outputs} come from the array before."
        )
    wide = 2 if gate else 1
    return NamArray(
        array=array,
        has_residual=has_residual,
        input_groups=_groups(fields, "groups_input", channels, wide * hidden),
        condition_groups=_groups(fields, "groups_input_mixin", 1, wide * hidden),
        residual_groups=_groups(residual, "groups", hidden, channels) if has_residual else 1,
        head_groups=_groups(head1x1, "groups", hidden, array.width) if head_channels else 1,
        head_bias=bias,
    )


def _groups(fields: Fields, name: str, inputs: int, outputs: int) -> int:
    groups = fields.whole(name, 1, MAX_CHANNELS, 1)
    if inputs % groups or outputs % groups:
        raise ModelFileError(
            f"{fields.where}: {name} is {groups}, which does not divide {inputs} and {outputs}."
        )
    return groups


def _sizes(fields: Fields) -> tuple[tuple[int, ...], tuple[int, ...]]:
    dilations = fields.data.get("dilations")
    if not isinstance(dilations, list) or not 1 <= len(dilations) <= MAX_LAYERS:
        raise ModelFileError(
            f"{fields.where}: dilations is {dilations!r:.60}, not a list of 1 to {MAX_LAYERS}."
        )
    name = "kernel_sizes" if "kernel_sizes" in fields.data else "kernel_size"
    sizes = fields.each(name, len(dilations))
    for i, (size, dilation) in enumerate(zip(sizes, dilations, strict=True)):
        where = f"{fields.where}, layer {i}"
        check_whole(size, 1, 4096, f"{where}: {name}")
        check_whole(dilation, 1, MAX_REACH // size, f"{where}: dilation")
    return tuple(sizes), tuple(dilations)


def _activations(fields: Fields, count: int) -> tuple[Activation, Activation | None]:
    """The function of all layers, and the gate's."""
    found = fields.each("activation", count)
    if "gating_mode" in fields.data:
        modes = fields.each("gating_mode", count)
        gates = fields.each("secondary_activation", count)
    else:
        modes = ["gated" if fields.flag("gated", False) else "none"] * count
        gates = ["Sigmoid"] * count
    if any(each[i] != each[0] for each in (found, modes, gates) for i in range(count)):
        raise ModelFileError(
            f"{fields.where}: its layers have different activations, which cannot be imported."
        )
    if modes[0] not in ("none", "gated"):
        raise ModelFileError(
            f"{fields.where}: gating_mode is {modes[0]!r:.60}; only none and gated are known."
        )
    gate = _activation(gates[0], fields.where) if modes[0] == "gated" else None
    return _activation(found[0], fields.where), gate


def _activation(data: Any, where: str) -> Activation:
    fields = Fields(data if isinstance(data, Mapping) else {"type": data}, f"{where}: activation")
    kind = fields.data.get("type")
    if not isinstance(kind, str) or kind not in ACTIVATIONS:
        raise ModelFileError(
            f"{where}: activation {kind!r:.60} is unknown; known are {', '.join(ACTIVATIONS)}."
        )
    function, defaults = ACTIVATIONS[kind]
    values = [fields.data.get(name, default) for name, default in defaults.items()]
    if set(fields.data) - {"type", *defaults} or not all(type(v) in (int, float) for v in values):
        raise ModelFileError(f"{where}: activation {data!r:.60} has a parameter that is unknown.")
    a, b = (float(v) for v in (*values, 0.0, 0.0)[:2])
    return Activation(function=function, a=a, b=b)


def _head(fields: Fields) -> Head:
    sizes = fields.data.get("kernel_sizes")
    if not isinstance(sizes, list) or not 1 <= len(sizes) <= MAX_LAYERS:
        raise ModelFileError(f"{fields.where}: kernel_sizes is {sizes!r:.60}, not a list.")
    fields.whole("out_channels", 1, 1)
    return Head(
        activation=_activation(fields.data.get("activation"), fields.where),
        channels=fields.whole("channels", 1, MAX_CHANNELS),
        kernel_sizes=tuple(check_whole(s, 1, MAX_REACH, f"{fields.where}: size") for s in sizes),
    )
