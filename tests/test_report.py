"""The report: one file, conclusion first, the store's numbers, the same bytes every time."""

import html
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest

from talweg.dashboard.findings import descent_result
from talweg.dashboard.formats import compact, tied
from talweg.dashboard.report import data as report_data
from talweg.dashboard.report import making
from talweg.dashboard.report.order import Order
from talweg.storage.client import Client

from . import dashboard_data as data
from .storage_helpers import local_store

SWEEP, NASTY = "descent-1a2b", "nasty-5c1d"
ISOLATED, MIXED = "isolated-77aa", "mixed-12cd"
NAME = "<script>alert('x')</script> & \"quotes\""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("store")) as client:
        data.fill(client, SWEEP)
        data.fill(client, NASTY, name=NAME, running=True)
        data.fill(client, ISOLATED, alone=data.everybody)
        data.fill(client, MIXED, alone=lambda trial: trial.descent != "batch")
        yield client


@pytest.fixture(scope="module")
def page(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(client, tmp_path_factory.mktemp("out") / "report.html", SWEEP)


def written(client: Client, path: Path, *sweeps: str) -> str:
    """The report of some sweeps, as its file holds it."""
    (file,) = making.write(client, Order(sweeps), path)
    return file.read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Tags, references and texts of a page, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]

    def handle_data(self, data: str) -> None:
        self.words += [data.strip()] if data.strip() else []


def test_conclusion_is_the_first_thing_said_and_the_stores_own_sentence(
    client: Client, page: str
) -> None:
    sentence = tied(descent_result(lambda name, **p: client.query(name, p), SWEEP).sentence)
    assert html.escape(sentence, quote=False) in page
    words = Outline(page).words
    assert words.index(sentence) < min(i for i, w in enumerate(words) if w.startswith("Time to"))


def test_file_needs_nothing_from_outside(page: str) -> None:
    outline = Outline(page)
    assert outline.references == []
    assert {"script", "link", "img", "iframe"}.isdisjoint(outline.tags)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "@import" not in page
    assert outline.tags.count("svg") == 10


def test_same_data_give_the_same_bytes(client: Client, page: str, tmp_path: Path) -> None:
    again = written(client, tmp_path / "again.html", SWEEP)
    assert again == page


@pytest.mark.parametrize(
    ("sweep_id", "compared", "all_of_it"),
    [
        (SWEEP, "all 14 trials trained fused", "Seconds are shared: all 74 trials trained fused"),
        (MIXED, "5 of 14 trials trained fused", "Seconds are shared: 25 of 74 trials"),
    ],
)
def test_shared_seconds_are_refused_where_they_would_stand(
    client: Client, tmp_path: Path, sweep_id: str, compared: str, all_of_it: str
) -> None:
    page = written(client, tmp_path / "r.html", sweep_id)
    words = Outline(page).words
    (place,) = (i for i, word in enumerate(words) if word.startswith("Seconds are refused here"))
    assert compared in words[place]
    assert place < words.index("Test accuracy")
    assert any(word.startswith(all_of_it) for word in words)
    assert "Against seconds" not in words
    assert "seconds to target" not in words
    assert page.count("<svg") == 10


def test_isolated_seconds_are_a_cost_and_an_axis(client: Client, tmp_path: Path) -> None:
    page = written(client, tmp_path / "r.html", ISOLATED)
    words = Outline(page).words
    assert "refused" not in page
    assert page.count("<svg") == 13
    assert "Against seconds" in words
    assert 'aria-label="Seconds to target. batch: never (0 of 5)' in page
    costs = client.query(
        "time_to_target", {"sweep_id": ISOLATED, "metric": "test_score", "target": data.TARGET}
    ).to_pylist()
    (best,) = (
        row["mean"]
        for row in costs
        if (row["descent"], row["lr"], row["unit"]) == ("stochastic", 0.1, "seconds")
    )
    assert any(word.startswith(f"{compact(best)} (") for word in words)
    assert any(word.startswith("Seconds are isolated: each of 74 trials") for word in words)
    assert {"isolated", "none (failed)"} <= set(words)


def test_names_from_outside_are_only_text(client: Client, tmp_path: Path) -> None:
    page = written(client, tmp_path / "nasty.html", NASTY)
    outline = Outline(page)
    assert "script" not in outline.tags
    assert NAME in outline.words


def test_tables_hold_the_stores_numbers(client: Client, page: str) -> None:
    result = descent_result(lambda name, **p: client.query(name, p), SWEEP)
    words = Outline(page).words
    best = result.best[result.best["unit"] == "samples"].set_index("series")
    assert best.loc["stochastic", "mean"] == pytest.approx(1683.8)
    assert "1.68 k (1.42 k to 1.95 k)" in words
    assert "never (0 of 5)" in words
    assert data.FAILURE in words
    assert ["mini-batch 32", "1", "5", "4", "1", "0"] in [
        words[i : i + 6] for i in range(len(words))
    ]


def test_report_says_how_to_get_the_numbers_again(page: str) -> None:
    outline = Outline(page)
    commands = next(w for w in outline.words if w.startswith("pip install"))
    assert commands.splitlines()[1:] == [
        f"talweg run {SWEEP}.yaml",
        f"talweg report {SWEEP} -o report.html",
    ]
    spec = next(w for w in outline.words if w.startswith("{"))
    assert json.loads(spec)["grid"]["seed"] == {"range": 5}


def test_hash_is_of_the_data_and_nothing_else(client: Client, page: str, tmp_path: Path) -> None:
    other = written(client, tmp_path / "other.html", NASTY)
    hashes = [re.findall(r"Data hash: ([0-9a-f]{64})", p) for p in (page, other)]
    assert len(hashes[0]) == len(hashes[1]) == 1
    assert hashes[0] != hashes[1]


def test_a_large_sweeps_fingerprint_in_pieces_is_the_whole_ones(client: Client) -> None:
    def ask(name: str, **parameters: object) -> pa.Table:
        return client.query(name, parameters)

    whole = client.query("fingerprint", {"sweep_id": SWEEP}).to_pylist()
    expected = {row["table"]: (row["row_count"], row["fingerprint"]) for row in whole}
    assert expected["steps"][0] > 0
    # 74 trials, so that every piece but few has some.
    pieces = report_data.fingerprint(ask, SWEEP, part_trials=10)
    assert pieces == report_data.fingerprint(ask, SWEEP) == report_data.Fingerprint(expected)


def test_every_figure_has_a_text_and_ids_are_unique(page: str) -> None:
    assert len(re.findall(r'<div role="img" aria-label="[^"]{30,}"', page)) == 10
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_a_sweep_without_results_still_has_a_report(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        trial = data.Trial("batch", None, 0.1, 0)
        client.register(
            data.sweep_row("young", "young", study=None), data.trial_columns("young", [trial])
        )
        page = written(client, tmp_path / "young.html", "young")
    assert "Of 1 trial in this sweep, none has a result yet" in page
    assert "<svg" not in page


def test_unknown_sweep_is_refused_with_the_known_ones(client: Client, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"no sweep 'nope' in this store; the newest are: mixed"):
        written(client, tmp_path / "none.html", "nope")
    assert not (tmp_path / "none.html").exists()
