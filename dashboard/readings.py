"""What is read out of a sweep: by the study that it names, else as a descent sweep."""

import dataclasses

import pandas as pd

from . import captions
from .declarations import DECLARED
from .findings import descent_result
from .formats import rate
from .groups import GROUP
from .sections import Section, sections, study_sections
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
    best: str
    """What "best" means, as a sentence; empty where nothing is chosen."""
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
        f"“Best” is {RULE}.",
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
    best = f"The best {words_of(study.tuned)} is {rule(study)}." if study.tuned else ""
    return Reading(
        sentence(ask, sweep_id, study),
        best,
        study.what_would_change,
        study_sections(ask, sweep_id, result),
        pd.concat([pd.DataFrame(names), result.finals[COUNTS]], axis=1),
    )
