"""All that a study shows: its sentence, and its blocks in the order of the report."""

import math

from .landscapes import landscapes
from .metrics import UPDATES, Metric
from .study import SIGNAL, Study
from .study_costs import cost_rows, costs, profile
from .study_figures import Block, curves, finals, layer_rows, layers, sensitivity
from .study_findings import StudyResult, costs_sentence, signal_sentence, study_result
from .study_health import predictions, verdicts
from .tables import Ask


def sentence(ask: Ask, sweep_id: str, study: Study) -> str:
    """The answer of a sweep: lines on final values, on costs, on layers, as the study has them."""
    result = study_result(ask, sweep_id, study)
    said = [result.sentence]
    if study.costs:
        rows = cost_rows(ask, sweep_id, result)
        said.append(costs_sentence(rows[rows["unit"] == UPDATES.column], study))
    if SIGNAL in study.layers:
        said.append(signal_sentence(layer_rows(ask, sweep_id, result, SIGNAL)))
    return "\n".join(filter(None, said))


def report_blocks(ask: Ask, sweep_id: str, result: StudyResult) -> list[Block]:
    """Everything a study shows, in the order of the report."""
    if not result.best["finished"].any():
        return []
    measured = {row["key"] for row in ask("study_measures", sweep_id=sweep_id).to_pylist()}
    metrics = [m for m in result.study.metrics if _is_measured(m, measured)]
    ends = [finals(ask, sweep_id, result, metric, every_rate=False) for metric in metrics]
    found = ends[:1]
    if result.study.costs:
        found += [costs(ask, sweep_id, result), profile(ask, sweep_id, result)]
    if result.study.tuned and metrics:
        found.append(sensitivity(ask, sweep_id, result, metrics[0]))
    if result.study.health:
        found += [verdicts(ask, sweep_id, result), predictions(ask, sweep_id, result)]
    found += [curves(ask, sweep_id, result, metric, UPDATES) for metric in metrics]
    if result.study.landscapes:
        found.append(landscapes(ask, sweep_id, result))
    found += [layers(ask, sweep_id, result, quantity) for quantity in result.study.layers]
    found += ends[1:]
    return [block for block in found if block.pictures]


COMMON = frozenset(["train_loss", "test_loss", "train_score", "test_score", "grad_norm"])
"""Metrics that every trial records."""


def _is_measured(metric: Metric, keys: set[str]) -> bool:
    return metric.column in COMMON or metric.column in keys


def offered(study: Study, keys: set[str]) -> list[Metric]:
    """The metrics that a page may show of a sweep: the study's own, and what else is measured."""
    own = [metric for metric in study.metrics if _is_measured(metric, keys)]
    known = {metric.column for metric in study.metrics}
    others = [
        Metric(key, key.replace("_", " "), False, (-math.inf, math.inf))
        for key in sorted(keys - known)
    ]
    return [*own, *others]
