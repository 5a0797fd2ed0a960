"""Comparing teams and other sides: numbers computed by hand, on a real store, to the report."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from talweg.dashboard.comparison_found import Found, find
from talweg.dashboard.comparison_tests import Verdict
from talweg.dashboard.comparison_words import caveats, conclusion
from talweg.dashboard.report import comparison, making
from talweg.dashboard.report.document import Bullets, Document, Figure, Paragraph, Section, Table
from talweg.dashboard.report.order import Order
from talweg.dashboard.tables import Ask
from talweg.storage.client import Client

from .storage_helpers import ending, local_store, sweep
from .storage_helpers import trials as trial_rows

A, B = "north", "south"
SCORES = {A: (0.90, 0.92, 0.91, 0.95, 0.93), B: (0.88, 0.89, 0.90, 0.91, 0.92)}
"""Their differences are 0.02, 0.03, 0.01, 0.04 and 0.01."""
HOSTILE = "<script>alert('x')</script> & 50 % $\\frac{1}{2}$_#\" + datum"
BUDGET = 100


@dataclasses.dataclass(frozen=True)
class Run:
    """One trial and what it comes to."""

    seed: int
    score: float = 0.5
    problem: str = "digits"
    optimizer: str = "sgd"
    lr: float = 0.1
    train_loss: float = 0.5
    epochs: int = 5
    outcome: str | None = "done"
    met: int | None = None
    verdict: str | None = None
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def config(self) -> dict[str, Any]:
        optimizer: dict[str, Any] = {"name": self.optimizer, "lr": self.lr}
        if self.optimizer == "adam":
            optimizer |= {"beta1": 0.9, "eps": 1e-8}
        if self.optimizer == "rmsprop":
            optimizer |= {"alpha": 0.99, "eps": 1e-8}
        return {
            "problem": {"name": self.problem},
            "optimizer": optimizer,
            "loss": {"name": "cross_entropy"},
            "budget": {"epochs": self.epochs},
            "target": {"metric": "test_accuracy", "value": 0.9},
            "seed": self.seed,
        } | dict(self.more)

    @property
    def trial_id(self) -> str:
        return hashlib.sha256(json.dumps(self.config).encode()).hexdigest()[:16]


def add(client: Client, sweep_id: str, team: str | None, runs: Sequence[Run]) -> None:
    """A sweep of a team; trials that the store has already are shared."""
    ids = [run.trial_id for run in runs]
    columns: dict[str, list[Any]] = {"config": [json.dumps(run.config) for run in runs]}
    columns |= {"seed": [run.seed for run in runs], "budget_updates": [BUDGET] * len(runs)}
    row = sweep(sweep_id, name=sweep_id, team=team, spec="{}")
    client.register(row, trial_rows(ids, **columns))
    held = client.query("select trial_id from trials where outcome is not null").to_pylist()
    done = {row["trial_id"] for row in held}
    mine = [run for run in runs if run.outcome and run.trial_id not in done]
    if mine:
        client.begin(sweep_id, [run.trial_id for run in mine])
        for sequence, run in enumerate(mine, start=1):
            client.append(sweep_id, sequence, _records(run))
    client.set_status(sweep_id, "done")


def _records(run: Run) -> dict[str, dict[str, Any]]:
    summaries: dict[str, list[Any]] = {
        "trial_id": [run.trial_id] * 2,
        "metric": ["test_score", "train_loss"],
        "last": [run.score, run.train_loss],
        "best": [run.score, run.train_loss],
        "target_update": [run.met, None],
        "target_samples": [run.met and 10 * run.met, None],
    }
    ended = {"updates": [BUDGET], "samples": [10 * BUDGET]}
    records: dict[str, dict[str, Any]] = {
        "summaries": summaries,
        "endings": ending([run.trial_id], run.outcome or "done", **ended),
    }
    if run.verdict:
        records["verdicts"] = {
            "trial_id": [run.trial_id],
            "update": [BUDGET],
            "verdict": [run.verdict],
            "reason": ["-"],
            "evidence": ["{}"],
        }
    return records


def runs(scores: Sequence[float], seeds: Sequence[int] | None = None, **more: Any) -> list[Run]:
    """A run per score, of the seeds from 0 on."""
    return [Run(s, x, **more) for s, x in zip(seeds or range(len(scores)), scores, strict=True)]


@contextlib.contextmanager
def teams(folder: Path, **sides: Sequence[Run]) -> Iterator[tuple[Ask, list[str]]]:
    """A store with a sweep for each team, whose trials bear its mark: none is shared."""
    with local_store(folder) as client:
        for team, made in sides.items():
            mine = [dataclasses.replace(run, more=(*run.more, ("by", team))) for run in made]
            add(client, f"sweep-{team}", team, mine)
        yield making.asking(client), [f"sweep-{team}" for team in sides]


def compare(ask: Ask, sweeps: Sequence[str], key: str = "team") -> Found:
    return find(ask, sweeps, [None] * len(sweeps), key)


def table(document: Document, title: str) -> pd.DataFrame:
    """The one table with this title, or the first."""
    found = [
        block.frame
        for section in document.sections
        for block in section.blocks
        if isinstance(block, Table) and block.title == title
    ]
    return found[0]


def text(document: Document) -> str:
    """All sentences of the document."""
    said = [p.text for p in document.conclusion]
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Paragraph):
                said.append(block.text)
            elif isinstance(block, Bullets):
                said += [f"{lead} {words}" for lead, words in block.items]
    return "\n".join(said)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ask, list[str], Client]]:
    """Two teams on digits with known scores, and on other things each alone."""
    north = runs(SCORES[A], train_loss=0.2, more=(("by", A),))
    south = runs(SCORES[B], train_loss=0.4, more=(("by", B),))
    north += runs((0.5, 0.6, 0.7), problem="iris", more=(("by", A),))
    north += runs((0.5, 0.6, 0.7), problem="wine", more=(("by", A),))
    south += runs((0.5, 0.6, 0.7), problem="wine", epochs=9, more=(("by", B),))
    north += runs((0.5, 0.6), problem="moons", more=(("by", A),))
    south += runs((0.5, 0.6), problem="moons", outcome=None, more=(("by", B),))
    with local_store(tmp_path_factory.mktemp("teams")) as client:
        add(client, "one", A, north)
        add(client, "two", B, south)
        yield making.asking(client), ["one", "two"], client


def t_tail(t: float) -> float:
    """Both tails of Student's t with 4 degrees of freedom, in closed form."""
    part = t / math.sqrt(1 + t * t / 4)
    return 1 - 2 * 3 / 8 * part * (1 - t * t / 4 / (1 + t * t / 4) / 3)


def test_every_number_of_a_cell_is_the_one_computed_by_hand(
    plain: tuple[Ask, list[str], Client],
) -> None:
    found = compare(plain[0], plain[1])
    (judged,) = found.family
    contest, deviation = judged.contest, math.sqrt(680e-6 / 4)
    assert contest.difference == pytest.approx(0.022)
    t = 0.022 / (deviation / math.sqrt(5))
    assert judged.test.statistic == pytest.approx(t)
    assert judged.test.p == pytest.approx(t_tail(t)) == pytest.approx(judged.adjusted)
    half = 2.776445105 * deviation / math.sqrt(5)
    assert contest.interval() == pytest.approx((0.022 - half, 0.022 + half))
    assert contest.effect().value == pytest.approx(0.022 / deviation)
    # Of 25 pairs of trials north is better in 19, and 3 are ties.
    assert contest.improvement().value == pytest.approx((19 + 3 / 2) / 25)
    assert contest.free_test().p == contest.smallest_p == 2 / 2**5
    assert judged.ahead == A


def test_the_conclusion_says_no_more_than_the_tests(plain: tuple[Ask, list[str], Client]) -> None:
    found = compare(plain[0], plain[1])
    (said,) = conclusion(found)
    assert said == (
        "north is ahead on 1 of 1 matched cell (test accuracy higher by 0.0220, Holm-corrected "
        "p < 0.05, paired over 5 shared seeds)."
    )
    told = dict(caveats(found))
    assert "cannot give a p below 0.0625" in told["Few seeds:"]
    assert "takes 6 shared seeds" in told["Few seeds:"]
    assert "rests on the t test" in told["Few seeds:"]
    assert "by goes with the side" in told["Whole settings:"]


def test_what_is_not_matched_is_listed_with_its_reason(
    plain: tuple[Ask, list[str], Client],
) -> None:
    rows = compare(plain[0], plain[1]).matching.unmatched.set_index("cell")
    why = rows["why not matched"]
    assert why["iris, epochs 5"] == "south did not train it"
    assert why["wine, epochs 5"] == "south trained it otherwise: budget.epochs 9 instead of 5"
    assert why["wine, epochs 9"] == "north trained it otherwise: budget.epochs 5 instead of 9"
    assert why["moons, epochs 5"] == "south has no result of it yet"
    assert len(rows) == 4
    listed = table(comparison.document(plain[0], plain[1], "team"), "Unmatched cells")
    assert listed["cell"].tolist() == list(rows.index)


def test_the_report_shows_the_same_numbers(plain: tuple[Ask, list[str], Client]) -> None:
    document = comparison.document(plain[0], plain[1], "team")
    (row,) = table(document, "Cell by cell").to_dict("records")
    assert row["cell"] == "digits, epochs 5"
    assert (row["mean of north"], row["mean of south"]) == ("0.922", "0.900")
    assert row["north less south"] == "+0.0220"
    assert (row["n"], row["ahead"]) == ("5", "north")
    (effect,) = table(document, "Effect sizes").to_dict("records")
    assert effect["p (permutation)"] == effect["smallest p possible"] == "0.062"
    assert effect["P(north better)"].startswith("0.820 (")
    sides = table(document, "Budget and outcomes by side").set_index("side")
    assert sides.loc[A, "trials"] == 13
    assert sides.loc[B, "with a result"] == 8
    assert {p.name for p in document.pictures} >= {"comparison-grid", "forest-test_score-0"}
    assert all(p.alt for p in document.pictures)


def test_twice_the_same_bytes(plain: tuple[Ask, list[str], Client]) -> None:
    order = Order(tuple(plain[1]), "team")
    assert making.make(plain[0], order, "html") == making.make(plain[0], order, "html")


def test_names_stay_text_in_every_form(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        add(client, "one", HOSTILE, runs(SCORES[A], more=(("by", HOSTILE),)))
        add(client, "two", "cell", runs(SCORES[B], more=(("by", "*other* | x"),)))
        document = comparison.document(making.asking(client), ["one", "two"], "team")
    page = making.render(document, "html", "x", "stamp")["x.html"].decode()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 10
    # Figures are drawn with the name as it is: a quote in it ends no expression of Vega's.
    assert page.count("<svg ") == len(list(document.pictures)) == 5
    assert "+ datum" in re.findall(r"<text[^>]*>([^<]*datum[^<]*)<", page)[0]
    bare = dataclasses.replace(document, sections=tuple(map(_without_figures, document.sections)))
    tex = making.render(bare, "tex", "x", "stamp")["x.tex"].decode()
    assert "$\\frac" not in tex.partition("\\begin{lstlisting}")[0]
    mark = making.render(bare, "md", "x", "stamp")["x.md"].decode()
    assert "<script" not in mark.partition("```")[0]


def _without_figures(section: Section) -> Section:
    kept = tuple(block for block in section.blocks if not isinstance(block, Figure))
    return dataclasses.replace(section, blocks=kept)


# Settings


def test_each_side_stands_at_the_setting_that_trains_best_and_not_at_the_best_tested(
    tmp_path: Path,
) -> None:
    # At 0.1 the loss is the lower one, at 1.0 the score the higher one.
    tuned = runs(SCORES[A], lr=0.1, train_loss=0.1, optimizer="adam")
    tuned += runs([0.99] * 5, lr=1.0, train_loss=0.9, optimizer="adam")
    with teams(tmp_path, north=tuned, south=runs(SCORES[B])) as (ask, sweeps):
        found = compare(ask, sweeps)
        (cell,) = found.matching.cells
        assert cell.standings[A].setting[0] == "0.1"
        assert cell.standings[A].settings == 2
        assert found.family[0].contest.difference == pytest.approx(0.022)
        told = dict(caveats(found))
        assert "1 of 1 choice of a setting had to be made on the seeds" in told["Optimistic:"]
        assert "optimizer.name, by, optimizer.beta1, optimizer.eps" in told["Whole settings:"]


def test_with_ten_seeds_the_choice_is_judged_on_fresh_ones(tmp_path: Path) -> None:
    ten = [0.8 + 0.001 * (seed * seed % 7) for seed in range(10)]
    # The first five seeds choose 1.0; on the last five 0.1 would have been the better one.
    tuned = [Run(s, x, lr=0.1, train_loss=0.5 if s < 5 else 0.1) for s, x in enumerate(ten)]
    tuned += [Run(s, x, lr=1.0, train_loss=0.2) for s, x in enumerate(ten)]
    with teams(tmp_path, north=tuned, south=runs(ten, lr=0.5)) as (ask, sweeps):
        found = compare(ask, sweeps)
        (cell,) = found.matching.cells
        assert cell.standings[A].setting == ("1.0",)
        assert cell.standings[A].seeds == cell.standings[B].seeds == (5, 6, 7, 8, 9)
        assert "Optimistic:" not in dict(caveats(found))
        document = comparison.document(ask, sweeps, "team")
        assert "judged on 5 other seeds, which had no part in the choice" in text(document)


def test_parameters_of_one_optimizer_go_with_its_name(tmp_path: Path) -> None:
    # eps is common to both sides, alpha lacks on both: neither may split their cells.
    north = runs(SCORES[A], optimizer="adam")
    south = runs(SCORES[B], optimizer="rmsprop", train_loss=0.9) + runs(SCORES[B], lr=0.2)
    with teams(tmp_path, north=north, south=south) as (ask, sweeps):
        found = compare(ask, sweeps)
        assert len(found.matching.cells) == 1
        assert found.trials.cell_keys == ()
        standing = found.matching.cells[0].standings[B]
        chosen = dict(zip(found.trials.tuned_keys, standing.setting, strict=True))
        assert {key.title: level for key, level in chosen.items()}["optimizer.name"] == "sgd"


# Seeds


def test_other_seeds_are_compared_unpaired_and_it_is_said(tmp_path: Path) -> None:
    south = runs(SCORES[B], seeds=range(10, 15))
    with teams(tmp_path, north=runs(SCORES[A]), south=south) as (ask, sweeps):
        found = compare(ask, sweeps)
        (judged,) = found.family
        assert not judged.contest.paired
        assert judged.test.name == "Welch t"
        # Both have a variance of (0.022² + … )/4: of north 370e-6, of south 250e-6.
        error = math.sqrt(370e-6 / 5 + 250e-6 / 5)
        assert judged.test.statistic == pytest.approx(0.022 / error)
        assert judged.contest.smallest_p == pytest.approx(2 / 252)
        (said,) = conclusion(found)
        assert "Welch’s test over 5 seeds a side that do not match" in said
        unequal = table(comparison.document(ask, sweeps, "team"), "Unequal cells")
        assert unequal["judged"].tolist() == ["unpaired"]


def test_seeds_of_one_side_alone_are_left_out_and_listed(tmp_path: Path) -> None:
    with teams(tmp_path, north=runs(SCORES[A]), south=runs(SCORES[B][:3])) as (ask, sweeps):
        found = compare(ask, sweeps)
        assert found.family[0].contest.counts == (3, 3)
        assert found.family[0].contest.difference == pytest.approx(0.02)
        unequal = table(comparison.document(ask, sweeps, "team"), "Unequal cells")
        assert "north 5 seeds: 0 to 4; south 3 seeds: 0 to 2" in unequal["seeds run"][0]


def test_one_seed_cannot_tell(tmp_path: Path) -> None:
    with teams(tmp_path, north=[Run(0, 0.9)], south=[Run(0, 0.1, lr=0.5)]) as (ask, sweeps):
        found = compare(ask, sweeps)
        assert found.family[0].verdict is Verdict.UNTESTED
        (said,) = conclusion(found)
        assert said.startswith("Whether north or south is ahead in final test accuracy cannot be")
        assert "fewer than 2" in said
        comparison.document(ask, sweeps, "team")


def test_no_difference_shown_is_not_called_none(tmp_path: Path) -> None:
    near = [x + d for x, d in zip(SCORES[A], (0.02, -0.03, 0.01, 0.01, -0.02), strict=True)]
    with teams(tmp_path, north=runs(SCORES[A]), south=runs(near, lr=0.3)) as (ask, sweeps):
        (said,) = conclusion(compare(ask, sweeps))
    assert said.startswith(
        "Between north and south no difference in final test accuracy was shown on any of 1 "
        "matched cell, which is not the same as none (Holm-corrected p ≥ 0.05"
    )
    assert "intervals reach from −0.0" in said
    assert " to +0.0" in said


def test_rounding_of_float32_is_no_difference(tmp_path: Path) -> None:
    # Alike but for the eighth digit, and never by the same amount: a t test would see it.
    south = [x + 1e-9 * (10 + s) for s, x in enumerate(SCORES[A])]
    with teams(tmp_path, north=runs(SCORES[A]), south=runs(south)) as (ask, sweeps):
        (judged,) = compare(ask, sweeps).family
        assert (judged.contest.difference, judged.verdict) == (0.0, Verdict.UNTESTED)


def test_sweeps_without_results_are_nothing_to_compare(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        client.register(sweep("empty", name="empty", team=A, spec="{}"), trial_rows([]))
        add(client, "waiting", B, runs(SCORES[B], outcome=None))
        ask = making.asking(client)
        alone = comparison.document(ask, ["empty"], "team")
        assert alone.conclusion[0].text == (
            "These sweeps have no trials: there is nothing to compare."
        )
        both = comparison.document(ask, ["empty", "waiting"], "team")
        assert both.conclusion[0].text.startswith("There is nothing to compare: all trials of")
        assert "<svg" not in making.render(both, "html", "x", "stamp")["x.html"].decode()


def test_trials_that_two_teams_share_have_no_difference_by_construction(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        add(client, "one", A, runs(SCORES[A]))
        add(client, "two", B, runs(SCORES[A]))
        found = compare(making.asking(client), ["one", "two"])
        assert set(found.trials.frame["side"]) == {A, B}
        assert found.family[0].verdict is Verdict.UNTESTED
        assert "1 comparison" in dict(caveats(found))["The same trials:"]


# Divergence, times, health


def test_a_side_that_diverges_more_is_not_called_ahead(tmp_path: Path) -> None:
    better = runs([x + 0.3 for x in SCORES[B]] + [0.0, 0.0], lr=0.3)
    better = [dataclasses.replace(r, outcome="diverged") if r.seed > 4 else r for r in better]
    worse = runs([*(x - 0.001 * s for s, x in enumerate(SCORES[B])), 0.5, 0.5])
    with teams(tmp_path, north=better, south=worse) as (ask, sweeps):
        found = compare(ask, sweeps)
        (judged,) = found.family
        assert judged.adjusted < 0.05
        assert judged.contest.counts == (5, 5)
        assert judged.verdict is Verdict.OPEN
        # 25 of 49 pairs of trials are won, those with a diverged one lost.
        assert judged.contest.improvement().value == pytest.approx(35 / 49)
        document = comparison.document(ask, sweeps, "team")
        assert table(document, "Cell by cell")["ahead"].tolist() == ["not called: diverged more"]
        assert "north 2 of 7 (28.6 %)" in text(document)
        assert "only north diverged in 2, only south in 0 (McNemar’s exact p 0.5)" in text(document)


def test_times_to_the_target_are_censored_medians(tmp_path: Path) -> None:
    north = [Run(s, met=met, lr=0.3) for s, met in enumerate((10, 20, 30, 40, None))]
    south = [Run(s, met=met) for s, met in enumerate((50, None, None, None, None))]
    with teams(tmp_path, north=north, south=south) as (ask, sweeps):
        found = compare(ask, sweeps)
        (pace,) = found.paces
        assert pace.medians == (30, math.inf)
        assert pace.met == (4, 1)
        document = comparison.document(ask, sweeps, "team")
        (row,) = table(document, "Time to the target").to_dict("records")
        assert (row["median of north"], row["median of south"]) == ("30.0", "never by half")
        scores = table(document, "AlgoPerf score over all cells and seeds").set_index("side")
        # Of 5 seeds north is fastest on 4, south on none; one is met by nobody.
        assert scores["score in updates"].to_dict() == {A: 0.8, B: 0.0}


def test_verdicts_of_gradient_health_stand_side_by_side(tmp_path: Path) -> None:
    north = runs(SCORES[A], verdict="healthy", lr=0.3)
    south = [dataclasses.replace(r, verdict="vanishing" if r.seed else "dead") for r in
             runs(SCORES[B])]  # fmt: skip
    with teams(tmp_path, north=north, south=south) as (ask, sweeps):
        document = comparison.document(ask, sweeps, "team")
    shown = table(document, "Gradient health, in words").set_index("side")
    assert shown["verdict"].to_dict() == {A: "healthy", B: "vanishing"}
    assert shown["trials judged so"].to_dict() == {A: 5, B: 4}


def test_losses_over_decades_are_compared_as_ratios(tmp_path: Path) -> None:
    # On every seed north's loss is half of south's; over seeds losses fall by decades.
    south = [Run(s, lr=0.1, train_loss=10.0**-s) for s in range(5)]
    shares = (0.45, 0.5, 0.55, 0.5, 0.5)
    north = [Run(s, lr=0.3, train_loss=x * 10.0**-s) for s, x in enumerate(shares)]
    with teams(tmp_path, north=north, south=south) as (ask, sweeps):
        found = compare(ask, sweeps)
        (scale,) = [s for s in found.families if s.metric.column == "train_loss"]
        assert scale.log
        (judged,) = found.families[scale]
        geometric = math.prod(shares) ** (1 / 5)
        assert math.exp(judged.contest.difference) == pytest.approx(geometric)
        assert judged.ahead == A
        document = comparison.document(ask, sweeps, "team")
        assert "train loss lower by a factor of 2.00" in text(document)


# Keys


def test_any_key_can_be_compared_and_four_sides_are_counted(tmp_path: Path) -> None:
    made = [
        Run(seed, 0.5 + 0.1 * place + 0.001 * (seed * (place + 2) % 5), optimizer=name)
        for place, name in enumerate(("sgd", "adam", "rmsprop", "lion"))
        for seed in range(5)
    ]
    with teams(tmp_path, north=made) as (ask, sweeps):
        found = compare(ask, sweeps, "optimizer.name")
        assert compare(ask, sweeps, "optimizer").trials.sides == found.trials.sides
        assert found.trials.sides == ("adam", "lion", "rmsprop", "sgd")
        (said,) = conclusion(found)
        assert said.startswith("6 of 6 comparisons in final test accuracy (6 pairs of 4 sides, ")
        assert "lion ahead in 3, behind in 0" in said
        assert "sgd ahead in 0, behind in 3" in said
        assert "On the others" not in said
        document = comparison.document(ask, sweeps, "optimizer.name")
        assert len(table(document, "Cell by cell")) == 6


def test_different_losses_are_compared_by_scores_alone(tmp_path: Path) -> None:
    hinge = (("loss", {"name": "hinge", "margin": 1.0}),)
    made = runs(SCORES[A]) + runs(SCORES[B], more=hinge)
    with teams(tmp_path, north=made) as (ask, sweeps):
        found = compare(ask, sweeps, "loss.name")
        assert [s.metric.column for s in found.families] == ["test_score"]
        assert "values of different loss functions do not compare" in found.refusal


def test_keys_that_cannot_be_compared_say_why(plain: tuple[Ask, list[str], Client]) -> None:
    with pytest.raises(ValueError, match=r"no trial .* has this key.*problem\.name"):
        compare(plain[0], plain[1], "optimzer.name")
    with pytest.raises(ValueError, match="seeds cannot be compared"):
        compare(plain[0], plain[1], "seed")
    with pytest.raises(LookupError, match="no sweep 'three'"):
        comparison.document(plain[0], ["one", "three"], "team")


def test_one_side_is_nothing_to_compare(plain: tuple[Ask, list[str], Client]) -> None:
    document = comparison.document(plain[0], ["one"], "team")
    assert document.conclusion[0].text.startswith("There is nothing to compare: all trials")
    assert not any(isinstance(b, Figure) for s in document.sections for b in s.blocks)


def test_nothing_matched_is_said_first(tmp_path: Path) -> None:
    with teams(tmp_path, north=runs((0.5, 0.6)), south=runs((0.5, 0.6), problem="iris")) as (
        ask,
        sweeps,
    ):
        document = comparison.document(ask, sweeps, "team")
    assert document.conclusion[0].text.startswith("Nothing can be compared: no cell is matched")
    assert len(table(document, "Unmatched cells")) == 2


def test_sweeps_without_a_team_are_a_side_that_no_name_can_take(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        add(client, "one", None, runs(SCORES[A]))
        add(client, "two", "no team", runs(SCORES[B], lr=0.3))
        found = compare(making.asking(client), ["one", "two"])
    assert sorted(found.trials.sides) == ['"no team"', "no team"]


def test_the_difference_is_followed_over_dates(tmp_path: Path) -> None:
    days = {"n1": 1, "s1": 1, "n2": 8, "s2": 20}
    with local_store(tmp_path) as client:
        lower = [x - 0.1 for x in SCORES[A]]
        for name, team, scores, version in (
            ("n1", A, lower, 1), ("s1", B, SCORES[B], 1),
            ("n2", A, SCORES[A], 2), ("s2", B, SCORES[A], 3),
        ):  # fmt: skip
            made = runs(scores, more=(("by", team), ("version", version)))
            add(client, name, team, made)
        held = making.asking(client)

        def ask(question: str, **parameters: object) -> pa.Table:
            """The store's answers; sweeps are as old as the test wants them to be."""
            answer = held(question, **parameters)
            if question != "sweep":
                return answer
            when = datetime.datetime(
                2026, 9, days[str(parameters["sweep_id"])], tzinfo=datetime.UTC
            )
            place = answer.column_names.index("created_at")
            return answer.set_column(place, "created_at", pa.array([when]))

        document = comparison.document(ask, list(days), "team")
    rows = table(document, "north and south, by day")
    assert rows["day"].tolist() == ["2026-09-01", "2026-09-08", "2026-09-20"]
    # −0.1 + 0.022, then the new version, then the same scores on both sides.
    assert rows["mean difference"].tolist() == ["−0.0780", "+0.0220", "±0"]
    assert [p.name for p in document.pictures][-1] == "dates-0"
