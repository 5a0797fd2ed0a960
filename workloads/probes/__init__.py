"""What is measured at a recording. Each probe has a naive twin in the tests."""

from .schedules import Probes

__all__ = ["Probes"]
