"""What several test modules stand on: one local Ray for the whole session."""

import gc
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
import ray
import torch

LONGEST = (
    "test_sweep", "test_study_pages", "test_bench",
    "test_sweep_packs", "test_verify", "test_submit_page",
    "test_engine", "test_browser", "test_compose", "test_dashboard_access", "test_extending",
    "test_storage_process", "test_paths", "test_catalogue", "test_vae", "test_gan",
)  # fmt: skip
"""Files that take longest, half a minute and more, in the order in which they are begun.

Nobody should wait for one of them at the end. What waits (for Ray, for browsers) runs beside what
computes; and of three processes the one that gets the first file gets the fourth, so that the two
that train on Ray share one.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, all others as they come."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture(scope="session", autouse=True)
def own_steps(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compiled steps of the tests' own: none of the user's are used, none are left behind."""
    os.environ["TALWEG_STEPS_FOLDER"] = str(tmp_path_factory.mktemp("steps"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """As a worker trains: products this small take longer on two busy cores than on one."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def loaded_for_good() -> Iterator[None]:
    """What is loaded by now stays until the end: the garbage collector need not look at it.

    Streamlit collects after every run of a page.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """The address of a local two-CPU Ray, which this process has joined."""
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    ray.init("local", num_cpus=2, include_dashboard=False, **options)
    try:
        yield str(ray.get_runtime_context().gcs_address)
    finally:
        ray.shutdown()
