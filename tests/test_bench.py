"""The benchmark's harness: contestants train the same trials. Nothing is said on speed."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import contestants, goals, report
from benchmarks.contestants import Run, Setting
from benchmarks.figures import BOUND, COLD, FIGURES, LOOP, TUNE, WARM
from benchmarks.task import TASKS, Task, load
from talweg.workloads import grid

GRIDS = Path(contestants.__file__).with_name("grids")
SHARED = [task for name, task in TASKS.items() if (GRIDS / f"{name}.yaml").exists()]


@pytest.mark.parametrize("task", SHARED, ids=lambda task: task.name)
def test_the_grid_file_holds_the_trials_that_the_peers_train(task: Task) -> None:
    trials = [planned.trial for planned in grid.load(GRIDS / f"{task.name}.yaml").trials]
    assert len(trials) == task.trials == len(list(task.points()))
    assert sum(trial.budget_updates for trial in trials) == task.updates(len(load()[0]))
    rates = sorted({trial.optimizer.lr for trial in trials})
    assert rates == pytest.approx(task.learning_rates) or task.rates == 1


@pytest.mark.parametrize("path", sorted(GRIDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_grid_of_the_benchmark_is_valid(path: Path) -> None:
    trials = grid.load(path).trials
    full = path.stem.rpartition("-")[2]
    assert len(trials) == int(full) if full.isdigit() else len(trials) < 110


def test_every_figure_finishes_in_its_short_form() -> None:
    command = [sys.executable, "-m", "benchmarks.run", "--short"]
    wide = os.environ | {"COLUMNS": "200"}  # else names are broken over lines
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=wide)
    assert done.returncode == 0, done.stdout + done.stderr
    for name, figure in FIGURES.items():
        for contestant, who in figure.contestants.items():
            assert (f"{name}, round 1: {contestant} " in done.stdout) == who.short
    assert "hand-batched bound" in done.stdout.rpartition("round 1")[2]  # the tables


def test_a_report_names_the_machine_the_versions_and_the_ratios() -> None:
    seconds = {COLD: 2.0, WARM: 1.0, TUNE: 8.0, LOOP: 4.0, BOUND: 1.0}
    cores = {LOOP: 1}
    runs = [
        Run(name, cores.get(name, 2), 120, 1000, value * slower, 9.0)
        for slower in (1.0, 1.5, 2.0)
        for name, value in seconds.items()
    ]
    text = report.markdown({"grid": runs}, Setting(2, GRIDS), load=0.25)
    assert "2 workers, talweg on cpu" in text
    assert f"torch {importlib.metadata.version('torch')}" in text
    assert "| grid | cold / Ray Tune | 4.00 × (2.00–8.00) |  | ≥ 15 | no |" in text
    assert "| grid | warm / Ray Tune, stretch | 8.00 × (4.00–16.00) |  | ≥ 60 | not yet |" in text
    assert "| grid | cold / plain loop | 2.00 × (1.00–4.00) | 1.00 × |  |  |" in text
    assert "| grid | Ray Tune | 3 | 2 | 120 | 12.00 (8.00–16.00) | 9.0 | 10.00 | 83 | 0 |" in text


def test_a_goal_without_its_contestants_has_no_value() -> None:
    goal = goals.Goal("cold / bound", goals.UPDATES, COLD, BOUND, goals.at_least(1))
    assert goals.value(goal, [Run(COLD, 2, 1, 1, 1.0, 1.0)]) is None
