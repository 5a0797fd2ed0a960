"""GridSpec: a grid file as validated, and expand(): its trials in order; torch-free."""

import functools
import itertools
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, ValidationError

from . import axes, gridfile, studies
from .axes import Axis
from .deciding import UntilDecided
from .gridfile import Document, GridError
from .sections import SECTIONS, Sections, describe
from .spec import TIMING, Record, Timing, TrialSpec


class GridSpec(BaseModel):
    """A grid file. ``talweg schema`` prints its JSON Schema."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, title="talweg grid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")] = Field(
        description="slug of the sweep: letters, digits, dot, dash, underscore"
    )
    study: str | None = Field(default=None, description="which built-in page reads it")
    team: str | None = Field(default=None, max_length=200, description="free label, grouped by")
    owner: str | None = Field(
        default=None, max_length=200, description="free label; default: the user"
    )
    base: TrialSpec = Field(default=TrialSpec(), description="one complete trial")
    grid: dict[str, SkipValidation[Axis]] = Field(
        default_factory=dict, description="dotted keys of a trial; the cross product, in this order"
    )
    zip: list[list[str]] = Field(
        default_factory=list, description="lists of keys of `grid` that vary together"
    )
    exclude: list[dict[str, Any]] = Field(
        default_factory=list, description="partial trials to leave out"
    )
    record: Record = Field(default=Record(), description="when and what to measure")
    timing: Timing = Field(default="fused", description=TIMING)
    until_decided: UntilDecided | None = Field(
        default=None, description="add seeds by a rule until comparisons are decided; null: never"
    )


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """A trial and what people call it in this sweep."""

    slug: str
    trial: TrialSpec


@dataclass(frozen=True)
class Expansion:
    """The trials of a grid, in order, without duplicates; ``duplicates`` counts the dropped."""

    name: str
    study: str | None
    team: str | None
    owner: str | None
    spec: dict[str, Any]
    trials: list[PlannedTrial]
    duplicates: int
    excluded: int
    until: UntilDecided | None = None


def load(path: Path) -> Expansion:
    """Read, validate and expand a grid file.

    Raises:
        GridError: with every problem found, by file, line and key.
    """
    return expand(gridfile.read(path))


def expand(document: Document) -> Expansion:
    """Validate a parsed grid and list its trials; see :func:`load`."""
    top = _top(document)
    groups = axes.groups(document)
    sections = Sections(document, top)
    size = math.prod(len(group) for group in groups)
    if size > axes.MAX_TRIALS:
        raise document.error(("grid",), f"{size:,} trials are more than {axes.MAX_TRIALS:,}")
    excludes = [_flat(partial) for partial in top["exclude"]]
    used: set[int] = set()
    trials: dict[str, PlannedTrial] = {}
    excluded = duplicates = 0
    for point in itertools.product(*groups):
        choice = {key: index for cell in point for key, index in cell}
        trial = sections.trial(choice)
        if matched := {i for i, partial in enumerate(excludes) if _matches(trial, partial)}:
            used |= matched
            excluded += 1
            continue
        slug = f"{top['name']}/{'-'.join(sections.words(choice)) or f's{trial.seed}'}"
        duplicates += trial.trial_id in trials
        trials.setdefault(trial.trial_id, PlannedTrial(slug, trial))
    for i, partial in enumerate(excludes):
        if i not in used:
            # Silence here would train what somebody meant to leave out.
            raise document.error(("exclude", i), _unmatched(partial))
    if not trials:
        raise document.error(("exclude",), "leaves no trial")
    return Expansion(
        name=top["name"],
        study=top["study"],
        team=top["team"],
        owner=top["owner"],
        spec=document.value,
        trials=list(trials.values()),
        duplicates=duplicates,
        excluded=excluded,
        until=top["until_decided"],
    )


def _top(document: Document) -> dict[str, Any]:
    """The file's own keys, validated; base and the axes are looked at by :class:`Sections`."""
    value = document.value
    base = value.get("base", {})
    if not isinstance(base, dict):
        raise document.error(("base",), gridfile.not_allowed(base, "must be a mapping"))
    for key in base:
        if key not in SECTIONS:
            raise document.error(("base", key), gridfile.unknown_key(key, SECTIONS))
    try:
        grid = GridSpec.model_validate({**value, "base": TrialSpec()})
    except ValidationError as error:
        raise GridError(
            document.source, [describe(document, (), e, GridSpec) for e in error.errors()]
        ) from error
    names = list(studies.names())
    if grid.study is not None and grid.study not in names:
        reason = f"one of {', '.join(names)}"
        raise document.error(("study",), gridfile.not_allowed(grid.study, reason, names))
    return dict(grid)


def _flat(partial: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{descent: {name: batch}, optimizer.lr: 1}`` -> dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in partial.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _matches(trial: TrialSpec, partial: Mapping[str, Any]) -> bool:
    return all(_value(trial, key) == value for key, value in partial.items())


def _unmatched(partial: Mapping[str, Any]) -> str:
    """Why an exclusion may have left nothing out."""
    for key in partial:
        if (section := key.split(".")[0]) not in SECTIONS:
            return gridfile.unknown_key(section, SECTIONS)
    text = ", ".join(f"{key}: {value}" for key, value in partial.items())
    return f"matches no trial ({text}); keys and values must be those of a trial, to the digit"


def _value(trial: TrialSpec, key: str) -> Any:
    """What a dotted key holds; a part of a trial by its name (``descent: batch``)."""
    try:
        found = _getter(key)(trial)
    except AttributeError:
        return None
    return getattr(found, "name", found)


_getter = functools.cache(operator.attrgetter)
