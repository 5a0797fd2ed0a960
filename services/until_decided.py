"""Enough seeds? Trials that a sweep adds to its grid until its comparisons are decided.

The rule itself is the dashboard's (:mod:`..dashboard.decisions`), lent by the command line; what
is here turns the seeds that it wants into trials. Nothing is kept in memory between two runs:
the store says which seeds are there, and the rule which are wanted.
"""

import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from rich.console import Console

from ..storage.client import Client
from ..workloads import gridfile
from ..workloads.deciding import UntilDecided
from ..workloads.grid import Expansion, PlannedTrial
from ..workloads.gridfile import GridError, Problem
from ..workloads.spec import TrialSpec
from . import sweep
from .output import rich_table
from .sweep import Plan


class Decided(Protocol):
    """What a sweep has decided so far; see :class:`..dashboard.decisions.Decisions`."""

    @property
    def wanted(self) -> Sequence[tuple[str, Sequence[int]]]:
        """Of each setting in question a trial, and the seeds that it needs so far."""

    @property
    def finished(self) -> bool:
        """Whether nothing more is wanted."""


class Judge(Protocol):
    """The rule, as the command line lends it."""

    def demand_comparison(self, spec: Mapping[str, Any]) -> Sequence[str]:
        """The keys that tell the cells of a grid apart; raises GridError if none can be."""

    def decisions(self, client: Client, sweep_id: str) -> Decided:
        """What is decided and what is wanted."""

    def progress(self, found: Decided) -> str:
        """Where the comparisons stand, in a line."""

    def standings(self, found: Decided) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """The rows of the table at the end, and the sentences below it."""

    def decided(self, found: Decided) -> dict[str, Any]:
        """The same for programs."""

    def most_trials(self, spec: Mapping[str, Any], levels: Sequence[Mapping[str, str]]) -> int:
        """Trials beyond the grid at the cap, of cells with these values of their keys."""


def asked(expansion: Expansion, options: Mapping[str, Any], wanted: bool) -> Expansion:
    """The grid with the rule that the command line asks for; it becomes part of the sweep.

    Args:
        options: keys of ``until_decided`` that were given; they replace those of the file.
        wanted: whether ``--until-decided`` was given.

    Raises:
        GridError: an option of the rule without the rule, or one that is not valid.
    """
    if not wanted and expansion.until is None:
        if options:
            flag = f"--{next(iter(options)).replace('_', '-')}"
            raise GridError(
                flag, [Problem(None, "", "given without --until-decided, to which it belongs")]
            )
        return expansion
    inside = {**(expansion.spec.get("until_decided") or {}), **options}
    try:
        until = UntilDecided.model_validate(inside)
    except ValidationError as error:
        raise GridError("until_decided", [_problem(e) for e in error.errors()]) from error
    spec = expansion.spec | {"until_decided": inside}
    return dataclasses.replace(expansion, spec=spec, until=until)


def _problem(error: ErrorDetails) -> Problem:
    """What is wrong with an option."""
    option = f"--{str(error['loc'][0]).replace('_', '-')}"
    return Problem(None, option, gridfile.explain(error, list(UntilDecided.model_fields)))


def demand_cells(expansion: Expansion, judge: Judge) -> list[dict[str, str]]:
    """See that the grid can be compared seed by seed.

    Returns:
        For each cell, a setting less its seed, the values of the keys that tell it apart.

    Raises:
        GridError: its settings do not share their seeds, or differ in more than is compared.
    """
    keys = judge.demand_comparison(expansion.spec)
    seeds: dict[str, set[int]] = defaultdict(set)
    models: dict[str, TrialSpec] = {}
    for planned in expansion.trials:
        cell = _cell(planned.trial)
        models[cell] = planned.trial
        seeds[cell].add(planned.trial.seed)
    if len({frozenset(found) for found in seeds.values()}) > 1:
        raise _wrong(
            expansion, "needs every setting at every seed of the grid: leave `seed` out of "
            "`zip` and `exclude`"
        )  # fmt: skip
    levels = [_levels(trial, keys) for trial in models.values()]
    if len({tuple(row.values()) for row in levels}) < len(levels):
        raise _wrong(
            expansion, f"tells settings apart by {', '.join(keys)}, and the grid varies more; "
            "name what is compared with --compare"
        )  # fmt: skip
    return levels


def planned(expansion: Expansion, judge: Judge) -> dict[str, int]:
    """What the rule may add, for ``talweg plan``."""
    most = judge.most_trials(expansion.spec, demand_cells(expansion, judge))
    return {"added_at_most": most, "trials_at_most": len(expansion.trials) + most}


def _wrong(expansion: Expansion, reason: str) -> GridError:
    return GridError(expansion.name, [Problem(None, "until_decided", reason)])


def _cell(trial: TrialSpec) -> str:
    return trial.model_copy(update={"seed": 0}).trial_id


def _levels(trial: TrialSpec, keys: Sequence[str]) -> dict[str, str]:
    """The values of dotted keys, as JSON."""
    config = json.loads(trial.row()["config"])
    return {key: json.dumps(_level(config, key)) for key in keys}


def _level(config: Any, key: str) -> Any:
    found = config
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


@dataclasses.dataclass(frozen=True)
class Growth:
    """Makes a sweep's plan longer for as long as its rule wants more."""

    own: Expansion
    client: Client
    judge: Judge
    tell: Callable[[str], None]

    def __call__(self, plan: Plan) -> Plan | None:
        """The grid with every seed that the rule wants by now; None when nothing is new.

        Failed trials are not wanted again by the same run: what rests on them stays open.
        """
        found = self.judge.decisions(self.client, plan.sweep_id)
        known = {planned.trial.trial_id for planned in plan.expansion.trials}
        trials = list(grown(self.own, found.wanted))
        if all(planned.trial.trial_id in known for planned in trials):
            return None
        self.tell(self.judge.progress(found))
        return sweep.plan(dataclasses.replace(self.own, trials=trials), self.client)

    def caught_up(self, plan: Plan, owner: str) -> Plan:
        """The plan with every seed wanted so far, for a sweep whose first part is finished."""
        while not plan.todo:
            sweep.register(plan, self.client, owner)
            if (longer := self(plan)) is None:
                break
            plan = longer
        return plan


def grown(own: Expansion, wanted: Sequence[tuple[str, Sequence[int]]]) -> list[PlannedTrial]:
    """The grid's trials, then those that are wanted beyond it; without duplicates."""
    by_id = {planned.trial.trial_id: planned for planned in own.trials}
    for trial_id, seeds in wanted:
        model = by_id[trial_id]
        for seed in seeds:
            trial = model.trial.model_copy(update={"seed": seed})
            by_id.setdefault(trial.trial_id, PlannedTrial(_slug(model, seed), trial))
    return list(by_id.values())


def _slug(planned: PlannedTrial, seed: int) -> str:
    """The words of a trial with another seed: ``…/sgd-lr0.1-s3`` becomes ``…/sgd-lr0.1-s7``."""
    name, sign, words = planned.slug.rpartition("/")
    others, found = re.subn(rf"(?<![^-])s{planned.trial.seed}$", f"s{seed}", words)
    return f"{name}{sign}{others if found else f'{words}-s{seed}'}"


def show(terminal: Console, judge: Judge, found: Decided) -> None:
    """The table at the end of a run, and what was decided in sentences."""
    rows, sentences = judge.standings(found)
    if rows:
        terminal.print(rich_table(list(rows[0]), rows, title="decided by fresh seeds"))
    for sentence in sentences:
        terminal.print(sentence, markup=False, highlight=False)
