"""The losses of problems whose targets are numbers, probabilities or pixels; torch-free."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .lossparts import LossPart
from .parts import Positive, Share
from .problems.shapes import Task


class _Regression(LossPart):
    """A loss of the differences between outputs and targets."""

    tasks: ClassVar[tuple[Task, ...]] = (Task.REGRESSION,)


class PlainRegression(_Regression):
    """Mean squared error (without a ½), mean absolute error, or log cosh of the error."""

    name: Literal["mse", "mae", "log_cosh"]


class Huber(_Regression):
    """Half the squared error of small errors, straight lines beyond."""

    name: Literal["huber"]
    delta: Positive = Field(default=1.0, description="error from which it is a straight line")


class Quantile(_Regression):
    """Absolute error, weighted by its sign."""

    name: Literal["quantile"]
    tau: Share = Field(default=0.5, description="the quantile: weight of targets that lie above")


class KlDivergence(LossPart):
    """Kullback–Leibler divergence between the softmax of the outputs and the targets, in nats."""

    tasks: ClassVar[tuple[Task, ...]] = (Task.DISTRIBUTION,)

    name: Literal["kl_divergence"]
    direction: Literal["forward", "reverse"] = Field(
        default="forward",
        description="forward: KL(targets‖outputs); reverse: KL(outputs‖targets)",
    )
    temperature: Positive = Field(default=1.0, description="what the outputs are divided by")


class _Regions(LossPart):
    """A loss of overlapping regions."""

    tasks: ClassVar[tuple[Task, ...]] = (Task.SEGMENTATION,)

    smooth: Positive = Field(default=1.0, description="added to dividend and divisor, in pixels")


class Overlap(_Regions):
    """1 − Dice coefficient, or 1 − intersection over union, with probabilities for pixels."""

    name: Literal["dice", "iou"]


class DiceCrossEntropy(_Regions):
    """Dice loss and pixel cross-entropy, weighted."""

    name: Literal["dice_cross_entropy"]
    dice_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5, description="weight w of the Dice loss; the cross-entropy has 1 − w"
    )


VALUE_LOSSES = (PlainRegression, Huber, Quantile, KlDivergence, Overlap, DiceCrossEntropy)
ValueLoss = PlainRegression | Huber | Quantile | KlDivergence | Overlap | DiceCrossEntropy
