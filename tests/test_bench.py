"""The benchmark's harness: every contestant trains the same trials. Nothing is said on speed."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import contestants, report
from benchmarks.task import FULL, SHORT, Task, load
from talweg.workloads import grid

GRIDS = Path(contestants.__file__).with_name("grids")


@pytest.mark.parametrize("task", [FULL, SHORT], ids=lambda task: task.name)
def test_the_grid_file_holds_the_trials_that_the_peers_train(task: Task) -> None:
    trials = [planned.trial for planned in grid.load(GRIDS / f"{task.name}.yaml").trials]
    assert len(trials) == task.trials == len(list(task.points()))
    assert sum(trial.budget_updates for trial in trials) == task.updates(len(load()[0]))
    assert sorted({trial.optimizer.lr for trial in trials}) == pytest.approx(task.learning_rates)


def test_all_contestants_finish_and_stand_in_one_table() -> None:
    command = [sys.executable, "-m", "benchmarks.run", "--short"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in contestants.taking_part(SHORT):
        assert f"round 1: {name} " in done.stdout
    assert "updates/s" in done.stdout


def test_a_report_names_the_machine_the_versions_and_the_ratios() -> None:
    seconds = {"talweg": 2.0, "Ray Tune": 8.0, "plain loop": 4.0, "hand-batched bound": 1.0}
    runs = [
        contestants.Run(name, 120, 1000, value * slower, 9.0)
        for slower in (1.0, 1.5, 2.0)
        for name, value in seconds.items()
    ]
    text = report.markdown(FULL, runs, workers=2, load=0.25)
    assert "120 trials, 2 workers, 3 interleaved rounds" in text
    assert f"torch {importlib.metadata.version('torch')}" in text
    assert "| Ray Tune | 12.00 (8.00–16.00) | 9.0 | 10.00 | 83 | 4.00 |" in text
    assert "| hand-batched bound | 1.50 (1.00–2.00) | 9.0 | 80.00 | 667 | 0.50 |" in text
