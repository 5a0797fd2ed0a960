"""TrialSpec: one frozen point of a grid, with every default; torch-free.

A trial is its content: two trials with the same content have the same ``trial_id``, wherever
and whenever they were planned, and the second one is never trained again. Seeds, splits,
recordings and the target are content, because they change the rows that a trial leaves.
"""

import dataclasses
import functools
import hashlib
import json
import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from .problems.shapes import BUNDLED, Shape

CONTENT_VERSION = 1
"""Part of every trial id; raised when the same content would leave other numbers."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclasses.dataclass(frozen=True)
class _Named:
    """Let one-word forms through: ``descent: batch`` is ``{name: batch}``.

    A mapping without a name means the default one, so that a dotted axis such as
    ``model.depth`` needs no ``base.model``.
    """

    default: str

    def complete(self, value: object) -> object:
        """The mapping that is meant."""
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and "name" not in value:
            return {"name": self.default, **value}
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.complete, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        inner = handler(schema)
        names = sorted(inner.get("discriminator", {}).get("mapping", {})) or [self.default]
        return {"anyOf": [inner, {"type": "string", "enum": names}]}


class Part(BaseModel):
    """Base of everything in a trial: frozen, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BundledProblem(Part):
    """A classification set that comes with scikit-learn.

    digits is scaled to [0, 1] (pixel / 16); the tables are standardised with the training
    split's mean and deviation.
    """

    name: Literal["digits", "breast_cancer", "wine", "iris"] = "digits"
    test_share: Share = Field(default=0.2, description="share of samples held out for testing")
    split_seed: int = Field(
        default=0, ge=0, lt=2**32, description="seed of the train/test permutation"
    )

    @property
    def shape(self) -> Shape:
        """Samples, features and classes before the split."""
        return BUNDLED[self.name]

    @property
    def train_samples(self) -> int:
        """Samples in the training split: floor((1 − test_share) · samples)."""
        return int((1 - self.test_share) * self.shape.samples)


class GaussianInputs(Part):
    """Inputs x ~ N(0, 1) with labels drawn at random: for probing untrained nets."""

    name: Literal["gaussian_inputs"]
    features: Count = Field(default=64, description="inputs per sample")
    samples: Count = Field(
        default=1024, description="training samples; there are as many for testing"
    )
    classes: int = Field(default=10, ge=2, description="labels, drawn uniformly")
    data_seed: int = Field(default=0, ge=0, lt=2**32, description="seed of inputs and labels")

    @property
    def shape(self) -> Shape:
        """Samples (training and test together), features and classes."""
        return Shape(2 * self.samples, self.features, self.classes)

    @property
    def train_samples(self) -> int:
        """Samples in the training split."""
        return self.samples


class NamedInit(Part):
    """An initialiser without parameters; biases start at zero except ``pytorch_default``."""

    name: Literal["he", "xavier", "lecun", "orthogonal", "pytorch_default", "zeros"] = "xavier"


class GaussianInit(Part):
    """W ~ N(0, σ_w² / fan_in), b ~ N(0, σ_b²) (Poole et al. 2016)."""

    name: Literal["gaussian"]
    sigma_w: NonNegative = Field(default=1.0, description="weight deviation times √fan_in")
    sigma_b: NonNegative = Field(default=0.0, description="bias deviation")


class ScaledInit(Part):
    """Xavier's normal initialisation times a gain."""

    name: Literal["scaled"]
    gain: Positive = Field(default=1.0, description="factor on Xavier's deviation")


Init = Annotated[
    NamedInit | GaussianInit | ScaledInit, Field(discriminator="name"), _Named("xavier")
]
Activation = Literal[
    "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "selu", "softplus", "identity"
]


class Mlp(Part):
    """A multilayer perceptron: ``depth`` hidden layers of ``width`` units, linear output."""

    name: Literal["mlp"] = "mlp"
    depth: int = Field(default=2, ge=0, le=1000, description="hidden layers; 0 is a linear model")
    width: Count = Field(default=64, description="units per hidden layer")
    activation: Activation = Field(default="tanh", description="of the hidden layers")
    init: Init = Field(default=NamedInit(), description="how weights and biases start")
    norm: Literal["none"] = Field(default="none", description="normalisation of hidden layers")
    residual: Literal[False] = Field(
        default=False, description="skip connections around hidden layers"
    )
    bias: bool = Field(default=True, description="whether layers have biases")


class CrossEntropy(Part):
    """Softmax cross-entropy over class logits, in nats."""

    name: Literal["cross_entropy"] = "cross_entropy"


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
    Batch | Stochastic | MiniBatch, Field(discriminator="name"), _Named("mini_batch")
]


class Constant(Part):
    """The learning rate stays what it is."""

    name: Literal["constant"] = "constant"


Schedule = Annotated[Constant, _Named("constant")]


class Sgd(Part):
    """θ ← θ − η·v, v ← μ·v + g (torch.optim.SGD's convention), g clipped, plus λ·θ."""

    name: Literal["sgd"] = "sgd"
    lr: Positive = Field(default=0.1, description="learning rate η")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="heavy-ball momentum μ")
    weight_decay: NonNegative = Field(
        default=0.0, description="L2 coefficient λ added to the gradient"
    )
    clip_norm: Positive | None = Field(
        default=None, description="largest gradient norm over all parameters; null: no clipping"
    )
    schedule: Schedule = Field(default=Constant(), description="of the learning rate")


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
    probes: list[Literal["gradients"]] = Field(
        default=["gradients"], description="which probes run; without gradients no layer rows"
    )
    samples: Count | None = Field(
        default=512,
        description="training samples (the first of the split) that training losses and scores "
        "are measured on; null: all. The test set is always measured whole",
    )
    layer_samples: Count | None = Field(
        default=128,
        description="training samples (the first of the split) that layer rows and grad_norm "
        "are measured on; null: all",
    )


class TrialSpec(Part):
    """One complete trial. Every field has a default; ``base`` of a grid file is one of these."""

    problem: Annotated[
        BundledProblem | GaussianInputs, Field(discriminator="name"), _Named("digits")
    ] = Field(default=BundledProblem(), description="the data")
    model: Annotated[Mlp, _Named("mlp")] = Field(default=Mlp(), description="the net")
    loss: Annotated[CrossEntropy, _Named("cross_entropy")] = Field(
        default=CrossEntropy(), description="what is minimised"
    )
    descent: Descent = Field(default=MiniBatch(), description="samples per update")
    optimizer: Annotated[Sgd, _Named("sgd")] = Field(
        default=Sgd(), description="how a gradient becomes an update"
    )
    budget: Budget = Field(default=Budget(epochs=5), description="how long")
    target: Target | None = Field(default=None, description="a level to reach; null: none")
    dtype: Literal["float32", "float64"] = Field(default="float32", description="of everything")
    seed: int = Field(
        default=0, ge=0, lt=2**63, description="of initial parameters and sample order"
    )
    record: Record = Field(default=Record(), description="when and what to measure")
    timing: Literal["fused"] = Field(default="fused", description="whether seconds are shared")

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
    def budget_updates(self) -> int:
        """Updates planned."""
        return self.budget.updates_for(self.problem.train_samples, self.batch_size)

    @functools.cached_property
    def trial_id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the content."""
        parts = ",".join(
            f'"{field}":{canonical(getattr(self, field))}' for field in type(self).model_fields
        )
        content = f'{{"version":{CONTENT_VERSION},{parts}}}'
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
            "momentum": self.optimizer.momentum,
            "depth": self.model.depth,
            "width": self.model.width,
            "activation": self.model.activation,
            "init": self.model.init.name,
            "norm": self.model.norm,
            "residual": self.model.residual,
            "clip_norm": self.optimizer.clip_norm,
            "seed": self.seed,
            "budget_updates": self.budget_updates,
            "dtype": self.dtype,
            "config": self.model_dump_json(),
        }


@functools.lru_cache(maxsize=65536)
def _sorted_json(dump: str) -> str:
    return json.dumps(json.loads(dump), sort_keys=True, separators=(",", ":"))


def canonical(value: object) -> str:
    """JSON with sorted keys, no spaces and no defaults: equal content gives equal text.

    Leaving defaults out lets a later version add fields without renaming every trial; a
    version that *changes* a default must raise ``CONTENT_VERSION``.
    """
    if isinstance(value, BaseModel):
        return _sorted_json(value.model_dump_json(exclude_defaults=True))
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
