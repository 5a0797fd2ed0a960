"""What several test modules stand on: one local Ray for the whole session."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with Ray are spread over the first half: they often wait, while others compute."""
    ray_files = {i.path for i in items if "ray_address" in getattr(i, "fixturenames", ())}
    paths = list(dict.fromkeys(item.path for item in items))
    others = [path for path in paths if path not in ray_files]
    places: dict[Path, float] = {path: place for place, path in enumerate(others)}
    step = len(others) / (2 * max(1, len(ray_files)))
    places |= {path: place * step - 0.5 for place, path in enumerate(sorted(ray_files))}
    items.sort(key=lambda item: places[item.path])


@pytest.fixture(scope="session", autouse=True)
def own_steps(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compiled steps of the tests' own: none of the user's are used, none are left behind."""
    os.environ["TALWEG_STEPS_FOLDER"] = str(tmp_path_factory.mktemp("steps"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """As a worker trains: products this small take longer on two busy cores than on one."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """The address of a local two-CPU Ray, which this process has joined."""
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    ray.init("local", num_cpus=2, include_dashboard=False, **options)
    try:
        yield str(ray.get_runtime_context().gcs_address)
    finally:
        ray.shutdown()
