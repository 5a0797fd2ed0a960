"""The page of gradient health: its numbers against the store, its choices, its edges."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from talweg.dashboard import health, health_answer, health_figures, health_keys
from talweg.dashboard.declarations import DECLARED
from talweg.dashboard.health_keys import Layout
from talweg.dashboard.tables import Ask
from talweg.services import sweep
from talweg.services.executors import InlineExecutor
from talweg.services.progress import Quiet
from talweg.storage.client import Client
from talweg.workloads import grid, studies
from talweg.workloads.options import Compile, Options

from .storage_helpers import local_store, rows

STUDY = DECLARED["depth_and_activation"]
KEYS = ("model.activation", "model.init.name", "model.depth")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store with the small twin of the study of depth, at two rates and four recordings."""
    folder = tmp_path_factory.mktemp("health")
    text = studies.path("depth_and_activation", small=True).read_text()
    file = folder / "grid.yaml"
    text = text.replace("optimizer.lr: [0.1]", "optimizer.lr: [0.01, 0.1]")
    file.write_text(text.replace("layers: 2", "layers: 4"))
    with local_store(folder) as client:
        executor = InlineExecutor(client, Options(compile=Compile.NEVER))
        plan = sweep.plan(grid.load(file), client)
        assert not sweep.run(plan, client, executor, "ada", Quiet()).errors
        yield client


@pytest.fixture(scope="module")
def sweep_id(client: Client) -> str:
    return str(rows(client, "select sweep_id from sweeps")[0]["sweep_id"])


@pytest.fixture(scope="module")
def places(client: Client, sweep_id: str) -> Layout:
    return health_keys.layout(asking(client), sweep_id, STUDY)


def asking(client: Client) -> Ask:
    def ask(question: str, **parameters: object) -> pa.Table:
        return client.query(question, parameters)

    return ask


def judged(client: Client) -> list[dict[str, Any]]:
    """Each trial with its first and last verdict and its keys."""
    found = rows(
        client,
        "select activation, init, depth, lr, seed, arg_min(verdict, v.update) as first, "
        "arg_max(verdict, v.update) as last from verdicts v join trials using (trial_id) "
        "group by all",
    )
    return [dict(row) for row in found]


def test_the_layout_has_the_keys_of_the_study_and_every_setting(places: Layout) -> None:
    assert places.keys == (*KEYS, "optimizer.lr")
    assert len(places.settings) == 3 * 2 * 2 * 2
    assert {setting.trials for setting in places.settings} == {2}
    assert places.usual["model.depth"] == "6"


def test_without_a_study_every_key_that_tells_settings_apart_is_there(
    client: Client, sweep_id: str
) -> None:
    assert set(health_keys.layout(asking(client), sweep_id, None).keys) == {*KEYS, "optimizer.lr"}


def test_a_key_that_others_decide_is_left_out() -> None:
    problems = [("saddle", "2", "a"), ("rosenbrock", "2", "b"), ("linear", "16", "a")]
    assert health_keys._telling(problems) == [0]
    crossed = [("x", "1"), ("x", "2"), ("y", "1")]
    assert health_keys._telling(crossed) == [0, 1]


def test_the_rows_at_some_levels_may_be_none() -> None:
    levels = pa.array([["relu", "2", None], ["tanh", "2", "x"]], pa.list_(pa.string()))
    table = pa.table({"levels": levels, "n": [1, 2]})
    assert health_keys.held(table, 1, ["2", "x"]).to_pylist() == [{"levels": ["tanh"], "n": 2}]
    assert health_keys.held(table, 1, ["2", None]).to_pylist() == [{"levels": ["relu"], "n": 1}]
    assert health_keys.held(table, 1, ["3", "x"]).num_rows == 0


def test_the_sentence_counts_the_verdicts(client: Client, sweep_id: str, places: Layout) -> None:
    said = health_answer.sentence(asking(client), sweep_id, places)
    trials = judged(client)
    for moment, words in (("first", "Untrained"), ("last", "At the end")):
        (line,) = (line for line in said.splitlines() if line.startswith(words))
        assert f"of {len(trials)} trials: " in line
        for verdict, n in Counter(trial[moment] for trial in trials).items():
            assert f"{n} {verdict}" in line
    settings = defaultdict(list)
    for trial in trials:
        key = (trial["activation"], trial["init"], trial["depth"], trial["lr"])
        settings[key].append(trial["last"] == "healthy")
    whole = sum(all(healthy) for healthy in settings.values())
    assert f"In {whole} of 24 settings all trials are healthy at the end" in said


def test_the_healthiest_setting_is_the_one_that_ends_best(
    client: Client, sweep_id: str, places: Layout
) -> None:
    said = health_answer.sentence(asking(client), sweep_id, places)
    (best,) = rows(
        client,
        "with judged as (select trial_id, arg_max(verdict, update) as verdict from verdicts "
        "group by trial_id) select activation, init, depth, lr, avg(s.last) as score from trials "
        "join judged using (trial_id) join summaries s using (trial_id) "
        "where metric = 'test_score' group by all "
        "having bool_and(verdict = 'healthy') order by score desc limit 1",
    )
    name = f"{best['activation']}, {best['init']}, depth {best['depth']}, "
    assert f"of these, {name}learning rate {best['lr']:.3g} ends with the best mean" in said
    assert f"test accuracy, {best['score']:.3f} (n = 2" in said


@pytest.mark.parametrize("narrow", [False, True])
def test_a_cell_has_the_most_frequent_verdict_of_its_trials(
    client: Client, sweep_id: str, places: Layout, narrow: bool
) -> None:
    at = {**places.usual, "optimizer.lr": "0.1"}
    others = ["model.init.name", "optimizer.lr"]
    frame = health.verdict_rows(
        asking(client),
        sweep_id,
        ["model.activation", "model.depth"],
        others,
        at if narrow else None,
    )
    cells: dict[tuple[object, ...], Counter[object]] = defaultdict(Counter)
    for trial in judged(client):
        if narrow and (trial["init"], trial["lr"]) != (at["model.init.name"], 0.1):
            continue
        for moment in ("first", "last"):
            cells[trial["activation"], str(trial["depth"]), moment][trial[moment]] += 1
    assert len(frame) == len(cells) == 12
    for row in frame.to_dict("records"):
        counted = cells[row["series"], row["column"], row["moment"]]
        assert counted[row["verdict"]] == row["agree"] == max(counted.values())
        assert row["trials"] == counted.total() == (2 if narrow else 8)


def stored(client: Client, column: str) -> list[dict[str, Any]]:
    found = rows(
        client,
        f"select update, layer, seed, depth, activation, init, lr, {column} as value from layers "
        "join trials using (trial_id)",
    )
    return [dict(row) for row in found]


def test_the_heat_map_is_the_geometric_mean_over_seeds(
    client: Client, sweep_id: str, places: Layout
) -> None:
    frame = health.heat_rows(asking(client), sweep_id, places, places.usual, "backward_signal")
    mine = [
        row
        for row in stored(client, "backward_signal")
        if [str(row["activation"]), row["init"], str(row["depth"]), f"{row['lr']:g}"]
        == [places.usual[key] for key in places.keys]
    ]
    assert len(frame) * 2 == len(mine)
    for row in frame.to_dict("records"):
        values = [
            m["value"] for m in mine if (m["update"], m["layer"]) == (row["updates"], row["layer"])
        ]
        assert row["geometric"] == pytest.approx(np.exp(np.mean(np.log(values))), rel=1e-9)
        assert row["n"] == row["trials"] == len(values) == 2


def test_many_recordings_share_columns_and_none_is_lost(
    client: Client, sweep_id: str, places: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = health.heat_rows(asking(client), sweep_id, places, places.usual, "q")
    monkeypatch.setattr(health, "COLUMNS", 1)
    shared = health.heat_rows(asking(client), sweep_id, places, places.usual, "q")
    assert shared["place"].nunique() == 1 < whole["place"].nunique()
    assert shared["n"].sum() == whole["n"].sum()
    assert (shared["until"].max(), shared["updates"].min()) == (
        whole["updates"].max(), whole["updates"].min()
    )  # fmt: skip
    assert set(shared["recordings"]) == {whole["place"].nunique()}


def test_shares_are_means_with_zeros_and_ratios_geometric_means(
    client: Client, sweep_id: str, places: Layout
) -> None:
    at, by = {**places.usual, "optimizer.lr": "0.1"}, "model.activation"
    shares = health.layer_rows(asking(client), sweep_id, places, at, by, "zero_share", log=False)
    ratios = health.layer_rows(asking(client), sweep_id, places, at, by, "update_ratio", log=True)
    for frame, column, log in ((shares, "zero_share", False), (ratios, "update_ratio", True)):
        everything = stored(client, column)
        last = max(row["update"] for row in everything)
        ends = frame[frame["moment"] == "last"]
        assert len(ends) >= 3 * 6  # of each activation all hidden layers
        for row in ends.to_dict("records"):
            values = [
                m["value"]
                for m in everything
                if (m["activation"], m["init"], str(m["depth"]), m["lr"], m["update"], m["layer"])
                == (
                    row["series"],
                    at["model.init.name"],
                    at["model.depth"],
                    0.1,
                    last,
                    row["layer"],
                )
                and m["value"] is not None
            ]
            expected = np.exp(np.mean(np.log(values))) if log else np.mean(values)
            assert row["mean"] == pytest.approx(expected, rel=1e-9)
            assert row["low"] <= row["mean"] <= row["high"]
    assert set(shares["series"]) == {"relu", "sigmoid", "tanh"}
    # Nothing is updated before the first update.
    assert (ratios["updates"] > 0).all()


def test_the_map_has_the_best_rate_of_each_tile_and_the_predicted_scale(
    client: Client, sweep_id: str, places: Layout
) -> None:
    ask, at = asking(client), {**places.usual, "model.init.name": "xavier"}
    frame = health.trainability_rows(ask, sweep_id, places, "model.activation", at)
    assert len(frame) == 3 * 2
    for row in frame.to_dict("records"):
        means = rows(
            client,
            "select avg(s.last) as mean from trials join summaries s using (trial_id) where "
            "metric = 'test_score' and activation = $a and depth = $d and init = 'xavier' "
            "group by lr",
            a=row["series"], d=int(row["along"]),
        )  # fmt: skip
        assert row["mean"] == pytest.approx(max(m["mean"] for m in means), rel=1e-12)
    scales = health.scale_rows(ask, sweep_id, places, "model.activation", at)
    (chi,) = rows(
        client,
        "select distinct value from predictions join trials using (trial_id) where key = 'chi' "
        "and layer is null and activation = 'tanh' and init = 'xavier'",
    )
    found = dict(zip(scales["series"], scales["mean"], strict=True))
    if chi["value"] == 1:
        assert "tanh" not in found
    else:
        assert found["tanh"] == pytest.approx(1 / abs(math.log(chi["value"])))


def test_theory_is_shown_once_for_each_net_whatever_it_is_trained_with(
    client: Client, sweep_id: str, places: Layout
) -> None:
    block = health_figures.predictions(
        asking(client), sweep_id, places, "model.activation", places.usual
    )
    assert block.table is not None
    chi = block.table[block.table["quantity"].str.startswith("χ")]
    (expected,) = rows(
        client,
        "select count(distinct (activation, init, depth)) as nets from predictions p "
        "join trials using (trial_id) join probes x using (trial_id) where p.key = 'chi' and "
        "p.layer is null and x.key = 'chi' and x.layer is null and x.update = 0",
    )
    assert len(chi) == expected["nets"] > 0
    assert set(chi["n"]) == {"2"}


def page(where: str) -> None:
    import functools

    from talweg.dashboard import app, frame
    from talweg.dashboard.views import health

    answers = app.answers_of(where, None)
    frame.show(answers, functools.partial(health.render, answers))


def shown(client: Client, **query: str) -> AppTest:
    app = AppTest.from_function(page, kwargs={"where": client.where}, default_timeout=60)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    assert not app.error
    return app


def spoken(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def test_the_page_shows_every_part(client: Client, sweep_id: str, places: Layout) -> None:
    app = shown(client)
    text = "\n".join(element.value for element in app.markdown)
    for line in health_answer.sentence(asking(client), sweep_id, places).splitlines():
        assert line.replace(" %", "\u00a0%") in text.replace(" %", "\u00a0%")
    assert [head.value for head in app.subheader][:6] == [
        "Verdicts",
        "Backward signal by layer and update",
        "Theory beside measurement",
        "Update / weight ratio per layer",
        "Dead and saturated shares per layer",
        "Where test accuracy ends, by depth and activation",
    ]
    words = spoken(app)
    assert all(words)
    # Two panels, untrained and at the end.
    assert sum(said.startswith("Grid of verdicts") for said in words) == 4
    assert "Predicted depth scale in layers" in words[-1]


def test_what_is_chosen_comes_back_from_the_url(client: Client) -> None:
    app = shown(
        client, health_depth_and_activation_model_activation="relu",
        health_quantity="share of dead units", health_rows="Depth",
        health_columns="none", health_by="Init",
    )  # fmt: skip
    heads = [head.value for head in app.subheader]
    assert "Share of dead units by layer and update" in heads
    grids = [said for said in spoken(app) if said.startswith("Grid of verdicts")]
    assert len(grids) == 2
    assert grids[0].startswith("Grid of verdicts, untrained: depth 2 ")
    (heat,) = (said for said in spoken(app) if said.startswith("Heat map of the share"))
    assert "relu, " in heat
    (ratio, _) = (said for said in spoken(app) if "update / weight ratio" in said)
    assert "he " in ratio
    assert "xavier " in ratio


def test_an_empty_store_says_what_to_run(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        app = shown(client)
    assert app.code[0].value == "talweg run depth_and_activation"
