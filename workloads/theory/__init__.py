"""What should be measured: closed forms and mean-field theory; pure functions, each cited."""

from ..records import Prediction
from ..spec import TrialSpec


def predictions(trial: TrialSpec) -> list[Prediction]:
    """What theory says for this trial, under the keys of the measurements."""
    del trial
    return []
