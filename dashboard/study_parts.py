"""The blocks of a study's page in their order: those it opens with, and those asked for.

A browser needs a tenth of a second for a chart, and a study of four panels has forty of them.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

from . import landscapes, study_costs, study_health
from . import study_figures as figures
from .metrics import Metric, Unit
from .study import words_of
from .study_figures import Block, Zoomed
from .study_findings import StudyResult
from .tables import Ask

FIRST = 6
"""Charts that a page opens with at most; final values are shown however many they are."""

CURVES = "Curves"
NO_PROFILE = "No workload has a trial of every group, or the grid has no target."
NO_PREDICTION = "Of these nets nothing was foretold that was also measured."


@dataclasses.dataclass(frozen=True)
class Choice:
    """What the selectors of the page say; all of it stands in the URL."""

    metric: Metric
    unit: Unit
    log: bool
    level: float | None
    start: int | None


@dataclasses.dataclass(frozen=True)
class Part:
    """A block that can be made, and the most charts that it has."""

    title: str
    charts: int
    block: Callable[[], Block]
    absent: str = ""
    """What it means that there is no chart: then the part is left out, unless it is asked for."""
    ready: bool = True
    """Whether there is something to show; its charts count all the same, for a page must not
    change its order while a sweep runs."""


def parts(
    ask: Ask, sweep_id: str, result: StudyResult, choice: Choice, zoomed: Zoomed
) -> list[Part]:
    """All parts of a study's page, in order. ``zoomed`` as in :func:`study_figures.curves`."""
    study, each = result.study, max(1, result.finals["panel"].nunique())
    asked, ended = (ask, sweep_id, result), bool(result.finals["finished"].any())
    metric, level = choice.metric, choice.level
    unit, log = choice.unit, choice.log
    found = [
        Part("Final values", each, lambda: figures.finals(*asked, metric), ready=ended),
        Part(CURVES, each, lambda: figures.curves(*asked, metric, unit, log, level, zoomed)),
    ]
    if study.landscapes and choice.start is not None:
        found.append(Part("Landscapes", each, lambda: landscapes.landscapes(*asked, choice.start)))
    if study.costs:
        found += [
            Part("Time to target", 2 * each, lambda: study_costs.costs(*asked)),
            Part("Performance profile", 2, lambda: study_costs.profile(*asked), NO_PROFILE),
        ]
    if study.tuned and result.finals["lr"].nunique() > 1:
        title = _capital(words_of(study.tuned))
        rates = Part(title, each, lambda: figures.sensitivity(*asked, metric, level), ready=ended)
        found.append(rates)
    if study.health:
        predicted, most = (lambda: study_health.predictions(*asked)), len(study_health.KEY_WORDS)
        found += [
            Part("Gradient health", 2 * each, lambda: study_health.verdicts(*asked)),
            Part("Theory beside measurement", most, predicted, NO_PREDICTION),
        ]
    for quantity in study.layers:
        title = f"{_capital(quantity.title)} by {quantity.axis}"
        through = functools.partial(figures.layers, *asked, quantity, level)
        found.append(Part(title, 2 * each, through))
    return found


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def split(every: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """Those that a page opens with, at most :data:`FIRST` charts, and all after them."""
    place = charts = 0
    for part in every:
        charts += part.charts
        if place and charts > FIRST:
            break
        place += 1
    return list(every[:place]), list(every[place:])
