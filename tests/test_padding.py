"""Circular padding: refused at planning exactly where torch cannot pad so."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from talweg.workloads import problems
from talweg.workloads.grid import load
from talweg.workloads.gridfile import GridError
from talweg.workloads.models import MODELS
from talweg.workloads.spec import misfits

from .trials import trial

WRAPPED: dict[str, Any] = {"name": "convnet", "channels": 1, "padding": "circular"}


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("pooling", ["none", "max", "average", "blur", "max_blur"])
@pytest.mark.parametrize("stride", [1, 2])
def test_circular_padding_is_refused_where_torch_cannot_go_around(
    stride: int, pooling: str, kernel: int
) -> None:
    """digits, 8×8, through one to five convolutions, as planned and as run."""
    for depth in range(1, 6):
        own = {"stride": stride, "pooling": pooling, "kernel": kernel, "depth": depth}
        one = trial(problem="digits", model=WRAPPED | own)
        data = problems.load(one.problem)
        model = MODELS["convnet"](one, data)
        params = [p.unsqueeze(0) for p in model.start(one)]
        refused = list(misfits(one))
        with pytest.raises(RuntimeError, match="wrapping") if refused else nullcontext():
            model.forward(params, torch.as_tensor(data.x_train[:2]).unsqueeze(0))


def test_the_grid_says_what_fits_instead(tmp_path: Path) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text(
        "name: wide\n"
        "base:\n"
        "  problem: digits\n"
        "  model: {name: convnet, kernel: 5, padding: circular, stride: 2, pooling: max}\n"
        "grid:\n"
        "  model.depth: [1, 2, 3]\n"
    )
    with pytest.raises(GridError, match=r"2 pixels around an image.* 1 before .*use kernel 3 at"):
        load(file)
    file.write_text(file.read_text().replace("circular", "zeros"))
    assert len(load(file).trials) == 3
