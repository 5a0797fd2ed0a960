"""What a sweep knows of its packs' costs: from the store, by calibration, and as it goes on."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..storage.client import Client
from ..workloads import packs
from ..workloads.costs import Costs, Point, name_of
from ..workloads.packs import Pack
from ..workloads.spec import TrialSpec
from .executors import Executor
from .worker import PackResult

CALIBRATED_SECONDS = 30.0
"""Estimated work of a shape from which on a second or two of measuring pays."""

Shapes = Mapping[str, Sequence[TrialSpec]]


def known(client: Client, shapes: Shapes) -> Costs:
    """What the store remembers of these shapes."""
    return Costs.of(client.calibrations(list(shapes)))


def unknown(shapes: Shapes, costs: Costs) -> dict[str, Sequence[TrialSpec]]:
    """The shapes worth measuring: much work, nothing known."""
    return {
        name: group
        for name, group in shapes.items()
        if not costs.sizes(name)
        and group[0].timing == "fused"
        and costs.seconds(name, group[0], len(group)) > CALIBRATED_SECONDS
    }


def calibrated(client: Client, executor: Executor, shapes: Shapes) -> None:
    """Measure these shapes and let the store remember."""
    found = executor.calibrate(list(shapes.values()))
    client.calibrate(
        [
            row(name, device, point)
            for name, (device, points) in zip(shapes, found, strict=True)
            for point in points
        ]
    )


class Learned:
    """What packs took, to be remembered at the end of a sweep."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, int], dict[str, Any]] = {}

    def add(self, pack: Pack, result: PackResult) -> None:
        """Note one pack's own measurement."""
        if result.cost is not None:
            found = row(name_of(packs.shape_key(pack.trials[0])), result.device, result.cost)
            self.rows[found["shape"], found["device"], found["trials"]] = found

    def remember(self, client: Client) -> None:
        """Hand everything to the store."""
        if self.rows:
            client.calibrate(list(self.rows.values()))


def row(shape: str, device: str, point: Point) -> dict[str, Any]:
    """A row of ``calibrations``."""
    return {"shape": shape, "device": device, **point._asdict()}
