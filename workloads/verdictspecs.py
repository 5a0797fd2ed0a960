"""From where on a trial counts as unhealthy; torch-free. docs/verdicts.md says why."""

from pydantic import Field

from .parts import NonNegative, Part, Positive


class Thresholds(Part):
    """Each is a limit of one number of a recording."""

    vanishing: NonNegative = Field(
        default=1e-3,
        description="vanishing: share of the last hidden layer's backward signal that reaches "
        "the first one, below this",
    )
    exploding: Positive = Field(
        default=1e5, description="exploding: the same share, above this; with skips relative to q"
    )
    separation: NonNegative = Field(
        default=1e-4,
        description="vanishing: share of E‖h‖² of a hidden layer that differs between samples, "
        "below this",
    )
    dead: Positive = Field(
        default=0.9, le=1, description="dead: share of a layer's units that are dead, from this"
    )
    saturated: Positive = Field(
        default=0.5, le=1, description="saturated: share of a layer's outputs, from this"
    )
    overshoot: Positive = Field(
        default=1.1,
        description="unstable: what the first update's decrease of the loss falls short of its "
        "gradient's promise, as a share of that, above this",
    )
    update_ratio: Positive = Field(
        default=1.0, description="unstable: an update of a layer over its weights, above this"
    )
    stability: Positive = Field(
        default=1.2, description="unstable: λη/2 of probe curvature, above this"
    )
    loss_jump: Positive = Field(
        default=3.0, description="unstable: training loss over the untrained net's, above this"
    )
