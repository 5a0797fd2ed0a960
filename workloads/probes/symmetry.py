"""Equivariance and invariance of nets of images. K trials, B samples, C channels, H × W pixels.

f_l: what layer l hands on, after pooling, or the net's output. T: a transform of images, which
acts on images of layer l in their own pixels (a shift by s as one by s/k where one pixel stands
for k of the input). E: the mean over samples and, of shifts, over those down and to the right.

    equivariance   E‖f(Tx) − T f(x)‖² / E‖f(x)‖²
    invariance     E‖f(Tx) − f(x)‖² / E‖f(x)‖²
    consistency    P[argmax f(Tx) = argmax f(x)]            (Zhang 2019, section 4)
    lie            E‖d/dt|₀ T₋ₜ f(Tₜx)‖² / dim f             (Gruver et al. 2022)
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from ..labelspecs import Contrastive, Triplet
from ..models import Trace
from ..optimizers import Tensors
from ..probespecs import Symmetry as Spec
from ..problems.shapes import Task
from .base import Columns
from .transforms import HEIGHT, WIDTH, Affine, Drift, Growth, Shift, Transform, Turn

if TYPE_CHECKING:
    from ..stack import Stack

AT_ONCE = 1_000_000
"""Activations of the widest layer, of all samples and trials whose traces are in memory."""
GENERATORS: Mapping[str, Sequence[Transform]] = {
    "translation": (Drift(HEIGHT), Drift(WIDTH)),
    "rotation": (Turn(),),
    "scale": (Growth(),),
}
"""d/dt of T_t at 0, in pixels of the input, radians and parts of e."""


def transforms_of(spec: Spec) -> dict[str, Sequence[Transform]]:
    """Name of each transform that a grid asks for -> those that its numbers are the mean over."""
    return {
        **{f"shift_{s:g}": (Shift(s, HEIGHT), Shift(s, WIDTH)) for s in spec.shifts},
        **{f"rotation_{degrees:g}": (Affine(degrees=degrees),) for degrees in spec.rotations},
        **{f"scale_{factor:g}": (Affine(factor=factor),) for factor in spec.scales},
    }


class Seen(NamedTuple):
    """Something of a net that is compared."""

    where: str
    """What follows the key: ``/3`` for layer 3, nothing for the output."""
    f: torch.Tensor
    """(K, B, C, H, W); (K, B, C) where there are no places."""
    pixels: int | None
    """Pixels of the input that lie between two of its pixels; None: there are none."""


class Symmetry:
    """The errors of one stack; no rows for problems whose samples are no images.

    Layers have rows where the net says what their images are: ``convnet`` and
    ``encoder_decoder``; outputs have theirs whatever the net.
    """

    def __init__(self, stack: "Stack", spec: Spec) -> None:
        trial = stack.trials[0]
        self.stack, self.image = stack, trial.problem.shape.image
        # A net that draws random numbers while it is differentiated has no derivative.
        self.lie = spec.lie and stack.model.stackable
        self.x_BD = stack.test.x[: spec.samples]
        self.transforms = transforms_of(spec)
        self.masks = trial.problem.task == Task.SEGMENTATION
        self.decides = not self.masks and not isinstance(trial.loss, Contrastive | Triplet)

    def measure(self) -> Columns:
        """See :class:`~.base.Probe`."""
        if self.image is None:
            return {}
        size = max(1, AT_ONCE // (len(self.x_BD) * self.stack.model.units))
        parts = zip(*(p.detach().split(size) for p in self.stack.params), strict=True)
        found = [self._of(list(part)) for part in parts]
        return {f"symmetry/{name}": torch.cat([part[name] for part in found]) for name in found[0]}

    @torch.no_grad()
    def _of(self, params: Tensors) -> Columns:
        """All numbers of a few trials."""
        plain = self._see(params, self.x_BD)
        columns: Columns = {}
        for name, each in self.transforms.items():
            columns |= mean_of([dict(self._errors(params, plain, t, name)) for t in each])
        for name, each in GENERATORS.items() if self.lie else ():
            columns |= mean_of([dict(self._slopes(params, plain, t, name)) for t in each])
        return columns

    def _errors(
        self, params: Tensors, plain: Sequence[Seen], transform: Transform, name: str
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """Errors of equivariance and invariance under one transform."""
        moved = self._see(params, self._transformed(transform))
        for (where, f, pixels), (_, f_moved, _) in zip(plain, moved, strict=True):
            size_K = mean_square(f)
            yield f"invariance_{name}{where}", mean_square(f_moved - f) / size_K
            if pixels is not None:
                off_K = mean_square(f_moved - transform(f, pixels))
                yield f"equivariance_{name}{where}", off_K / size_K
        if self.decides:
            same_KB = decision(moved[-1].f) == decision(plain[-1].f)
            yield f"consistency_{name}", same_KB.to(size_K.dtype).mean(1)

    def _slopes(
        self, params: Tensors, plain: Sequence[Seen], generator: Transform, name: str
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """Lie derivatives, d/dt f(T_t x) − d/dt T_t f(x) at 0: T is linear."""
        slopes = self._along(params, self._transformed(generator))
        for (where, f, pixels), slope in zip(plain, slopes, strict=True):
            off = slope if pixels is None else slope - generator(f, pixels)
            yield f"lie_{name}{where}", mean_square(off)

    @torch.enable_grad()
    def _along(self, params: Tensors, direction_BD: torch.Tensor) -> Tensors:
        """The derivative of all that is seen in a direction u of the samples, J u.

        Jᵀv is linear in v, and J u is its derivative by v, times u (Townsend 2017): no step size,
        and unlike forward differentiation nothing that torch has to compile.
        """
        x_BD = self.x_BD.clone().requires_grad_()
        found = [seen.f for seen in self._see(params, x_BD)]
        v = [torch.zeros_like(f, requires_grad=True) for f in found]
        back = torch.autograd.grad(found, x_BD, v, create_graph=True)
        slopes = torch.autograd.grad(back, v, direction_BD, materialize_grads=True)
        return [slope.detach() for slope in slopes]

    def _see(self, params: Tensors, x_BD: torch.Tensor) -> list[Seen]:
        """What a forward pass leaves to compare; the output comes last."""
        trace, k = Trace(), params[0].shape[0]
        output_KBC = self.stack.model.forward(params, x_BD.expand(k, *x_BD.shape), trace)
        found = [
            Seen(f"/{layer}", wide(h), pixels) for layer, (h, pixels) in enumerate(trace.images, 1)
        ]
        if not self.masks:
            return [*found, Seen("", wide(output_KBC), None)]
        assert self.image is not None
        return [*found, Seen("", wide(output_KBC).unflatten(-1, (1, *self.image[1:])), 1)]

    def _transformed(self, transform: Transform) -> torch.Tensor:
        """The samples under a transform, (B, D)."""
        assert self.image is not None
        images = wide(self.x_BD).unflatten(-1, self.image)
        return transform(images).flatten(1).to(self.x_BD.dtype)


def mean_square(t: torch.Tensor) -> torch.Tensor:
    """The mean of t² over all axes but the first, (K,)."""
    return t.square().flatten(1).mean(1)


def decision(output_KBC: torch.Tensor) -> torch.Tensor:
    """The class of the largest output, or of a single logit, (K, B)."""
    single = output_KBC.shape[-1] == 1
    return output_KBC[..., 0] > 0 if single else output_KBC.argmax(-1)


def mean_of(columns: Sequence[Columns]) -> Columns:
    """The mean of each number over several measurements."""
    found: dict[str, list[torch.Tensor]] = defaultdict(list)
    for one in columns:
        for name, value in one.items():
            found[name].append(value)
    return {name: torch.stack(values).mean(0) for name, values in found.items()}


def wide(t: torch.Tensor) -> torch.Tensor:
    """At least float32: neither transforms nor differences are done in fewer bits."""
    return t.float() if t.dtype == torch.bfloat16 else t
