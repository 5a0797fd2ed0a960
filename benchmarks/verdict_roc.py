"""``python -m benchmarks.verdict_roc``: the ROC area of verdicts on fresh seeds, with its interval.

The grid is that of ``talweg verify``, sheet ``health``, with other seeds. Learned: the trial did
not diverge, and its last test accuracy is at least half-way from guessing to 1.
"""

import argparse
import tempfile
from pathlib import Path

from talweg.services import sweep
from talweg.services.executors import InlineExecutor
from talweg.services.progress import Quiet
from talweg.storage.client import connect
from talweg.workloads import grid, verification
from talweg.workloads.gridfile import Document
from talweg.workloads.options import Compile, Options
from talweg.workloads.verification import roc

SHEET = "health"
HALF_WAY = 0.55
"""Between a tenth, which guessing gets on digits, and 1."""


def area(seed: int, epochs: int) -> roc.Area:
    """Train the grid with one seed, and compare."""
    (sheet,) = [sheet for sheet in verification.sheets() if sheet.name == SHEET]
    base = sheet.grid["base"] | {"seed": seed, "budget": {"epochs": epochs}}
    document = Document(SHEET, sheet.grid | {"base": base}, {})
    with (
        tempfile.TemporaryDirectory(prefix="talweg-roc-") as folder,
        connect(Path(folder) / "roc.duckdb") as client,
    ):
        plan = sweep.plan(grid.expand(document), client)
        executor = InlineExecutor(client, Options(device="cpu", compile=Compile.NEVER))
        try:
            sweep.run(plan, client, executor, "benchmarks", Quiet())
        finally:
            executor.close()
        asked = {"sweep_id": plan.sweep_id, "learned": HALF_WAY}
        rows = client.query(roc.ROWS, asked).to_pylist()
    return roc.area([row["score"] for row in rows], [row["learned"] for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdict_roc", description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="may be given again (6)")
    parser.add_argument("--epochs", type=int, default=5)
    asked = parser.parse_args()
    for seed in asked.seed or [6]:
        print(f"seed {seed}: {area(seed, asked.epochs)}", flush=True)


if __name__ == "__main__":
    main()
