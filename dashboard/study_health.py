"""Gradient health on a study's page: verdicts by group, and theory beside measurement."""

import altair as alt
import pandas as pd

from . import palette
from .charts import Chart
from .encodings import colour, layered, log_scale, shape
from .formats import compact, count, rate
from .groups import at_best, group_name, named, panels
from .statistics import area_interval, with_interval
from .study import Study, words_of
from .study_figures import Block, Picture, titled
from .study_findings import StudyResult
from .tables import Ask

MOMENTS = {"first": "untrained", "last": "at the end"}
_CELL = 34  # pixels of a row of the verdict grid
_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
KEY_WORDS = {
    "chi": "χ, factor of the backward signal per layer",
    "q_star": "q*, second moment that the signal tends to",
    "sharpness": "sharpness",
    "noise_scale": "noise scale",
}


def verdict_rows(ask: Ask, sweep_id: str, result: StudyResult) -> pd.DataFrame:
    """For each group and moment its most frequent verdict, at the group's best rate.

    Columns of the group, and moment, verdict, agree (trials judged so) and trials.
    """
    study = result.study
    every = named(ask("study_verdicts", sweep_id=sweep_id, factors=study.factors), study)
    shown = at_best(every, result.best)
    by = [c for c in ("panel", "series", "along", "lr", "moment") if c in shown]
    shown["all"] = shown.groupby(by, observed=True)["trials"].transform("sum")
    # The answer is sorted by trials within a group, and the most frequent one comes first.
    top = shown.drop_duplicates(by).rename(columns={"trials": "agree", "all": "trials"})
    return top.reset_index(drop=True)


def verdicts(ask: Ask, sweep_id: str, result: StudyResult) -> Block:
    """A grid of verdicts per panel and moment: series down, the number they lie along across."""
    rows = verdict_rows(ask, sweep_id, result)
    pictures = []
    for place, (name, group) in enumerate(panels(rows)):
        for moment, words in MOMENTS.items():
            cells = group[group["moment"] == moment]
            if len(cells):
                title = ", ".join(part for part in (name, words) if part)
                picture = titled(grid(_columned(cells), result.study.along), title)
                said = _grid_alt(cells, title, result.study)
                pictures.append(Picture(picture, said, f"verdicts-{place}-{moment}"))
    caption = (
        "The most frequent verdict of a group and how many of its trials got it. A verdict looks "
        "at the backward signal of every layer, never at weight gradients alone; docs/verdicts.md "
        "has the rules. " + foretold(ask, sweep_id)
    )
    table = _verdict_table(rows, result.study) if pictures else None
    return Block("Gradient health", pictures, caption, table)


def foretold(ask: Ask, sweep_id: str) -> str:
    """How well the untrained nets' scores told the trials apart, as a sentence; empty: unknown."""
    (row,) = ask("verdict_roc", sweep_id=sweep_id).to_pylist()
    if row["area"] is None:
        return ""
    low, high = area_interval(row["area"], row["learned"], row["n"] - row["learned"])
    return (
        f"The score of the untrained nets told trials that learn from those that do not with an "
        f"area under the ROC curve of {row['area']:.3f} (95 % interval {low:.3f} to {high:.3f}, "
        f"Hanley and McNeil; n = {row['n']}, {row['learned']} learned: test score at least "
        f"{row['level']:.2f}, half way from the untrained nets' mean to 1)."
    )


def _columned(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells with the column in which each stands, in order of the number along."""
    if "along" not in cells:
        return cells.assign(column=pd.Categorical([""] * len(cells), categories=[""]))
    order = list(dict.fromkeys(rate(value) for value in sorted(cells["along"])))
    column = pd.Categorical([rate(value) for value in cells["along"]], categories=order)
    return cells.assign(column=column)


def grid(cells: pd.DataFrame, across: str | None, explained: bool = True) -> Chart:
    """Tiles of verdicts: series down, columns across.

    Args:
        cells: categorical columns series and column, and verdict, agree, trials.
        across: the key that columns are levels of; None: there is one column without a name.
        explained: whether a legend stands above.
    """
    drawn = cells.assign(
        share=[f"{a}/{t}" for a, t in zip(cells["agree"], cells["trials"], strict=True)],
        series=cells["series"].astype(str),
        column=cells["column"].astype(str),
    )
    order = list(cells["column"].cat.categories)
    title = words_of(across) if across else None
    known = list(palette.VERDICT_COLOUR)
    scale = alt.Scale(domain=known, range=[palette.VERDICT_COLOUR[v] for v in known])
    x = alt.X(
        "column:N", sort=order, title=title,
        axis=alt.Axis(labelAngle=0, ticks=False, domain=False),
    )  # fmt: skip
    labels = alt.Axis(ticks=False, domain=False, labelLimit=260)
    y = alt.Y("series:N", sort=list(cells["series"].cat.categories), title=None, axis=labels)
    legend = alt.Legend(title=None, orient="top", columns=4, symbolType="square")
    shown = legend if explained else None
    base = alt.Chart(drawn).encode(x=x, y=y)
    tiles = base.mark_rect(stroke="white", strokeOpacity=0.4).encode(
        color=alt.Color("verdict:N", scale=scale, legend=shown),
        tooltip=[
            alt.Tooltip("series:N", title="trials with"),
            alt.Tooltip("column:N", title=title or "at"),
            alt.Tooltip("verdict:N"),
            alt.Tooltip("share:N", title="trials judged so"),
        ],
    )
    # The first letters say it where colours cannot be told apart.
    marks = base.mark_text(fontSize=11, fontWeight=600, color="white").encode(
        text=alt.Text("mark:N")
    )
    drawn["mark"] = [f"{v[:4]}. {s}" for v, s in zip(drawn["verdict"], drawn["share"], strict=True)]
    height = _CELL * max(1, drawn["series"].nunique())
    return layered(layer=[tiles, marks], height=height, autosize=_FIT)


def _grid_alt(cells: pd.DataFrame, title: str, study: Study) -> str:
    said = [
        f"{row['series']}{f' at {rate(row.along)}' if study.along else ''} {row['verdict']} "
        f"({row['agree']} of {row['trials']})"
        for _, row in cells.iterrows()
    ]
    return f"Grid of verdicts, {title}: {'; '.join(said)}."


def _verdict_table(rows: pd.DataFrame, study: Study) -> pd.DataFrame:
    listed = []
    for _, row in rows.iterrows():
        line = {
            "when": MOMENTS[row["moment"]],
            "verdict": row["verdict"],
            "trials judged so": f"{row['agree']} of {row['trials']}",
        }
        listed.append(_group_cells(row, study) | line)
    return pd.DataFrame(listed)


def _group_cells(row: pd.Series, study: Study) -> dict[str, str]:
    """The first cells of a table: which group a row is about."""
    cells = {"trials with": group_name(row)}
    return cells | ({words_of(study.along): rate(row["along"])} if study.along else {})


def prediction_rows(ask: Ask, sweep_id: str, result: StudyResult) -> pd.DataFrame:
    """Predicted and measured numbers of the untrained nets, by group and key, with intervals."""
    study = result.study
    every = named(ask("study_predictions", sweep_id=sweep_id, factors=study.factors), study)
    return with_interval(at_best(every, result.best))


def predictions(ask: Ask, sweep_id: str, result: StudyResult) -> Block:
    """Measured against predicted, one chart per key, the diagonal where they agree."""
    return predictions_of(prediction_rows(ask, sweep_id, result), result.study)


def predictions_of(rows: pd.DataFrame, study: Study) -> Block:
    """The same of rows as :func:`prediction_rows` gives them."""
    pictures = []
    for key, group in rows.groupby("key", sort=True):
        drawn = group[(group["predicted"] > 0) & (group["mean"] > 0)]
        if len(drawn):
            words = KEY_WORDS.get(str(key), str(key).replace("_", " "))
            said = _predictions_alt(drawn, words)
            pictures.append(Picture(titled(_against(drawn), words), said, f"predicted-{key}"))
    sources = "; ".join(sorted(set(rows["source"]))) if len(rows) else ""
    caption = (
        "Untrained nets. On the line the measurement is what theory predicts for infinitely wide "
        f"nets; mean over seeds with its 95 % t interval. Sources: {sources}."
    )
    table = _prediction_table(rows, study) if pictures else None
    return Block("Theory beside measurement", pictures, caption, table)


def _against(rows: pd.DataFrame) -> Chart:
    ends = pd.concat([rows["predicted"], rows["mean"]])
    scale = log_scale(ends)
    drawn = rows.assign(
        floor=rows["low"].fillna(rows["mean"]).clip(lower=scale.domain[0]),
        ceiling=rows["high"].fillna(rows["mean"]),
        where=[group_name(row) for _, row in rows.iterrows()],
    )
    x = alt.X("predicted:Q", title="predicted", scale=scale)
    y, floor = (alt.Y(f"{end}:Q", title="measured", scale=scale) for end in ("mean", "floor"))
    line = (
        alt.Chart(pd.DataFrame({"predicted": scale.domain, "mean": scale.domain}))
        .mark_line(strokeDash=[4, 3], color=palette.GREY)
        .encode(x=x, y=y)
    )
    base = alt.Chart(drawn).encode(x=x, color=colour(rows))
    bars = base.mark_rule(clip=True).encode(y=floor, y2=alt.Y2("ceiling:Q"))
    points = base.mark_point(size=60, filled=True, opacity=0.9).encode(
        y=y, shape=shape(rows),
        tooltip=[
            alt.Tooltip("where:N", title="trials with"),
            alt.Tooltip("predicted:Q", format=".4~g"),
            alt.Tooltip("mean:Q", title="measured", format=".4~g"),
            alt.Tooltip("n:Q", title="trials"),
        ],
    )  # fmt: skip
    chart = layered(layer=[line, bars, points], height=340, autosize=_FIT)
    chart.resolve = alt.Resolve(scale=alt.ScaleResolveMap(shape="independent"))
    return chart


def _predictions_alt(rows: pd.DataFrame, words: str) -> str:
    ratios = rows["mean"] / rows["predicted"]
    return (
        f"Scatter plot of the {words}: measured against predicted, {count(len(rows), 'group')}; "
        f"measured is {ratios.min():.3g} to {ratios.max():.3g} times what is predicted, "
        f"{ratios.median():.3g} in the median."
    )


def _prediction_table(rows: pd.DataFrame, study: Study) -> pd.DataFrame:
    listed = []
    for _, row in rows.iterrows():
        line = {
            "quantity": KEY_WORDS.get(row["key"], row["key"]),
            "predicted": compact(row["predicted"]),
            "measured": compact(row["mean"]),
            "measured / predicted": f"{row['mean'] / row['predicted']:.3g}",
            "n": str(row["n"]),
            "source": row["source"],
        }
        listed.append(_group_cells(row, study) | line)
    return pd.DataFrame(listed)
