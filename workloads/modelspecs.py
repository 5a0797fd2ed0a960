"""The models that a trial may name, what each is made of and how large it is; torch-free."""

import hashlib
import importlib.util
import itertools
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .parts import Count, Named, NonNegative, Part, Positive
from .problems.shapes import Shape


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
Activation = Literal[
    "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "selu", "softplus", "identity"
]


def _columns(model: Any, depth: int, width: int | None, init: str | None) -> dict[str, Any]:
    """The model's columns of ``trials``; what a model does not have is NULL."""
    return {
        "depth": depth,
        "width": width,
        "activation": getattr(model, "activation", None),
        "init": init,
        "norm": getattr(model, "norm", None),
        "residual": getattr(model, "residual", None),
    }


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

    def columns(self) -> dict[str, Any]:
        """Columns of ``trials``."""
        return _columns(self, self.depth, self.width, self.init.name)

    def parameters(self, shape: Shape) -> int:
        """Weights, biases left out."""
        sizes = [shape.features, *[self.width] * self.depth, shape.outputs]
        return sum(a * b for a, b in itertools.pairwise(sizes))

    def products(self, shape: Shape) -> int:
        """Multiplications of a forward pass, per sample."""
        return self.parameters(shape)

    def units(self, shape: Shape) -> int:
        """Activations that a forward pass keeps, per sample."""
        return shape.features + self.depth * self.width + shape.outputs


class ConvNet(Part):
    """``depth`` convolutions of stride 1, global average pooling, linear output.

    For problems whose samples are images.
    """

    name: Literal["convnet"]
    depth: int = Field(default=2, ge=1, le=200, description="convolutions")
    channels: Count = Field(default=16, description="output channels of each convolution")
    kernel: Literal[1, 3, 5, 7] = Field(default=3, description="side of the kernels, in pixels")
    padding: Literal["zeros", "circular"] = Field(
        default="zeros", description="what lies around the image"
    )
    activation: Activation = Field(default="relu", description="after each convolution")
    init: Init = Field(default=NamedInit(name="he"), description="how weights and biases start")

    def columns(self) -> dict[str, Any]:
        """Columns of ``trials``; the width is the number of channels."""
        return _columns(self, self.depth, self.channels, self.init.name)

    def parameters(self, shape: Shape) -> int:
        """Weights, biases left out."""
        inputs = [_image(shape)[0], *[self.channels] * (self.depth - 1)]
        kernels = sum(c * self.channels * self.kernel**2 for c in inputs)
        return kernels + self.channels * shape.outputs

    def products(self, shape: Shape) -> int:
        """Multiplications of a forward pass, per sample."""
        _, height, width = _image(shape)
        return self.parameters(shape) * height * width

    def units(self, shape: Shape) -> int:
        """Activations that a forward pass keeps, per sample, unfolded patches among them."""
        _, height, width = _image(shape)
        patches = self.channels * (1 + self.kernel**2)
        return self.depth * patches * height * width + shape.outputs


class Recurrent(Part):
    """One recurrent layer over a sequence, and a linear output of its last state.

    Images are read row by row, tables number by number.
    """

    name: Literal["rnn", "lstm", "gru"]
    width: Count = Field(default=64, description="units of the state")
    init: Init = Field(default=NamedInit(), description="how weights and biases start")

    @property
    def gates(self) -> int:
        """Products that make up one step of the layer."""
        return {"rnn": 1, "lstm": 4, "gru": 3}[self.name]

    def columns(self) -> dict[str, Any]:
        """Columns of ``trials``."""
        return _columns(self, 1, self.width, self.init.name)

    def parameters(self, shape: Shape) -> int:
        """Weights, biases left out."""
        _, inputs = shape.sequence
        return self.gates * self.width * (inputs + self.width) + self.width * shape.outputs

    def products(self, shape: Shape) -> int:
        """Multiplications of a forward pass, per sample."""
        steps, _ = shape.sequence
        return self.parameters(shape) * steps

    def units(self, shape: Shape) -> int:
        """Activations that a forward pass keeps, per sample."""
        steps, inputs = shape.sequence
        return steps * (inputs + (2 * self.gates + 2) * self.width) + shape.outputs


PATH = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


class Module(Part):
    """A ``torch.nn.Module`` of the user's own: ``path: "my_package.nets:Net"``, ``args: {…}``.

    The text of its file is part of the trial's identity (``source``): a changed model is
    another trial.
    """

    name: Literal["module"]
    path: str = Field(pattern=PATH, description="importable module and class")
    args: dict[str, Any] = Field(default={}, description="keyword arguments of the class")
    source: str = Field(default="", description="hash of the module's file; filled in")

    @model_validator(mode="before")
    @classmethod
    def _fill_source(cls, value: Any) -> Any:
        path = value.get("path") if isinstance(value, dict) else None
        if isinstance(path, str) and re.match(PATH, path):
            return {"source": _digest(path), **value}
        return value

    def columns(self) -> dict[str, Any]:
        """Columns of ``trials``: what is inside nobody knows."""
        return dict.fromkeys(("depth", "width", "activation", "init", "norm", "residual"))

    def parameters(self, shape: Shape) -> int:
        """A guess: to know, one would have to import torch."""
        return 100 * (shape.features + shape.outputs)

    def products(self, shape: Shape) -> int:
        """A guess, see :meth:`parameters`."""
        return self.parameters(shape)

    def units(self, shape: Shape) -> int:
        """A guess, see :meth:`parameters`."""
        return 10 * (shape.features + shape.outputs)


Model = Annotated[Mlp | ConvNet | Recurrent | Module, Field(discriminator="name"), Named("mlp")]


def _image(shape: Shape) -> tuple[int, int, int]:
    return shape.image or (1, 1, shape.features)


def _digest(path: str) -> str:
    """12 hexadecimal digits of the SHA-256 of the file behind ``package.module:Class``."""
    module = path.partition(":")[0]
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise ValueError(
            f"{module!r} cannot be imported from here; give the path as 'package.module:Class' "
            "and start talweg in the folder that holds it"
        )
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()[:12]
