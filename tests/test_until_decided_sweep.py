"""A sweep that adds seeds until it is decided: on Ray, inline, stopped, at its cap, refused."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from talweg.dashboard import decision_words
from talweg.dashboard.decisions import Decisions, decisions
from talweg.dashboard.race import Verdict
from talweg.services import sweep, until_decided
from talweg.services.cli import Lent, main
from talweg.services.executors import Done, InlineExecutor
from talweg.services.progress import Quiet
from talweg.services.sweep import Plan, Result
from talweg.storage.client import Client
from talweg.workloads import grid
from talweg.workloads.grid import Expansion
from talweg.workloads.options import Compile, Options

from .sweeps import count, run_json, store

GRID = """
name: {name}
study: optimizers
base:
  problem: {{name: iris}}
  model: {{depth: 1, width: 8}}
  descent: {{name: mini_batch, batch_size: 30}}
  budget: {{updates: 20}}
grid:
  optimizer.name: [{optimizers}]
  optimizer.schedule.name: [constant]
  optimizer.lr: {rates}
  seed: {{range: 2}}
record: {{steps: 4, layers: 2}}
"""
TUNED = "[0.01, 0.0001]"


def write(folder: Path, optimizers: str = "sgd, adam, adamw", rates: str = TUNED) -> Path:
    path = folder / "grid.yaml"
    path.write_text(GRID.format(name="until", optimizers=optimizers, rates=rates))
    return path


def asked(path: Path, **options: object) -> Expansion:
    return until_decided.asked(grid.load(path), options, True)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with store(tmp_path / "talweg.duckdb") as client:
        yield client


class Stopping(InlineExecutor):
    """Real training that somebody interrupts after so many packs."""

    left = 10_000

    def next(self, timeout_s: float) -> Done | None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().next(timeout_s)


class Losing(InlineExecutor):
    """Real training, but trials of a seed are lost."""

    lost = 3

    def next(self, timeout_s: float) -> Done | None:
        pack = self.waiting[0]
        if any(trial.seed == self.lost for trial in pack.trials):
            self.waiting.popleft()
            return Done(pack, error=MemoryError("no room for this one"))
        return super().next(timeout_s)


def run(
    client: Client, expansion: Expansion, kind: type[InlineExecutor] = InlineExecutor, **more: int
) -> Result:
    executor = kind(client, Options(device="cpu", compile=Compile.NEVER))
    vars(executor).update(more)
    growth = until_decided.Growth(expansion, client, Lent(), lambda line: None)
    plan = growth.caught_up(sweep.plan(expansion, client), "me")
    return sweep.run(plan, client, executor, "me", Quiet(), growth)


def decided(client: Client, sweep_id: str) -> Decisions:
    found = decisions(lambda query, **p: client.query(query, p), sweep_id)
    assert found is not None
    return found


def test_a_sweep_stops_early_and_says_what_it_cost(
    tmp_path: Path, client: Client, ray_address: str
) -> None:
    path = write(tmp_path, "sgd, adam")
    options = (path, "--store", client.where, "--until-decided")
    result = run_json(*options, "--address", ray_address)
    said, cost = result["until_decided"], result["until_decided"]["cost"]
    assert said["finished"]
    assert [row["verdict"] for row in said["comparisons"]] == ["differs"]
    assert said["comparisons"][0]["ahead"] == "adam"
    assert said["looks"] == [5, 8, 12, 19, 30]
    assert cost["grid_trials"] == 8
    assert cost["fixed_judging_trials"] == 60
    assert 10 <= cost["judging_trials"] <= 24
    assert result["trials"] == cost["total_trials"] == 8 + cost["judging_trials"]
    assert cost["judging_saved"] == pytest.approx(1 - cost["judging_trials"] / 60, abs=1e-4)
    assert sum(result["outcomes"].values()) == count(client, "sweep_trials") == result["trials"]
    # Rates are chosen by the grid's seeds; each setting goes on at one of them only.
    rows = client.query(
        "select optimizer, lr, count(*) as n from trials where seed > 1 group by all"
    ).to_pylist()
    assert len(rows) == 2
    again = run_json(*options, "--executor", "inline")
    assert (again["reused"], again["outcomes"]) == (result["trials"], {})
    assert again["until_decided"] == said
    slugs = client.query("select slug from sweep_trials order by slug").to_pylist()
    assert {"slug": "until/adam-lr0.01-s6"} in slugs


def test_an_interrupted_sweep_goes_on_as_if_it_had_not_been(tmp_path: Path, client: Client) -> None:
    expansion = asked(write(tmp_path))
    with store(tmp_path / "calm.duckdb") as other:
        calm = run(other, expansion)
        undisturbed = decision_words.as_json(decided(other, calm.sweep_id))
    interruptions, result = 0, None
    while result is None:
        try:
            result = run(client, expansion, Stopping, left=2)
        except sweep.SweepInterrupted:
            interruptions += 1
    assert interruptions >= 3
    assert result.trials == calm.trials
    assert decision_words.as_json(decided(client, result.sweep_id)) == undisturbed
    (attempts,) = client.query("select max(attempt) as most from trials").to_pylist()
    assert attempts == {"most": 1}
    (row,) = client.query("sweeps").to_pylist()
    assert (row["status"], row["trials"]) == ("done", calm.trials)


def test_the_cap_ends_what_cannot_be_told_apart(tmp_path: Path, client: Client) -> None:
    path = write(tmp_path, "adam", "[0.01]")
    path.write_text(path.read_text().replace("  seed:", "  model.width: [8, 9]\n  seed:"))
    expansion = asked(path, max_seeds=5, compare=["model.width"], metric="test_loss")
    found = decided(client, run(client, expansion).sweep_id)
    assert found.finished
    assert found.race is not None
    assert found.race.pairs[0].verdict is Verdict.CAPPED
    assert found.cost.judging == found.cost.fixed == 10
    assert "which are not told apart after 5 seeds" in decision_words.sentences(found)[0]


def test_seeds_of_a_grid_without_rates_are_the_first_to_judge(
    tmp_path: Path, client: Client
) -> None:
    path = tmp_path / "plain.yaml"
    text = GRID.format(name="plain", optimizers="sgd, adam", rates="[0.01]")
    path.write_text(text.replace("study: optimizers\n", "").replace("  optimizer.lr: [0.01]\n", ""))
    expansion = asked(path, compare=["optimizer.name"], metric="test_score", decide="order")
    result = run(client, expansion)
    found = decided(client, result.sweep_id)
    assert list(found.seeds) == list(range(30))
    assert found.cost.grid == 4
    assert found.cost.total == result.trials == found.cost.judging
    assert found.cost.fixed_total == 60
    assert found.metric.column == "test_score"


def test_a_trial_that_fails_holds_its_comparisons_open_until_it_is_run_again(
    tmp_path: Path, client: Client
) -> None:
    expansion = asked(write(tmp_path, "sgd, adam"))
    result = run(client, expansion, Losing)
    assert len(result.errors) == 2
    found = decided(client, result.sweep_id)
    assert not found.finished
    assert "still open" in decision_words.sentences(found)[0]
    assert run(client, expansion).errors == {}
    assert decided(client, result.sweep_id).finished


def test_nothing_is_judged_before_the_rates_are_chosen(tmp_path: Path, client: Client) -> None:
    expansion = asked(write(tmp_path, "sgd, adam"))
    result = run(client, expansion, Losing, lost=1)
    found = decided(client, result.sweep_id)
    assert (found.race, found.untuned, found.wanted) == (None, 4, [])
    assert decision_words.sentences(found) == [
        "4 trials of the grid have no result yet, so no learning rate is chosen."
    ]


def test_a_sweep_without_the_rule_has_no_decisions(tmp_path: Path, client: Client) -> None:
    expansion = grid.load(write(tmp_path, "sgd, adam"))
    executor = InlineExecutor(client, Options(device="cpu", compile=Compile.NEVER))
    result = sweep.run(sweep.plan(expansion, client), client, executor, "me", Quiet())
    assert decisions(lambda query, **p: client.query(query, p), result.sweep_id) is None
    assert result.trials == 8


def test_the_rule_is_part_of_the_sweep_and_may_stand_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path)
    plain, ruled = grid.load(path), asked(path, max_seeds=12)
    assert sweep.sweep_id(plain) != sweep.sweep_id(ruled)
    path.write_text(path.read_text() + "until_decided: {max_seeds: 12}\n")
    assert sweep.sweep_id(grid.load(path)) == sweep.sweep_id(ruled)
    assert grid.load(path).until == ruled.until
    changed = until_decided.asked(grid.load(path), {"alpha": 0.01}, False)
    assert changed.until is not None
    assert (changed.until.max_seeds, changed.until.alpha) == (12, 0.01)


def test_a_plan_says_what_the_cap_would_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, nowhere = str(write(tmp_path)), str(tmp_path / "none.duckdb")
    facts = _out(capsys, "plan", path, "--until-decided", "--store", nowhere, "--json")
    assert (facts["trials"], facts["added_at_most"], facts["trials_at_most"]) == (12, 90, 102)
    capped = ["--until-decided", "--max-seeds", "7", "--store", nowhere, "--json"]
    assert _out(capsys, "plan", path, *capped)["added_at_most"] == 21


def _out(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    assert left.value.code == 0
    return json.loads(capsys.readouterr().out)


WRONG = {
    "--max-seeds: given without --until-decided": ["--max-seeds", "9"],
    "--max-seeds: 3 is not allowed": ["--until-decided", "--max-seeds", "3"],
    "--alpha: 0.7 is not allowed": ["--until-decided", "--alpha", "0.7"],
    "--margin: 0.0 is not allowed": ["--until-decided", "--margin", "0"],
    "'model.width' is not allowed": ["--until-decided", "--compare", "model.width"],
    "'optimizer.lr' is not allowed": ["--until-decided", "--compare", "optimizer.lr"],
    "--metric: 'speed' is not allowed": ["--until-decided", "--metric", "speed"],
}


@pytest.mark.parametrize("message", list(WRONG))
def test_options_that_do_not_go_together_are_one_clear_message(
    message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = ["--store", str(tmp_path / "none.duckdb")]
    assert message in _refused(capsys, str(write(tmp_path)), *WRONG[message], *nowhere)
    assert [path.name for path in tmp_path.iterdir()] == ["grid.yaml"]


GRIDS = {
    "compare: is empty, and no study says what is compared": "study: optimizers\n|",
    "leave `seed` out of `zip` and `exclude`": (
        "record:|exclude: [{seed: 1, optimizer: sgd}]\nrecord:"
    ),
    "the grid varies more": "  optimizer.lr:|  model.width: [4, 8]\n  optimizer.lr:",
    "max_seeds: 5 is below the 6 seeds of the grid": (
        "  optimizer.lr: [0.01, 0.0001]\n  seed: {range: 2}|  seed: {range: 6}\n"
    ),
}


@pytest.mark.parametrize("message", list(GRIDS))
def test_a_grid_that_cannot_be_compared_is_refused_before_anything_is_written(
    message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, (before, after) = write(tmp_path), GRIDS[message].split("|")
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    options = ["--until-decided", "--store", str(tmp_path / "none.duckdb")]
    if "below" in message:
        options += ["--max-seeds", "5", "--compare", "optimizer.name"]
    assert message in _refused(capsys, str(path), *options)
    assert [found.name for found in tmp_path.iterdir()] == ["grid.yaml"]


def _refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        main(["run", *arguments])
    assert left.value.code == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err


def test_a_longer_plan_counts_what_it_adds(tmp_path: Path, client: Client) -> None:
    whole = grid.load(write(tmp_path, "sgd, adam"))
    first = Plan("s", Expansion("s", None, None, None, {}, whole.trials[:3], 0, 0), {})
    longer = Plan("s", whole, {trial.trial.trial_id: "done" for trial in whole.trials[:5]})
    result = Result("s", 3, 1)
    result.grown(first, longer)
    assert (result.trials, result.reused) == (8, 3)


def test_what_is_decided_is_said_for_people(tmp_path: Path, client: Client) -> None:
    result = run(client, asked(write(tmp_path, "sgd, adam")))
    found = decided(client, result.sweep_id)
    first, second = decision_words.sentences(found)
    assert first.startswith("Constant: adam ends best in train loss: the other is behind (p ")
    judging, fixed = found.cost.judging, found.cost.fixed
    assert second.startswith(f"{judging} trials judged, where 30 seeds for each setting are 60")
    assert f"it is {8 + judging} instead of {8 + fixed}" in second
    adam, sgd = sorted(decision_words.standings(found), key=lambda row: str(row["setting"]))
    assert adam["standing"] == "leads"
    assert sgd["standing"] == "not the best: behind adam"
    assert float(str(sgd["effect"]).removeprefix("× ")) > 1
    (pair,) = decision_words.pair_frame(found).to_dict("records")
    values = {
        row["optimizer"]: row["loss"]
        for row in client.query(
            "select optimizer, avg(ln(train_loss)) as loss from trials join steps using (trial_id) "
            "where seed > 1 and update = 20 group by 1"
        ).to_pylist()
    }
    assert {pair["one"], pair["other"]} == {"sgd", "adam"}
    expected = math.exp(values[pair["one"]] - values[pair["other"]])
    assert pair["effect"] == pytest.approx(expected)
    assert decision_words.progress(found) == ""
