"""The optimizers that a trial may name, and learning-rate schedules; torch-free."""

from typing import Annotated, Literal

from pydantic import Field

from .parts import Named, NonNegative, Part, Positive


class Constant(Part):
    """The learning rate stays what it is."""

    name: Literal["constant"] = "constant"


Schedule = Annotated[Constant, Named("constant")]


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


Optimizer = Annotated[Sgd, Named("sgd")]
