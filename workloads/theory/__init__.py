"""What should be measured: closed forms and mean-field theory; pure functions, each cited.

``gaussian``, ``initial``, ``meanfield``, ``layers``: wide nets at their start. ``quadratics``,
``batches``, ``gates``: descent, batch sizes, memory. ``nets`` and ``objectives`` apply them to
specs; ``symmetry``: which shifts a net commutes with. docs/theory.md has every formula, and where
it holds.
"""

from collections.abc import Callable

from ..records import Prediction
from ..spec import TrialSpec
from . import nets, objectives, symmetry

MODELS: dict[str, Callable[[TrialSpec], tuple[nets.Row, ...]]] = {
    "mlp": nets.layered,
    "convnet": nets.convolutional,
    "point": objectives.of_quadratic,
}
"""Model -> what theory says of it."""


def predictions(trial: TrialSpec) -> list[Prediction]:
    """What theory says for this trial, under the keys of the measurements.

    Nothing is said where an assumption does not hold. Nets are predicted once for all trials that
    differ only in what does not matter to them.
    """
    found = MODELS[trial.model.name](trial) if trial.model.name in MODELS else ()
    rows = (*found, *objectives.unstable(trial), *symmetry.exact(trial))
    return [Prediction(trial.trial_id, *row) for row in rows]
