"""The compiled step: what Inductor makes of :class:`~.step.Step`, kept on disk as a library.

The step is traced once with a symbolic trial axis and compiled ahead of time, so that one
artefact serves packs of every size, and loading it takes milliseconds instead of the seconds
that torch.compile needs even from its own cache. A cold compilation takes several seconds and
a C++ compiler; :mod:`.pace` decides when that pays.
"""

import contextlib
import hashlib
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .optimizers import Settings, Tensors
from .step import Step, Updated

LARGEST_K = 1 << 20
SUFFIX = ".pt2"


@dataclass(frozen=True)
class Inputs:
    """Tensors of the right shapes to trace and run a step with."""

    params: Tensors
    state: Tensors
    settings: Settings
    x_ND: torch.Tensor
    y_N: torch.Tensor
    index_KB: torch.Tensor | None

    def flat(self) -> Tensors:
        """All tensors in the one order that the artefact knows."""
        data = [self.x_ND, self.y_N] + ([] if self.index_KB is None else [self.index_KB])
        return [*self.params, *self.state, *self.settings.values(), *data]

    def doubled(self) -> "Inputs":
        """Every trial twice."""

        def twice(tensors: Tensors) -> Tensors:
            return [torch.cat([t, t]) for t in tensors]

        settings = {name: torch.cat([v, v]) for name, v in self.settings.items()}
        index = None if self.index_KB is None else torch.cat([self.index_KB, self.index_KB])
        params, state = twice(self.params), twice(self.state)
        return Inputs(params, state, settings, self.x_ND, self.y_N, index)


class CompiledStep:
    """A loaded artefact, called like :meth:`.step.Step.update`."""

    def __init__(self, path: Path) -> None:
        # The loader of torch._inductor.aoti_load_package without its two seconds of imports.
        self._run: Any = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", False, 1, -1).run

    def update(
        self,
        params: Tensors,
        state: Tensors,
        settings: Settings,
        x_ND: torch.Tensor,
        y_N: torch.Tensor,
        index_KB: torch.Tensor | None,
    ) -> Updated:
        """See :meth:`.step.Step.update`."""
        flat = Inputs(params, state, settings, x_ND, y_N, index_KB).flat()
        out: Tensors = self._run(flat)
        n, s = len(params), len(state)
        clipped_K = out[n + s + 1] if "clip_norm" in settings else None
        return Updated(out[:n], out[n : n + s], out[n + s], clipped_K)


def key(content: str) -> str:
    """Name of the artefact of a step: content, code, torch and processor together."""
    digest = hashlib.sha256(content.encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    digest.update(f"{torch.__version__} {torch.backends.cpu.get_cpu_capability()}".encode())
    return digest.hexdigest()[:24]


def compile_step(step: Step, inputs: Inputs, path: Path) -> None:
    """Trace, compile and keep a step; another process never sees half of a file.

    The trial axis stays symbolic. A pack of one is traced as two copies of its trial, because
    a size of one would be taken for a constant.
    """
    if len(inputs.params[0]) == 1:
        inputs = inputs.doubled()
    names = list(inputs.settings)
    counts = (len(inputs.params), len(inputs.state), len(names))

    def flat_step(*flat: torch.Tensor) -> Tensors:
        n, s, h = counts
        tail = flat[n + s + h :]
        updated = step.update(
            list(flat[:n]),
            list(flat[n : n + s]),
            dict(zip(names, flat[n + s : n + s + h], strict=True)),
            tail[0],
            tail[1],
            tail[2] if len(tail) == 3 else None,
        )
        extra = [] if updated.clipped_K is None else [updated.clipped_K]
        return [*updated.params, *updated.state, updated.loss_K, *extra]

    from torch.fx.experimental.proxy_tensor import make_fx

    flat = tuple(inputs.flat())
    axis = torch.export.Dim("K", min=2, max=LARGEST_K)
    shared = {id(inputs.x_ND), id(inputs.y_N)}
    dims = tuple({} if id(t) in shared else {0: axis} for t in flat)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _quiet(), tempfile.TemporaryDirectory(dir=path.parent) as folder:
        graph = make_fx(flat_step, tracing_mode="symbolic")(*flat)
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
