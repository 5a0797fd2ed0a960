"""What the specs of layered nets have in common; torch-free."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from .parts import Part

Activation = Literal[
    "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "selu", "softplus", "identity"
]
Norm = Literal["none", "batch", "layer", "rms"]
Residual = Literal[False, "plain", "scaled", "pre_norm"]


class Layered(Part):
    """Hidden layers with normalisation and skips between them; see ``models.blocks``."""

    norm: Norm = Field(default="none", description="normalisation of hidden pre-activations")
    residual: Residual = Field(default=False, description="skips around the hidden layers")

    @model_validator(mode="after")
    def _something_to_put_first(self) -> Self:
        if self.residual == "pre_norm" and self.norm == "none":
            raise ValueError(
                "residual: pre_norm puts the norm before the activation, and norm is none; "
                "use norm batch, layer or rms, or residual plain"
            )
        return self

    @property
    def kept(self) -> int:
        """Tensors of a hidden layer's size that its backward pass needs."""
        return 1 + 2 * (self.norm != "none") + (self.residual is not False)


def columns(model: Any, depth: int, width: int | None, init: str | None) -> dict[str, Any]:
    """The model's columns of ``trials``; what a model does not have is NULL."""
    residual = getattr(model, "residual", None)
    return {
        "depth": depth,
        "width": width,
        "activation": getattr(model, "activation", None),
        "init": init,
        "norm": getattr(model, "norm", None),
        "residual": None if residual is None else residual is not False,
    }
