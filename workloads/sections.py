"""The sections of a trial (problem, model, optimizer, …), validated once per distinct value.

Trials share the validated sections: planning 100,000 trials validates a few dozen of them.
"""

import copy
import functools
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from . import axes, gridfile
from .axes import Cell
from .gridfile import Document, GridError, Path_, Problem
from .spec import TrialSpec, misfits

SECTIONS = tuple(f for f in TrialSpec.model_fields if f not in ("record", "timing"))
"""What may stand in ``base`` and be varied; record and timing are the grid's own."""

FITTED = ("problem", "model", "loss", "descent", "augmentation")
"""The sections that must go together; see ``spec.misfits``."""


class Sections:
    """Validated sections by the axis values that touch them, and trials made of them."""

    def __init__(self, document: Document, top: Mapping[str, Any]) -> None:
        self.document = document
        self.base = document.value.get("base", {})
        self.axes = {key: axes.values(document, key) for key in document.value.get("grid", {})}
        self.common = {"record": top["record"], "timing": top["timing"]}
        self.keys: dict[str, list[str]] = {}
        for key in self.axes:
            section = key.split(".")[0]
            if section not in SECTIONS:
                raise document.error(("grid", key), gridfile.unknown_key(section, SECTIONS))
            self.keys.setdefault(section, []).append(key)
        self.section = functools.cache(self._section)
        self.usual = functools.cache(self._usual)
        self.check = functools.cache(self._check)
        self.word = functools.cache(self._word)

    def trial(self, choice: Mapping[str, int]) -> TrialSpec:
        """The trial at one point of the grid.

        Raises:
            GridError: a section or the trial as a whole is not valid.
        """
        picks = {s: tuple([(k, choice[k]) for k in keys]) for s, keys in self.keys.items()}
        self.check(**{name: pick for name, pick in picks.items() if name in FITTED})
        parts = {section: self.section(section, pick) for section, pick in picks.items()}
        if "problem" in picks:
            parts |= self.usual(picks["problem"])
        return self.unvaried.model_copy(update=parts)

    @functools.cached_property
    def unvaried(self) -> TrialSpec:
        """A trial with the sections that no axis touches, which all trials share."""
        parts = {s: self.section(s, ()) for s in SECTIONS if s not in self.keys}
        if "problem" in parts:
            parts |= self.usual(())
        # Nobody asks which fields were given; the names would take 100 MB in 100,000 trials.
        return TrialSpec.model_construct(_fields_set=set(), **parts, **self.common)

    def _usual(self, pick: Cell) -> dict[str, Any]:
        """The sections that a problem brings along, where the grid does not give them."""
        usual = self.section("problem", pick).usual
        silent = {s: name for s, name in usual.items() if s not in self.base and s not in self.keys}
        return {s: getattr(TrialSpec.model_validate({s: name}), s) for s, name in silent.items()}

    def words(self, choice: Mapping[str, int]) -> Iterator[str]:
        """The parts of a slug: one word per axis that varies."""
        for key, index in choice.items():
            if len(self.axes[key]) > 1:
                yield self.word(key, index)

    def _section(self, section: str, pick: Cell) -> Any:
        raw = {section: copy.deepcopy(self.base[section])} if section in self.base else {}
        for key, index in pick:
            self._assign(raw, key, self.axes[key][index])
        try:
            return getattr(TrialSpec.model_validate(raw), section)
        except ValidationError as error:
            problems = [self._problem(e, raw, pick) for e in error.errors()]
            raise GridError(self.document.source, problems) from error

    def _assign(self, raw: dict[str, Any], key: str, value: Any) -> None:
        *parents, last = key.split(".")
        place = raw
        for parent in parents:
            inner = place.setdefault(parent, {})
            if isinstance(inner, str):
                inner = place[parent] = {"name": inner}
            if not isinstance(inner, dict):
                raise self.document.error(("grid", key), f"{parent} has no keys of its own")
            place = inner
        place[last] = copy.deepcopy(value)

    def _problem(self, error: Any, raw: Mapping[str, Any], pick: Cell) -> Problem:
        """Point at the axis value that brought the error, or at base."""
        inner = _without_tags(error["loc"], raw)
        for key, index in reversed(pick):
            parts = tuple(key.split("."))
            if inner[: len(parts)] == parts or parts[: len(inner)] == inner:
                place: Path_ = ("grid", key, index)
                line = self.document.line_of((*place, *inner[len(parts) :]))
                message = gridfile.explain(error, _allowed(TrialSpec, error["loc"]))
                return Problem(line, dotted_key("grid", (*inner,), key), message)
        return describe(self.document, ("base",), error, TrialSpec, inner)

    def _check(self, **picks: Cell) -> None:
        """Sections that are right each by itself may not go together."""
        parts = {section: self.section(section, pick) for section, pick in picks.items()}
        parts |= self.usual(picks.get("problem", ()))
        found = list(misfits(self.unvaried.model_copy(update=parts)))
        if found:
            problems = [self._misfit(picks, *misfit) for misfit in found]
            raise GridError(self.document.source, problems)

    def _misfit(
        self, picks: Mapping[str, Cell], key: tuple[str, str], value: object, reason: str
    ) -> Problem:
        """Point at the axis value that brought the section, or at base."""
        pick = picks.get(key[0])
        path: Path_ = ("grid", *pick[-1], key[1]) if pick else ("base", *key)
        message = gridfile.not_allowed(value, reason)
        return Problem(self.document.line_of(path), ".".join(key), message)

    def _word(self, key: str, index: int) -> str:
        return slug_word(key, self.axes[key][index])


def slug_word(key: str, value: Any) -> str:
    """One axis value as a word: ``lr0.1``, ``s3``, ``mini-batch32``, ``tanh``."""
    last = key.rsplit(".", 1)[-1]
    if isinstance(value, dict):
        rest = [v for k, v in value.items() if k != "name"]
        return "".join([_plain(value.get("name", last)), *map(_plain, rest)])
    if isinstance(value, str):
        return _plain(value)
    return f"{'s' if last == 'seed' else last}{_plain(value)}"


def _plain(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return "".join(c if c.isalnum() or c in ".+-" else "-" for c in text).strip("-")


def dotted_key(top: str, inner: Path_, key: str) -> str:
    """How an axis error names its key: the key itself, with what lies deeper inside."""
    depth = len(key.split("."))
    return gridfile.dotted((top, key, *inner[depth:])).replace(f"{top}.", "", 1)


def _without_tags(loc: Sequence[Any], raw: Any) -> Path_:
    """Drop from a pydantic location the union tags, which are not keys of the file."""
    path: list[str | int] = []
    for place, part in enumerate(loc, 1):
        # Where no name is given, the tag is the default's: nothing is wrong inside an absent key.
        unnamed = isinstance(raw, dict) and "name" not in raw and place < len(loc)
        if isinstance(raw, dict) and part not in raw and (unnamed or raw.get("name") == part):
            continue
        if isinstance(raw, str) and raw == part:
            continue
        path.append(part)
        known = isinstance(raw, dict) and part in raw
        known = known or (isinstance(raw, list) and isinstance(part, int) and part < len(raw))
        raw = raw[part] if known else None
    return tuple(path)


def _allowed(model: type[BaseModel], loc: Sequence[Any]) -> list[str]:
    """The field names valid where ``loc`` ends (its last part is the unknown key)."""
    found: Any = model
    for part in loc[:-1]:
        found = _step(found, part) or found
    if isinstance(found, type) and issubclass(found, BaseModel):
        return sorted(found.model_fields)
    return []


def _step(model: Any, part: Any) -> Any:
    """Follow one part of a location: a field, the union member of that name, a list's item."""
    if isinstance(part, int):
        return model
    if isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
        models = tuple(_models(model.model_fields[part].annotation))
        return models[0] if len(models) == 1 else models
    if isinstance(model, tuple):
        return next((m for m in model if part in str(m.model_fields["name"].annotation)), None)
    return None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field may hold, however unions, lists and notes are nested."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models(part)


def describe(
    document: Document,
    prefix: Path_,
    error: Any,
    model: type[BaseModel],
    inner: Path_ | None = None,
) -> Problem:
    """One pydantic error as a Problem of the file; ``prefix`` is where the model stands in it."""
    path = inner if inner is not None else _without_tags(error["loc"], document.value)
    message = gridfile.explain(error, _allowed(model, error["loc"]))
    if error["type"] == "missing":
        message = "is missing"
    return Problem(document.line_of((*prefix, *path)), gridfile.dotted((*prefix, *path)), message)
