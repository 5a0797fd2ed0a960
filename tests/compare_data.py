"""Two small sweeps for the Compare page's tests, whose every number is known beforehand.

``one``: sgd and adam × two learning rates × six seeds. adam's configuration has a key beta1 that
sgd's lacks. Of adam at 0.01, seed 4 diverged and seed 5 failed; of adam at 0.1, seed 5 is still
under way. ``two``, of another team: momentum at 0.1, four seeds, and the first two trials of
``one`` again.
"""

import dataclasses
import json
from typing import Any

from talweg.storage.client import Client

from .storage_helpers import ending, sweep
from .storage_helpers import trials as trial_rows

ONE, TWO = "one-1", "two-2"
TEAM = "*stars* <b>&"
RECORDED = (0, 1, 2, 4, 8, 16, 32, 64)
CENTRE = {"sgd": 0.60, "adam": 0.80, "momentum": 0.70}
SPREAD = (0.0, 0.01, -0.01, 0.02, -0.02, 0.03)
LONG = 400
"""Recordings of each trial of momentum: more than a curve has points."""


@dataclasses.dataclass(frozen=True)
class Made:
    """One trial."""

    optimizer: str
    lr: float
    seed: int

    @property
    def trial_id(self) -> str:
        return f"{self.optimizer}-{self.lr}-{self.seed}"

    @property
    def outcome(self) -> str | None:
        special = {("adam", 0.01, 4): "diverged", ("adam", 0.01, 5): "failed"}
        if (self.optimizer, self.lr, self.seed) == ("adam", 0.1, 5):
            return None
        return special.get((self.optimizer, self.lr, self.seed), "done")

    @property
    def score(self) -> float:
        """The final test score; at the lower rate 0.1 less."""
        return CENTRE[self.optimizer] + SPREAD[self.seed] - (0.1 if self.lr < 0.1 else 0.0)

    @property
    def config(self) -> dict[str, Any]:
        own = {"beta1": 0.9} if self.optimizer == "adam" else {}
        optimizer = {"name": self.optimizer, "lr": self.lr, "clip_norm": None} | own
        return {"optimizer": optimizer, "model": {"name": "mlp"}, "seed": self.seed}

    @property
    def updates(self) -> list[int]:
        return list(range(LONG)) if self.optimizer == "momentum" else list(RECORDED)

    def steps(self) -> dict[str, list[Any]]:
        """Test scores rise in a line to the final one; a bump at update 201 of the long ones."""
        updates = self.updates
        share = [update / updates[-1] for update in updates]
        bump = {201: 5.0} if self.seed == 0 else {}
        return {
            "trial_id": [self.trial_id] * len(updates),
            "update": updates,
            "samples": [update * (1 if self.lr < 0.1 else 2) for update in updates],
            "gradient_evaluations": updates,
            "epoch": share,
            "lr": [self.lr] * len(updates),
            "train_loss": [2.0 - s for s in share],
            "test_score": [
                self.score * s + bump.get(u, 0.0) for u, s in zip(updates, share, strict=True)
            ],
        }


FIRST = [Made(o, lr, s) for o in ("sgd", "adam") for lr in (0.1, 0.01) for s in range(6)]
MORE = [Made("momentum", 0.1, seed) for seed in range(4)]


def fill(client: Client) -> None:
    """Both sweeps."""
    _register(client, sweep(ONE, name="one", team="red", owner="ada"), FIRST)
    _write(client, "w1", FIRST)
    second = sweep(TWO, name="two", team=TEAM, owner="ada")
    _register(client, second, [*FIRST[:2], *MORE])
    _write(client, "w2", MORE)
    for sweep_id in (ONE, TWO):
        client.set_status(sweep_id, "done")


def start(client: Client) -> None:
    """A sweep of which all trials are under way."""
    _register(client, sweep(ONE, name="one"), FIRST)
    ids = [trial.trial_id for trial in FIRST]
    client.begin("w", ids)
    for sequence, trial in enumerate(FIRST, start=1):
        client.append("w", sequence, {"steps": trial.steps()})


def _register(client: Client, row: dict[str, Any], made: list[Made]) -> None:
    ids = [trial.trial_id for trial in made]
    columns = {"config": [json.dumps(t.config) for t in made], "seed": [t.seed for t in made]}
    client.register(row, trial_rows(ids, **columns))


def _write(client: Client, writer: str, made: list[Made]) -> None:
    client.begin(writer, [trial.trial_id for trial in made])
    for sequence, trial in enumerate(made, start=1):
        summary = {
            "trial_id": [trial.trial_id],
            "metric": ["test_score"],
            "last": [trial.score],
            "best": [trial.score + 0.05],
        }
        probe = {
            "trial_id": [trial.trial_id] * 2,
            "update": [1, 64],
            "probe": ["p", "p"],
            "key": ["chi", "chi"],
            "value": [99.0, 1.0 + trial.seed],
        }
        records: dict[str, dict[str, Any]] = {
            "steps": trial.steps(),
            "summaries": summary,
            "probes": probe,
        }
        if trial.outcome:
            records["endings"] = ending([trial.trial_id], trial.outcome)
        client.append(writer, sequence, records)
