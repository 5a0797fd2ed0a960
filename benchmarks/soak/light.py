"""The light part of the soak: scenes of made-up trials, and a fault every now and then."""

import random
import time
from pathlib import Path

from . import checks
from .faults import FAULTS, Fault
from .scene import InVain, Scene, scene
from .tally import Tally

PAUSE_S = (0.05, 0.6)
"""Between two faults, at random: also while store and writers have not come back yet."""
MOST_BROKEN = 3
"""Problems after which a scene is given up."""


def run(
    folder: Path, chance: random.Random, kills: int, tally: Tally, *, served: bool, trials: int
) -> None:
    """Disturb one scene until so many kills were survived, then let it finish and look.

    ``trials`` are registered at a time.
    """
    with scene(folder, chance, served=served, trials=trials) as stage:
        try:
            _disturb(stage, kills, tally)
            stage.finish()
            stage.problems += checks.final(stage)
            tally.trials += len(stage.trials)
        except InVain as error:
            stage.problems.append(str(error))
        if stage.problems:
            stage.problems.append(stage.last_words())
        tally.problems += stage.problems


def _disturb(stage: Scene, kills: int, tally: Tally) -> None:
    goal = tally.kills + kills
    known = {n: f for n, f in FAULTS.items() if (f.served if stage.served else f.embedded)}
    while tally.kills < goal and len(stage.problems) < MOST_BROKEN:
        if not stage.tend():
            stage.grow()
        time.sleep(stage.chance.uniform(*PAUSE_S))
        (name,) = stage.chance.choices([*known], [f.weight for f in known.values()])
        _strike(stage, name, known[name], tally)


def _strike(stage: Scene, name: str, fault: Fault, tally: Tally) -> None:
    if not fault.happen(stage):
        return
    tally.survived(name, kills=fault.kills)
    if fault.kills and not stage.is_away:
        found = checks.broken(stage)
        stage.problems += [f"after {name}: {trial}: {what}" for trial, what in found]
