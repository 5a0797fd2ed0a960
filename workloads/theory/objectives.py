"""Predictions on quadratics, and of where full-batch descent of any loss becomes unstable."""

import functools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..objectivespecs import Point, Quadratic, QuadraticDeep
from ..optimizerspecs import Momentum, OptimizerPart, Sgd
from ..problems.objectives import deep_hessian
from ..spec import Batch, TrialSpec
from . import quadratics
from .nets import Row

TRUSTED = 0.05
"""Share of the variance that the order of samples may change where the draws' is predicted."""


def unstable(trial: TrialSpec) -> tuple[Row, ...]:
    """``sharpness_limit`` of full-batch descent: where the edge of stability is."""
    optimizer = trial.optimizer
    if not isinstance(trial.descent, Batch) or not _plain(optimizer) or trial.model.name == "gan":
        return ()
    limit = quadratics.sharpness_limit(optimizer.lr, **_momentum(optimizer))
    return (Row("sharpness_limit", None, limit - optimizer.weight_decay, "Cohen et al. 2021"),)


def of_quadratic(trial: TrialSpec) -> tuple[Row, ...]:
    """sharpness, smallest, and how descent goes; of quadratics only. See docs/theory.md."""
    spectrum = _spectrum(trial.problem)
    if not spectrum:
        return ()
    found = [
        Row("sharpness", None, max(spectrum), "eigenvalues"),
        Row("smallest", None, min(spectrum), "eigenvalues"),
    ]
    if _plain(trial.optimizer):
        found += _descent(trial, spectrum)
    return tuple(found)


def _descent(trial: TrialSpec, spectrum: Sequence[float]) -> Iterator[Row]:
    problem, optimizer = trial.problem, trial.optimizer
    kind = _momentum(optimizer)
    decay = optimizer.weight_decay
    largest = quadratics.largest_lr(max(spectrum) + decay, **kind)
    yield Row("largest_lr", None, largest, "Cohen et al. 2021")
    if not decay:
        yield Row("stability", None, optimizer.lr / largest, "Cohen et al. 2021")
    exact = isinstance(trial.descent, Batch) or getattr(problem, "gradient_noise", None) == 0
    if exact:
        factors = (
            quadratics.contraction(optimizer.lr, curvature + decay, **kind)
            for curvature in spectrum
        )
        yield Row("contraction", None, max(factors), "Polyak 1964")
        yield from _target(trial, spectrum)
    elif isinstance(problem, Quadratic) and optimizer.name != "nesterov":
        yield from _stationary(trial, problem)


def _target(trial: TrialSpec, spectrum: Sequence[float]) -> Iterator[Row]:
    """The update that meets a target of the loss, by gradient descent from (1, …, 1)."""
    target, optimizer, model = trial.target, trial.optimizer, trial.model
    if target is None or not target.falling or not isinstance(trial.problem, Quadratic):
        return
    # Of a part of noisy samples, the training loss is another function than f.
    other = target.metric == "train_loss" and trial.problem.gradient_noise > 0
    drawn = not isinstance(model, Point) or model.start != "given"
    if other or drawn or _momentum(optimizer)["momentum"]:
        return
    found = quadratics.updates_to_loss(target.value, optimizer.lr, spectrum, optimizer.weight_decay)
    if found is not None and found <= trial.budget_updates:
        yield Row("target_update", None, float(found), "(1 − ηλ)ᵗ")


def _stationary(trial: TrialSpec, problem: Quadratic) -> Iterator[Row]:
    """E ‖θ − θ*‖² where noise and contraction balance, with independent and shuffled draws."""
    optimizer, samples, batch = trial.optimizer, problem.samples, trial.batch_size
    lr, momentum = optimizer.lr, _momentum(optimizer)["momentum"]
    curvatures = [curvature + optimizer.weight_decay for curvature in problem.spectrum]
    independent = problem.gradient_noise**2 / batch
    each = [quadratics.stationary_variance(lr, c, independent, momentum) for c in curvatures]
    batches = samples // batch
    if batches < 2 or math.inf in each:
        return
    # What anticorrelated batches of an epoch take away: (σ/λ)²/(N − 1).
    less = [independent / c**2 / (batches - 1) / v for c, v in zip(curvatures, each, strict=True)]
    if max(less) <= TRUSTED:
        source = "Liu, Ziyin and Ueda 2021"
        yield Row("stationary_variance", None, math.fsum(each), source)
    if samples % batch == 0 and momentum == 0:
        noise = independent * (samples - batch) / samples
        exact = (quadratics.shuffled_variance(lr, c, noise, batches) for c in curvatures)
        yield Row("shuffled_variance", None, math.fsum(exact), "autoregression of order 1")


def _plain(optimizer: OptimizerPart) -> bool:
    """SGD with or without momentum, at a constant rate, nothing clipped."""
    kind = isinstance(optimizer, Sgd | Momentum)
    return kind and optimizer.schedule.name == "constant" and not optimizer.clips


def _momentum(optimizer: OptimizerPart) -> quadratics.Kind:
    momentum = float(getattr(optimizer, "momentum", 0.0))
    return {"momentum": momentum, "nesterov": optimizer.name == "nesterov"}


def _spectrum(problem: object) -> Sequence[float]:
    """The Hessian's eigenvalues; none where they are not constant."""
    if isinstance(problem, Quadratic):
        return problem.spectrum
    return _deep_spectrum() if isinstance(problem, QuadraticDeep) else ()


@functools.cache
def _deep_spectrum() -> tuple[float, ...]:
    return tuple(map(float, np.linalg.eigvalsh(deep_hessian())))
