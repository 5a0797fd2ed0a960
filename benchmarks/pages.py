"""How long a page takes in a browser: ``python -m benchmarks.pages --trials 10000``.

Every page of the sidebar whose study is in the store is opened several times, in turns. The
browser has been here before, so its cache holds the programs; sessions and data are new.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .goals import FIRST_PAINT, SLOWEST_PAGE
from .large_store import Size, make
from .site import Load, addresses, chromium, load, served, tab


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """p50 and p95."""
    middle, high = np.percentile(seconds, [50, 95])
    return float(middle), float(high)


def measure(database: Path, rounds: int, most: int | None = None) -> dict[str, list[Load]]:
    """Title of a page -> its loads; of the first ``most`` pages."""
    with served(database) as site, chromium() as browser, tab(browser) as page:
        links = list(addresses(page, site.url).items())[:most]
        for _, link in links:
            load(page, link)
        turns = [[load(page, link) for _, link in links] for _ in range(rounds)]
    return {title: [turn[i] for turn in turns] for i, (title, _) in enumerate(links)}


def factors(loads: Mapping[str, Sequence[Load]]) -> dict[str, float]:
    """What is reported: seconds of each page, and the worst of all."""
    found = {}
    for title, own in loads.items():
        found[f"{title}, p50"], found[f"{title}, p95"] = percentiles([x.drawn_s for x in own])
    found[SLOWEST_PAGE] = max(value for name, value in found.items() if name.endswith("p95"))
    found[FIRST_PAINT] = max(percentiles([x.paint_s for x in own])[1] for own in loads.values())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--recordings", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5, help="loads of each page")
    parser.add_argument("--pages", type=int, help="only so many of them")
    parser.add_argument("--database", type=Path, help="one that large_store made before")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        database = asked.database or Path(folder) / "large.duckdb"
        if not database.exists():
            make(database, Size(asked.trials, asked.recordings))
        started = time.perf_counter()
        loads = measure(database, asked.rounds, asked.pages)
        seconds = time.perf_counter() - started
    result = {"trials": asked.trials, "updates": 0, "sweep_seconds": seconds}
    print(json.dumps(result | {"factors": factors(loads)}))


if __name__ == "__main__":
    main()
