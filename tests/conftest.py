"""What several test modules stand on: one local Ray for the whole session."""

from collections.abc import Iterator

import pytest
import ray


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """The address of a local two-CPU Ray, which this process has joined."""
    context = ray.init(
        "local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
    )
    try:
        yield str(context.address_info["gcs_address"])
    finally:
        ray.shutdown()
