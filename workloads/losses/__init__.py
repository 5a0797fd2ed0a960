"""Losses by name: what is minimised, what counts as the score, and what else is measured.

K trials, B samples. Adding one: its spec in ``lossspecs``, functions beside these, a row here.
"""

from collections.abc import Callable
from typing import Any

from ..problems.shapes import Task
from . import adversarial, classification, evidence, regression, segmentation
from .classification import accuracy
from .criterion import Criterion, Values
from .distribution import agreement, kl_divergence
from .embedding import contrastive, triplet
from .objective import depth, objective
from .regression import r_squared
from .retrieval import mean_average_precision, recall_at_1

__all__ = ["CRITERIA", "Criterion", "Values", "criterion_of"]


def _game(name: str) -> Callable[[Any], Criterion]:
    """The criterion of one adversarial loss."""

    def criterion(spec: Any) -> Criterion:
        players = adversarial.GAMES[name](spec)
        return Criterion(
            adversarial.game(*players), adversarial.coverage, adversarial.measures(players[1])
        )

    return criterion


def _evidence(spec: Any) -> Criterion:
    """The criterion of the evidence lower bound; the score is the bound, whatever β."""
    bernoulli = spec.likelihood == "bernoulli"
    reconstruction = evidence.bernoulli if bernoulli else evidence.gaussian(spec.deviation)
    measures = {"reconstruction": reconstruction, "kl": evidence.divergence}
    return Criterion(
        evidence.minus_elbo(reconstruction, spec.beta),
        evidence.mean_of(evidence.minus_elbo(reconstruction, 1.0), -1),
        {name: evidence.mean_of(values) for name, values in measures.items()},
    )


def _masks(loss: Values) -> Criterion:
    """The criterion of a segmentation loss."""
    measures = {"iou": segmentation.hard_iou, "dice": segmentation.hard_dice}
    return Criterion(loss, segmentation.hard_iou, measures)


def _neighbours(loss: Values, spec: Any) -> Criterion:
    """The criterion of an embedding loss."""
    recall = recall_at_1(normalize=spec.normalize)
    precision = mean_average_precision(normalize=spec.normalize)
    return Criterion(loss, recall, {"recall_at_1": recall, "mean_average_precision": precision})


CRITERIA: dict[str, Callable[[Any], Criterion]] = {
    "cross_entropy": lambda spec: Criterion(
        classification.smoothed_cross_entropy(spec.label_smoothing), accuracy
    ),
    "binary_cross_entropy": lambda _: Criterion(classification.binary_cross_entropy, accuracy),
    "hinge": lambda spec: Criterion(classification.hinge(spec.multiclass), accuracy),
    "squared_error": lambda _: Criterion(classification.squared_error, accuracy),
    "focal": lambda spec: Criterion(classification.focal(spec.gamma), accuracy),
    "contrastive": lambda spec: _neighbours(
        contrastive(spec.margin, normalize=spec.normalize), spec
    ),
    "triplet": lambda spec: _neighbours(
        triplet(spec.margin, spec.mining, normalize=spec.normalize), spec
    ),
    "mse": lambda _: Criterion(regression.mse, r_squared),
    "mae": lambda _: Criterion(regression.mae, r_squared),
    "huber": lambda spec: Criterion(regression.huber(spec.delta), r_squared),
    "log_cosh": lambda _: Criterion(regression.log_cosh, r_squared),
    "quantile": lambda spec: Criterion(regression.quantile(spec.tau), r_squared),
    "kl_divergence": lambda spec: Criterion(
        kl_divergence(spec.direction, spec.temperature), agreement
    ),
    "dice": lambda spec: _masks(segmentation.dice(spec.smooth)),
    "iou": lambda spec: _masks(segmentation.iou(spec.smooth)),
    "dice_cross_entropy": lambda spec: _masks(
        segmentation.dice_cross_entropy(spec.smooth, spec.dice_weight)
    ),
    "objective": lambda _: Criterion(objective, depth),
    "elbo": _evidence,
    **{name: _game(name) for name in adversarial.GAMES},
}
"""Name of a loss -> what its spec comes to."""

OF_TASK: dict[tuple[str, Task], Callable[[Any], Criterion]] = {
    ("binary_cross_entropy", Task.SEGMENTATION): lambda _: _masks(segmentation.pixel_cross_entropy),
}
"""Name of a loss and a task for which it comes to something else."""


def criterion_of(spec: Any, task: Task) -> Criterion:
    """What the loss of a trial comes to for problems of its task."""
    return OF_TASK.get((spec.name, task), CRITERIA[spec.name])(spec)
