"""How long the report of a large store takes: ``python -m benchmarks.reporting --trials 10000``.

One report of every sweep of the store, by the command, process start included: conclusions,
figures, tables, and the hash over every row.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from talweg.storage.client import connect

from .goals import REPORT, REPORT_SIZE
from .large_store import Size, make
from .measured import store_of


def measure(database: Path, folder: Path) -> dict[str, float]:
    """Seconds and megabytes of each form."""
    found = {}
    with store_of(database), connect(database, scope="read", start=False) as client:
        sweeps = client.query("select sweep_id from sweeps order by 1")["sweep_id"].to_pylist()
        for ending in ("html", "pdf"):
            target = folder / f"report.{ending}"
            command = ["report", *sweeps, "-o", str(target), "--store", str(database)]
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "talweg.services", *command],
                stdout=subprocess.DEVNULL, check=True,
            )  # fmt: skip
            found[f"{REPORT}, {ending}"] = time.perf_counter() - started
            found[f"{REPORT_SIZE}, {ending}"] = target.stat().st_size / 1e6
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reporting", description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--recordings", type=int, default=1_000)
    parser.add_argument("--database", type=Path, help="one that large_store made before")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        database = asked.database or Path(folder) / "large.duckdb"
        if not database.exists():
            make(database, Size(asked.trials, asked.recordings))
        started = time.perf_counter()
        factors = measure(database, Path(folder))
        seconds = time.perf_counter() - started
    result = {"trials": asked.trials, "updates": 0, "sweep_seconds": seconds}
    print(json.dumps(result | {"factors": factors}))


if __name__ == "__main__":
    main()
