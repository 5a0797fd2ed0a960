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
from pathlib import Path
from typing import TYPE_CHECKING

from .compiled import SUFFIX, CompiledStep, compile_step, key
from .options import Compile, Options, cpp_compiler
from .packs import shape_key
from .spec import TrialSpec

if TYPE_CHECKING:
    from .engine import Stack

COMPILE_SECONDS = 12.0
"""What a cold compilation takes, about (benchmarks/reports)."""


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
        self.ordered = False
        if self.folder is None:
            return
        content = f"{shape_key(trials[0])}|{sorted(stack.settings)}|{[*stack.train.x.shape]}"
        self.artefact = self.folder / f"{key(content)}{SUFFIX}"
        self.ledger = self.artefact.with_suffix(".seconds")
        self.spent = _seconds(self.ledger)
        if options.compile is Compile.ALWAYS and cpp_compiler():
            compile_once(stack, self.artefact, wait=True)
        self.look()

    def look(self) -> None:
        """Switch the stack over when its artefact is there; order it once that pays."""
        if self.folder is None or self.stack.fast is not None:
            return
        if self.artefact.exists():
            self.stack.fast = CompiledStep(self.artefact)
        elif (
            not self.ordered
            and self.spent + self.stack.seconds > COMPILE_SECONDS
            and cpp_compiler()
        ):
            self._order()

    def close(self) -> None:
        """Add the time spent eagerly to the shape's account."""
        if self.folder is not None and self.stack.fast is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.ledger.write_text(f"{_seconds(self.ledger) + self.stack.seconds:.3f}")

    def _order(self) -> None:
        """Compile in a process of low priority, which outlives this pack if it must."""
        self.ordered = True
        data = self.stack.data
        request = {
            "artefact": str(self.artefact),
            "trials": [trial.model_dump_json() for trial in self.trials],
            "samples": len(data.x_train),
            "features": data.features,
            "classes": data.classes,
        }
        child = subprocess.Popen(
            [sys.executable, "-m", "talweg.workloads.compile_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert child.stdin is not None
        child.stdin.write(json.dumps(request).encode())
        child.stdin.close()


def compile_once(stack: "Stack", artefact: Path, *, wait: bool) -> None:
    """Compile a stack's step unless it is there, or (without ``wait``) another process is at it."""
    with _locked(artefact, wait=wait) as held:
        if held and not artefact.exists():
            compile_step(stack.step, stack.inputs(), artefact)


@contextlib.contextmanager
def _locked(artefact: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the artefact's lock; False when another process holds it and we do not wait."""
    artefact.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with artefact.with_suffix(".lock").open("w") as lock:
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
