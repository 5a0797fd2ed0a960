"""The page of trials and its queries: a trained store, and one made by hand for the edges."""

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from talweg.dashboard import palette, trial_charts, trial_filter, trial_words
from talweg.dashboard.metrics import UPDATES
from talweg.dashboard.trial_filter import ROWS, SORTS, Filter
from talweg.services import sweep as sweeps
from talweg.services.executors import InlineExecutor
from talweg.services.progress import Quiet
from talweg.storage.client import Client
from talweg.workloads import grid, gridfile, studies
from talweg.workloads.options import Compile, Options

from .storage_helpers import ending, local_store, rows, steps, sweep, trials

STUDY = "depth_and_activation"
MANY, LONG = 450, 1000
HOSTILE = "x/<script>alert(1)</script> **bold** $x$"
ERROR = "RuntimeError: <b>out of memory</b> $5"
SPIKE, DIP = 337, 711


def page(where: str) -> None:
    import functools

    from talweg.dashboard import app, frame
    from talweg.dashboard.views import trials
    from talweg.workloads.spec import TrialSpec

    answers = app.answers_of(where, None)
    frame.filters(answers)
    frame.show(answers, functools.partial(trials.render, answers, TrialSpec))


def train(client: Client, expansion: grid.Expansion) -> str:
    """Run a grid in this process; its sweep."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    executor = InlineExecutor(client, Options(compile=Compile.NEVER))
    result = sweeps.run(sweeps.plan(expansion, client), client, executor, "ada", Quiet())
    torch.set_num_threads(threads)
    assert not result.errors
    return result.sweep_id


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store with one small study trained, and the sweep ``made`` by hand."""
    with local_store(tmp_path_factory.mktemp("trials")) as client:
        train(client, grid.load(studies.path(STUDY, small=True)))
        make(client)
        yield client


def make(client: Client) -> None:
    """450 trials: one of 1000 recordings, one that failed, all others waiting."""
    ids = [f"t{number:03}" for number in range(MANY)]
    columns = trials(ids, slug=[HOSTILE, *(f"made/{name}" for name in ids[1:])])
    client.register(sweep("made", name="made", team="analysts"), columns)
    client.begin("w", ["t000", "t001"])
    layers = {"trial_id": ["t001"] * 200, "update": [u for u in range(100) for _ in "ab"]}
    layers |= {"layer": [1, 2] * 100, "name": ["a", "b"] * 100, "q": [0.0, 2.0] * 100}
    client.append("w", 1, {"steps": long_steps("t001"), "layers": layers})
    failed = ending(["t000"], "failed", error=[ERROR])
    client.append("w", 2, {"endings": failed})


def long_steps(trial_id: str) -> Mapping[str, Any]:
    """A falling loss with one spike, one dip, and one recording that is not finite."""
    updates = list(range(LONG))
    loss = [1 + 1 / (1 + update) for update in updates]
    loss[SPIKE], loss[DIP], loss[500] = 50.0, 0.01, math.nan
    every = dict.fromkeys(("update", "samples", "gradient_evaluations"), updates)
    return steps([trial_id] * LONG, 0) | every | {"train_loss": loss}


def study_of(client: Client) -> str:
    (found,) = rows(client, "select sweep_id from sweeps where study = $study", study=STUDY)
    return str(found["sweep_id"])


def listed(client: Client, wanted: Filter, **order: Any) -> list[Mapping[str, Any]]:
    asked = {"sort": "slug", "descending": False, "rows": ROWS, "start": 0} | order
    return rows(client, "trials_page", **wanted.parameters(), **asked)


def run(client: Client, **query: str) -> AppTest:
    app = AppTest.from_function(page, kwargs={"where": client.where}, default_timeout=20)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


# What a trial must fulfil -> the filter that says so; both against the rows as stored.
FILTERS: list[tuple[str, dict[str, Any]]] = [
    ("true", {}),
    ("verdict = 'vanishing'", {"verdicts": ["vanishing"]}),
    ("verdict in ('dead', 'healthy')", {"verdicts": ["dead", "healthy"]}),
    ("outcome = 'done' and descent = 'mini_batch'",
     {"outcomes": ["done"], "descents": ["mini_batch"]}),
    ("outcome = 'failed'", {"outcomes": ["failed"]}),
    ("model = 'mlp' and optimizer = 'sgd'", {"models": ["mlp"], "optimizers": ["sgd"]}),
    ("lr between 0.0299 and 0.101", {"lr_from": 0.03, "lr_to": 0.1}),
    ("lr <= 0.0301", {"lr_to": 0.03}),
    ("contains(slug, 'relu')", {"words": " ReLU "}),
    ("false", {"words": "%"}),
]  # fmt: skip
STORED = """with judged as (
    select trial_id, verdict from verdicts
    qualify row_number() over (partition by trial_id order by update desc) = 1
)
select s.slug from sweep_trials s join trials t using (trial_id) left join judged using (trial_id)
where s.sweep_id = $sweep and """


@pytest.mark.parametrize(("condition", "given"), FILTERS)
def test_a_filter_keeps_the_trials_that_fulfil_it(
    client: Client, condition: str, given: dict[str, Any]
) -> None:
    study = study_of(client)
    condition = condition.replace("slug", "s.slug")
    truth = sorted(row["slug"] for row in rows(client, STORED + condition, sweep=study))
    wanted = Filter([study], **given)
    assert [row["slug"] for row in listed(client, wanted)] == truth
    ends = rows(client, "trials_found", **wanted.parameters())
    assert sum(row["trials"] for row in ends) == len(truth)
    assert wanted.is_open == (not given)


@pytest.mark.parametrize("column", SORTS.values())
@pytest.mark.parametrize("descending", [False, True])
def test_rows_are_sorted_and_what_is_not_measured_comes_last(
    client: Client, column: str, descending: bool
) -> None:
    found = listed(client, Filter([study_of(client)]), sort=column, descending=descending)
    values = [row[column] for row in found]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=descending)
    assert values == known + [None] * (len(values) - len(known))


def test_pages_hold_every_trial_once(client: Client) -> None:
    number = trial_filter.pages(MANY)
    pages = [listed(client, Filter(["made"]), start=ROWS * page) for page in range(number)]
    assert [len(found) for found in pages] == [200, 200, 50]
    assert len({row["trial_id"] for found in pages for row in found}) == MANY
    assert trial_filter.span(3, MANY) == "401 to 450 of 450 trials"


def test_seconds_of_a_pack_are_nobodys(client: Client) -> None:
    assert {row["seconds"] for row in listed(client, Filter([study_of(client)]))} == {None}


def test_the_page_counts_as_the_store_does(client: Client) -> None:
    study = study_of(client)
    app = run(client, sweep=study, trials_verdict="vanishing")
    (judged,) = rows(
        client,
        "select count(*) as trials from (select arg_max(verdict, update) as verdict "
        "from verdicts group by trial_id) where verdict = 'vanishing'",
    )
    (every,) = rows(client, "trials_choices", sweeps=[study])
    assert 0 < judged["trials"] < every["trials"]
    said = f"{every['trials']} trials in this sweep, {judged['trials']} of them fit the filter"
    assert said in texts(app)
    assert set(app.dataframe[0].value["verdict"]) == {"vanishing"}
    assert len(app.dataframe[0].value) == judged["trials"]


def test_the_url_restores_order_page_and_filter(client: Client) -> None:
    app = run(client, sweep="made", trials_direction="falling", trials_page="3")
    assert app.dataframe[0].value["slug"].tolist()[0] == "made/t050"
    assert "401 to 450 of 450 trials, page 3 of 3" in texts(app)
    beyond = run(client, sweep="made", trials_page="99")
    assert "page 3 of 3" in texts(beyond)


@pytest.mark.parametrize("page", [palette.LIGHT_PAGE, palette.DARK_PAGE])
def test_coloured_words_can_be_read_and_keep_their_colour(page: str) -> None:
    words = {**palette.OUTCOME_COLOUR, **palette.VERDICT_COLOUR}
    inks = {word: trial_words.ink(word, page) for word in words}
    assert [word for word, ink in inks.items() if not ink] == ["running", "waiting"]
    for word, ink in inks.items():
        assert not ink or palette.contrast(ink, page) >= 4.5
        assert ink == words[word] or palette.contrast(words[word], page) < 4.5 or not ink
    assert trial_words.ink("nothing of ours", page) == ""


def test_the_side_bar_keeps_to_the_sweeps_of_a_team(client: Client) -> None:
    study = study_of(client)
    (every,) = rows(client, "trials_choices", sweeps=None)
    (kept,) = rows(client, "trials_choices", sweeps=["made"])
    assert kept["trials"] == MANY < every["trials"]
    both = listed(client, Filter(["made", study]), rows=10_000)
    assert len(both) == every["trials"]
    app = run(client, teams="analysts")
    assert f"{MANY} trials in this sweep" in texts(app)
    assert app.selectbox(key="trials_sweep").options == ["all sweeps", "made"]
    linked = run(client, teams="analysts", sweep=study)
    assert linked.selectbox(key="trials_sweep").value == study


def test_nothing_found_says_so(client: Client) -> None:
    app = run(client, sweep="made", trials_words="no such name")
    assert "450 trials in this sweep, 0 of them fit the filter." in texts(app)
    assert "No trial fits" in app.info[0].value


def test_an_unknown_trial_or_sweep_in_a_link_is_said(client: Client) -> None:
    app = run(client, sweep="gone", trial="gone")
    assert [warning.value.split(" of the id")[0] for warning in app.warning] == [
        "This store holds no sweep",
        "This store holds no trial",
    ]


def curves(client: Client, points: int, **ends: int | None) -> pd.DataFrame:
    asked = {"first": None, "last": None} | ends
    answer = client.query("trial_curves", {"trial_id": "t001", "points": points, **asked})
    found: pd.DataFrame = answer.to_pandas()
    return found[found["metric"] == "train_loss"]


@pytest.mark.parametrize("points", [4, 20, 400, LONG - 1])
def test_buckets_keep_the_extremes_and_both_ends(client: Client, points: int) -> None:
    kept = curves(client, points)
    assert len(kept) <= points
    assert {0, SPIKE, DIP, LONG - 1} <= set(kept["updates"])
    assert (kept["value"].max(), kept["value"].min()) == (50.0, 0.01)
    assert set(kept["recordings"]) == {LONG - 1}
    assert set(kept["lost"]) == {1}
    assert kept["updates"].is_monotonic_increasing


def test_buckets_hold_equally_many_recordings(client: Client) -> None:
    kept = set(curves(client, 22)["updates"])
    finite = [update for update in range(LONG) if update != 500]
    for bucket in range(10):
        inside = [u for place, u in enumerate(finite) if place * 10 // len(finite) == bucket]
        values = {u: 50.0 if u == SPIKE else 0.01 if u == DIP else 1 + 1 / (1 + u) for u in inside}
        assert {max(values, key=values.__getitem__), min(values, key=values.__getitem__)} <= kept


def test_looking_closer_asks_for_what_was_left_out(client: Client) -> None:
    near = curves(client, 400, first=300, last=400)
    assert near["updates"].tolist() == list(range(300, 401))
    said = trial_charts.curves_caption(near, log=True, whole=False)
    assert said == "All 101 recordings between these updates."
    far = curves(client, 400)
    caption = trial_charts.curves_caption(far, log=True, whole=True)
    assert f"{len(far)} points a curve of 999 recordings: cut into buckets" in caption
    assert "1 recording without a finite value. The untrained net, at 0" in caption
    spoken = trial_charts.curves_alt(far, "loss", UPDATES)
    assert spoken.endswith("on the training samples from 2.00 to 1.00 after 999.")


def deepest(client: Client, activation: str) -> Mapping[str, Any]:
    found = listed(client, Filter([study_of(client)]), sort="depth", descending=True)
    return next(row for row in found if row["activation"] == activation)


def test_layers_are_those_of_the_store(client: Client) -> None:
    trial_id = deepest(client, "sigmoid")["trial_id"]
    stored = rows(
        client, "select update, layer, backward_signal from layers where trial_id = $t "
        "and isfinite(backward_signal) order by 1, 2", t=trial_id,
    )  # fmt: skip
    asked = {"trial_id": trial_id, "quantity": "backward_signal"}
    every = rows(client, "trial_layers", **asked, columns=60)
    assert [(r["updates"], r["layer"], r["value"]) for r in every] == [
        (r["update"], r["layer"], r["backward_signal"]) for r in stored
    ]


@pytest.mark.parametrize("columns", [2, 7, 60, 99, 100, 200])
def test_a_heat_map_leaves_whole_recordings_out_evenly(client: Client, columns: int) -> None:
    asked = {"trial_id": "t001", "quantity": "q", "columns": columns}
    shown = client.query("trial_layers", asked).to_pandas()
    updates = list(dict.fromkeys(shown["updates"]))
    assert len(updates) == min(columns, 100)
    assert (updates[0], updates[-1]) == (0, 99)
    gaps = {later - earlier for earlier, later in itertools.pairwise(updates)}
    assert max(gaps) - min(gaps) <= 1
    assert shown.groupby("updates").size().eq(2).all()
    caption = trial_charts.layers_caption(shown, "q")
    assert caption.startswith("All 100" if columns >= 100 else f"{columns} of 100 recordings")
    assert caption.endswith(f"{len(updates)} values of exactly 0 in grey.")


def test_predictions_stand_beside_what_was_measured(client: Client) -> None:
    trial_id = deepest(client, "sigmoid")["trial_id"]
    table = client.query("trial_predictions", {"trial_id": trial_id}).to_pandas()
    (truth,) = rows(
        client, "select p.value as predicted, m.value as measured from predictions p join probes m "
        "using (trial_id) where trial_id = $t and p.key = 'chi' and m.key = 'chi' "
        "and m.update = 0 and p.layer is null and m.layer is null", t=trial_id,
    )  # fmt: skip
    shown = trial_words.predictions(table)
    chi = shown[shown["quantity"].str.startswith("χ") & shown["layer"].isna()].iloc[0]
    assert (chi["predicted"], chi["measured"]) == (truth["predicted"], truth["measured"])
    assert chi["ratio"] == pytest.approx(truth["measured"] / truth["predicted"])
    assert "Schoenholz et al. 2017" in trial_words.predictions_caption(table)


def test_a_link_opens_a_trial_with_all_that_is_known_of_it(client: Client) -> None:
    row = deepest(client, "sigmoid")
    app = run(client, sweep="all sweeps", trial=row["trial_id"])
    assert app.code[0].value == row["slug"]
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Depth"] == str(row["depth"])
    assert shown["Seconds"] == "shared"
    assert float(shown["Test score"]) == pytest.approx(row["last_score"], rel=0.01)
    assert len(app.get("vega_lite_chart")) == 3
    assert all(chart.proto.alt for chart in app.get("vega_lite_chart"))
    verdicts = app.dataframe[1].value
    last = rows(
        client, "select reason, evidence->>'$.advice' as advice from verdicts "
        "where trial_id = $t order by update desc limit 1", t=row["trial_id"],
    )[0]  # fmt: skip
    assert f"{verdicts['reason'].iloc[-1]} {verdicts['advice'].iloc[-1]}" == last["reason"]
    assert verdicts["advice"].iloc[-1] == last["advice"] != ""
    assert f"Judged {row['verdict']}." in texts(app)


def test_the_grid_file_on_the_page_trains_the_same_trial_to_the_digit(
    client: Client, tmp_path: Path
) -> None:
    row = deepest(client, "relu")
    app = run(client, trial=row["trial_id"])
    text, command = app.code[1].value, app.code[2].value
    assert command == f"talweg run trial-{row['trial_id']}.yaml --store again.duckdb"
    expansion = grid.expand(gridfile.parse(text))
    (planned,) = expansion.trials
    assert planned.trial.trial_id == row["trial_id"]
    asked = "select update, train_loss, test_score from steps where trial_id = $t order by 1"
    with local_store(tmp_path) as other:
        train(other, expansion)
        again = rows(other, asked, t=row["trial_id"])
    assert again == [
        {**first, **{k: pytest.approx(first[k], rel=1e-4) for k in ("train_loss", "test_score")}}
        for first in rows(client, asked, t=row["trial_id"])
    ]


def test_a_failed_trial_shows_its_error_and_no_markup_of_others(client: Client) -> None:
    app = run(client, sweep="made", trial="t000")
    assert [code.value for code in app.code] == [HOSTILE, ERROR]
    assert "another version of talweg" in texts(app)
    assert "Failed; the reason stands below." in texts(app)
    assert "<script>" not in texts(app)


def test_a_trial_under_way_is_shown_as_far_as_it_is(client: Client) -> None:
    app = run(client, sweep="made", trial="t001")
    assert "Under way, of 10 updates." in texts(app)
    assert len(app.get("vega_lite_chart")) == 2  # losses and layers
    assert "This trial has no score." in texts(app)
    waiting = run(client, sweep="made", trial="t002")
    assert "Not started yet; 10 updates are planned." in texts(waiting)
    assert "Nothing is recorded here yet." in waiting.info[0].value
