"""What a study shows, as blocks that the page and the report draw alike."""

import dataclasses
from collections.abc import Callable, Mapping

import pandas as pd

from . import captions, charts, study_charts
from .formats import compact, count, rate
from .groups import GROUP, at_best, at_level, complete, group_name, named, panels, with_levels
from .metrics import Metric, Unit
from .statistics import with_interval
from .study import Quantity, Study, words_of
from .study_findings import (
    StudyResult,
    finals_for,
    finals_table,
)
from .tables import Ask

Zoomed = Callable[[list[str]], Mapping[str, object]]
"""Names of charts -> the part of them that is looked at, as :func:`zoom.part` gives it."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """One chart, its text for screen readers, and a name that no other chart here has."""

    chart: charts.Chart
    alt: str
    name: str
    zoom: bool = False
    """Whether a page lets its horizontal axis be zoomed."""


@dataclasses.dataclass(frozen=True)
class Block:
    """Charts under one heading with one caption, and a table below."""

    title: str
    pictures: list[Picture]
    caption: str = ""
    table: pd.DataFrame | None = None


def titled(chart: charts.Chart, title: str) -> charts.Chart:
    """The chart under a title; an empty one is none."""
    return chart.properties(title=title) if title else chart


def finals(
    ask: Ask, sweep_id: str, result: StudyResult, metric: Metric, every_rate: bool = True
) -> Block:
    """Final values of one metric: along a number, or one mark per group; a chart per panel.

    The table has every rate tried, or only the best of each group.
    """
    every = finals_for(ask, sweep_id, result.study, metric)
    best = at_best(every, result.best)
    pictures = []
    for place, (name, rows) in enumerate(panels(best)):
        chart, said = _finals_chart(rows, metric, result.study)
        said = f"{name}. {said}" if name else said
        pictures.append(Picture(titled(chart, name), said, f"finals-{metric.column}-{place}"))
    title = f"Where {metric.title} ends"
    table = finals_table(every if every_rate else best, metric, result.study)
    return Block(title, pictures, _finals_caption(best, result), table)


def _finals_chart(rows: pd.DataFrame, metric: Metric, study: Study) -> tuple[charts.Chart, str]:
    ends = [
        f"{row['series']}{at_along(row)} {compact(row['mean'])}" for _, row in rows.iterrows()
    ]  # fmt: skip
    said = f"Final {metric.title}: {'; '.join(ends)}."
    if study.along and rows["along"].nunique() > 1:
        along = words_of(study.along)
        return charts.finals_along(rows, metric, "along", along), said
    return study_charts.ranking(rows, metric), said


def at_along(row: pd.Series) -> str:
    """Where a group lies along the number of its study, as `` at 5``."""
    return f" at {rate(row['along'])}" if "along" in row else ""


def _finals_caption(best: pd.DataFrame, result: StudyResult) -> str:
    caption = captions.finals_caption(best)
    if result.study.tuned:
        caption += f" Each group at its best {words_of(result.study.tuned)}: {rule(result.study)}."
    return caption


def rule(study: Study) -> str:
    """How the best value of the tuned key is found, in words."""
    return (
        f"the one with the smallest share of diverged trials and, among those, the best mean "
        f"final {study.metrics[0].title}"
    )


def curves(
    ask: Ask, sweep_id: str, result: StudyResult, metric: Metric,
    unit: Unit, log: bool = True, level: float | None = None, zoomed: Zoomed = lambda _: {},
) -> Block:  # fmt: skip
    """Mean curves of one metric, a chart per panel, at one value of what groups lie along.

    Of charts that do not hold all recordings, ``zoomed`` says by their names which part of them
    is looked at; the query is asked for that part alone.
    """
    study = result.study
    chosen, asked = curves_asked(ask, sweep_id, result, metric, level)
    shown = complete(ask("study_curves", **asked), chosen, metric)
    stem = f"curves-{metric.column}-{unit.column}"
    keys = [f"{stem}-{place}" for place in range(len(panels(shown)))]
    if captions.fewer(shown) and (part := zoomed(keys)):
        shown = complete(ask("study_curves", **asked, **part), chosen, metric)
    pictures = []
    for key, (name, rows) in zip(keys, panels(shown), strict=False):
        drawn = rows if "lr" in rows else rows.assign(lr="")
        chart = charts.loss_curves(drawn, metric, unit, log)
        said = captions.curves_alt(rows, metric, unit)
        pictures.append(Picture(titled(chart, name), f"{name} {said}".strip(), key, zoom=True))
    title = f"{metric.title[0].upper()}{metric.title[1:]} against {unit.title}"
    title += _at_words(study, shown).lower()
    return Block(title, pictures, _curves_caption(shown, log, study) if len(shown) else "")


def curves_asked(
    ask: Ask, sweep_id: str, result: StudyResult, metric: Metric, level: float | None
) -> tuple[pd.DataFrame, dict[str, object]]:
    """The groups that :func:`curves` draws, and what it asks ``study_curves``."""
    study = result.study
    asked: dict[str, object] = {"sweep_id": sweep_id, "factors": study.factors}
    finals = ask("study_finals", metric=result.metric.column, **asked)
    best = at_best(with_levels(finals, study), result.best)
    chosen = at_level(best, result.level if level is None else level)
    # Hundreds of groups may have been trained, and a few of them are drawn.
    groups = [list(levels) for levels in chosen["levels"]]
    return chosen, asked | {"metric": metric.column, "groups": groups}


def _curves_caption(shown: pd.DataFrame, log: bool, study: Study) -> str:
    parts = [f"{captions.MEANING}, {captions.trials_range(shown['n'])}."]
    if study.tuned:
        parts.append(f"Each group at its best {words_of(study.tuned)}: {_rates(shown)}.")
    parts.append("A line ends where the first of its trials ends.")
    if log:
        parts.append("The untrained net, at 0, has no place on a log axis.")
    if fewer := captions.fewer(shown):
        parts.append(fewer)
    return " ".join(parts) + captions.mixed(bool((shown["n"] > shown["seeds"]).any()))


def _rates(shown: pd.DataFrame) -> str:
    """``0.1 for a, b; 0.01 for c``."""
    groups = shown.drop_duplicates([c for c in GROUP if c in shown])
    if groups["lr"].nunique() == 1:
        return f"{rate(groups['lr'].iloc[0])} for all"
    parts = [
        f"{rate(rows['lr'].iloc[0])} for {', '.join(group_name(r) for _, r in rows.iterrows())}"
        for _, rows in groups.groupby("lr")
    ]
    return "; ".join(parts)


def sensitivity(
    ask: Ask, sweep_id: str, result: StudyResult, metric: Metric, level: float | None = None
) -> Block:
    """Final values along the tuned key, at one value of what groups lie along.

    Without charts where only one value was tried.
    """
    every = finals_for(ask, sweep_id, result.study, metric)
    if every["lr"].nunique() < 2:
        return Block("", [])
    shown = at_level(every, result.level if level is None else level)
    word = words_of(result.study.tuned or "")
    pictures = []
    for place, (name, rows) in enumerate(panels(shown)):
        chart = charts.finals_along(rows, metric, "lr", word)
        ends = [
            f"{r['series']} at {rate(r['lr'])} {compact(r['mean'])}" for _, r in rows.iterrows()
        ]
        said = f"{name} Final {metric.title} against the {word}: {'; '.join(ends)}.".strip()
        pictures.append(Picture(titled(chart, name), said, f"rates-{metric.column}-{place}"))
    title = f"How carefully must the {word} be chosen?{_at_words(result.study, shown)}"
    return Block(title, pictures, captions.finals_caption(shown))


def _at_words(study: Study, shown: pd.DataFrame) -> str:
    if not study.along or shown.empty:
        return ""
    return f" At {words_of(study.along)} {rate(float(shown['along'].iloc[0]))}"


def layers(
    ask: Ask, sweep_id: str, result: StudyResult, quantity: Quantity, level: float | None = None
) -> Block:
    """One quantity through the layers, before training and at its end; two charts per panel."""
    shown = layer_rows(ask, sweep_id, result, quantity, level)
    pictures = []
    for place, (name, rows) in enumerate(panels(shown)):
        for moment, words in (("first", "before training"), ("last", "at the end")):
            drawn = rows[rows["moment"] == moment]
            if (drawn["n"] > 0).any():
                title = ", ".join(part for part in (name, words) if part)
                chart = study_charts.through_layers(drawn, quantity)
                said = study_charts.layers_alt(drawn, quantity, title)
                key = f"layers-{quantity.column}-{place}-{moment}"
                pictures.append(Picture(titled(chart, title), said, key))
    caption = _layers_caption(shown, result, quantity) if len(shown) else ""
    heading = f"{quantity.title[0].upper()}{quantity.title[1:]} by {quantity.axis}"
    return Block(heading, pictures, caption)


def layer_rows(
    ask: Ask, sweep_id: str, result: StudyResult, quantity: Quantity, level: float | None = None
) -> pd.DataFrame:
    """The rows behind :func:`layers`, with intervals of the logarithm turned back."""
    study = result.study
    asked = {"sweep_id": sweep_id, "factors": study.factors, "quantity": quantity.column}
    every = named(ask("study_layers", **asked), study)
    shown = at_level(at_best(every, result.best), result.level if level is None else level)
    ends = with_interval(shown.assign(mean=shown["log_mean"], stddev=shown["log_stddev"]))
    power = {name: 10.0 ** ends[name].astype(float) for name in ("mean", "low", "high")}
    return ends.assign(**power)


def _layers_caption(shown: pd.DataFrame, result: StudyResult, quantity: Quantity) -> str:
    parts = [
        "Geometric mean over seeds with its 95 % t interval (of the logarithm), "
        f"{captions.trials_range(shown['n'])}."
    ]
    if quantity.axis == "layer":
        parts.append("Layer 1 is next to the input.")
    if result.study.along and len(shown):
        along = words_of(result.study.along)
        parts.append(f"Shown at {along} {rate(float(shown['along'].iloc[0]))}.")
    if zeros := int(shown["zeros"].sum()):
        parts.append(f"{count(zeros, 'value')} of exactly 0 have no place on a log axis.")
    return " ".join(parts)
