"""What verdicts say: their words, a sentence for each, and what to try; torch-free."""

import enum
import math
from collections.abc import Mapping
from typing import Any


class Health(enum.StrEnum):
    """The words of the column ``verdict``."""

    HEALTHY = "healthy"
    VANISHING = "vanishing"
    EXPLODING = "exploding"
    DEAD = "dead"
    SATURATED = "saturated"
    UNSTABLE = "unstable"
    DIVERGED = "diverged"


ADVICE: Mapping[Health, str] = {
    Health.HEALTHY: "",
    Health.VANISHING: "Try an initialisation with χ near 1 (he for relu, orthogonal or xavier for "
    "tanh), a norm, skips, or fewer layers.",
    Health.EXPLODING: "Try skips, fewer layers, smaller initial weights, or a clipped gradient; "
    "batch norm without skips explodes by itself.",
    Health.DEAD: "Try a smaller learning rate, leaky_relu or elu, a norm, or other initial "
    "weights.",
    Health.SATURATED: "Try smaller initial weights, a norm, or an activation that is not bounded.",
    Health.UNSTABLE: "Try a smaller learning rate, warm-up, or a clipped gradient.",
    Health.DIVERGED: "Try a smaller learning rate, warm-up, or a clipped gradient.",
}
FLAT = 100.0
"""Gradients of weights within this factor of each other look alike in any chart."""


class Facts:
    """The numbers behind one verdict."""

    def __init__(self, numbers: Mapping[str, Any]) -> None:
        self.numbers = numbers

    def __getitem__(self, name: str) -> Any:
        return self.numbers.get(name)

    def evidence(self) -> dict[str, Any]:
        """For JSON: numbers with six digits, None where there is none."""
        return {name: _plain(value) for name, value in self.numbers.items()}

    def says(self, name: str) -> str:
        """A number for a sentence."""
        value = self[name]
        unknown = value is None or (isinstance(value, float) and math.isnan(value))
        return "unknown" if unknown else f"{value:.3g}"


def sentence(health: Health, layer: str | None, facts: Facts, update: int) -> str:
    """Why, with the measured numbers and what was predicted."""
    match health:
        case Health.HEALTHY:
            return _healthy(facts)
        case Health.DEAD:
            return f"{facts.says('dead_share')} of the units of {layer} are 0 on every sample."
        case Health.SATURATED:
            return f"{facts.says('saturated_share')} of the outputs of {layer} are saturated."
        case Health.VANISHING:
            return _vanishing(layer, facts)
        case Health.EXPLODING:
            return f"The backward signal grows towards the input: {_chain(facts)}."
        case Health.UNSTABLE:
            return _unstable(layer, facts, update)
        case Health.DIVERGED:
            before = facts["before"]
            said = f" It was called {before} before." if before else ""
            return f"The loss left all bounds at update {update}.{said}"


def _chain(facts: Facts, *, arrives: bool = False) -> str:
    """How the signal changes, the prediction beside it, and what the weights' gradients show."""
    predicted = facts["chi_predicted"]
    theory = "" if predicted is None else f" (theory: {predicted:.3g})"
    factor = f", a factor of {facts.says('chi')} per layer{theory}" if facts["chi"] else ""
    ratio, share = facts["weight_gradient_ratio"], facts["backward_share"]
    flat = ratio is not None and 1 / FLAT < ratio < FLAT
    blind = (
        ", and would look healthy" if flat and not arrives and not 1 / FLAT < share < FLAT else ""
    )
    return (
        f"the first hidden layer gets {facts.says('backward_share')} of the last one's{factor}; "
        f"gradients of weights differ by a factor of {facts.says('weight_gradient_ratio')}{blind}"
    )


def _healthy(facts: Facts) -> str:
    if facts["backward_share"] is None:
        return "Nothing is wrong that a recording shows."
    told = f"The backward signal arrives: {_chain(facts, arrives=True)}."
    terms = facts["terms"]
    if terms and (terms["movement"] or 0.0) < 0:
        told += " But at this learning rate the first layer hardly moves within the budget."
    return told


def _vanishing(layer: str | None, facts: Facts) -> str:
    signal = f"The backward signal is lost before {layer}: {_chain(facts)}."
    share, apart = facts["backward_share"], facts["separation"]
    if apart is not None and (share is None or not share < apart):
        return (
            f"Inputs come to look alike: in {layer} only {apart:.3g} of the mean square differs "
            "between samples."
        )
    return signal


def _unstable(layer: str | None, facts: Facts, update: int) -> str:
    if layer is not None:
        return (
            f"One update changes {layer} by {facts.says('update_ratio')} times its weights' norm."
        )
    parts = {
        "overshoot": "the first update misses what its gradient promises by a factor of",
        "stability": "λη/2 is",
        "train_loss": "the training loss is",
    }
    known = [
        f"{words} {facts.says(name)}" for name, words in parts.items() if facts[name] is not None
    ]
    return f"The learning rate is too large at update {update}: {', '.join(known)}."


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
