"""The paths of descents with two parameters, as a block of the study that trains them."""

import pandas as pd

from . import landscape
from .formats import compact, count, rate
from .groups import at_best, group_name, named, panels
from .study import Study, words_of
from .study_figures import Block, Picture, rule
from .study_findings import StudyResult
from .tables import Ask

TITLE = "Paths on the landscape"


def starts(ask: Ask, sweep_id: str) -> list[int]:
    """The seeds from which paths are recorded, each another start."""
    return [row["seed"] for row in ask("landscape_starts", sweep_id=sweep_id).to_pylist()]


def path_rows(ask: Ask, sweep_id: str, result: StudyResult, seed: int) -> pd.DataFrame:
    """The points of every path from one start, each group at its best rate.

    Columns of the group, and problem (JSON), trial_id, updates, x, y; only of objectives whose
    formula is known here.
    """
    study = result.study
    answer = ask("landscape_paths", sweep_id=sweep_id, factors=study.factors, seed=seed)
    found = at_best(named(answer, study), result.best)
    # The looks of all series of the study, also of those that have no path.
    known = result.finals["series"].cat.categories
    found["series"] = pd.Categorical(found["series"].astype(str), categories=known)
    drawable: pd.DataFrame = found[found["problem"].map(landscape.problem_of).notna()]
    return drawable.reset_index(drop=True)


def landscapes(ask: Ask, sweep_id: str, result: StudyResult, seed: int | None = None) -> Block:
    """A landscape for each objective of two parameters, with the paths from one start."""
    seeds = starts(ask, sweep_id)
    if not seeds:
        return Block(TITLE, [])
    seed = seeds[0] if seed is None else seed
    rows = path_rows(ask, sweep_id, result, seed)
    pictures: list[Picture] = []
    tables = []
    for name, group in panels(rows):
        for text, paths in group.groupby("problem", sort=False):
            problem = landscape.problem_of(str(text))
            assert problem is not None
            above = landscape.heights(problem, paths["x"].to_numpy(), paths["y"].to_numpy())
            drawn = paths.assign(above=above)
            title = name or problem.name
            file = f"landscape-{len(pictures)}"
            chart = landscape.chart(problem, drawn, title)
            pictures.append(Picture(chart, _alt(drawn, title), file))
            tables.append(drawn)
    if not pictures:
        return Block(TITLE, [])
    every = pd.concat(tables)
    caption = _caption(every, result.study, seed, len(seeds))
    return Block(TITLE, pictures, caption, _table(every, result.study))


def _caption(rows: pd.DataFrame, study: Study, seed: int, seeds: int) -> str:
    paths, points = rows["trial_id"].nunique(), rows.groupby("trial_id").size()
    many = (
        str(points.min()) if points.min() == points.max() else f"{points.min()} to {points.max()}"
    )
    parts = [
        f"n = {count(paths, 'path')}, one for each series and objective, all from the start of "
        f"seed {seed}, one of {seeds}; {many} recorded points each, joined by straight lines: "
        "what happens between two is not seen.",
        "Ring: start. Filled: end. Cross: global minima. Sand: the objective without its noise, "
        "in levels of half a power of ten; the lightest are at most "
        f"{10**landscape.LOWEST:g} above the minimum.",
    ]
    if study.tuned:
        parts.append(f"Each path at its group's best {words_of(study.tuned)}: {rule(study)}.")
    return " ".join(parts)


def _ends(rows: pd.DataFrame) -> list[tuple[pd.Series, pd.Series]]:
    """The first and the last point of each path."""
    found = [path.sort_values("updates") for _, path in rows.groupby("trial_id", sort=False)]
    return [(path.iloc[0], path.iloc[-1]) for path in found]


def _alt(rows: pd.DataFrame, title: str) -> str:
    spoken = [
        f"{last['series']} from ({first['x']:.3g}, {first['y']:.3g}) to ({last['x']:.3g}, "
        f"{last['y']:.3g}), {compact(last['above'])} above the minimum"
        for first, last in _ends(rows)
    ]
    return f"Landscape of {title} with paths: {'; '.join(spoken)}."


def _table(rows: pd.DataFrame, study: Study) -> pd.DataFrame:
    listed = []
    for first, last in _ends(rows):
        line = {"trials with": group_name(last)}
        if study.tuned:
            line[words_of(study.tuned)] = rate(last["lr"])
        listed.append(
            line
            | {
                "start": f"({first['x']:.4g}, {first['y']:.4g})",
                "end": f"({last['x']:.4g}, {last['y']:.4g})",
                "updates": f"{last['updates']}",
                "f − min f at the start": compact(first["above"]),
                "f − min f at the end": compact(last["above"]),
            }
        )
    return pd.DataFrame(listed)
