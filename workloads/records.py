"""The rows that leave a trial: one dataclass per table, units in the names, torch-free.

These classes are the only list of columns in the project. The engine fills *columns*
(``{"steps": {"trial_id": [...], "update": [...], ...}}``), the store derives its Arrow
schemas from the annotations, and a test holds the SQL tables against them.

``None`` means "not measured here" and becomes SQL NULL: never a zero, never a NaN.
"""

import dataclasses
import datetime
import enum
from collections.abc import Mapping
from typing import Any

Columns = Mapping[str, Any]
"""One table's columns: equally long sequences (lists or 1-D numpy arrays)."""

Records = Mapping[str, Columns]
"""What one flush carries: table name -> columns. Missing columns are NULL."""


class Outcome(enum.StrEnum):
    """How a trial ended. Divergence is a result, not an exception."""

    DONE = "done"
    REACHED_TARGET = "reached_target"
    DIVERGED = "diverged"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINISHED = (Outcome.DONE, Outcome.REACHED_TARGET, Outcome.DIVERGED)
"""Outcomes that are results: such a trial is reused, never trained again."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One recording of one trial; ``update`` 0 is the untrained net.

    Losses and scores of the training set are means over the recorded training subset
    (``record.samples``), of the test set over the whole of it. ``grad_norm`` is the norm of
    the loss gradient over ``record.layer_samples`` training samples at the parameters of this
    row, where layers are recorded;
    ``update_norm`` and ``clipped_share`` describe the real updates: the last one made, and
    the share of clipped ones since the row before. ``lr`` is the rate of the next update; at
    the end of the budget, of the last one.
    ``gradient_evaluations`` counts gradients of single samples computed for updates.
    """

    trial_id: str
    update: int
    samples: int
    gradient_evaluations: int
    epoch: float
    seconds: float | None
    lr: float
    train_loss: float | None
    test_loss: float | None
    train_score: float | None
    test_score: float | None
    grad_norm: float | None
    param_norm: float | None
    update_norm: float | None
    noise_scale: float | None
    sharpness: float | None
    clipped_share: float | None


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer of one trial at one recording; ``layer`` 1 is next to the input."""

    trial_id: str
    update: int
    layer: int
    name: str
    q: float | None
    backward_signal: float | None
    grad_norm: float | None
    grad_rms: float | None
    weight_norm: float | None
    update_ratio: float | None
    dead_share: float | None
    zero_share: float | None
    saturated_share: float | None


@dataclasses.dataclass(frozen=True)
class Probe:
    """A measurement without a column of its own, in long form."""

    trial_id: str
    update: int
    probe: str
    key: str
    layer: int | None
    value: float | None


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What theory says for this trial, under the same keys as the measurements."""

    trial_id: str
    key: str
    layer: int | None
    value: float | None
    source: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The judgement of a trial's gradient health at one recording; evidence is JSON."""

    trial_id: str
    update: int
    verdict: str
    layer: int | None
    reason: str
    evidence: str


@dataclasses.dataclass(frozen=True)
class Summary:
    """One metric of one trial over all recordings so far; a later flush replaces it.

    ``area`` is the trapezoid integral over updates. The ``target_*`` columns say when the
    trial's target was first seen met, and are NULL (censored) while it was not.
    """

    trial_id: str
    metric: str
    first: float | None
    last: float | None
    best: float | None
    best_update: int | None
    area: float | None
    target_update: int | None
    target_samples: int | None
    target_seconds: float | None


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a trial ended: the columns of ``trials`` that are written with its last rows.

    Where and how fast is None of trials that were trained elsewhere and imported.
    """

    trial_id: str
    outcome: str
    updates: int
    samples: int | None
    seconds: float | None
    isolated: bool | None
    device: str | None
    node: str | None
    finished_at: datetime.datetime
    diverged_at_update: int | None
    error: str | None
    probe_seconds: float | None


TABLES: Mapping[str, type] = {
    "steps": Step,
    "layers": Layer,
    "probes": Probe,
    "predictions": Prediction,
    "verdicts": Verdict,
    "summaries": Summary,
    "endings": Ending,
}
"""Every table a worker may append to. ``endings`` updates rows of ``trials``."""


def columns_of(table: str) -> dict[str, Any]:
    """Column name -> annotation of one of ``TABLES``, in order."""
    return {f.name: f.type for f in dataclasses.fields(TABLES[table])}
