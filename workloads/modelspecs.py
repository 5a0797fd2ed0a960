"""The models that a trial may name, what each is made of and how large it is; torch-free."""

import hashlib
import importlib.util
import itertools
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from .gamespecs import Gan
from .imagespecs import ConvNet, EncoderDecoder
from .initspecs import Init, NamedInit
from .latentspecs import Vae
from .modelparts import Activation, Layered, columns
from .objectivespecs import Point
from .parts import Count, Finite, Named, Part
from .problems.shapes import Shape, Task


class Mlp(Layered):
    """A multilayer perceptron: ``depth`` hidden layers of ``width`` units, linear output."""

    name: Literal["mlp"] = "mlp"
    depth: int = Field(default=2, ge=0, le=1000, description="hidden layers; 0 is a linear model")
    width: Count = Field(default=64, description="units per hidden layer")
    activation: Activation = Field(default="tanh", description="of the hidden layers")
    init: Init = Field(default=NamedInit(), description="how weights and biases start")
    bias: bool = Field(default=True, description="whether layers have biases")

    def columns(self) -> dict[str, Any]:
        """Columns of ``trials``."""
        return columns(self, self.depth, self.width, self.init.name)

    def parameters(self, shape: Shape) -> int:
        """Weights, biases left out."""
        sizes = [shape.features, *[self.width] * self.depth, shape.outputs]
        return sum(a * b for a, b in itertools.pairwise(sizes))

    def products(self, shape: Shape) -> int:
        """Multiplications of a forward pass, per sample."""
        return self.parameters(shape)

    def units(self, shape: Shape) -> int:
        """Activations that a forward pass keeps, per sample."""
        return shape.features + self.depth * self.kept * self.width + shape.outputs


class Recurrent(Part):
    """One recurrent layer over a sequence, and a linear output of its last state.

    Where a sample asks for S labels, of each of its last S states. Images are read row by row,
    tables number by number.
    """

    name: Literal["rnn", "lstm", "gru"]
    width: Count = Field(default=64, description="units of the state")
    forget_bias: Finite = Field(
        default=0.0, description="lstm: what the forget gate's bias starts from, added to its draw"
    )
    init: Init = Field(default=NamedInit(), description="how weights and biases start")

    @model_validator(mode="after")
    def _a_gate_to_forget(self) -> Self:
        if self.forget_bias and self.name != "lstm":
            raise ValueError(
                f"forget_bias: {self.forget_bias} is for lstm, and {self.name} has no forget "
                "gate; leave it out, or use model lstm"
            )
        return self

    @property
    def gates(self) -> int:
        """Products that make up one step of the layer."""
        return {"rnn": 1, "lstm": 4, "gru": 3}[self.name]

    def columns(self) -> dict[str, Any]:
        """Columns of ``trials``."""
        return columns(self, 1, self.width, self.init.name)

    def parameters(self, shape: Shape) -> int:
        """Weights, biases left out."""
        _, inputs = shape.sequence
        outputs = shape.outputs // shape.labels
        return self.gates * self.width * (inputs + self.width) + self.width * outputs

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


Model = Annotated[
    Mlp | EncoderDecoder | ConvNet | Recurrent | Module | Point | Gan | Vae,
    Field(discriminator="name"),
    Named("mlp"),
]

SOLE_MODELS = {Task.OBJECTIVE: "point", Task.GENERATION: "gan", Task.DENSITY: "vae"}
"""The only model that problems of a task take, and that no other problem takes."""


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
