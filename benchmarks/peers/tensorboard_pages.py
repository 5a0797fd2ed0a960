"""Peer: TensorBoard on the same curves; ``python -m benchmarks.peers.tensorboard_pages``.

It is installed into an environment of its own, thrown away afterwards. Its clock for a page stops
when both charts of its time series have a line per run; where it selects no runs by itself,
because they are many, the box that selects all is clicked first.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
from playwright.sync_api import Page

from ..large_store import Size, make
from ..measured import ROOT
from ..pages import percentiles
from ..site import answers, chromium, free_port, tab, wait_for

TAGS = ("test_loss", "test_score")
LOADING_S = 300.0

# A card draws its lines on a canvas in a worker; its table has a row per run when they are there.
DRAWN = """(runs) => {
  const cards = [...document.querySelectorAll('scalar-card')];
  const ready = cards.length >= 2 && !document.querySelector('scalar-card mat-spinner')
    && cards.every((card) => card.querySelector('line-chart canvas, line-chart svg path')
      && card.querySelectorAll('tb-data-table-content-row').length >= runs);
  return ready ? performance.now() : 0;
}"""
TABLE = "() => document.querySelector('runs-data-table tb-data-table-content-row') !== null"
ALL = "runs-data-table tb-data-table-header-cell input[type=checkbox]"
SELECTED = "() => document.querySelector('runs-data-table input:checked') !== null"


def export(database: Path, path: Path) -> list[str]:
    """The curves of all trials that did not fail, into a file for tensorboard_runs.py."""
    sql = f"select trial_id, update, {', '.join(TAGS)} from steps order by trial_id, update"
    with duckdb.connect(database, read_only=True) as con:
        table = con.execute(sql).df()
    columns = ["update", *TAGS]
    curves = {str(run): rows[columns].to_numpy() for run, rows in table.groupby("trial_id")}
    arrays: dict[str, Any] = {"runs": list(curves), "tags": TAGS, **curves}
    np.savez(path, **arrays)
    return list(curves)


def install(folder: Path) -> Path:
    """A virtual environment with tensorboard; its folder of programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [str(folder / "bin" / "pip"), "--quiet", "--disable-pip-version-check", "install"]
    constraints = str(ROOT / "constraints.txt")
    subprocess.run([*pip, "--constraint", constraints, "tensorboard"], check=True)
    return folder / "bin"


@contextmanager
def served(programs: Path, logs: Path) -> Iterator[str]:
    """TensorBoard over a folder of runs."""
    port, quiet = free_port(), subprocess.DEVNULL
    arguments = [str(programs / "tensorboard"), "--logdir", str(logs), "--port", str(port)]
    with subprocess.Popen(arguments, stdout=quiet, stderr=quiet) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: answers(url))
            yield url
        finally:
            process.terminate()


def load(page: Page, url: str, runs: int) -> float:
    """Seconds from navigation until the charts show all runs."""
    page.goto("about:blank")
    page.goto(f"{url}/#timeseries", wait_until="commit")
    page.wait_for_function(TABLE, polling="raf")
    if not page.evaluate(SELECTED):
        page.wait_for_timeout(500)  # runs may be selected a moment after they are listed
    if not page.evaluate(SELECTED):
        page.locator(ALL).first.click()
    return float(page.wait_for_function(DRAWN, arg=runs, polling="raf").json_value()) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.tensorboard_pages")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--recordings", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5, help="loads of the page")
    asked = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "large.duckdb", Size(asked.trials, asked.recordings))
        runs = export(folder / "large.duckdb", folder / "curves.npz")
        programs = install(folder / "environment")
        write = Path(__file__).with_name("tensorboard_runs.py")
        logs = folder / "logs"
        subprocess.run([programs / "python", write, folder / "curves.npz", logs], check=True)
        started = time.perf_counter()
        with served(programs, logs) as url, chromium() as browser, tab(browser) as page:
            page.set_default_timeout(1000 * LOADING_S)
            loading = load(page, url, len(runs))
            seconds = [load(page, url, len(runs)) for _ in range(asked.rounds)]
        whole = time.perf_counter() - started
    p50, p95 = percentiles(seconds)
    found = {"first load, files read": loading, "p50": p50, "p95": p95}
    result = {"trials": len(runs), "updates": 0, "sweep_seconds": whole}
    print(json.dumps(result | {"factors": found}))


if __name__ == "__main__":
    main()
