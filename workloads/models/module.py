"""A user's own ``torch.nn.Module`` on stacked tensors, through ``torch.func``.

``vmap`` runs the module on all trials of a pack at once. What it cannot run so, because the
module branches on values or draws random numbers, trains in packs of one. Modules see
(B, *image) where the problem has images, else (B, D). Buffers stay as the module made them;
batch normalisation uses the statistics of the batch, in training and in evaluation.
"""

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, replace_all_batch_norm_modules_, vmap

from ..modelspecs import Module as Spec
from ..problems.data import Data
from ..seeds import Stream, generator
from ..spec import TrialSpec
from .base import Layer, Trace

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
MEASURED = (nn.Linear, *CONVOLUTIONS)
"""Layers with a pre-activation to look at. Their names, as the module has them, are the layers'."""

Taps = dict[str, torch.Tensor]


class Module:
    """The adapter. ``stackable`` says whether several trials can run at once."""

    saturation: tuple[float, float] | None = None

    def __init__(self, trial: TrialSpec, data: Data) -> None:
        assert isinstance(trial.model, Spec)
        self.spec = trial.model
        self.net = self._build(0).double()
        self.input = trial.problem.shape.image or (data.features,)
        self.names = [name for name, _ in self.net.named_parameters()]
        self.measured = {n: m for n, m in self.net.named_modules() if isinstance(m, MEASURED)}
        self.layers = [self._layer(name) for name in self.measured]
        self.units = max(p.numel() for p in self.net.parameters())
        self.stackable = self.tapeable = self._try(data)
        convolves = any(isinstance(m, CONVOLUTIONS) for m in self.net.modules())
        self.compilable = self.tapeable and not convolves  # see convolution.convolve

    def start(self, trial: TrialSpec) -> list[torch.Tensor]:
        """See :class:`~.base.Model`: the module's own initialisation under the trial's seed."""
        seed = generator(trial.seed, Stream.INIT).initial_seed()
        return [p.detach().double() for p in self._build(seed).parameters()]

    def forward(
        self, params: list[torch.Tensor], x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """See :class:`~.base.Model`."""
        self.net.train(torch.is_grad_enabled())  # evaluations run without gradients
        x = x_KBD.unflatten(-1, self.input)
        if trace is None:
            return self._run(params, x, {})[0]
        with torch.no_grad():
            shapes = self._run(params, x, {})[1]
        taps = {name: torch.zeros_like(z).requires_grad_() for name, z in shapes.items()}
        out, zs = self._run(params, x, taps)
        for name in self.measured:
            trace.add(zs[name], zs[name], at=taps[name])
        return out

    def _run(
        self, params: list[torch.Tensor], x: torch.Tensor, taps: Taps
    ) -> tuple[torch.Tensor, Taps]:
        """Outputs and pre-activations of all trials; a tap is added to each pre-activation."""
        named = dict(zip(self.names, params, strict=True))
        if self.stackable:
            found: tuple[torch.Tensor, Taps] = vmap(self._one)(named, x, taps)
            return found
        alone = [{name: t[0] for name, t in part.items()} for part in (named, taps)]
        out, zs = self._one(alone[0], x[0], alone[1])
        return out.unsqueeze(0), {name: z.unsqueeze(0) for name, z in zs.items()}

    def _one(self, named: Taps, x: torch.Tensor, taps: Taps) -> tuple[torch.Tensor, Taps]:
        with self._watched(taps) as zs:
            return functional_call(self.net, named, (x,)), zs

    @contextmanager
    def _watched(self, taps: Taps) -> Iterator[Taps]:
        """Hooks that note each measured layer's output and add its tap."""
        zs: Taps = {}

        def note(name: str, z: torch.Tensor) -> torch.Tensor:
            zs[name] = z + taps[name] if name in taps else z
            return zs[name]

        hooks = [
            module.register_forward_hook(lambda _, __, out, name=name: note(name, out))
            for name, module in self.measured.items()
        ]
        try:
            yield zs
        finally:
            for hook in hooks:
                hook.remove()

    def _layer(self, name: str) -> Layer:
        """A measured layer; a net that is itself one has no name inside itself: its class's."""
        weight = self.names.index(f"{name}.weight".removeprefix("."))
        return Layer(name or type(self.net).__name__, (weight,))

    def _build(self, seed: int) -> nn.Module:
        """The module, initialised under a seed, without touching anybody else's random numbers."""
        package, _, name = self.spec.path.partition(":")
        make: Any = getattr(importlib.import_module(package), name)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net: nn.Module = make(**self.spec.args)
        return replace_all_batch_norm_modules_(net)

    def _try(self, data: Data) -> bool:
        """Whether vmap runs the module and its gradient on two trials at once."""
        self.stackable = True
        x = torch.as_tensor(data.x_train[:2]).expand(2, -1, -1)
        params = [torch.stack([p.detach()] * 2).requires_grad_() for p in self.net.parameters()]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # vmap warns where it falls back to a loop
                torch.autograd.grad(self.forward(params, x).sum(), params)
        except (RuntimeError, ValueError, UserWarning):
            return False
        return True
