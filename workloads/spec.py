"""TrialSpec: one frozen point of a grid, with every default; torch-free.

A trial is its content: two trials with the same content have the same ``trial_id``, wherever
and whenever they were planned, and the second one is never trained again. Seeds, splits,
recordings and the target are content, because they change the rows that a trial leaves.
"""

import functools
import hashlib
import json
import math
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from .augmentspecs import Augmentation, Plain
from .imagespecs import unfit
from .lossspecs import LOSS_TASKS, CrossEntropy, Loss
from .modelspecs import SOLE_MODELS, Mlp, Model
from .optimizerspecs import Optimizer, Sgd
from .parts import Count, Finite, Named, Part
from .probespecs import Gradients, Probe
from .problemparts import ProblemPart
from .problems.shapes import Shape
from .problemspecs import BundledProblem, Problem
from .verdictspecs import Thresholds

CONTENT_VERSION = 2
"""Part of every trial id; raised when the same content would leave other numbers."""


class Batch(Part):
    """One update an epoch, on the whole training set."""

    name: Literal["batch"]


class Stochastic(Part):
    """One update per sample, in a fresh order each epoch."""

    name: Literal["stochastic"]


class MiniBatch(Part):
    """One update per ``batch_size`` samples, in a fresh order each epoch; the last may be short."""

    name: Literal["mini_batch"] = "mini_batch"
    batch_size: Count = Field(
        default=32, description="samples per update, at most the training set"
    )


Descent = Annotated[
    Batch | Stochastic | MiniBatch, Field(discriminator="name"), Named("mini_batch")
]


class Budget(Part):
    """How long to train: exactly one of the three; ``updates: 0`` only probes the untrained net."""

    epochs: int | None = Field(default=None, ge=0, description="passes over the training set")
    updates: int | None = Field(default=None, ge=0, description="parameter updates")
    samples: int | None = Field(default=None, ge=0, description="training samples to see, at least")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [field for field, value in self if value is not None]
        if len(given) != 1:
            raise ValueError(
                "exactly one of epochs, updates, samples must be given, not "
                + (" and ".join(given) or "none")
            )
        return self

    def updates_for(self, train_samples: int, batch_size: int) -> int:
        """Updates that this budget buys; the last batch of an epoch may be short."""
        if self.updates is not None:
            return self.updates
        per_epoch = math.ceil(train_samples / batch_size)
        if self.epochs is not None:
            return self.epochs * per_epoch
        epochs, rest = divmod(self.samples or 0, train_samples)
        return epochs * per_epoch + math.ceil(rest / batch_size)


Metric = Literal[
    "train_loss", "test_loss", "train_score", "test_score", "train_accuracy", "test_accuracy"
]


class Target(Part):
    """A level to reach. Losses must fall to it, scores must rise to it."""

    metric: Metric = Field(
        default="test_accuracy", description="what is compared, at each recording"
    )
    value: Finite = Field(default=0.95, description="the level")
    stop: bool = Field(default=True, description="end the trial there (outcome reached_target)")

    @property
    def column(self) -> str:
        """The column of ``steps`` that holds the metric (accuracy is a score)."""
        return self.metric.replace("accuracy", "score")

    @property
    def falling(self) -> bool:
        """Whether smaller is better."""
        return self.metric.endswith("loss")


class Record(Part):
    """When a trial is measured, and on how much of the training set."""

    steps: Count = Field(default=100, description="at most so many log-spaced recordings per trial")
    layers: int = Field(default=30, ge=0, description="at most so many of them with layer rows")
    probes: list[Probe] = Field(
        default=[Gradients()], description="which probes run; without gradients no layer rows"
    )
    samples: Count | None = Field(
        default=256,
        description="training samples (the first of the split) that training losses and scores "
        "are measured on; null: all. The test set is always measured whole",
    )
    layer_samples: Count | None = Field(
        default=128,
        description="training samples (the first of the split) that layer rows and grad_norm "
        "are measured on; null: all",
    )
    verdict: Thresholds = Field(
        default=Thresholds(), description="from where on a trial counts as unhealthy"
    )

    @field_validator("probes")
    @classmethod
    def _once_each(cls, probes: list[Probe]) -> list[Probe]:
        names = [probe.name for probe in probes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} is given twice; give each probe once")
        return probes


_PROBLEM: TypeAdapter[ProblemPart] = TypeAdapter(Problem)

Timing = Literal["fused", "isolated"]
TIMING = (
    "fused: trials share a pack and its seconds; isolated: one trial at a time has the machine, "
    "and its seconds are its own"
)


class TrialSpec(Part):
    """One complete trial. Every field has a default; ``base`` of a grid file is one of these."""

    problem: Problem = Field(default=BundledProblem(), description="the data")
    model: Model = Field(default=Mlp(), description="the net")
    loss: Loss = Field(default=CrossEntropy(), description="what is minimised")
    descent: Descent = Field(default=MiniBatch(), description="samples per update")
    augmentation: Augmentation = Field(default=Plain(), description="of training samples")
    optimizer: Optimizer = Field(default=Sgd(), description="how a gradient becomes an update")
    budget: Budget = Field(default=Budget(epochs=5), description="how long")
    target: Target | None = Field(default=None, description="a level to reach; null: none")
    dtype: Literal["float32", "float64", "bfloat16"] = Field(
        default="float32", description="of parameters, data and arithmetic"
    )
    tf32: bool = Field(
        default=False, description="float32 products on a GPU with 10 bits of mantissa, faster"
    )
    seed: int = Field(
        default=0, ge=0, lt=2**63, description="of initial parameters and sample order"
    )
    record: Record = Field(default=Record(), description="when and what to measure")
    timing: Timing = Field(default="fused", description=TIMING)

    @model_validator(mode="before")
    @classmethod
    def _complete_by_problem(cls, value: Any) -> Any:
        """Where only the problem is given, the model and the loss are those usual for it."""
        if not isinstance(value, dict) or "problem" not in value:
            return value
        try:
            return {**_PROBLEM.validate_python(value["problem"]).usual, **value}
        except ValidationError:
            return value  # said once more, at its place

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A trial with other content has another id and shape: what was derived is left behind."""
        copy = super().model_copy(update=update, deep=deep)
        for derived in ("trial_id", "shape"):
            copy.__dict__.pop(derived, None)
        return copy

    @property
    def batch_size(self) -> int:
        """Samples per update; the whole training set for batch descent."""
        match self.descent:
            case Batch():
                return self.problem.train_samples
            case Stochastic():
                return 1
            case MiniBatch(batch_size=size):
                return size

    @property
    def epoch_samples(self) -> int:
        """Samples that an epoch sees: all, or as many as fill its batches."""
        samples = self.problem.train_samples
        return samples - samples % self.batch_size if self.problem.drops_last else samples

    @functools.cached_property
    def shape(self) -> Shape:
        """The problem's, with the outputs that the loss wants of a net."""
        shape = self.problem.shape
        return shape._replace(outputs=self.loss.outputs(shape))

    @property
    def budget_updates(self) -> int:
        """Updates planned."""
        return self.budget.updates_for(self.epoch_samples, self.batch_size)

    @functools.cached_property
    def trial_id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the content."""
        # Defaults are left out here as well as inside the parts: see canonical().
        given = [
            f',"{name}":{text}'
            for name in type(self).model_fields
            if (text := canonical(getattr(self, name))) != _default(name)
        ]
        content = f'{{"version":{CONTENT_VERSION}{"".join(given)}}}'
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def row(self) -> dict[str, Any]:
        """The planned columns of this trial's row in ``trials``, without its slug."""
        return {
            "trial_id": self.trial_id,
            "problem": self.problem.name,
            "model": self.model.name,
            "loss": self.loss.name,
            "descent": self.descent.name,
            "batch_size": None if isinstance(self.descent, Batch) else self.batch_size,
            "optimizer": self.optimizer.name,
            "lr": self.optimizer.lr,
            "momentum": getattr(self.optimizer, "momentum", None),
            **self.model.columns(),
            "clip_norm": self.optimizer.clip_norm,
            "seed": self.seed,
            "budget_updates": self.budget_updates,
            "dtype": self.dtype,
            "config": f"{{{_fields(self, _complete)}}}",
        }


def misfits(trial: TrialSpec) -> Iterator[tuple[tuple[str, str], object, str]]:
    """What one section alone cannot know: (section, key), value, and why they do not go together.

    Only the problem, the model, the loss, the descent and the augmentation are looked at.
    """
    problem, descent, loss = trial.problem, trial.descent, trial.loss
    if problem.task not in loss.tasks:
        fitting = sorted(name for name, tasks in LOSS_TASKS.items() if problem.task in tasks)
        yield (
            ("loss", "name"),
            loss.name,
            f"{problem.name} is a problem of {problem.task}; use {', '.join(fitting)}",
        )
    else:
        yield from loss.misfits(problem.task, problem.shape, trial.batch_size)
    if isinstance(descent, MiniBatch) and descent.batch_size > problem.train_samples:
        yield (
            ("descent", "batch_size"),
            descent.batch_size,
            f"{problem.name} has {problem.train_samples} training samples; "
            "use that many at most, or descent: batch",
        )
    sole = SOLE_MODELS.get(problem.task)
    if trial.model.name != sole and (sole or trial.model.name in SOLE_MODELS.values()):
        others = "any other, mlp for example"
        yield (
            ("model", "name"),
            trial.model.name,
            f"{problem.name} is a problem of {problem.task}; use model {sole or others}",
        )
    if trial.augmentation.name != "none" and problem.shape.image is None:
        yield (
            ("augmentation", "name"),
            trial.augmentation.name,
            f"moves images, and {problem.name} has none; use digits, or none",
        )
    if reason := unfit(trial.model, problem.name, trial.shape):
        yield ("model", "name"), trial.model.name, reason
    if getattr(trial.model, "norm", None) == "batch" and trial.batch_size == 1:
        yield (
            ("model", "norm"),
            "batch",
            "a batch of one sample has no variance; use a larger batch, or norm layer or rms",
        )


def _fields(trial: TrialSpec, text_of: Callable[[object], str]) -> str:
    """The inside of a trial's JSON object, each field as ``text_of`` writes it."""
    fields = type(trial).model_fields
    return ",".join([f'"{field}":{text_of(getattr(trial, field))}' for field in fields])


_sorted_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
Scalar = str | int | None
# Typed, because 1 and True are equal and written differently. Seeds come back in every setting.
_scalar = functools.lru_cache(maxsize=65536, typed=True)(_sorted_json)


def _remembered(written: Callable[[BaseModel], str]) -> Callable[[object], str]:
    """JSON of anything; what a part is ``written`` as is kept as long as that part lives.

    The trials of a grid share their parts: 100,000 of them may be made of a hundred. Parts are
    known by identity, for equal ones need not be written alike (0.0 and -0.0).
    """
    kept: dict[int, str] = {}

    @functools.wraps(written)
    def text(value: object) -> str:
        if (known := kept.get(id(value))) is not None:
            return known
        if isinstance(value, Scalar):
            return _scalar(value)
        if not isinstance(value, BaseModel):
            return _sorted_json(value)
        weakref.finalize(value, kept.pop, id(value), None)
        return kept.setdefault(id(value), written(value))

    return text


@_remembered
def canonical(part: BaseModel) -> str:
    """JSON with sorted keys, no spaces and no defaults: equal content gives equal text.

    Leaving defaults out lets a later version add fields without renaming every trial; a
    version that *changes* a default must raise ``CONTENT_VERSION``.
    """
    return _sorted_json(json.loads(part.model_dump_json(exclude_defaults=True)))


@functools.cache
def _default(field: str) -> str:
    """The canonical text of a field's default."""
    return canonical(TrialSpec.model_fields[field].get_default())


@_remembered
def _complete(part: BaseModel) -> str:
    """JSON with every default, in the order of the fields."""
    return part.model_dump_json()
