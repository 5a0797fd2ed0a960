"""``make soak``: faults at random moments; prints how many of each kind were survived."""

import argparse
import json
import random
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import light, sweeps
from .scene import BATCH
from .tally import Tally


def main() -> int:
    """Exit status 1 when anything was lost, doubled, left unfinished or different."""
    given = _arguments()
    console, tally, chance = Console(), Tally(), random.Random(given.seed)
    console.print(f"seed {given.seed}: {given.kills} kills of made-up trials")
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="talweg-soak-"))
    _light(folder, chance, given, tally, console)
    if given.sweep_kills and not tally.problems:
        console.print(f"{given.sweep_kills} kills of real sweeps")
        sweeps.run(folder, chance, given.sweep_kills, tally)
    if tally.problems:
        console.print(f"everything is left in {folder}")
    else:
        shutil.rmtree(folder)
    facts = {"seed": given.seed, "seconds": round(time.monotonic() - started, 1)} | tally.facts()
    _show(console, tally)
    if given.json is not None:
        given.json.write_text(json.dumps(facts, indent=2) + "\n")
    print(json.dumps(facts))
    return 1 if tally.problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of made-up trials; default 200")
    parser.add_argument("--sweep-kills", type=int, default=20, help="of real sweeps; default 20")
    parser.add_argument("--scene", type=int, default=20, help="kills in one store; default 20")
    parser.add_argument("--trials", type=int, default=BATCH, help="registered at a time")
    parser.add_argument("--short", action="store_true", help="shows that it works: four kills")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of the chance")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there, too")
    given = parser.parse_args()
    if given.short:
        given.kills, given.sweep_kills, given.scene, given.trials = 4, 0, 2, 2
    return given


def _light(
    folder: Path, chance: random.Random, given: argparse.Namespace, tally: Tally, to: Console
) -> None:
    """Scene after scene, embedded and served in turn."""
    number = 0
    while tally.kills < given.kills and not tally.problems:
        kills = min(given.scene, given.kills - tally.kills)
        home, served = folder / f"scene-{number}", number % 2 == 1
        light.run(home, chance, kills, tally, served=served, trials=given.trials)
        number += 1
        to.print(f"{tally.kills} kills, {len(tally.problems)} problems")


def _show(console: Console, tally: Tally) -> None:
    shown = Table("fault", "survived")
    for name, count in sorted(tally.faults.items()):
        shown.add_row(name, str(count))
    console.print(shown)
    console.print(f"{tally.kills} kills, {tally.trials} trials, {len(tally.problems)} problems")
    for problem in tally.problems:
        console.print(problem, markup=False)


if __name__ == "__main__":
    sys.exit(main())
