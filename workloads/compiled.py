"""Compiled steps: what Inductor makes of :class:`~.step.Step`, kept on disk as libraries.

A function is traced once with a symbolic trial axis and compiled ahead of time, so that one
artefact serves packs of every size, and loading it takes milliseconds instead of the seconds
that torch.compile needs even from its own cache. A cold compilation takes several seconds and
a C++ compiler; :mod:`.pace` decides when that pays.
"""

import contextlib
import hashlib
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from .optimizers import Settings, Tensors
from .step import Evaluated, Split, Step, Updated

LARGEST_K = 1 << 20
Flat = Callable[..., Tensors]
"""A function of tensors only: (K, …) ones first, then those that all trials share."""


class _Artefact:
    """A loaded library."""

    def __init__(self, path: Path) -> None:
        # The loader of torch._inductor.aoti_load_package without its two seconds of imports.
        self._run: Any = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", False, 1, -1).run

    def __call__(self, stacked: Tensors, shared: Sequence[torch.Tensor]) -> Tensors:
        found: Tensors = self._run([*stacked, *shared])
        return found


class CompiledUpdate:
    """An Updater for whole batches (a short last batch has another shape)."""

    def __init__(self, path: Path) -> None:
        self._run = _Artefact(path)

    def update(
        self,
        params: Tensors,
        state: Tensors,
        settings: Settings,
        data: Split,
        index_KB: torch.Tensor | None,
    ) -> Updated:
        """See :class:`.step.Updater`."""
        index = [] if index_KB is None else [index_KB]
        out = self._run([*params, *state, *settings.values(), *index], data)
        n, s = len(params), len(state)
        clipped_K = out[n + s + 1] if "clip_norm" in settings else None
        return Updated(out[:n], out[n : n + s], out[n + s], clipped_K)


class CompiledEvaluation:
    """An Evaluator for splits of the sizes that it was compiled for."""

    def __init__(self, path: Path) -> None:
        self._run = _Artefact(path)

    def evaluate(self, params: Tensors, splits: Sequence[Split]) -> list[Evaluated]:
        """See :class:`.step.Evaluator`."""
        out = self._run(params, [t for split in splits for t in split])
        return [Evaluated(*out[i : i + 2]) for i in range(0, len(out), 2)]


def key(content: str) -> str:
    """Name of an artefact: content, code, torch and processor together."""
    digest = hashlib.sha256(content.encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    digest.update(f"{torch.__version__} {torch.backends.cpu.get_cpu_capability()}".encode())
    return digest.hexdigest()[:24]


def compile_update(
    step: Step,
    params: Tensors,
    state: Tensors,
    settings: Settings,
    data: Split,
    index_KB: torch.Tensor | None,
    path: Path,
) -> None:
    """Compile ``step.update`` for arguments of these shapes, with any number of trials."""
    names, n, s = list(settings), len(params), len(state)
    index = [] if index_KB is None else [index_KB]

    def flat(*tensors: torch.Tensor) -> Tensors:
        given = list(tensors)
        *stacked, x, y = given
        values = stacked[n + s : n + s + len(names)]
        done = step.update(
            stacked[:n],
            stacked[n : n + s],
            dict(zip(names, values, strict=True)),
            Split(x, y),
            stacked[-1] if index else None,
        )
        extra = [] if done.clipped_K is None else [done.clipped_K]
        return [*done.params, *done.state, done.loss_K, *extra]

    _compile(flat, [*params, *state, *settings.values(), *index], data, path)


def compile_evaluation(step: Step, params: Tensors, splits: Sequence[Split], path: Path) -> None:
    """Compile ``step.evaluate`` for splits of these sizes, with any number of trials."""
    n = len(params)

    def flat(*tensors: torch.Tensor) -> Tensors:
        shared = tensors[n:]
        given = [Split(*shared[i : i + 2]) for i in range(0, len(shared), 2)]
        return [t for found in step.evaluate(list(tensors[:n]), given) for t in found]

    _compile(flat, params, [t for split in splits for t in split], path)


def _compile(function: Flat, stacked: Tensors, shared: Sequence[torch.Tensor], path: Path) -> None:
    """Trace, compile and keep a function; another process never sees half of a file."""
    if len(stacked[0]) == 1:
        # A trial axis of size one would be traced as a constant: trace two copies instead.
        stacked = [torch.cat([t, t]) for t in stacked]
    from torch.fx.experimental.proxy_tensor import make_fx

    axis = torch.export.Dim("K", min=2, max=LARGEST_K)
    dims = ({0: axis},) * len(stacked) + ({},) * len(shared)
    flat = (*stacked, *shared)
    with _quiet(), tempfile.TemporaryDirectory(dir=path.parent) as folder:
        graph = make_fx(function, tracing_mode="symbolic")(*flat)
        exported = torch.export.export(graph, flat, dynamic_shapes=dims)
        made = Path(folder) / path.name
        torch._inductor.aoti_compile_and_package(exported, package_path=str(made))
        made.replace(path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Tracing warns about its own insides; nothing there is for our users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
