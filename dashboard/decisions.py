"""What a sweep that adds seeds until it is decided has decided, and which seeds it wants next.

All of it is worked out from the store: a sweep's grid names the rule (``until_decided``), its
trials give the values. Where learning rates are tuned, the grid's own seeds choose the rate
of each setting and fresh seeds alone judge it; elsewhere the grid's seeds are the first to
judge. What is compared, and by which number, is the study's, or what the rule says.
"""

import dataclasses
import functools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..workloads import grid
from ..workloads.deciding import UntilDecided
from ..workloads.gridfile import Document, GridError, Problem
from . import sequential
from .declarations import DECLARED
from .formats import rate
from .groups import best_of, with_levels
from .metrics import METRICS, Metric
from .race import Race, Rule
from .sequential import Floats
from .study import Study, words_of
from .tables import Ask

RATE, SEED = "optimizer.lr", "seed"
FINISHED = ("done", "reached_target", "diverged")
SMALLEST = 1e-12
"""A loss below it counts as it: logarithms need a floor, and none of ours means less."""


def comparison(spec: Mapping[str, Any]) -> Study:
    """What a grid with the key ``until_decided`` compares: its study, or as the rule says.

    Raises:
        GridError: there is nothing to compare.
    """
    until = UntilDecided.model_validate(spec["until_decided"])
    axes = [key for key in spec.get("grid", {}) if key != SEED]
    declared = DECLARED.get(spec.get("study") or "")
    if not until.compare:
        if declared is None:
            raise _wrong(
                spec, "compare", "is empty, and no study says what is compared: name keys of "
                f"the grid ({', '.join(axes) or 'it has none'})"
            )  # fmt: skip
        return _by(declared, until)
    if unknown := [key for key in until.compare if key not in axes or key == RATE]:
        allowed = [key for key in axes if key != RATE]
        raise _wrong(
            spec, "compare", f"{unknown[0]!r} is not allowed (a key of the grid that can be "
            f"compared: {', '.join(allowed) or 'it has none'})"
        )  # fmt: skip
    rest = [key for key in axes if key not in (*until.compare, RATE)]
    own = Study(
        title=str(spec["name"]),
        metrics=(METRICS["train_loss"],),
        lines=tuple(until.compare),
        panels=tuple(rest),
        tuned=RATE if RATE in axes else None,
    )
    return _by(own, until)


def _by(study: Study, until: UntilDecided) -> Study:
    """The study, judged by the rule's metric where it names one."""
    if until.metric is None:
        return study
    return dataclasses.replace(study, metrics=(METRICS[until.metric],))


def _wrong(spec: Mapping[str, Any], key: str, reason: str) -> GridError:
    return GridError(str(spec["name"]), [Problem(None, f"until_decided.{key}", reason)])


def planned_seeds(spec: Mapping[str, Any]) -> list[int]:
    """The seeds of the grid itself, in order."""
    own = {"base": {}, "grid": {SEED: spec.get("grid", {}).get(SEED, [_single(spec)])}}
    trials = grid.expand(Document(str(spec["name"]), {"name": "seeds", **own}, {})).trials
    return sorted({planned.trial.seed for planned in trials})


def _single(spec: Mapping[str, Any]) -> int:
    return int(spec.get("base", {}).get(SEED, 0))


def judging_seeds(spec: Mapping[str, Any], study: Study) -> list[int]:
    """All seeds that may judge, as many as the cap, in the order in which they are run.

    Raises:
        GridError: the cap is below the seeds that the grid plans.
    """
    most, planned = (
        UntilDecided.model_validate(spec["until_decided"]).max_seeds,
        planned_seeds(spec),
    )
    first = [] if study.tuned else planned
    if len(first) > most:
        raise _wrong(spec, "max_seeds", f"{most} is below the {len(first)} seeds of the grid")
    fresh = range(planned[-1] + 1, planned[-1] + 1 + most - len(first))
    return [*first, *fresh]


def rule_of(spec: Mapping[str, Any], study: Study) -> Rule:
    """The rule of a grid, in the unit in which values are judged.

    Raises:
        GridError: as for :func:`judging_seeds`.
    """
    until = UntilDecided.model_validate(spec["until_decided"])
    planned = 0 if study.tuned else len(planned_seeds(spec))
    seeds = judging_seeds(spec, study)
    looks = sequential.schedule(len(seeds), max(sequential.FIRST, planned))
    margin = until.margin
    if margin is not None and _by_ratio(study.metrics[0]):
        margin = math.log1p(margin)
    return Rule(tuple(looks), until.alpha, until.decide == "order", margin)


def most_added(spec: Mapping[str, Any], levels: Sequence[Mapping[str, str]]) -> int:
    """Trials that the rule adds to a grid at most, when every setting goes to the cap.

    Args:
        spec: the grid.
        levels: for each cell, a setting less its seed, the values of the study's keys.
    """
    study = comparison(spec)
    others = [[row[key] for key in study.keys if key != study.tuned] for row in levels]
    lines = len(study.lines)
    groups = Counter(tuple(row[lines:]) for row in {tuple(row): row for row in others}.values())
    rivals = sum(size for size in groups.values() if size > 1)
    rule = rule_of(spec, study)
    return rivals * (rule.most - (0 if study.tuned else len(planned_seeds(spec))))


def _by_ratio(metric: Metric) -> bool:
    """Whether values are compared by their ratio: those that are above 0 and unbounded."""
    return metric.bounds == (0.0, math.inf)


def judged(values: Floats, metric: Metric) -> Floats:
    """Values on the scale on which they are compared, larger ones better."""
    scaled = np.log(np.maximum(values, SMALLEST)) if _by_ratio(metric) else values
    return -scaled if metric.falling else scaled


@dataclasses.dataclass(frozen=True)
class Cost:
    """Trials that were taken, and what a fixed number of seeds would have taken."""

    grid: int
    """Trials of the grid itself: those that choose the rates, or the first that judge."""
    judging: int
    """Trials looked at by the rule."""
    fixed: int
    """Trials that judge in a design with the cap's seeds for every setting."""
    first: int
    """Of the grid's own, those that judge: none where rates are tuned on them."""
    cells: int
    """Trials of the grid with the cap's seeds in every cell, rates chosen on the same trials."""

    @property
    def total(self) -> int:
        """All trials of the sweep so far, as the rule counts them."""
        return self.grid + max(0, self.judging - self.first)

    @property
    def fixed_total(self) -> int:
        """All trials of the fixed design with the same protocol."""
        return self.grid + self.fixed - self.first

    def saved(self, total: bool = False) -> float:
        """Share of the fixed design's trials that were not needed: of those that judge, or all."""
        used, fixed = (self.total, self.fixed_total) if total else (self.judging, self.fixed)
        return 1 - used / fixed if fixed else 0.0


@dataclasses.dataclass(frozen=True)
class Decisions:
    """The state of a sweep under its rule.

    ``settings`` has a row per contestant: group, series, levels, trial_ids and, where tuned,
    lr. ``race`` is None while trials of the grid that tune have no result.
    """

    study: Study
    rule: Rule
    settings: pd.DataFrame
    race: Race | None
    seeds: Sequence[int]
    cost: Cost
    untuned: int
    """Trials that tune and have no result yet."""

    @property
    def metric(self) -> Metric:
        """What is compared."""
        return self.study.metrics[0]

    @property
    def finished(self) -> bool:
        """Whether the rule wants nothing more."""
        return self.race is not None and not self.race.waiting

    @property
    def wanted(self) -> list[tuple[str, list[int]]]:
        """For each setting in the race: a trial of it, and all seeds that its looks need."""
        if self.race is None:
            return []
        return [
            (ids[0], list(self.seeds[:n]))
            for ids, n in zip(self.settings["trial_ids"], self.race.demand_I, strict=True)
        ]

    def effect(self, difference: float) -> float:
        """A difference on the judged scale as people read it: a ratio, or the difference."""
        if not _by_ratio(self.metric):
            return difference * (-1 if self.metric.falling else 1)
        return math.exp(-difference if self.metric.falling else difference)

    @property
    def by_ratio(self) -> bool:
        """Whether effects are ratios."""
        return _by_ratio(self.metric)


def decisions(ask: Ask, sweep_id: str) -> Decisions | None:
    """Work out what a sweep has decided; None where its grid has no rule.

    Raises:
        GridError: its grid says nothing that can be compared.
    """
    rows = ask("sweep", sweep_id=sweep_id).to_pylist()
    spec = json.loads(rows[0]["spec"]) if rows else {}
    if spec.get("until_decided") is None:
        return None
    study = comparison(spec)
    metric, rule = study.metrics[0], rule_of(spec, study)
    asked = {"sweep_id": sweep_id, "factors": study.factors, "metric": metric.column}
    cells = with_levels(ask("study_seeds", **asked), study)
    cells["group"] = [_group_name(row, study) for _, row in cells.iterrows()]
    planned, seeds = set(planned_seeds(spec)), judging_seeds(spec, study)
    own = [sum(seed in planned for seed in row) for row in cells["seeds"]]
    cells = _tuned(cells, planned)
    untuned = int(sum(own) - cells["finished"].sum()) if study.tuned else 0
    settings = best_of(cells, metric.falling)
    race = None
    if not untuned:
        values = [_values(row, seeds, metric) for _, row in settings.iterrows()]
        judged_IN = np.array(values).reshape(len(settings), len(seeds))
        race = Race(judged_IN, list(settings["group"]), rule)
    return Decisions(
        study, rule, settings, race, seeds, _cost(cells, settings, race, own, rule), untuned
    )


def _cost(
    cells: pd.DataFrame, settings: pd.DataFrame, race: Race | None, own: Sequence[int], rule: Rule
) -> Cost:
    """Trials taken and spared; settings without a rival are in no comparison and cost nothing."""
    sizes = settings["group"].map(settings["group"].value_counts())
    rivals = int((sizes > 1).sum())
    first = 0 if "lr" in settings else rivals * max(own, default=0)
    judging = sum(race.seeds_I) if race else 0
    return Cost(sum(own), judging, rivals * rule.most, first, len(cells) * rule.most)


def _group_name(row: pd.Series, study: Study) -> str:
    """``relu, depth 5``: what all that are compared with each other share."""
    along = f"{words_of(study.along)} {rate(row['along'])}" if study.along else ""
    return ", ".join(part for part in (row["panel"], along) if part)


def _tuned(cells: pd.DataFrame, planned: set[int]) -> pd.DataFrame:
    """The cells with what the choice of a rate looks at, of the planned seeds alone."""
    rows: list[dict[str, float]] = []
    for _, row in cells.iterrows():
        ended = [
            (outcome, final)
            for seed, outcome, final in zip(
                row["seeds"], row["outcomes"], row["finals"], strict=True
            )
            if seed in planned and outcome in FINISHED
        ]
        values = [final for _, final in ended if final is not None and math.isfinite(final)]
        lost = sum(outcome == "diverged" for outcome, _ in ended)
        mean = float(np.mean(values)) if values else math.nan
        rows.append({"finished": len(ended), "diverged": lost, "mean": mean})
    return cells.assign(**pd.DataFrame(rows, index=cells.index))


def _values(row: pd.Series, seeds: Sequence[int], metric: Metric) -> list[float]:
    """A setting's judged values, seed by seed: −∞ if diverged, not a number if unknown."""
    score = functools.partial(_score, metric=metric)
    found = dict(zip(row["seeds"], map(score, row["outcomes"], row["finals"]), strict=True))
    return [found.get(seed, math.nan) for seed in seeds]


def _score(outcome: str, final: float | None, metric: Metric) -> float:
    if outcome not in FINISHED:
        return math.nan
    if outcome == "diverged" or final is None or not math.isfinite(final):
        return -math.inf
    return float(judged(np.array(final), metric))
