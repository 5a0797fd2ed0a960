"""How to run one trial again: what of its configuration is no default, as a grid file.

This module knows a trial only as a pydantic model (``workloads.spec.TrialSpec``), which the
frame hands in: the dashboard imports nothing of ``workloads`` but the texts of its studies.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from .formats import ABSENT

OWN = ("record", "timing")
"""Sections that stand beside ``base`` in a grid file."""

STORE = "again.duckdb"
_NONE = object()  # no default: the default part has no such key
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS_OF_YAML = frozenset(["null", "true", "false", "yes", "no", "on", "off", "y", "n"])

Content = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What must be said of a trial, everything else being a default."""

    trial_id: str
    """Under which this version of talweg plans it."""
    content: Content
    """Section -> what of it is no default."""
    settings: list[tuple[str, str, str]]
    """(dotted key, value, default) of everything that is no default."""


def recipe(spec: type[BaseModel], config: str) -> Recipe | None:
    """What a trial's stored configuration says beyond the defaults of ``spec``.

    None where this version of talweg has no such trial: it was written by another one.
    """
    try:
        trial = spec.model_validate_json(config)
        # A problem brings its usual model and loss along; they are defaults only beside it.
        given = {"problem": json.loads(config)["problem"]}
        usual = spec.model_validate_json(json.dumps(given))
    except (ValidationError, KeyError):
        return None
    plain, content = spec(), {}
    settings: list[tuple[str, str, str]] = []
    for section in spec.model_fields:
        part, default = getattr(trial, section), getattr(usual, section)
        if section == "problem":
            default = getattr(plain, section)
        if _whole(part) != _whole(default):
            content[section] = _brief(part)
            found = _settings(section, content[section], _whole(default))
            settings += [line for line in found if line[1] != line[2]]
    return Recipe(getattr(trial, "trial_id", ""), content, settings)


def _whole(part: Any) -> Any:
    """A part of a trial as plain values, defaults included."""
    return part.model_dump(mode="json") if isinstance(part, BaseModel) else part


def _brief(part: Any) -> Any:
    """The same without its defaults, under its name; a word where that says it all."""
    if isinstance(part, list | tuple):
        return [_brief(item) for item in part]
    if not isinstance(part, BaseModel):
        return part
    given = part.model_dump(mode="json", exclude_defaults=True)
    rest = {key: _brief(getattr(part, key)) for key in given if key != "name"}
    name = getattr(part, "name", None)
    return rest if name is None else {"name": name, **rest} if rest else name


def _settings(key: str, value: Any, default: Any) -> Iterator[tuple[str, str, str]]:
    """Dotted keys of a brief value below ``key``, each with the value and its default."""
    if isinstance(value, dict):
        for name, inner in value.items():
            known = isinstance(default, dict) and name in default
            yield from _settings(f"{key}.{name}", inner, default[name] if known else _NONE)
    elif isinstance(default, dict):
        yield key, scalar(value), scalar(default.get("name"))
    else:
        yield key, scalar(value), ABSENT if default is _NONE else scalar(default)


def grid_file(name: str, content: Content) -> str:
    """The text of a grid file of one trial."""
    base = {section: value for section, value in content.items() if section not in OWN}
    own = {section: value for section, value in content.items() if section in OWN}
    head: Content = {"name": name, **({"base": base} if base else {}), **own}
    return "\n".join(_lines(head)) + "\n"


def _lines(mapping: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """A mapping as lines of YAML: blocks down to lists, which are written in one line."""
    for key, value in mapping.items():
        head = f"{'  ' * depth}{key}:"
        if isinstance(value, dict) and value:
            yield head
            yield from _lines(value, depth + 1)
        else:
            yield f"{head} {scalar(value)}"


def scalar(value: Any) -> str:
    """A value as YAML writes it; JSON is YAML, but plain words need no quotes."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    return json.dumps(value)


def file_name(trial_id: str) -> str:
    """What the sweep and the file are called, without ending."""
    return "trial-" + re.sub(r"[^A-Za-z0-9._-]", "-", trial_id)[:60]


def command(trial_id: str) -> str:
    """The command that trains it again. In its own store it would be reused, not trained."""
    return f"talweg run {file_name(trial_id)}.yaml --store {STORE}"
