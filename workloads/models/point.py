"""A bare parameter vector θ under an objective. Legend: K trials, B samples, D components.

The model's output is the objective itself, for every sample: f(θ) + ξ·θ, where a sample ξ is a
term of the gradient, or ½ (θ − x)ᵀ Q (θ − x), where it is a point x. The gradient by θ that a
layer row has as its backward signal is therefore ∇f, sample by sample.
"""

from collections.abc import Callable
from typing import Any

import torch

from ..fitspecs import MEAN, GaussianFit
from ..objectivespecs import (
    ObjectiveProblem,
    Quadratic,
    QuadraticDeep,
)
from ..objectivespecs import (
    Point as Spec,
)
from ..problems.data import Data
from ..problems.objectives import PLANAR, deep_hessian
from ..seeds import Stream, generator
from ..spec import TrialSpec
from .base import Layer, Trace

Objective = Callable[[torch.Tensor], torch.Tensor]
"""θ of (K, 1 or B, D) -> f(θ), (K, 1 or B)."""
Samplewise = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""θ of (K, 1 or B, D) and samples of (K, B, D) -> the objective of every sample, (K, B)."""


def quadratic(spec: Quadratic) -> Objective:
    """f(θ) = ½ Σ λ_i θ_i²."""

    def f(theta: torch.Tensor) -> torch.Tensor:
        # Numbers become a tensor here, not before: where a step is traced, that is a constant.
        spectrum_D = torch.tensor(spec.spectrum, dtype=theta.dtype, device=theta.device)
        return (theta.square() * spectrum_D).sum(-1) / 2

    return f


def planar(name: str) -> Callable[[ObjectiveProblem], Objective]:
    """An objective of two parameters, by its formula."""
    formula = PLANAR[name]

    def of(spec: ObjectiveProblem) -> Objective:
        def f(theta: torch.Tensor) -> torch.Tensor:
            x, y = theta.unbind(-1)
            value: torch.Tensor = formula(spec, x, y)
            return value

        return f

    return of


def gaussian_fit(spec: GaussianFit) -> Objective:
    """KL(p‖q) or KL(q‖p) of q = N(μ, diag σ²) and p = N(m, S), for θ = (μ, log σ), in nats.

    KL(N(a, A)‖N(b, B)) = ½ (tr B⁻¹A + (b − a)ᵀB⁻¹(b − a) − D + ln det B − ln det A)
    (Rasmussen and Williams 2006, eq. A.23).
    """
    offset = spec.log_determinant, spec.dimension
    covariance = [row[i] for i, row in enumerate(spec.covariance)]

    def forward(theta: torch.Tensor) -> torch.Tensor:
        mean, log = theta.tensor_split(2, -1)
        variance_D = torch.tensor(covariance, dtype=theta.dtype, device=theta.device)
        ratio = (variance_D + (mean - MEAN).square()) * (-2 * log).exp()
        return (ratio.sum(-1) + 2 * log.sum(-1) - sum(offset)) / 2

    def reverse(theta: torch.Tensor) -> torch.Tensor:
        mean, log = theta.tensor_split(2, -1)
        precision_DD = torch.tensor(spec.precision, dtype=theta.dtype, device=theta.device)
        off = mean - MEAN
        ratio = (2 * log).exp() * precision_DD.diagonal() + off * (off @ precision_DD)
        return (ratio.sum(-1) - 2 * log.sum(-1) + offset[0] - offset[1]) / 2

    return forward if spec.direction == "forward" else reverse


OBJECTIVES: dict[str, Callable[[Any], Objective]] = {
    "quadratic": quadratic,
    **{name: planar(name) for name in PLANAR},
    "gaussian_fit": gaussian_fit,
}
"""Name of a problem -> its objective."""


class Point:
    """θ of (K, D), the one parameter; outputs are (K, B, 1)."""

    tapeable = compilable = stackable = True
    saturation: tuple[float, float] | None = None

    def __init__(self, trial: TrialSpec, data: Data) -> None:
        problem = trial.problem
        assert isinstance(problem, ObjectiveProblem | QuadraticDeep)
        self.given, self.units = problem.given, data.features
        self.layers = [Layer("theta", (0,))]
        self.samplewise: Samplewise = _Deep()
        if isinstance(problem, ObjectiveProblem):
            self.samplewise = _Noisy(OBJECTIVES[problem.name](problem))

    def start(self, trial: TrialSpec) -> list[torch.Tensor]:
        """See :class:`~.base.Model`: θ₀ as given, or N(0, scale²)."""
        spec = trial.model
        assert isinstance(spec, Spec)
        if spec.start == "given":
            return [torch.tensor(self.given, dtype=torch.float64)]
        g = generator(trial.seed, Stream.INIT)
        return [torch.randn(len(self.given), generator=g, dtype=torch.float64) * spec.scale]

    def forward(
        self, params: list[torch.Tensor], x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """See :class:`~.base.Model`. A trace's z and h are θ, its δ each sample's gradient."""
        theta = params[0].unsqueeze(1)
        if trace is not None:
            theta = theta.expand(-1, x_KBD.shape[1], -1)
            trace.add(theta, theta)
        return self.samplewise(theta, x_KBD).unsqueeze(-1)


class _Noisy:
    """f(θ) + ξ·θ."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def __call__(self, theta: torch.Tensor, xi_KBD: torch.Tensor) -> torch.Tensor:
        return self.objective(theta) + (theta * xi_KBD).sum(-1)


class _Deep:
    """½ (θ − x)ᵀ Q (θ − x)."""

    def __init__(self) -> None:
        self.hessian_DD = torch.as_tensor(deep_hessian())

    def __call__(self, theta: torch.Tensor, x_KBD: torch.Tensor) -> torch.Tensor:
        # Not kept: what is made in inference mode can take part in no backward pass.
        hessian_DD = self.hessian_DD.to(theta.device, theta.dtype)
        off_KBD = theta - x_KBD
        return (off_KBD * (off_KBD @ hessian_DD)).sum(-1) / 2
