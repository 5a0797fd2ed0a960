"""Compiled steps: what Inductor makes of :class:`~.step.Step`, kept on disk as libraries.

A function is traced once with a symbolic trial axis and compiled ahead of time, so that one
artefact serves packs of every size, and loading it takes milliseconds instead of the seconds
that torch.compile needs even from its own cache. A cold compilation takes several seconds and
a C++ compiler; :mod:`.pace` decides when that pays.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from .optimizers import Settings, Tensors
from .redrawn import redraws
from .spec import Batch, TrialSpec
from .step import Split, Step, spread
from .updaters import Before, Eager, Updater, Updates, each, gathered

SOURCES = (
    "compiled.py", "step.py", "optimizers.py", "activations.py",
    "losses/*.py", "models/*.py", "objectivespecs.py", "problems/objectives.py",
)  # fmt: skip
"""The code that goes into an artefact: what was compiled from other code is not used."""
LARGEST_K = 1 << 20
Flat = Callable[..., Tensors]
"""A function of tensors only: (K, …) ones first, then those that all trials share."""


class Artefact:
    """A loaded library."""

    def __init__(self, path: Path) -> None:
        # The loader of torch._inductor.aoti_load_package without its two seconds of imports.
        loader = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", False, 1, -1)
        self._run: Any = loader.run

    def __call__(self, tensors: Sequence[torch.Tensor]) -> Tensors:
        """The outputs; inputs that were written to when it was compiled are written to."""
        found: Tensors = self._run(list(tensors))
        return found


@dataclasses.dataclass(frozen=True)
class Given:
    """What one update sees: so many samples, for batch descent the ``whole`` training set.

    That is shared by the trials instead of given for each.
    """

    size: int
    whole: Split | None


class CompiledUpdate:
    """An Updater of whole batches; a short last batch goes the plain way."""

    def __init__(self, path: Path, eager: Eager, plain: Updater, batch: Given) -> None:
        self._run = Artefact(path)
        self.plain, self.batch = plain, batch
        self.given = [*eager.params, *eager.state, *eager.settings.values()]

    def run(self, x_UKBD: torch.Tensor, y_UKB: torch.Tensor, before: Before = None) -> Updates:
        """See :class:`.updaters.Updater`."""
        if y_UKB.shape[2] != self.batch.size:
            return self.plain.run(x_UKBD, y_UKB, before)
        if self.batch.whole is not None:
            given = [*self.given, *self.batch.whole]
            return gathered([self._run(given) for _ in each(y_UKB, before)])
        pairs = zip(x_UKBD.unbind(0), y_UKB.unbind(0), strict=True)
        return gathered([self._run([*self.given, *pair]) for pair in each(pairs, before)])


def batch_of(trial: TrialSpec, train: Split) -> Given:
    """The batch of such trials; samples that a trial redraws are its own."""
    shared = isinstance(trial.descent, Batch) and not redraws(trial)
    return Given(trial.batch_size, train if shared else None)


def key(content: str) -> str:
    """Name of an artefact: content, code, torch and processor together."""
    digest = hashlib.sha256(content.encode())
    for source in sorted(path for name in SOURCES for path in Path(__file__).parent.rglob(name)):
        digest.update(source.read_bytes())
    digest.update(f"{torch.__version__} {torch.backends.cpu.get_cpu_capability()}".encode())
    return digest.hexdigest()[:24]


def compile_update(
    step: Step,
    params: Tensors,
    state: Tensors,
    settings: Settings,
    batch: Given,
    samples: Split,
    path: Path,
) -> None:
    """Compile an update, in place, of any number of trials.

    ``samples``: examples for one update, (K, B, …).
    """
    sizes = [len(params), len(state), len(settings)]

    def flat(*tensors: torch.Tensor) -> Tensors:
        left = iter(tensors)
        params, state, values = (list(itertools.islice(left, n)) for n in sizes)
        data = Split(*left) if batch.whole is None else spread(Split(*left), params)
        return step.update(params, state, dict(zip(settings, values, strict=True)), *data)

    stacked = [*params, *state, *settings.values()]
    if batch.whole is None:
        _compile(flat, [*stacked, *samples], [], path)
    else:
        _compile(flat, stacked, list(batch.whole), path)


def _compile(function: Flat, stacked: Tensors, shared: Sequence[torch.Tensor], path: Path) -> None:
    """Trace, compile and keep a function; another process never sees half of a file."""
    # A trial axis of size one would be traced as a constant, and one as long as another axis as
    # the same as that: trace so many copies of one trial as no other axis is long.
    lengths = {size for t in stacked for size in t.shape[1:]} | {n for t in shared for n in t.shape}
    copies = next(k for k in itertools.count(2) if k not in lengths)
    stacked = [t[:1].repeat(copies, *[1] * (t.ndim - 1)) for t in stacked]
    from torch.fx.experimental.proxy_tensor import make_fx

    axis = torch.export.Dim("K", min=2, max=LARGEST_K)
    dims = ({0: axis},) * len(stacked) + ({},) * len(shared)
    flat = (*stacked, *shared)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _quiet(), tempfile.TemporaryDirectory(dir=path.parent) as folder:
        # Tensors that a model keeps for itself, as quadratic_deep its Hessian, become constants.
        traced = make_fx(function, tracing_mode="symbolic", _allow_non_fake_inputs=True)
        graph = traced(*flat)
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
