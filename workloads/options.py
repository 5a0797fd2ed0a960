"""How packs are trained, without any influence on their numbers beyond rounding; torch-free."""

import enum
import shutil
from dataclasses import dataclass
from pathlib import Path


class Compile(enum.StrEnum):
    """Whether packs may run a compiled step: when it pays, always, or never."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True)
class Options:
    """What the engine is told beside the trials and their data."""

    node: str = ""
    """Name of this machine, for the rows."""
    device: str = "cpu"
    """Where to train, as torch names it; ``auto`` is settled before an engine sees it."""
    gpu_share: float | None = None
    """Share of a GPU's memory that a pack may take; None: all of it."""
    flush_seconds: float = 1.0
    """How long rows may wait before they are handed to the sink."""
    compile: Compile = Compile.AUTO
    readings: int | None = None
    """Readings that may be on their way from the device at once; None: what suits it."""
    steps_folder: Path | None = None
    """Where compiled steps are kept; None: none are used or made."""
    checkpoints_folder: Path | None = None
    """Where long packs leave checkpoints; None: they start over after a kill."""
    checkpoint_seconds: float = 60.0
    """Time between two checkpoints of a pack."""


def cpp_compiler() -> str | None:
    """The C++ compiler that steps would be compiled with; None: they are not compiled."""
    return next(filter(None, map(shutil.which, ("g++", "c++", "clang++"))), None)
