"""The soak in its short form, and that it would notice."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from benchmarks.soak import checks, writer
from benchmarks.soak.scene import Scene
from talweg.storage.store import Store

ROOT = Path(__file__).parents[1]


def test_the_soak_survives_a_few_faults_and_says_how_many(tmp_path: Path) -> None:
    counts = tmp_path / "counts.json"
    command = [sys.executable, "-m", "benchmarks.soak", "--short", "--json", str(counts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(counts.read_text())
    assert facts["kills"] >= 4
    assert facts["problems"] == []
    for name, count in facts["faults"].items():
        assert f"│ {name} " in done.stdout
        assert count > 0


LOSSES = [
    "delete from steps where update = 60",
    "delete from steps where update = 7",
    "insert into steps from steps where update = 7",
    "update steps set test_loss = test_loss + 1e-16 where update = 7",
    "delete from layers where update = 9 and layer = 1",
    "update trials set outcome = null",
    "update ledger set sequence = sequence - 1",
]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A scene with one trial that has ended."""
    folder = tmp_path_factory.mktemp("ended")
    stage = Scene(folder, random.Random(1), served=False, trials=1)
    with Store(stage.database):
        stage.grow()
        (trial,) = stage.trials
        writer.write(stage.client, trial, stage.journal(trial))
        assert [*checks.final(stage), *checks.broken(stage)] == []
    shutil.copy(stage.database, folder / "kept.duckdb")
    yield stage
    stage.close()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_soak_notices_every_kind_of_loss(ended: Scene, loss: str) -> None:
    shutil.copy(ended.folder / "kept.duckdb", ended.database)
    with duckdb.connect(ended.database) as con:
        con.execute(loss)
    with Store(ended.database):
        assert [*checks.final(ended), *checks.broken(ended)]
