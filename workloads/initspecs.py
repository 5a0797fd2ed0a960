"""How weights and biases start, as a model's spec says it; torch-free."""

from typing import Annotated, Literal

from pydantic import Field

from .parts import Named, NonNegative, Part, Positive


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
    NamedInit | GaussianInit | ScaledInit, Field(discriminator="name"), Named("xavier")
]
