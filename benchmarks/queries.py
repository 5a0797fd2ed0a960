"""How long the store takes for what pages ask: ``python -m benchmarks.queries --trials 10000``.

Every page is opened once in a browser over a large store, and what it asks is noted. Then each
question is asked again, several times, by a client of the store, as the pages do it.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from talweg.storage.client import connect

from .goals import SLOWEST_QUESTION
from .large_store import Size, make
from .measured import store_of
from .pages import percentiles
from .site import QUESTIONS, addresses, chromium, load, served, tab

TRIAL = "select trial_id from trials where outcome = 'done' order by trial_id limit 1"

Question = tuple[str, dict[str, Any]]


def questions(database: Path, most: int | None = None) -> list[Question]:
    """What the pages ask when they are opened, and the page of one trial; each once."""
    notes = database.with_suffix(".questions")
    watched = {QUESTIONS: str(notes)}
    with served(database, watched) as site, chromium() as browser, tab(browser) as page:
        with connect(database, scope="read", start=False) as client:
            trial = client.query(TRIAL).column(0)[0].as_py()
        links = addresses(page, site.url) | {"trial": f"{site.url}/trials?trial={trial}"}
        for link in list(links.values())[:most]:
            load(page, link)
    lines = dict.fromkeys(notes.read_text(encoding="utf-8").splitlines())
    notes.unlink()
    return [(query, params) for query, params in map(json.loads, lines)]


def measure(database: Path, asked: list[Question], times: int) -> Iterator[tuple[str, float]]:
    """(name of the query, p95 in milliseconds over Flight) of each question."""
    with store_of(database), connect(database, scope="read", start=False) as client:
        for query, params in asked:
            seconds = []
            for _ in range(times):
                started = time.perf_counter()
                client.query(query, params)
                seconds.append(time.perf_counter() - started)
            name = query if query.isidentifier() else "select …"
            yield name, 1000 * percentiles(seconds)[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queries", description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--recordings", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=20, help="repetitions of each question")
    parser.add_argument("--pages", type=int, help="only what so many pages ask")
    parser.add_argument("--database", type=Path, help="one that large_store made before")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        database = asked.database or Path(folder) / "large.duckdb"
        if not database.exists():
            make(database, Size(asked.trials, asked.recordings))
        started = time.perf_counter()
        found = list(measure(database, questions(database, asked.pages), asked.times))
        seconds = time.perf_counter() - started
    worst: dict[str, float] = {}
    for name, p95 in found:
        worst[name] = max(p95, worst.get(name, 0.0))
    slowest_first = dict(sorted(worst.items(), key=lambda item: -item[1]))
    result = {"trials": asked.trials, "updates": 0, "sweep_seconds": seconds}
    print(
        json.dumps(result | {"factors": {SLOWEST_QUESTION: max(worst.values()), **slowest_first}})
    )


if __name__ == "__main__":
    main()
