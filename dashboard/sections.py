"""What the report shows of a sweep: figures with their captions, and tables."""

from collections.abc import Mapping, Sequence

import pandas as pd

from . import captions, charts, profiles, study_blocks, study_figures
from .findings import DescentResult, cost_table, level
from .formats import compact, interval, rate
from .metrics import COUNTED, METRICS, SAMPLES, SECONDS, UNITS, UPDATES, Metric, Unit
from .report.document import Block, Figure, Paragraph, Picture, Section, Table
from .selection import at_rates
from .study_findings import StudyResult
from .tables import Ask, complete_curves, final_values


def sections(ask: Ask, sweep_id: str, result: DescentResult) -> list[Section]:
    """What the report shows of a descent sweep; nothing before the first trial has finished."""
    if result.best.empty:
        return []
    metrics = [METRICS["test_score"], METRICS["train_loss"]]
    shown = {metric: _shown(ask, sweep_id, metric, result) for metric in metrics}
    curves = [_curves(shown[metric], metric, result) for metric in metrics]
    last = _sensitivity(ask, sweep_id, result.target.metric)
    profile = _of_blocks([profiles.of_descents(ask, sweep_id, result.target, result.rates)])
    if result.timing.refusal:
        return [_costs(result), *profile, *curves, last]
    words = captions.seconds(result.timing, ask("hardware", sweep_id=sweep_id).to_pylist())
    return [_costs(result, words), *profile, *curves, _seconds(shown, words), last]


def study_sections(ask: Ask, sweep_id: str, result: StudyResult) -> list[Section]:
    """What the report shows of any other study: the blocks of its page."""
    return _of_blocks(study_blocks.report_blocks(ask, sweep_id, result))


def _of_blocks(blocks: Sequence[study_figures.Block]) -> list[Section]:
    """Sections of the blocks that have charts."""
    return [_of_block(block) for block in blocks if block.pictures]


def _of_block(block: study_figures.Block) -> Section:
    drawn = tuple(Picture(p.chart, p.name, p.alt) for p in block.pictures)
    return _section(block.title, drawn, block.caption, block.table)


def _section(
    title: str,
    pictures: Sequence[Picture],
    caption: str = "",
    table: pd.DataFrame | None = None,
    refusal: str | None = None,
) -> Section:
    """Figures side by side, why one that would come next is not there, and a table below."""
    blocks: list[Block] = [Figure(tuple(pictures), caption)]
    if refusal:
        blocks.append(Paragraph(refusal, "refusal"))
    if table is not None:
        blocks.append(Table(table, title=f"{title.rstrip('?')}, in numbers"))
    return Section(title, tuple(blocks))


def _costs(result: DescentResult, seconds: str = "") -> Section:
    best, refusal = result.best, result.timing.refusal
    parts = []
    for unit in COUNTED if refusal else UNITS:
        rows = best[best["unit"] == unit.column]
        chart, alt = charts.time_to_target(rows, unit), captions.costs_alt(rows, unit)
        parts.append(Picture(chart, f"cost-{unit.column}", alt))
    caption = f"{captions.costs_caption(best, result.target)} {seconds}".strip()
    return _section(f"Time to {level(result.target)}", parts, caption, cost_table(best), refusal)


def _shown(ask: Ask, sweep_id: str, metric: Metric, result: DescentResult) -> pd.DataFrame:
    """The curves of each series at its best learning rate."""
    curves = complete_curves(ask("descent", sweep_id=sweep_id, metric=metric.column), metric)
    return at_rates(curves, result.rates)


def _curve(shown: pd.DataFrame, metric: Metric, unit: Unit) -> Picture:
    chart = charts.loss_curves(shown, metric, unit, log=True)
    alt = captions.curves_alt(shown, metric, unit)
    return Picture(chart, f"{metric.column}-{unit.column}", alt)


def _curves(shown: pd.DataFrame, metric: Metric, result: DescentResult) -> Section:
    parts = [_curve(shown, metric, unit) for unit in (SAMPLES, UPDATES)]
    caption = captions.curves(shown, True, result.rates, best=True)
    return _section(metric.title.capitalize(), parts, caption)


def _seconds(shown: Mapping[Metric, pd.DataFrame], caption: str) -> Section:
    """The same curves against the clock."""
    parts = [_curve(curves, metric, SECONDS) for metric, curves in shown.items()]
    return _section("Against seconds", parts, caption)


def _sensitivity(ask: Ask, sweep_id: str, metric: Metric) -> Section:
    answer = ask("learning_rates", sweep_id=sweep_id, metric=metric.column)
    finals = final_values(answer, metric)
    chart = charts.learning_rates(finals, metric)
    part = Picture(chart, "rates", captions.rates_alt(finals, metric))
    caption = captions.finals_caption(finals, captions.AT_THIS_RATE)
    return _section("Learning-rate sensitivity", [part], caption, _final_table(finals, metric))


def _final_table(finals: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    ends = zip(finals["low"], finals["high"], strict=True)
    return pd.DataFrame(
        {
            "descent": finals["series"],
            "learning rate": [rate(lr) for lr in finals["lr"]],
            f"final {metric.title}": [compact(mean) for mean in finals["mean"]],
            "95 % t interval": [interval(low, high) for low, high in ends],
            "n": finals["n"],
            "diverged": finals["diverged"],
            "failed or missing": finals["missing"],
        }
    )
