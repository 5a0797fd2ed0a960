"""What every row of the catalogue has to learn: trials, and the numbers that they must end with.

Rows are trained by ``test_catalogue``: all seeds of a row in one pack, float32 unless said
otherwise, and each seed must end between ``least`` and ``most``. Bounds were set by experiment
with the seeds that are given, with room for other processors; what could be done without
learning stands beside them.
"""

import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from talweg.workloads import initspecs, lossspecs, modelspecs, optimizerspecs, problemspecs, spec
from talweg.workloads.lossparts import LossPart
from talweg.workloads.modelparts import Activation, Norm, Residual
from talweg.workloads.parts import Part, names_of
from talweg.workloads.spec import TrialSpec

from .trials import trial

Parts = dict[str, Any]


class Row(NamedTuple):
    """``of``: the words of the catalogue that the row is about, see :func:`words`.

    ``learned``: column of ``steps``, or key of ``probes`` -> (least, most) of its last value.
    """

    of: tuple[str, ...]
    parts: Parts
    learned: dict[str, tuple[float, float]]
    seeds: tuple[int, ...] = (0, 1)

    def pack(self) -> list[TrialSpec]:
        """One trial for each seed; two recordings, with all training samples."""
        base: Parts = {
            "dtype": "float32",
            "record": {"steps": 2, "layers": 2, "samples": None, "probes": []},
        }
        return [trial(**(base | self.parts), seed=seed) for seed in self.seeds]


def at_least(least: float) -> tuple[float, float]:
    return least, float("inf")


def at_most(most: float) -> tuple[float, float]:
    return -float("inf"), most


def score(least: float) -> dict[str, tuple[float, float]]:
    return {"test_score": at_least(least)}


# --- The words of the catalogue -----------------------------------------------------------------


def members(union: Any) -> Iterator[type[Part]]:
    """The parts that a union is made of."""
    if typing.get_origin(union) is typing.Annotated:
        yield from members(typing.get_args(union)[0])
    elif typing.get_origin(union) in (typing.Union, types.UnionType):
        for member in typing.get_args(union):
            yield from members(member)
    else:
        yield union


def named(kind: str, union: Any) -> set[str]:
    return {f"{kind}.{name}" for part in members(union) for name in names_of(part)}


def choices(part: type[LossPart]) -> set[str]:
    """Words for what a loss lets one choose from: ``hinge.multiclass=crammer_singer``."""
    return {
        f"{name}.{field}={choice}"
        for name in names_of(part)
        for field, info in part.model_fields.items()
        if field != "name" and typing.get_origin(info.annotation) is Literal
        for choice in typing.get_args(info.annotation)
    }


WORDS: set[str] = {
    *named("problem", problemspecs.Problem),
    *named("model", modelspecs.Model),
    *named("loss", lossspecs.Loss),
    *(word for part in members(lossspecs.Loss) for word in choices(part)),  # type: ignore[arg-type]
    *named("descent", spec.Descent),
    *named("optimizer", optimizerspecs.Optimizer),
    *named("schedule", optimizerspecs.Schedule),
    *named("init", initspecs.Init),
    *(f"activation.{name}" for name in typing.get_args(Activation)),
    *(f"norm.{name}" for name in typing.get_args(Norm)),
    *(f"residual.{name}" for name in typing.get_args(Residual)),
    "clip_norm",
    "clip_value",
}
"""Everything that the catalogue holds."""


def words(trial: TrialSpec) -> set[str]:
    """What a trial is made of, in words of the catalogue."""
    kinds = ("problem", "model", "loss", "descent", "optimizer")
    found = {f"{kind}.{getattr(trial, kind).name}" for kind in kinds}
    found.add(f"schedule.{trial.optimizer.schedule.name}")
    found |= {f"{trial.loss.name}.{field}={value}" for field, value in trial.loss if field}
    if init := getattr(trial.model, "init", None):
        found.add(f"init.{init.name}")
    found |= {
        f"{field}.{value}"
        for field, value in trial.model
        if field in ("activation", "norm", "residual")
    }
    return found | {clip for clip in ("clip_norm", "clip_value") if getattr(trial.optimizer, clip)}
