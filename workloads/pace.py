"""When a step is worth compiling, and where the compiling happens.

Renting or buying (Karlin et al. 1988, competitive snoopy caching): a shape trains from tapes
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

from .compiled import CompiledUpdate, batch_of, compile_update, key
from .options import Compile, Options, cpp_compiler
from .packs import shape_key
from .spec import TrialSpec
from .updaters import Taped

if TYPE_CHECKING:
    from .stack import Stack

COMPILE_SECONDS = 10.0
OPERATION_SECONDS = 0.4
"""About what a cold compilation takes, and more for each operation of an update; the rule needs
only the order of magnitude."""


class Pace:
    """Gives a stack its compiled step as soon as there is one, and has it made when it pays.

    The folder keeps the artefacts by shape of trial, code, torch and processor. It must be the
    user's own, because what lies there is loaded as code.
    """

    def __init__(self, trials: Sequence[TrialSpec], stack: "Stack", options: Options) -> None:
        suits = stack.device.type == "cpu" and stack.model.tapeable and stack.model.compilable
        wanted = suits and options.compile is not Compile.NEVER
        self.trials, self.stack = trials, stack
        self.folder = options.steps_folder if wanted else None
        self.ordered = self.compiled = False
        if self.folder is None:
            return
        content = f"{shape_key(trials[0])}|{sorted(stack.settings)}|{[*stack.train.x.shape]}"
        self.kept = Kept(self.folder, key(content))
        self.spent = _seconds(self.kept.ledger)
        if options.compile is Compile.ALWAYS and cpp_compiler():
            self.kept.make(stack, wait=True)

    def look(self) -> None:
        """Switch the stack over when its compiled step is there; order it once that pays."""
        if self.folder is None or self.compiled:
            return
        if self.kept.update.exists():
            self.switch()
        elif not self.ordered and self._rent() > self._price() and cpp_compiler():
            # One compilation at a time on a machine: they would take its cores from training.
            with alone(self.folder) as free:
                self.ordered = free
            if self.ordered:  # not before the lock is let go: the child takes it
                self._order()

    def switch(self) -> None:
        """Let the stack run its compiled step."""
        stack = self.stack
        batch = batch_of(self.trials[0], stack.train)
        stack.updater = CompiledUpdate(self.kept.update, stack.eager(), stack.plain(), batch)
        self.compiled = True

    def close(self) -> None:
        """Add the time spent without a compiled step to the shape's account."""
        if self.folder is not None and not self.compiled:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.kept.ledger.write_text(f"{self._rent():.3f}")

    def _price(self) -> float:
        """Seconds that compiling this shape's update may take."""
        updater = self.stack.updater
        operations = updater.operations if isinstance(updater, Taped) else 0
        return COMPILE_SECONDS + OPERATION_SECONDS * operations

    def _rent(self) -> float:
        """Seconds that packs of this shape spent without a compiled step, this one included."""
        return self.spent + self.stack.seconds

    def _order(self) -> None:
        """Compile in a process of low priority, which outlives this pack if it must.

        Shapes go there as text, nothing is pickled; the child detaches and this call returns.
        """
        data = self.stack.data
        request = {
            "folder": str(self.kept.folder),
            "name": self.kept.name,
            "trials": [trial.model_dump_json() for trial in self.trials],
            "train": len(data.x_train),
            "test": len(data.x_test),
            "features": data.features,
            "targets": [data.y_train.dtype.str, list(data.y_train.shape[1:])],
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
class Kept:
    """The files of one shape in the folder of compiled steps."""

    folder: Path
    name: str

    @property
    def update(self) -> Path:
        """The compiled update."""
        return self.folder / f"{self.name}.pt2"

    @property
    def ledger(self) -> Path:
        """Seconds that all packs of this shape spent without a compiled step."""
        return self.folder / f"{self.name}.seconds"

    def make(self, stack: "Stack", *, wait: bool) -> None:
        """Compile what is not there; without ``wait``, leave it to a process that is at it."""
        with _locked(self.folder / f"{self.name}.lock", wait=wait) as held:
            if held and not self.update.exists():
                pack = (stack.params, stack.state, stack.settings)
                batch = batch_of(stack.trials[0], stack.train)
                compile_update(stack.step, *pack, batch, stack.example(), self.update)


def alone(folder: Path) -> contextlib.AbstractContextManager[bool]:
    """Be the one process that compiles for a folder; False when another one is at it."""
    return _locked(folder / "compiling.lock", wait=False)


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
    """Time that all packs of a shape spent uncompiled; 0 where nothing (readable) is noted."""
    try:
        return float(ledger.read_text())
    except (OSError, ValueError):
        return 0.0
