"""When a step is worth compiling, and where the compiling happens.

Renting or buying (Karlin et al. 1988, competitive snoopy caching): a shape trains eagerly
until the time that it spent so, over all packs and sweeps, has reached what compiling costs;
then it is compiled, in a process of its own, while training goes on, and every pack of that
shape switches over at its next recording. Whatever the budgets turn out to be, this costs at
most about twice the best choice in hindsight, and no budget has to be guessed.
"""

import contextlib
import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .compiled import (
    CompiledEvaluation,
    CompiledUpdate,
    compile_evaluation,
    compile_update,
    key,
)
from .options import Compile, Options, cpp_compiler
from .packs import shape_key
from .spec import TrialSpec

if TYPE_CHECKING:
    from .engine import Stack

COMPILE_SECONDS = 12.0
"""About what a cold compilation takes; the rule needs only the order of magnitude."""


class Pace:
    """Gives a stack its compiled step as soon as there is one, and has it made when it pays.

    The folder keeps the artefacts by shape of trial, code, torch and processor. It must be the
    user's own, because what lies there is loaded as code.
    """

    def __init__(self, trials: Sequence[TrialSpec], stack: "Stack", options: Options) -> None:
        on_cpu = stack.params[0].device.type == "cpu"
        self.trials, self.stack = trials, stack
        wanted = on_cpu and options.compile is not Compile.NEVER
        self.folder = options.steps_folder if wanted else None
        self.ordered = self.compiled = False
        if self.folder is None:
            return
        content = f"{shape_key(trials[0])}|{sorted(stack.settings)}|{[*stack.train.x.shape]}"
        self.artefacts = Artefacts(self.folder, key(content))
        self.spent = _seconds(self.artefacts.ledger)
        if options.compile is Compile.ALWAYS and cpp_compiler():
            self.artefacts.make(stack, wait=True)
        self.look()

    def look(self) -> None:
        """Switch the stack over when its artefact is there; order it once that pays."""
        if self.folder is None or self.compiled:
            return
        stack, ready = self.stack, self.artefacts
        if ready.update.exists() and ready.evaluation.exists():
            stack.updater = CompiledUpdate(ready.update)
            stack.evaluator = CompiledEvaluation(ready.evaluation)
            self.compiled = True
        elif not self.ordered and self._rent() > COMPILE_SECONDS and cpp_compiler():
            self._order()

    def close(self) -> None:
        """Add the time spent eagerly to the shape's account."""
        if self.folder is not None and not self.compiled:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.artefacts.ledger.write_text(f"{self._rent():.3f}")

    def _rent(self) -> float:
        """Seconds that packs of this shape spent eagerly, this one included."""
        return self.spent + self.stack.seconds

    def _order(self) -> None:
        """Compile in a process of low priority, which outlives this pack if it must.

        Shapes go there as text, nothing is pickled; the child detaches and this call returns.
        """
        self.ordered = True
        data = self.stack.data
        request = {
            "folder": str(self.artefacts.folder),
            "name": self.artefacts.name,
            "trials": [trial.model_dump_json() for trial in self.trials],
            "train": len(data.x_train),
            "test": len(data.x_test),
            "features": data.features,
            "classes": data.classes,
        }
        subprocess.run(
            [sys.executable, "-m", "talweg.workloads.compile_child"],
            input=json.dumps(request).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )


@dataclass(frozen=True)
class Artefacts:
    """The files of one shape in the folder of compiled steps."""

    folder: Path
    name: str

    @property
    def update(self) -> Path:
        """The compiled update."""
        return self.folder / f"{self.name}.update.pt2"

    @property
    def evaluation(self) -> Path:
        """The compiled evaluation."""
        return self.folder / f"{self.name}.evaluation.pt2"

    @property
    def ledger(self) -> Path:
        """Seconds that all packs of this shape spent eagerly."""
        return self.folder / f"{self.name}.seconds"

    def make(self, stack: "Stack", *, wait: bool) -> None:
        """Compile what is not there; without ``wait``, leave it to a process that is at it."""
        with _locked(self.folder / f"{self.name}.lock", wait=wait) as held:
            if held and not self.update.exists():
                index = None if stack.sampler.whole else stack.sampler.example()
                pack = (stack.params, stack.state, stack.settings)
                compile_update(stack.step, *pack, stack.train, index, self.update)
            if held and not self.evaluation.exists():
                compile_evaluation(stack.step, stack.params, stack.splits(), self.evaluation)


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock file; False when another process holds it and we do not wait."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def _seconds(ledger: Path) -> float:
    """Time that all packs of a shape spent eagerly; 0 where nothing (readable) is noted."""
    try:
        return float(ledger.read_text())
    except (OSError, ValueError):
        return 0.0
