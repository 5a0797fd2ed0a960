"""The studies from grid to page and report: their small twins, trained through a real store."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from talweg.dashboard import readings
from talweg.dashboard.declarations import DECLARED
from talweg.dashboard.formats import tied
from talweg.dashboard.groups import best_of, named
from talweg.dashboard.report import making
from talweg.dashboard.report.order import Order
from talweg.dashboard.study import Study
from talweg.dashboard.study_figures import Block
from talweg.dashboard.study_findings import study_result
from talweg.dashboard.study_parts import FIRST, Part, split
from talweg.services import sweep
from talweg.services.executors import InlineExecutor
from talweg.services.progress import Quiet
from talweg.storage.client import Client
from talweg.workloads import grid, studies
from talweg.workloads.options import Compile, Options

from .browsers import chromium, serving, watched
from .storage_helpers import child_store, ending, local_store, rows
from .storage_helpers import sweep as sweep_row
from .storage_helpers import trials as trial_rows

STUDIES = list(DECLARED)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store in which the small twin of every study was trained."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with child_store(tmp_path_factory.mktemp("studies")) as client:
        for name in ("descent", *STUDIES):
            expansion = grid.load(studies.path(name, small=True))
            executor = InlineExecutor(client, Options(compile=Compile.NEVER))
            result = sweep.run(sweep.plan(expansion, client), client, executor, "ada", Quiet())
            assert not result.errors
        yield client
    torch.set_num_threads(threads)


def sweep_of(client: Client, name: str) -> str:
    found = rows(client, "select sweep_id from sweeps where study = $name", name=name)
    return str(found[0]["sweep_id"])


def ask(client: Client, question: str, sweep_id: str, **parameters: Any) -> pa.Table:
    return client.query(question, {"sweep_id": sweep_id, **parameters})


def page(where: str, name: str) -> None:
    import functools

    from talweg.dashboard import app, frame
    from talweg.dashboard.declarations import DECLARED
    from talweg.dashboard.views import study

    answers = app.answers_of(where, None)
    frame.show(answers, functools.partial(study.render, answers, name, DECLARED[name]))


def shown(client: Client, name: str, **query: str) -> AppTest:
    arguments = {"where": client.where, "name": name}
    app = AppTest.from_function(page, kwargs=arguments, default_timeout=60)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    assert not app.error
    return app


@pytest.fixture(scope="module")
def pages(client: Client) -> dict[str, AppTest]:
    """Every page with all its parts."""
    return {name: opened(shown(client, name), name) for name in STUDIES}


def opened(app: AppTest, name: str) -> AppTest:
    """The page when all parts that it does not open with were asked for."""
    for more in (x for x in app.button_group if x.key == f"{name}_more"):
        more.set_value(list(more.options)).run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.info])


@pytest.mark.parametrize("name", STUDIES)
def test_every_page_shows_its_answer_its_charts_and_its_tables(
    client: Client, pages: dict[str, AppTest], name: str
) -> None:
    app = pages[name]
    study, sweep_id = DECLARED[name], sweep_of(client, name)
    said = readings.finding(lambda q, **p: client.query(q, p), sweep_id, name)
    for line in tied(said).splitlines():
        assert line in texts(app)
    assert study.metrics[0].title in said
    spoken = [chart.proto.alt for chart in app.get("vega_lite_chart")]
    assert len(spoken) >= 2 + 2 * len(study.layers)
    assert all(spoken)
    assert "mean over seeds" in " ".join(spoken)
    (trials,) = rows(
        client, "select count(*) as n from sweep_trials where sweep_id = $s", s=sweep_id
    )
    table = app.dataframe[0].value
    counted = table["n"] + table["diverged"] + table["failed or missing"]
    assert counted.sum() == trials["n"]
    assert "Nothing is recorded" not in texts(app)


@pytest.mark.parametrize("name", STUDIES)
def test_every_metric_that_a_study_declares_is_measured(
    pages: dict[str, AppTest], name: str
) -> None:
    options = pages[name].selectbox(key=f"{name}_metric").options
    assert options[: len(DECLARED[name].metrics)] == [m.title for m in DECLARED[name].metrics]


@pytest.mark.parametrize("name", STUDIES)
def test_every_report_shows_what_the_page_shows(
    client: Client, pages: dict[str, AppTest], name: str
) -> None:
    sweep_id = sweep_of(client, name)

    def asked(question: str, **parameters: object) -> pa.Table:
        return client.query(question, parameters)

    html = making.make(asked, Order((sweep_id,)), "html")["report.html"].decode()
    for line in tied(readings.finding(asked, sweep_id, name)).splitlines():
        assert line in html
    spoken = [chart.proto.alt for chart in pages[name].get("vega_lite_chart")]
    drawn = re.findall(r'role="img" aria-label="([^"]+)"', html)
    assert set(spoken) <= set(drawn)
    assert not re.search(r"<(script|link|img)\b|https?://(?!www\.w3\.org)", html)


DRAWN = """() => {
  const main = document.querySelector('[data-testid=stMain]')
  const charts = [...main.querySelectorAll('[data-testid=stVegaLiteChart]')]
  return main.querySelector('h1') && !document.querySelector('[data-stale=true]')
    && !document.querySelector('[data-testid=stStatusWidget]')
    && charts.every(chart => chart.querySelector('.marks, canvas'))
}"""


def test_chromium_draws_every_page_without_a_complaint(client: Client, tmp_path: Path) -> None:
    """Held to the numbers of SQL by the tests above and those of each page."""
    with (
        serving(client.where, tmp_path) as site,
        chromium() as browser,
        watched(browser, site) as page,
    ):
        page.goto(site)
        links = page.get_by_test_id("stSidebarNavLink")
        expect(links.first).to_be_visible()
        paths = [link.get_attribute("href") or "" for link in links.all()]
        assert {*STUDIES, "descent"} <= {path.rpartition("/")[2] for path in paths}
        for path in paths:
            page.goto(f"{site}{path.removeprefix(site)}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            page.wait_for_function(DRAWN)
            assert page.get_by_test_id("stException").count() == 0, path
            assert page.get_by_test_id("stAlertContentError").count() == 0, path


def test_a_page_is_restored_from_its_url(client: Client) -> None:
    name = "depth_and_activation"
    chosen = {"metric": "train loss", "against": "samples", "at": "2"}
    app = shown(client, name, **{f"{name}_{key}": value for key, value in chosen.items()})
    assert "Train loss against samples at depth 2" in [head.value for head in app.subheader]
    assert app.selectbox(key=f"{name}_at").value == "2"


def headings(app: AppTest) -> list[str]:
    return [head.value for head in app.subheader]


def test_a_page_opens_with_few_charts_and_the_url_names_the_others(client: Client) -> None:
    name = "depth_and_activation"
    few = shown(client, name)
    assert 2 <= len(few.get("vega_lite_chart")) <= FIRST
    assert "Gradient health" not in headings(few)
    (more,) = few.button_group[1:]
    assert [*more.options][-2:] == ["Backward signal by layer", "Forward second moment q by layer"]
    more.set_value(["Gradient health"]).run()
    linked = shown(client, name, **{f"{name}_more": "Gradient health"})
    for app in (few, linked):
        assert "Gradient health" in headings(app)
        assert "Backward signal by layer" not in headings(app)
        assert len(app.get("vega_lite_chart")) > FIRST


def test_parts_beyond_the_first_charts_wait_in_their_order() -> None:
    def titles(*charts: int) -> tuple[str, str]:
        every = [Part(str(n), n, lambda: Block("", [])) for n in charts]
        first, later = split(every)
        return " ".join(p.title for p in first), " ".join(p.title for p in later)

    assert titles(1, 1, 2, 2) == ("1 1 2 2", "")
    assert titles(2, 2, 4, 1) == ("2 2", "4 1")
    assert titles(9, 1) == ("9", "1")


def test_a_page_without_a_sweep_says_what_to_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    with local_store(tmp_path_factory.mktemp("empty")) as empty:
        assert shown(empty, "remedies").code[0].value == "talweg run remedies"


# The queries against NumPy, on the same rows.


def members(client: Client, name: str, study: Study) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Levels of a group, as the queries give them -> its trials."""
    paths = ", ".join(f"t.config ->> '{path}'" for path in study.factors)
    found = rows(
        client,
        f"select t.trial_id, t.outcome, [{paths}] as levels from sweep_trials s "
        "join trials t using (trial_id) where s.sweep_id = $s",
        s=sweep_of(client, name),
    )
    groups = defaultdict(list)
    for row in found:
        groups[tuple(row["levels"])].append(dict(row))
    return groups


CASES = [
    ("convexity", "violated_share"),
    ("regression_losses", "parameter_error"),
    ("optimizers", "train_loss"),
]


@pytest.mark.parametrize(("name", "metric"), CASES)
def test_final_values_are_the_last_ones_of_trials_that_did_not_diverge(
    client: Client, name: str, metric: str
) -> None:
    study = DECLARED[name]
    table, column = ("steps", metric) if metric == "train_loss" else ("probes", "value")
    where = "" if table == "steps" else f"where key = '{metric}'"
    values = defaultdict(list)
    for row in rows(client, f"select * from {table} {where} order by update"):
        values[row["trial_id"]].append(row[column])
    answer = ask(
        client, "study_finals", sweep_of(client, name), factors=study.factors, metric=metric
    ).to_pylist()
    groups = members(client, name, study)
    assert len(answer) == len(groups)
    for row in answer:
        trials = groups[tuple(row["levels"])]
        ended = [values[t["trial_id"]][-1] for t in trials if t["outcome"] == "done"]
        lost = sum(t["outcome"] == "diverged" for t in trials)
        assert (row["planned"], row["diverged"], row["n"]) == (len(trials), lost, len(ended))
        assert row["mean"] == (pytest.approx(np.mean(ended)) if ended else None)
        if len(ended) > 1:
            assert row["stddev"] == pytest.approx(np.std(ended, ddof=1), abs=1e-12)


def test_curves_are_means_at_each_update(client: Client) -> None:
    study = DECLARED["batch_size"]
    asked = {"factors": study.factors, "metric": "test_loss", "groups": None}
    answer = ask(client, "study_curves", sweep_of(client, "batch_size"), **asked).to_pylist()
    groups = members(client, "batch_size", study)
    steps = defaultdict(list)
    for row in rows(client, "select * from steps"):
        steps[row["trial_id"], row["update"]].append((row["test_loss"], row["samples"]))
    for row in answer[::7]:
        found = [
            pair
            for trial in groups[tuple(row["levels"])]
            for pair in steps[trial["trial_id"], row["updates"]]
        ]
        losses, samples = zip(*found, strict=True)
        assert (row["n"], row["samples"]) == (len(found), max(samples))
        assert row["mean"] == pytest.approx(np.mean(losses))
        assert row["stddev"] == pytest.approx(np.std(losses, ddof=1), abs=1e-12)


def test_layers_are_geometric_means_before_training_and_at_the_end(client: Client) -> None:
    study = DECLARED["remedies"]
    asked = {"factors": study.factors, "quantity": "backward_signal"}
    answer = ask(client, "study_layers", sweep_of(client, "remedies"), **asked).to_pylist()
    groups = members(client, "remedies", study)
    signals = defaultdict(list)
    for row in rows(client, "select * from layers order by update"):
        signals[row["trial_id"], row["layer"]].append(row["backward_signal"])
    assert {row["moment"] for row in answer} == {"first", "last"}
    for row in answer[::11]:
        place = 0 if row["moment"] == "first" else -1
        values = [signals[t["trial_id"], row["layer"]][place] for t in groups[tuple(row["levels"])]]
        assert row["n"] + row["zeros"] == len(values)
        assert row["log_mean"] == pytest.approx(np.mean(np.log10(values)))


def test_costs_count_who_met_the_target_and_average_only_where_all_did(client: Client) -> None:
    study = DECLARED["batch_size"]
    answer = ask(
        client, "study_costs", sweep_of(client, "batch_size"), factors=study.factors
    ).to_pylist()
    groups = members(client, "batch_size", study)
    summaries = {
        row["trial_id"]: row["target_updates"]
        for row in rows(
            client,
            "select trial_id, target_update as target_updates from summaries "
            "where metric = 'test_score'",
        )
    }
    reached = set()
    for row in (row for row in answer if row["unit"] == "updates"):
        costs = [summaries[t["trial_id"]] for t in groups[tuple(row["levels"])]]
        met = [cost for cost in costs if cost is not None]
        assert (row["trials"], row["reached"]) == (len(costs), len(met))
        assert row["mean"] == (pytest.approx(np.mean(met)) if met else None)
        assert (row["median"] is None) == (2 * len(met) <= len(costs))
        reached.add(len(met))
    assert {0, 2} <= reached  # the grid holds groups that met it and groups that did not


# updates to the target of each trial of a group -> reached, mean, median
CENSORED: dict[str, tuple[list[int | None], tuple[int, float | None, float | None]]] = {
    "all": ([5, 7], (2, 6.0, 6.0)),
    "most": ([10, 30, None], (2, 20.0, 30.0)),
    "half": ([10, None], (1, 10.0, None)),
    "none": ([None], (0, None, None)),
}


def test_trials_that_never_met_the_target_count_as_later_than_all_others(tmp_path: Path) -> None:
    found = [(group, cost) for group, (costs, _) in CENSORED.items() for cost in costs]
    ids = [f"{group}-{place}" for place, (group, _) in enumerate(found)]
    target = {"metric": "test_accuracy", "value": 0.9, "stop": False}
    configs = [json.dumps({"group": group, "target": target}) for group, _ in found]
    updates = [cost for _, cost in found]
    summaries = {
        "trial_id": ids,
        "metric": ["test_score"] * len(ids),
        "target_update": updates,
        "target_samples": [None if cost is None else 32 * cost for cost in updates],
    }
    with local_store(tmp_path) as store:
        store.register(sweep_row(), trial_rows(ids, config=configs))
        store.begin("w", ids)
        store.append("w", 1, {"summaries": summaries, "endings": ending(ids)})
        rows_found = ask(store, "study_costs", "s", factors=["$.group"]).to_pylist()
    answered = {(row["levels"][0], row["unit"]): row for row in rows_found}
    for group, (costs, (reached, mean, median)) in CENSORED.items():
        row = answered[group, "updates"]
        assert (row["trials"], row["reached"]) == (len(costs), reached)
        assert (row["mean"], row["median"]) == (mean, median)
        samples = answered[group, "samples"]["mean"]
        assert samples == (None if mean is None else 32 * mean)


def test_measures_are_listed_by_key(client: Client) -> None:
    found = ask(client, "study_measures", sweep_of(client, "adversarial_losses")).to_pylist()
    assert {"modes_covered", "generator_grad_norm"} <= {row["key"] for row in found}
    assert {row["trials"] for row in found} == {16}


# Names and choices, on made-up answers.

LOSSES = Study(
    "", DECLARED["optimizers"].metrics, ("loss.name", "loss.delta"), tuned="optimizer.lr"
)


def answer(levels: list[list[str | None]], **columns: list[Any]) -> pa.Table:
    return pa.table({"levels": levels, **columns})


def test_groups_are_named_by_what_tells_them_apart() -> None:
    levels: list[list[str | None]] = [
        ["huber", "1.0", "0.1"],
        ["huber", "0.5", "0.1"],
        ["mae", None, "0.1"],
    ]
    assert list(named(answer(levels), LOSSES)["series"]) == [
        "huber (delta 0.5)", "huber (delta 1)", "mae",
    ]  # fmt: skip
    alone = named(answer([["mae", None, "0.1"]]), LOSSES)
    assert list(alone["series"]) == ["mae"]


def test_absent_parts_are_left_out_of_names() -> None:
    study = Study("", LOSSES.metrics, ("model.norm", "model.residual", "optimizer.clip_norm"))
    levels: list[list[str | None]] = [
        ["none", "false", None], ["batch", "false", None], ["none", "pre_norm", None],
        ["none", "false", "1.0"],
    ]  # fmt: skip
    assert set(named(answer(levels), study)["series"]) == {
        "plain", "norm batch", "residual pre norm", "clip norm 1",
    }  # fmt: skip


def test_numbers_are_ordered_by_size() -> None:
    study = Study("", LOSSES.metrics, ("model.depth",), along="seed")
    levels: list[list[str | None]] = [["10", "0"], ["9", "0"], ["100", "0"]]
    frame = named(answer(levels), study)
    assert list(frame["series"].cat.categories) == ["depth 9", "depth 10", "depth 100"]


# (lr, diverged of 3, mean) of one group -> the best lr for a falling metric
CHOICES = {
    "the lowest": ([(0.1, 0, 2.0), (0.3, 0, 1.0)], 0.3),
    "fewest diverged first": ([(0.1, 0, 2.0), (0.3, 1, 1.0)], 0.1),
    "a rate without a value never": ([(0.1, 3, math.nan), (0.3, 2, 9.0)], 0.3),
}


@pytest.mark.parametrize("case", CHOICES)
def test_the_best_rate_is_the_safest_and_then_the_best(case: str) -> None:
    tried, best = CHOICES[case]
    levels: list[list[str | None]] = [["mae", None, str(lr)] for lr, _, _ in tried]
    finals = named(
        answer(
            levels,
            diverged=[lost for _, lost, _ in tried],
            finished=[3] * len(tried),
            mean=[mean for _, _, mean in tried],
        ),
        LOSSES,
    )
    assert list(best_of(finals, falling=True)["lr"]) == [best]


def test_intervals_that_overlap_are_too_close_to_call(client: Client) -> None:
    name = "optimizers"

    def asked(question: str, **parameters: object) -> pa.Table:
        return client.query(question, parameters)

    result = study_result(asked, sweep_of(client, name), DECLARED[name])
    finals = result.finals.assign(
        low=result.finals["mean"] - 1e-9, high=result.finals["mean"] + 1e-9
    )
    apart = type(result)(result.study, finals, best_of(finals, falling=True))
    assert "Too close" not in apart.sentence
    wide = result.best.assign(low=0.0, high=99.0)
    assert (
        "Too close to call: its interval overlaps those of"
        in type(result)(result.study, finals, wide).sentence
    )
