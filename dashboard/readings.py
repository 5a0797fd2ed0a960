"""What is read out of a sweep: by the study that it names, else as a descent sweep."""

import dataclasses

import pandas as pd

from . import captions
from .declarations import DECLARED
from .findings import descent_result
from .formats import rate
from .groups import GROUP
from .report.document import Section
from .sections import sections, study_sections
from .selection import RULE
from .study import Points, Study, words_of
from .study_blocks import sentence
from .study_figures import rule
from .study_findings import study_result
from .tables import Ask


@dataclasses.dataclass(frozen=True)
class Reading:
    """The parts of a report that a study decides about.

    ``cells`` has a row per group, with its names first and then the columns planned, finished,
    failed and missing.
    """

    finding: str
    tuning: str
    """How the tuned setting was chosen, on which metric, and among what, in sentences."""
    what_would_change: Points
    sections: list[Section]
    cells: pd.DataFrame


def reading(ask: Ask, sweep_id: str, name: str | None) -> Reading:
    """Ask everything that the report of a sweep of this study shows."""
    study = DECLARED.get(name or "")
    return _descent(ask, sweep_id) if study is None else _study(ask, sweep_id, study)


def finding(ask: Ask, sweep_id: str, name: str | None) -> str:
    """The answer of a sweep in words."""
    study = DECLARED.get(name or "")
    if study is None:
        return descent_result(ask, sweep_id).sentence
    return sentence(ask, sweep_id, study)


COUNTS = ["planned", "finished", "failed", "missing"]
"""The last columns of :attr:`Reading.cells`."""


def _descent(ask: Ask, sweep_id: str) -> Reading:
    result = descent_result(ask, sweep_id)
    finals = result.finals
    names = pd.DataFrame(
        {"descent": finals["series"], "learning rate": [rate(lr) for lr in finals["lr"]]}
    )
    return Reading(
        result.sentence,
        _tuning("learning rate", "descent", RULE, result.target.metric.title, finals["lr"]),
        captions.WHAT_WOULD_CHANGE,
        sections(ask, sweep_id, result),
        pd.concat([names, finals[COUNTS]], axis=1),
    )


def _study(ask: Ask, sweep_id: str, study: Study) -> Reading:
    result = study_result(ask, sweep_id, study)
    names: dict[str, list[str]] = {}
    for column in (*GROUP, "lr"):
        if column in result.finals and (column != "panel" or study.panels):
            values = result.finals[column]
            key = {"along": study.along, "lr": study.tuned}.get(column)
            word = words_of(key) if key else {"series": "trials with"}.get(column, column)
            names[word] = [rate(v) if key else str(v) for v in values]
    tuning = "Nothing was tuned: every setting that was trained is reported."
    if study.tuned:
        what, tried = words_of(study.tuned), result.finals["lr"]
        tuning = _tuning(what, "group", rule(study), result.metric.title, tried)
    return Reading(
        sentence(ask, sweep_id, study),
        tuning,
        study.what_would_change,
        study_sections(ask, sweep_id, result),
        pd.concat([pd.DataFrame(names), result.finals[COUNTS]], axis=1),
    )


def _tuning(what: str, whose: str, how: str, metric: str, tried: pd.Series) -> str:
    """The protocol by which one value of a grid stands for each group."""
    levels = [rate(level) for level in sorted(tried.dropna().unique())]
    shown = ", ".join(levels) if len(levels) <= 12 else f"{levels[0]} to {levels[-1]}"
    if len(levels) < 2:
        return f"Nothing was tuned: there is one {what}, {shown or 'none'}."
    return (
        f"Each {whose} was trained at {len(levels)} values of the {what} ({shown}) and stands at "
        f"its best one: {how}. The choice was made on {metric}, on the same trials and seeds that "
        "are reported: no fresh seeds were held out, so it flatters every one a little."
    )
