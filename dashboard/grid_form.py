"""The form of a grid file, from its JSON Schema: which parts there are, and their settings."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import grid_text

PARTS = ("problem", "model", "loss", "descent", "optimizer")
"""Sections of a trial that are one of several by ``name``, in the form's order."""

_NUMBERS = {"integer": (int,), "number": (int, float)}

Schema = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Field:
    """One setting: what it may be, what it is when nothing is said."""

    key: str
    kind: str
    """integer, number, boolean, text, or choice."""

    default: Any
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    optional: bool = False
    part: bool = False
    """Whether the choices are names of parts with settings of their own."""

    help: str = ""

    def fits(self, value: Any) -> bool:
        """Whether a widget can hold the value; what it cannot hold is left to the text."""
        if value is None:
            return self.optional
        if self.kind == "choice":
            return value in self.choices
        if self.kind not in ("integer", "number"):
            return isinstance(value, bool if self.kind == "boolean" else str)
        if isinstance(value, bool) or not isinstance(value, _NUMBERS[self.kind]):
            return False
        low = self.minimum is None or value >= self.minimum
        return low and (self.maximum is None or value <= self.maximum)


def names(schema: Schema, section: str) -> list[str]:
    """The members of a section by name."""
    return sorted(_members(schema, _trial(schema)[section]))


def default_name(schema: Schema, section: str) -> str:
    """The member that a section has when nothing is said."""
    return str(_trial(schema)[section]["default"]["name"])


def fields(schema: Schema, section: str, name: str) -> list[Field]:
    """The settings of one member of a section that a form can hold, in the schema's order."""
    member = _members(schema, _trial(schema)[section]).get(name, {"properties": {}})
    found = (_field(schema, k, v) for k, v in member["properties"].items() if k != "name")
    return [field for field in found if field is not None]


def budget(schema: Schema) -> list[Field]:
    """How long to train: one of these."""
    below = _resolved(schema, _trial(schema)["budget"])["properties"]
    found = (_field(schema, key, value) for key, value in below.items())
    return [field for field in found if field is not None]


def could_vary(schema: Schema, chosen: Mapping[str, str]) -> dict[str, Any]:
    """Dotted key -> an axis to begin with, of all that a grid of these parts may vary."""
    keys: dict[str, Any] = {"seed": {"range": 3}}
    for section in PARTS:
        name = chosen[section]
        keys[section] = [name]
        for field in fields(schema, section, name):
            keys[f"{section}.{field.key}"] = [field.default]
    return keys


def value_in(value: Mapping[str, Any], section: str, field: Field) -> Any:
    """What the text says of a setting, or its default."""
    found = grid_text.get(value, ("base", section, field.key))
    if field.part and isinstance(found, Mapping):
        found = found.get("name")
    return field.default if found is None else found


def chosen_parts(schema: Schema, value: Mapping[str, Any]) -> dict[str, str]:
    """Section -> the member that ``base`` names; the default where it names none there is."""
    found = {}
    for section in PARTS:
        name = grid_text.get(value, ("base", section, "name"))
        known = isinstance(name, str) and name in names(schema, section)
        found[section] = name if known else default_name(schema, section)
    return found


def _trial(schema: Schema) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = schema["$defs"]["TrialSpec"]["properties"]
    return properties


def _field(schema: Schema, key: str, given: Schema) -> Field | None:
    """A setting as a form knows it; None for what only the text can say (lists, mappings)."""
    common = {"key": key, "help": given.get("description", "")}
    if members := _members(schema, given):
        default = given.get("default")
        name = default.get("name") if isinstance(default, Mapping) else default
        return Field(kind="choice", default=name, choices=tuple(members), part=True, **common)
    forms = [_resolved(schema, form) for form in given.get("anyOf", [given])]
    plain = [form for form in forms if form.get("type") != "null"]
    if len(plain) != 1:
        return None
    common |= {"default": given.get("default"), "optional": len(forms) > len(plain)}
    if choices := plain[0].get("enum"):
        return Field(kind="choice", choices=tuple(choices), **common)
    kind = {"string": "text"}.get(plain[0].get("type", ""), plain[0].get("type"))
    if kind not in ("integer", "number", "boolean", "text") or key == "source":
        return None
    low, high = _limits(plain[0])
    return Field(kind=kind, minimum=low, maximum=high, **common)


def _limits(form: Schema) -> tuple[float | None, float | None]:
    """Ends included; the checking of ends left out is the plan's."""
    low = form.get("minimum", form.get("exclusiveMinimum"))
    return low, form.get("maximum", form.get("exclusiveMaximum"))


def _members(schema: Schema, given: Schema) -> dict[str, Schema]:
    """Name -> schema of the parts among which a field chooses; empty when it does not."""
    for form in _unions(given):
        if mapping := form.get("discriminator", {}).get("mapping"):
            return {name: _resolved(schema, {"$ref": ref}) for name, ref in mapping.items()}
    return {}


def _unions(given: Schema) -> Iterator[Schema]:
    yield given
    more: Sequence[Schema] = given.get("anyOf", ())
    yield from more


def _resolved(schema: Schema, given: Schema) -> Schema:
    reference = given.get("$ref", "").rpartition("/")[2]
    found: Schema = schema["$defs"][reference] if reference else given
    return found
