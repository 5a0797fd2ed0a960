"""Memory of the dashboard while a page follows a sweep: ``python -m benchmarks.refreshes``.

A browser holds the page of the descent study open; rows of a running sweep are appended all the
time, and the page's live sections draw themselves again, faster than in use, so that 500 of
them take minutes. Flat means: the last quarter's memory is that of the second.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from talweg.services.sweep import columns
from talweg.storage.client import Client, connect
from talweg.workloads import grid, studies
from talweg.workloads.records import Records

from .goals import MEMORY
from .large_store import Size, make
from .measured import Memory
from .site import LIVE_S, REFRESHES, chromium, load, served, tab

SWEEP = "descent-followed"
APPEND_S = 0.5
FASTER_S = 0.25


def register(client: Client) -> list[str]:
    """A sweep of the descent study, under way; its trials."""
    expansion = grid.load(studies.path("descent"))
    sweep = {
        "sweep_id": SWEEP, "name": "followed", "study": "descent", "spec": "{}",
        "status": "running", "talweg_version": "0",
    }  # fmt: skip
    client.register(sweep, columns(expansion.trials))
    ids = [planned.trial.trial_id for planned in expansion.trials]
    client.begin("follower", ids)
    return ids


def recordings(ids: list[str]) -> Iterator[Records]:
    """One recording of all trials after the other, without end."""
    update = 0
    while True:
        loss = 2.3 / (1 + update / 20)
        row: dict[str, Any] = {
            "update": update, "samples": 32 * update, "gradient_evaluations": 32 * update,
            "epoch": update / 45, "lr": 0.1, "train_loss": loss, "test_loss": loss,
            "train_score": 1 - loss / 2.5, "test_score": 1 - loss / 2.5,
        }  # fmt: skip
        yield {"steps": {"trial_id": ids} | {k: [v] * len(ids) for k, v in row.items()}}
        update += 1


def follow(database: Path, wanted: int) -> tuple[int, Memory]:
    """Sections drawn again, and the memory of the dashboard while they were."""
    drawn = database.with_suffix(".refreshes")
    watched = {REFRESHES: str(drawn), LIVE_S: str(FASTER_S)}
    with (
        served(database, watched) as site,
        chromium() as browser,
        tab(browser) as page,
        connect(database, start=False) as client,
    ):
        rows = enumerate(recordings(register(client)), start=1)
        client.append("follower", *next(rows))
        load(page, f"{site.url}/descent?sweep={SWEEP}")
        with Memory(site.dashboard) as memory:
            while drawn.stat().st_size < wanted:
                client.append("follower", *next(rows))
                page.wait_for_timeout(1000 * APPEND_S)
    return drawn.stat().st_size, memory


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refreshes", description=__doc__)
    parser.add_argument("--refreshes", type=int, default=500, help="of live sections")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        database = Path(folder) / "large.duckdb"
        make(database, Size(100, 100))
        started = time.perf_counter()
        drawn, memory = follow(database, asked.refreshes)
        seconds = time.perf_counter() - started
    factors = {
        "refreshes": drawn,
        MEMORY: memory.growth,
        "peak MB": memory.peak_bytes / 1e6,
    }
    result = {"trials": 105, "updates": 0, "sweep_seconds": seconds, "factors": factors}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
