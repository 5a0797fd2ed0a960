"""The optimizers that a trial may name, and learning-rate schedules; torch-free."""

from typing import Annotated, Literal

from pydantic import Field

from .parts import Count, Named, NonNegative, Part, Positive

Decay = Annotated[float, Field(ge=0, lt=1)]
"""What an exponential average keeps of itself in each update."""
Shrinking = Annotated[float, Field(gt=0, le=1)]


class Constant(Part):
    """The learning rate stays what it is."""

    name: Literal["constant"] = "constant"


class StepDecay(Part):
    """γ^⌊t/N⌋: the rate falls by a factor γ every N updates (torch's StepLR)."""

    name: Literal["step"]
    every: Count = Field(default=100, description="N: updates between two steps")
    gamma: Shrinking = Field(default=0.1, description="γ: factor of each step")


class Exponential(Part):
    """γ^(t/N): the smooth twin of ``step``; N = 1 is torch's ExponentialLR."""

    name: Literal["exponential"]
    every: Count = Field(default=100, description="N: updates in which the rate falls by γ")
    gamma: Shrinking = Field(default=0.1, description="γ: factor per N updates")


class Cosine(Part):
    """f + (1 − f)·(1 + cos(πt/T))/2 over the T updates of the budget.

    Loshchilov and Hutter 2017, eq. 5, without restarts; torch's CosineAnnealingLR.
    """

    name: Literal["cosine"]
    final: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0, description="f: factor that the budget's end approaches"
    )


class Warmup(Part):
    """min(1, (t + 1)/N): linear over N updates, then constant (Goyal et al. 2017, 2.2)."""

    name: Literal["warmup"]
    warmup: Count = Field(default=100, description="N: updates until the full rate")


class InverseSqrt(Part):
    """min((t + 1)/N, √(N/(t + 1))): Vaswani et al. 2017, eq. 3, scaled to 1 at its peak."""

    name: Literal["inverse_sqrt"]
    warmup: Count = Field(default=100, description="N: updates until the full rate")


Schedule = Annotated[
    Constant | StepDecay | Exponential | Cosine | Warmup | InverseSqrt,
    Field(discriminator="name"),
    Named("constant"),
]


class OptimizerPart(Part):
    """What every optimizer has; gradients are clipped first, by value and then by norm."""

    name: str
    lr: Positive = Field(default=0.1, description="learning rate η")
    weight_decay: NonNegative = Field(
        default=0.0, description="L2 coefficient λ added to the gradient"
    )
    clip_norm: Positive | None = Field(
        default=None, description="largest gradient norm over all parameters; null: no clipping"
    )
    clip_value: Positive | None = Field(
        default=None, description="largest size of each gradient entry; null: no clipping"
    )
    schedule: Schedule = Field(default=Constant(), description="of the learning rate")

    @property
    def clips(self) -> bool:
        """Whether gradients are clipped at all."""
        return self.clip_norm is not None or self.clip_value is not None


class Sgd(OptimizerPart):
    """θ ← θ − η·v, v ← μ·v + g (torch.optim.SGD's convention), g clipped, plus λ·θ."""

    name: Literal["sgd"] = "sgd"
    momentum: Decay = Field(default=0.0, description="heavy-ball momentum μ")


class Momentum(OptimizerPart):
    """``momentum`` is ``sgd`` with μ = 0.9; ``nesterov`` steps by g + μ·v instead of v.

    Polyak 1964; Nesterov 1983 in the form of Sutskever et al. 2013 that torch.optim.SGD has.
    """

    name: Literal["momentum", "nesterov"]
    momentum: Decay = Field(default=0.9, description="momentum μ")


class RmsProp(OptimizerPart):
    """θ ← θ − η·v, v ← μ·v + g/(√s + ε), s ← α·s + (1 − α)·g² (Tieleman and Hinton 2012)."""

    name: Literal["rmsprop"]
    lr: Positive = Field(default=0.01, description="learning rate η")
    alpha: Decay = Field(default=0.99, description="what the average of squares keeps, α")
    eps: Positive = Field(default=1e-8, description="added to the root, ε")
    momentum: Decay = Field(default=0.0, description="momentum μ of the scaled gradient")


class AdamPart(OptimizerPart):
    """θ ← θ − η·m̂/(√v̂ + ε) with bias-corrected averages (Kingma and Ba 2015, algorithm 1)."""

    lr: Positive = Field(default=0.001, description="learning rate η")
    beta1: Decay = Field(default=0.9, description="what the average of gradients keeps, β₁")
    beta2: Decay = Field(default=0.999, description="what the average of squares keeps, β₂")
    eps: Positive = Field(default=1e-8, description="added to the root, ε")


class Adam(AdamPart):
    """With L2 decay, which the averages see."""

    name: Literal["adam"]


class AdamW(AdamPart):
    """After θ ← (1 − η·λ)·θ: decay that no average sees (Loshchilov and Hutter 2019)."""

    name: Literal["adamw"]
    weight_decay: NonNegative = Field(default=0.01, description="decoupled decay λ")


class AdaGrad(OptimizerPart):
    """θ ← θ − η·g/(√s + ε), s ← s + g² (Duchi et al. 2011, diagonal form)."""

    name: Literal["adagrad"]
    lr: Positive = Field(default=0.01, description="learning rate η")
    eps: Positive = Field(default=1e-10, description="added to the root, ε")
    initial_accumulator: NonNegative = Field(default=0.0, description="where s starts")


Optimizer = Annotated[
    Sgd | Momentum | RmsProp | Adam | AdamW | AdaGrad,
    Field(discriminator="name"),
    Named("sgd"),
]
