"""Is a trial's gradient healthy? Judged by rule from one recording's numbers; torch-free.

Legend: K trials, L hidden layers. What is asked is the backward signal D_l = E‖δ_l‖²/n_l, never
the gradients of weights: in a net without biases ⟨W_l, ∂L/∂W_l⟩ is the same for every layer of a
homogeneous activation, so that they look flat while the signal vanishes. docs/verdicts.md has
every rule with its source.
"""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .health import Score, score
from .problems.shapes import Task
from .records import Verdict
from .spec import TrialSpec
from .theory import predictions
from .verdictnumbers import Array, Columns, Seen
from .verdictspecs import Thresholds
from .verdictwords import ADVICE, Facts, Health, sentence


class Found(NamedTuple):
    """What one rule says of K trials: whether it applies, and to which layer (0: the whole net)."""

    health: Health
    where_K: Array
    layer_K: Array


class Judge:
    """The verdicts of one pack; trials go by their positions in it."""

    def __init__(self, trials: Sequence[TrialSpec], layers: Sequence[str]) -> None:
        self.trials, self.layers = trials, layers
        self.limits: Thresholds = trials[0].record.verdict
        self.words = np.full(len(trials), "", dtype=object)
        self.untrained = np.full(len(trials), np.nan)

    def look(self, places: Array, update: int, columns: Columns, *, last: bool) -> list[Verdict]:
        """Verdicts of the trials at ``places``: at update 0, at the end, and where they change.

        Args:
            places: positions of K trials.
            update: of the recording.
            columns: its columns with layers, (K,) each, in the order of ``places``.
            last: whether the budget ends here.
        """
        if update == 0:
            self.untrained[places] = columns["train_loss"]
        seen = Seen(columns, len(self.layers), self._skips())
        rules = list(self._rules(seen, columns, self.untrained[places]))
        found: list[Verdict] = []
        for i, place in enumerate(places.tolist()):
            rule = next((r for r in rules if r.where_K[i]), None)
            health = Health.HEALTHY if rule is None else rule.health
            if update and not last and health == self.words[place]:
                continue
            self.words[place] = str(health)
            layer = int(rule.layer_K[i]) if rule is not None else 0
            found.append(self._verdict(place, update, health, layer, self._facts(seen, place, i)))
        return found

    def diverged(self, place: int, update: int) -> Verdict:
        """The last verdict of a trial whose loss left all bounds."""
        facts = Facts({"before": self.words[place] or None})
        return self._verdict(place, update, Health.DIVERGED, 0, facts)

    def state(self, places: Array) -> dict[str, Array]:
        """All that the coming verdicts of the trials at ``places`` depend on."""
        order = ["", *Health]
        codes = np.array([order.index(word) for word in self.words[places]], dtype=np.int64)
        return {"verdict": codes, "untrained_loss": self.untrained[places]}

    def restore(self, known: Columns) -> None:
        """Go on from :meth:`state`; the trials are those of its places, in their order."""
        order = ["", *map(str, Health)]
        self.words = np.array([order[code] for code in known["verdict"]], dtype=object)
        self.untrained = known["untrained_loss"].copy()

    def _skips(self) -> bool:
        return bool(getattr(self.trials[0].model, "residual", False))

    def _rules(self, seen: Seen, columns: Columns, untrained_K: Array) -> Iterator[Found]:
        """Every rule, the one that counts first."""
        limits = self.limits
        yield _most(Health.DEAD, seen.dead_LK, limits.dead)
        yield _most(Health.SATURATED, seen.saturated_LK, limits.saturated)
        share_LK = seen.share_LK
        yield _least(Health.VANISHING, share_LK, limits.vanishing)
        yield _least(Health.VANISHING, seen.separation_LK, limits.separation)
        yield _most(Health.EXPLODING, seen.relative_LK, limits.exploding)
        yield _most(Health.UNSTABLE, seen.size_LK, limits.update_ratio)
        whole = np.zeros(len(untrained_K), dtype=int)
        for name, limit in (
            ("gradients/overshoot", limits.overshoot),
            ("curvature/stability", limits.stability),
        ):
            if name in columns:
                yield Found(Health.UNSTABLE, columns[name] > limit, whole)
        # What two players' losses do says nothing of whether they learn.
        if self.trials[0].problem.task != Task.GENERATION:
            jumped_K = columns["train_loss"] > limits.loss_jump * np.abs(untrained_K)
            yield Found(Health.UNSTABLE, jumped_K, whole)

    def _facts(self, seen: Seen, place: int, i: int) -> Facts:
        trial = self.trials[place]
        facts = seen.facts(i)
        facts |= {"chi_predicted": _predicted(trial)}
        told = score(trial, {name: float(column[i]) for name, column in seen.columns.items()})
        facts |= {"score": None, "terms": None} if told is None else _told(told)
        facts |= {"untrained_loss": float(self.untrained[place])}
        return Facts(facts)

    def _verdict(
        self, place: int, update: int, health: Health, layer: int, facts: Facts
    ) -> Verdict:
        name = self.layers[layer - 1] if layer else None
        evidence = facts.evidence() | {"advice": ADVICE[health]}
        return Verdict(
            trial_id=self.trials[place].trial_id,
            update=update,
            verdict=str(health),
            layer=layer or None,
            reason=f"{sentence(health, name, facts, update)} {ADVICE[health]}".strip(),
            evidence=json.dumps(evidence),
        )


def _most(health: Health, values_LK: Array, limit: float) -> Found:
    """Where the largest value of a trial reaches a limit, and in which layer it is."""
    filled_LK = np.where(np.isnan(values_LK), -np.inf, values_LK)
    if not len(filled_LK):
        return _nowhere(health, values_LK)
    layer_K = filled_LK.argmax(0)
    return Found(health, np.asarray((filled_LK >= limit).any(0)), layer_K + 1)


def _least(health: Health, values_LK: Array, limit: float) -> Found:
    """Where a value falls below a limit, and in which layer first, from the output."""
    below_LK = values_LK < limit
    if not len(below_LK):
        return _nowhere(health, values_LK)
    layer_K = len(below_LK) - below_LK[::-1].argmax(0)
    return Found(health, np.asarray(below_LK.any(0)), layer_K)


def _nowhere(health: Health, values_LK: Array) -> Found:
    k = values_LK.shape[1]
    return Found(health, np.zeros(k, dtype=bool), np.zeros(k, dtype=int))


def _predicted(trial: TrialSpec) -> float | None:
    """χ of the net: the factor of its slope where theory has one, else of infinite depth."""
    rows = {row.key: row.value for row in predictions(trial) if row.layer is None}
    value = rows.get("chi_net", rows.get("chi"))
    return None if value is None or not math.isfinite(value) else value


def _told(found: Score) -> dict[str, Any]:
    return {"score": found.value, "terms": found.terms}
