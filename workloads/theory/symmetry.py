"""Which shifts a net of images commutes with exactly. Circular, by whole pixels.

A convolution with circular padding commutes with every shift; with a stride of 2, and after
pooling, only shifts by an even number of pixels come out as shifts by whole ones (Zhang 2019,
section 3.1). What is done to each pixel, and norms over all of them, change nothing.
"""

import itertools
from collections.abc import Iterator

from ..imagespecs import ConvNet, EncoderDecoder
from ..probespecs import Symmetry
from ..problems.shapes import Task
from ..spec import TrialSpec
from .nets import Row

SOURCE = "Zhang 2019, section 3.1: circular convolutions commute with shifts by whole pixels"


def exact(trial: TrialSpec) -> Iterator[Row]:
    """Errors of 0 and consistencies of 1, under the keys of the probe; none that are not exact."""
    probes = [probe for probe in trial.record.probes if isinstance(probe, Symmetry)]
    model = trial.model
    if not probes or not isinstance(model, ConvNet | EncoderDecoder) or model.padding == "zeros":
        return
    layers = _convnet(trial, model) if isinstance(model, ConvNet) else _halvings(model)
    shifts = [shift for shift in probes[0].shifts if float(shift).is_integer()]
    for shift, (layer, pixels) in itertools.product(shifts, enumerate(layers, 1)):
        if pixels is not None and shift % pixels == 0:
            yield Row(f"equivariance_shift_{shift:g}", layer, 0.0, SOURCE)
    masks = trial.problem.task == Task.SEGMENTATION
    for shift in shifts:
        if None in layers or any(shift % pixels for pixels in layers if pixels):
            continue
        if masks and isinstance(model, EncoderDecoder):
            yield Row(f"equivariance_shift_{shift:g}", None, 0.0, SOURCE)
        elif not masks:
            yield Row(f"invariance_shift_{shift:g}", None, 0.0, SOURCE)
            if not hasattr(trial.loss, "dimension"):  # embeddings decide nothing
                yield Row(f"consistency_shift_{shift:g}", None, 1.0, SOURCE)


def _convnet(trial: TrialSpec, model: ConvNet) -> list[int | None]:
    """Pixels of the input between two of each layer; None from where an odd side is halved on."""
    assert trial.shape.image is not None  # see spec.misfits
    sides, pixels = list(trial.shape.image[1:]), 1
    found: list[int | None] = []
    for _ in range(model.depth):
        for halves in (model.stride == 2, model.pooling != "none" and min(sides) > 1):
            if halves and any(side % 2 for side in sides):
                return found + [None] * (model.depth - len(found))
            if halves:
                sides, pixels = [side // 2 for side in sides], 2 * pixels
        found.append(pixels)
    return found


def _halvings(model: EncoderDecoder) -> list[int | None]:
    """The same: whatever comes after the bottom has been as coarse as that."""
    levels = model.levels
    return [*(2 << level for level in range(levels)), *[1 << levels] * (levels + 2)]
