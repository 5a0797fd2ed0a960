"""Paths on landscapes: recorded coordinates, the formulas behind them, and what is drawn."""

import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
import torch
from streamlit.testing.v1 import AppTest

from talweg.dashboard import landscape, landscapes
from talweg.dashboard.declarations import DECLARED
from talweg.dashboard.study_figures import Block
from talweg.dashboard.study_findings import study_result
from talweg.services import sweep
from talweg.services.executors import InlineExecutor
from talweg.services.progress import Quiet
from talweg.storage.client import Client
from talweg.workloads import grid, studies
from talweg.workloads.models.point import OBJECTIVES
from talweg.workloads.objectivespecs import Beale, Rosenbrock, Saddle
from talweg.workloads.options import Compile, Options

from .storage_helpers import local_store, rows

STUDY = DECLARED["convexity"]
PROBLEMS: list[landscape.Planar] = [
    Saddle(name="saddle", tilt=0.2),
    Rosenbrock(name="rosenbrock", a=0.8, b=30.0),
    Beale(name="beale"),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store with the small twin of the study of convexity."""
    with local_store(tmp_path_factory.mktemp("landscapes")) as client:
        expansion = grid.load(studies.path("convexity", small=True))
        executor = InlineExecutor(client, Options(compile=Compile.NEVER))
        assert not sweep.run(sweep.plan(expansion, client), client, executor, "ada", Quiet()).errors
        yield client


def sweep_of(client: Client) -> str:
    return str(rows(client, "select sweep_id from sweeps")[0]["sweep_id"])


def block(client: Client, seed: int | None = None) -> Block:
    def ask(question: str, **parameters: object) -> pa.Table:
        return client.query(question, parameters)

    sweep_id = sweep_of(client)
    return landscapes.landscapes(ask, sweep_id, study_result(ask, sweep_id, STUDY), seed)


def test_coordinates_are_where_the_trial_is(client: Client) -> None:
    found = rows(
        client,
        "select trial_id, update, max(value) filter (where layer = 1) as x, max(value) filter "
        "(where layer = 2) as y, max(value) filter (where layer is null) as distance from probes "
        "where key in ('coordinate', 'distance_to_minimum') group by all having x is not null",
    )
    problems = dict.fromkeys(("saddle", "rosenbrock"), 0)
    configs = {
        row["trial_id"]: json.loads(row["config"])
        for row in rows(client, "select trial_id, config from trials")
    }
    for row in found:
        config = configs[row["trial_id"]]["problem"]
        problem = landscape.problem_of(json.dumps(config))
        assert problem is not None
        here = np.array([row["x"], row["y"]])
        nearest = min(np.linalg.norm(here - minimum) for minimum in landscape.minima(problem))
        assert row["distance"] == pytest.approx(nearest, rel=1e-12)
        problems[problem.name] += 1
    # Two descents, two rates, two seeds; at the larger rate Rosenbrock's valley throws them out.
    assert all(count >= 8 * 2 for count in problems.values()), problems


def test_only_objectives_of_two_parameters_record_coordinates(client: Client) -> None:
    found = rows(
        client,
        "select distinct problem, layer from probes join trials using (trial_id) "
        "where key = 'coordinate' order by all",
    )
    assert [(row["problem"], row["layer"]) for row in found] == [
        ("rosenbrock", 1), ("rosenbrock", 2), ("saddle", 1), ("saddle", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_what_is_drawn_is_what_is_descended(problem: landscape.Planar) -> None:
    x, y = np.random.default_rng(3).normal(size=(2, 500))
    trained = OBJECTIVES[problem.name](problem)(torch.as_tensor(np.stack([x, y], -1)))
    at_minimum = [
        float(OBJECTIVES[problem.name](problem)(torch.tensor(minimum, dtype=torch.float64)))
        for minimum in landscape.minima(problem)
    ]
    expected = trained.numpy() - min(at_minimum)
    np.testing.assert_allclose(landscape.heights(problem, x, y), expected, rtol=1e-12, atol=1e-12)
    assert (landscape.heights(problem, x, y) >= -1e-12).all()


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_tiles_cover_the_window_and_have_the_level_of_what_is_in_them(
    problem: landscape.Planar,
) -> None:
    shown = landscape.Window(-1.5, 2.5, -1.0, 1.5)
    tiles = landscape.tiles(problem, shown)
    row = (shown.top - shown.bottom) / landscape.ROWS
    widths = tiles["right"] - tiles["left"]
    covered = float(widths.sum()) * row
    assert covered == pytest.approx((shown.right - shown.left) * (shown.top - shown.bottom))
    # In the middle of a tile's row, at its left end's first column, by brute force.
    step = (shown.right - shown.left) / landscape.COLUMNS
    x = (tiles["left"] + step / 2).to_numpy()
    y = (tiles["bottom"] + row / 2).to_numpy()
    above = np.maximum(landscape.heights(problem, x, y), 10.0**landscape.LOWEST)
    level = tiles["level"].to_numpy()
    assert (level <= above * (1 + 1e-9)).all()
    assert (above < level * 10 ** (1 / landscape.PER_DECADE) * (1 + 1e-9)).all()


def test_the_block_names_the_ends_of_each_path(client: Client) -> None:
    found = block(client)
    assert [picture.chart.title for picture in found.pictures] == ["rosenbrock", "saddle"]
    assert "n = 4 paths" in found.caption
    assert "seed 0, one of 2" in found.caption
    assert found.table is not None
    assert len(found.table) == 4
    stored = rows(
        client,
        "select problem, t.lr, max(value) filter (where layer = 1) as x, "
        "max(value) filter (where layer = 2) as y from probes p join trials t using (trial_id) "
        "where key = 'coordinate' and seed = 0 and p.update = t.updates and descent = 'batch' "
        "group by all",
    )
    for row in stored:
        mine = found.table[found.table["trials with"] == f"{row['problem']}, batch"].iloc[0]
        if mine["learning rate"] == f"{row['lr']:.3g}":
            assert mine["end"] == f"({row['x']:.4g}, {row['y']:.4g})"
    ended = {f"{row['problem']} {row['lr']:.3g}" for row in stored}
    assert ended >= {
        f"{row['trials with'].split(',')[0]} {row['learning rate']}"
        for _, row in found.table.iterrows()
    }


def test_another_start_is_another_path(client: Client) -> None:
    first, second = (block(client, seed).table for seed in (0, 1))
    assert first is not None
    assert second is not None
    assert (first["trials with"] == second["trials with"]).all()
    assert (first["start"] != second["start"]).all()


def page(where: str) -> None:
    import functools

    from talweg.dashboard import app, frame
    from talweg.dashboard.declarations import DECLARED
    from talweg.dashboard.views import study

    answers = app.answers_of(where, None)
    frame.show(
        answers, functools.partial(study.render, answers, "convexity", DECLARED["convexity"])
    )


def test_the_page_shows_the_start_that_its_url_names(client: Client) -> None:
    app = AppTest.from_function(page, kwargs={"where": client.where}, default_timeout=60)
    app.query_params.update({"convexity_start": "1", "convexity_more": "Landscapes"})
    app.run()
    assert not app.exception
    assert app.selectbox(key="convexity_start").options == ["0", "1"]
    spoken = [chart.proto.alt for chart in app.get("vega_lite_chart")]
    expected = [picture.alt for picture in block(client, 1).pictures]
    assert len(expected) == 2
    assert [words for words in spoken if words.startswith("Landscape")] == expected
