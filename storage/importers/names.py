"""What names of other tools mean here: the table of metrics, and that of settings.

Names are compared in lower case, with every run of other signs as one underscore, so that
``train/Loss``, ``train.loss`` and ``train-loss`` are ``train_loss``. Where a run has several
names of one column, the first of the table takes it; the others stay what they are.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ...workloads.records import columns_of
from ..wire import nearest
from .runs import Unfit

METRICS: Mapping[str, tuple[str, ...]] = {
    "train_loss": (
        "train_loss", "training_loss", "loss_train", "loss_training", "train_losses",
        "train_epoch_loss", "train_loss_epoch", "epoch_loss", "loss",
    ),
    "test_loss": (
        "test_loss", "loss_test", "test_losses", "test_epoch_loss", "test_loss_epoch",
        "val_loss", "valid_loss", "validation_loss", "eval_loss", "loss_val", "loss_valid",
        "loss_validation", "validation_epoch_loss", "val_epoch_loss", "val_loss_epoch",
    ),
    "train_score": (
        "train_accuracy", "train_acc", "training_accuracy", "accuracy_train", "acc_train",
        "train_accuracies", "train_epoch_accuracy", "train_acc_epoch", "epoch_accuracy",
        "train_score", "accuracy", "acc",
    ),
    "test_score": (
        "test_accuracy", "test_acc", "accuracy_test", "acc_test", "test_accuracies",
        "test_epoch_accuracy", "test_acc_epoch", "test_score", "val_accuracy", "val_acc",
        "valid_accuracy", "validation_accuracy", "eval_accuracy", "accuracy_val", "acc_val",
        "validation_epoch_accuracy", "val_epoch_accuracy", "val_acc_epoch",
    ),
    "lr": ("lr", "learning_rate", "train_lr", "train_learning_rate", "optimizer_lr"),
    "epoch": ("epoch", "epochs", "train_epoch", "current_epoch"),
    "grad_norm": ("grad_norm", "train_grad_norm", "gradient_norm"),
}  # fmt: skip
"""Column of ``steps`` -> the names that stand for it, the first found taking it."""

TARGETS = tuple(set(columns_of("steps")) - {"trial_id", "gradient_evaluations"})
"""The columns that a person may name: ``update`` takes the place of the tool's own step.

Gradient evaluations are not among them: they are the samples, one gradient each.
"""

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "optimizer.lr": ("lr", "learning_rate", "optimizer_lr", "base_lr"),
    "optimizer.name": ("optimizer", "optimizer_name", "optim"),
    "optimizer.momentum": ("momentum", "optimizer_momentum"),
    "optimizer.weight_decay": ("weight_decay", "optimizer_weight_decay"),
    "descent.batch_size": ("batch_size", "train_batch_size"),
    "problem.name": ("dataset", "dataset_name", "testproblem", "problem"),
    "model.name": ("model", "model_name", "architecture", "arch"),
    "model.depth": ("depth",),
    "model.width": ("width",),
    "model.activation": ("activation", "activation_function"),
    "loss.name": ("loss", "loss_function", "loss_fn", "criterion"),
    "seed": ("seed", "random_seed", "manual_seed"),
}
"""Path in ``trials.config``, as trials of talweg have it -> the hyperparameters that it takes."""

SAMPLES = ("train_samples", "num_train_samples", "training_samples", "train_size")
"""Hyperparameters that say how many samples an epoch has."""

MOST_TEXT = 1000
"""Characters of a setting, and settings of a run, that are kept."""

_OTHER = re.compile(r"[^a-z0-9]+")


class Mapped(NamedTuple):
    """The settings of a run: ``config`` as trials have it, and the values of its columns."""

    config: dict[str, Any]
    values: dict[str, Any]
    samples: int | None


def plain(name: str) -> str:
    """A name as it is compared."""
    return _OTHER.sub("_", name.lower()).strip("_")


def chosen(given: Iterable[str]) -> dict[str, str]:
    """THEIRS=OURS as a person says it: column -> name; raises Unfit for unknown columns."""
    found: dict[str, str] = {}
    for pair in given:
        theirs, _, ours = pair.rpartition("=")
        if not theirs:
            raise Unfit(
                f"--metric {pair!r} is not of the form THEIRS=OURS, as in val/f1=test_score"
            )
        if ours not in TARGETS:
            raise Unfit(f"--metric {pair!r}: steps has no column {ours!r}{nearest(ours, TARGETS)}")
        found[ours] = theirs
    return found


def columns(keys: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """Column of ``steps`` -> which of the tool's names fills it. What a person said comes first."""
    every = list(keys)
    found = {ours: theirs for ours, theirs in given.items() if theirs in every}
    free = {plain(key): key for key in sorted(every, reverse=True) if key not in found.values()}
    for ours, names in METRICS.items():
        if ours not in given and (fit := next((n for n in names if n in free), None)):
            found[ours] = free[fit]
    return found


def mapped(settings: Mapping[str, Any], kind: str) -> Mapped:
    """Hyperparameters where trials of talweg have theirs; the rest as ``hyperparameters``."""
    left = {str(key): _short(value) for key, value in list(settings.items())[:MOST_TEXT]}
    config: dict[str, Any] = {"imported": {"from": kind}}
    values: dict[str, Any] = {}
    for path, names in SETTINGS.items():
        fits = (key for name in names for key in left if plain(key) == name)
        key = next((key for key in fits if _is_scalar(left[key])), None)
        if key is not None:
            values[path] = left.pop(key)
            section, _, part = path.partition(".")
            if part:
                config.setdefault(section, {})[part] = values[path]
            else:
                config[section] = values[path]
    counts = (left[key] for name in SAMPLES for key in left if plain(key) == name)
    samples = next((count for count in counts if whole(count, 1)), None)
    # Names become parts of paths into the JSON, by which pages group.
    rest = {plain(key)[:MOST_TEXT] or "unnamed": value for key, value in left.items()}
    if rest:
        config["hyperparameters"] = rest
    return Mapped(config, values, samples)


def whole(value: object, least: int = 0, most: int = 2**63 - 1) -> bool:
    """Whether the value is an integer between the two."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _short(value: Any) -> Any:
    """A setting as JSON has it, cut where it is long; numbers that JSON has not as words."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float) and abs(value) <= 1e300:
        return value
    return (value if isinstance(value, str) else json.dumps(value, default=str))[:MOST_TEXT]
