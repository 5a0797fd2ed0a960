"""Problems from outside are learnt from files in their own formats.

Iris and digits of scikit-learn stand in for what a user or a publisher would have; seed 0.
"""

import io
import tarfile
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import csv, parquet
from sklearn.datasets import load_digits, load_iris

from talweg.workloads.externalspecs import ImageSet
from talweg.workloads.problems import images
from talweg.workloads.problems.downloads import Remote

from .test_downloads import idx
from .test_tables import openml
from .trials import run, trial

TRAIN, TEST = 400, 100


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def last_score(problem: dict[str, Any], lr: float = 0.02) -> float:
    one = trial(
        problem=problem, model={"depth": 1, "width": 16}, budget={"updates": 150},
        optimizer={"name": "adam", "lr": lr}, record={"steps": 2, "layers": 0},
    )  # fmt: skip
    outcomes, rows = run([one])
    assert [str(outcome) for outcome in outcomes] == ["done"]
    return float(rows.rows("steps", one.trial_id)[-1]["test_score"])


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_a_file_of_ones_own_is_learnt(kind: str, task: str, here: Path) -> None:
    """Iris: its kinds from four lengths (chance: 1/3), or a width from the other three."""
    held = load_iris()
    kinds = held.target_names[held.target].tolist()
    x, width = held.data[:, :3], held.data[:, 3]
    if kind == "npz":
        y = held.target if task == "classes" else width
        np.savez(here / "iris.npz", x=held.data if task == "classes" else x, y=y)
        problem: dict[str, Any] = {"name": "file", "path": "iris.npz"}
    else:
        lengths = {f"length {i}": held.data[:, i] for i in range(3)}
        table = pa.table({**lengths, "width": width, "kind": kinds})
        write = {"csv": csv.write_csv, "parquet": parquet.write_table}[kind]
        write(table, here / f"iris.{kind}")
        target, without = ("kind", []) if task == "classes" else ("width", ["kind"])
        problem = {
            "name": "file", "path": f"iris.{kind}", "target": target, "without": without
        }  # fmt: skip
    # Accuracy, or the share of variance explained.
    assert last_score(problem) >= 0.85


def test_a_table_of_openml_is_learnt(here: Path) -> None:
    """Heavy cars are fast, of 80; half of them are."""
    draw = np.random.RandomState(0)
    weights = draw.permutation(80) / 8
    rows = [
        f"{i},{weight},{('red', 'blue')[i % 2]},{('no', 'yes')[int(weight >= 5)]}"
        for i, weight in enumerate(weights)
    ]
    openml(here, rows)
    assert last_score({"name": "openml", "id": 7}) >= 0.9


def pictures(channels: int, side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Digits of 8 × 8 pixels, enlarged: (N, C, side, side), and labels (N,)."""
    held = load_digits()
    scale = side // 8
    large = np.kron(held.images[: TRAIN + TEST] * 15, np.ones((scale, scale)))
    margin = (side - 8 * scale) // 2
    padded = np.pad(large, ((0, 0), (margin, margin), (margin, margin)))
    shown = np.repeat(padded[:, None], channels, 1).astype(np.uint8)
    return shown, held.target[: TRAIN + TEST].astype(np.uint8)


def archive(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> bytes:
    """CIFAR-10's: five files for training and one for testing, a label before each image."""
    records = np.concatenate([labels[:, None], pixels.reshape(len(pixels), -1)], 1)
    parts = [*np.split(records[:TRAIN], 5), records[TRAIN:]]
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as files:
        for name, part in zip(names, parts, strict=True):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            info.size = part.nbytes
            files.addfile(info, io.BytesIO(part.tobytes()))
    return content.getvalue()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_published_images_are_learnt(
    name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of the published names and formats, but of 400 and 100 images; chance: 1/10."""
    if name == "cifar10":
        contents = [archive(*pictures(3, 32))]
    else:
        pixels, labels = pictures(1, 28)
        sets = (slice(TRAIN), slice(TRAIN, None))
        contents = [idx(values[part]) for part in sets for values in (pixels[:, 0], labels)]
    folder = here / ".cache" / "talweg" / "data" / name
    folder.mkdir(parents=True)
    remotes = []
    for remote, content in zip(images.FILES[name], contents, strict=True):
        (folder / remote.name).write_bytes(content)
        remotes.append(Remote(remote.url, md5(content).hexdigest()))
    monkeypatch.setitem(images.FILES, name, tuple(remotes))
    monkeypatch.setattr(ImageSet, "PUBLISHED", {name: (TRAIN, TEST)})
    assert last_score({"name": name, "standardise": True}, lr=0.002) >= 0.75
