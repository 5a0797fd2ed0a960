"""How far a point is from where its objective is least. K trials, M minima, D components."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch

from ..lossspecs import CrossEntropy
from ..modelspecs import Mlp
from ..optimizers import Tensors

if TYPE_CHECKING:
    from ..stack import Stack


def distance_to_minimum(stack: "Stack") -> Mapping[str, Callable[[Tensors], torch.Tensor]]:
    """‖θ − θ*‖₂, (K,), to the nearest of the global minima.

    They are ``Data.truth["minimum"]``, (M, D). A local minimum is none of them: a trial that
    ends in one keeps its distance.
    """
    minimum_MD = torch.as_tensor(stack.data.truth["minimum"])

    def distance(params: Tensors) -> torch.Tensor:
        theta_K1D = params[0].double().unsqueeze(1)
        off_KMD = theta_K1D - minimum_MD.to(theta_K1D.device)
        distance_KM: torch.Tensor = torch.linalg.vector_norm(off_KMD, dim=-1)
        return distance_KM.amin(1)

    return {"distance_to_minimum": distance}


PLANE = 2
"""Most parameters that are recorded themselves: a path that can be drawn."""


def coordinates(stack: "Stack") -> Mapping[str, Callable[[Tensors], torch.Tensor]]:
    """θ itself, (K,) each, of objectives of at most two parameters: where a descent went."""

    def component(place: int) -> Callable[[Tensors], torch.Tensor]:
        return lambda params: params[0][:, place].double()

    size = stack.data.features
    return {f"coordinate/{i + 1}": component(i) for i in range(size)} if size <= PLANE else {}


def distance_to_weights(stack: "Stack") -> Mapping[str, Callable[[Tensors], torch.Tensor]]:
    """‖(w, b) − (w*, b*)‖₂, (K,), of logistic regression; nothing of other models and losses.

    With two logits w and b are their difference, the second less the first: all that the
    cross-entropy sees of them.
    """
    trial = stack.trials[0]
    plain = isinstance(trial.loss, CrossEntropy) and not trial.loss.label_smoothing
    convex = plain or trial.loss.name == "binary_cross_entropy"
    linear = isinstance(trial.model, Mlp) and trial.model.depth == 0 and trial.model.bias
    if not (convex and linear):
        return {}
    minimum_1D = torch.as_tensor(stack.data.truth["minimum"])

    def distance(params: Tensors) -> torch.Tensor:
        w_KDC = torch.cat([p.double() for p in params], 1)
        w_KD = w_KDC[..., -1] - w_KDC[..., 0] if w_KDC.shape[2] == 2 else w_KDC[..., 0]
        off_KD = w_KD - minimum_1D.to(w_KD.device)
        distance_K: torch.Tensor = torch.linalg.vector_norm(off_KD, dim=1)
        return distance_K

    return {"distance_to_minimum": distance}


def distance_to_least_squares(stack: "Stack") -> Mapping[str, Callable[[Tensors], torch.Tensor]]:
    """‖(W, b) − (W*, b*)‖₂, (K,), of linear regression; nothing of other models and losses.

    The minimum of the squared error over the training set is that of its normal equations.
    """
    trial, data = stack.trials[0], stack.data
    linear = isinstance(trial.model, Mlp) and trial.model.depth == 0 and trial.model.bias
    if trial.loss.name != "mse" or not linear:
        return {}
    x_ND = torch.as_tensor(data.x_train).double()
    x_NE = torch.cat([x_ND, torch.ones_like(x_ND[:, :1])], 1)
    minimum_ET = torch.linalg.lstsq(x_NE, torch.as_tensor(data.y_train).double()).solution

    def distance(params: Tensors) -> torch.Tensor:
        w_KET = torch.cat([p.double() for p in params], 1)
        off_KET = w_KET - minimum_ET.to(w_KET.device)
        distance_K: torch.Tensor = torch.linalg.vector_norm(off_KET, dim=(1, 2))
        return distance_K

    return {"distance_to_minimum": distance}
