"""Models by name, on stacked tensors. Adding one: a file beside ``mlp.py`` and a row here."""

from collections.abc import Callable

from ..problems.data import Data
from ..spec import TrialSpec
from .base import Layer, Model, Trace
from .convnet import ConvNet
from .encoder_decoder import EncoderDecoder
from .gan import Gan
from .mlp import Mlp
from .module import Module
from .point import Point
from .recurrent import Recurrent
from .vae import Vae

__all__ = ["MODELS", "Layer", "Model", "Trace"]

MODELS: dict[str, Callable[[TrialSpec, Data], Model]] = {
    "mlp": Mlp,
    "convnet": ConvNet,
    "encoder_decoder": EncoderDecoder,
    "rnn": Recurrent,
    "lstm": Recurrent,
    "gru": Recurrent,
    "module": Module,
    "point": Point,
    "gan": Gan,
    "vae": Vae,
}
