"""A Gaussian of independent components fitted to a correlated one, in both directions."""

import math
from typing import Any

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from talweg.workloads import problems
from talweg.workloads.fitspecs import DEVIATION, MEAN, GaussianFit
from talweg.workloads.models.point import OBJECTIVES
from talweg.workloads.spec import TrialSpec
from talweg.workloads.stack import Stack
from talweg.workloads.theory import predictions

from .test_objectives import SPREAD, distance, objective
from .trials import run

F64 = torch.float64
DIRECTIONS = ("forward", "reverse")
CASES = [(d, rho, way) for d in (1, 2, 5) for rho in (-0.7, 0.0, 0.9) for way in DIRECTIONS]
every_case = pytest.mark.parametrize(("dimension", "correlation", "direction"), CASES)


def fit(dimension: int, correlation: float, direction: str, **more: Any) -> dict[str, Any]:
    own = {"dimension": dimension, "correlation": correlation, "direction": direction}
    return {"name": "gaussian_fit", "samples": 4, **own, **more}


def spec_of(trial: TrialSpec) -> GaussianFit:
    assert isinstance(trial.problem, GaussianFit)
    return trial.problem


def covariance(spec: GaussianFit) -> torch.Tensor:
    """S from the formula, with numbers of its own."""
    i = torch.arange(spec.dimension)
    return 4.0 * torch.tensor(spec.correlation, dtype=F64) ** (i - i.unsqueeze(1)).abs()


def divergence(spec: GaussianFit, theta: torch.Tensor) -> torch.Tensor:
    """The same by torch.distributions."""
    mean, log = theta.chunk(2)
    p = MultivariateNormal(torch.ones(spec.dimension, dtype=F64), covariance(spec))
    q = MultivariateNormal(mean, torch.diag((2 * log).exp()))
    pair = (p, q) if spec.direction == "forward" else (q, p)
    return kl_divergence(*pair)


@every_case
def test_values_and_gradients_are_those_of_torch_distributions(
    dimension: int, correlation: float, direction: str
) -> None:
    spec = spec_of(objective(fit(dimension, correlation, direction)))
    draw = torch.Generator().manual_seed(0)
    theta = torch.randn(3, 1, 2 * dimension, generator=draw, dtype=F64).requires_grad_()
    ours = OBJECTIVES["gaussian_fit"](spec)(theta)
    theirs = torch.stack([divergence(spec, one[0]) for one in theta]).unsqueeze(1)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    found, wanted = (torch.autograd.grad(each.sum(), theta)[0] for each in (ours, theirs))
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


@every_case
def test_precision_determinant_and_least_value_have_their_closed_forms(
    dimension: int, correlation: float, direction: str
) -> None:
    spec = spec_of(objective(fit(dimension, correlation, direction)))
    s = covariance(spec)
    assert (MEAN, DEVIATION) == (1.0, 2.0)
    torch.testing.assert_close(torch.tensor(spec.covariance, dtype=F64), s)
    torch.testing.assert_close(torch.tensor(spec.precision, dtype=F64), torch.linalg.inv(s))
    assert spec.log_determinant == pytest.approx(float(torch.logdet(s)), rel=1e-12)
    minimum = torch.tensor(spec.minimum, dtype=F64)
    narrow = 1 / torch.linalg.inv(s).diagonal()
    variances = s.diagonal() if direction == "forward" else narrow
    torch.testing.assert_close((2 * minimum[dimension:]).exp(), variances)
    rho = correlation**2
    least = -0.5 * math.log1p(-rho)
    least *= dimension - 1 if direction == "forward" else 1
    if direction == "reverse":
        least += 0.5 * (dimension - 2) * math.log1p(rho)
    least *= dimension > 1
    assert float(divergence(spec, minimum)) == pytest.approx(least, abs=1e-12)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_each_direction_reaches_its_own_minimum(direction: str) -> None:
    """Four normal starts of seeds 0 to 3 in three dimensions, batch descent, float64."""
    pack = [
        objective(
            fit(3, 0.6, direction), model=SPREAD, optimizer={"lr": 0.3}, seed=seed,
            budget={"updates": 1500}, record={"steps": 2},
        )
        for seed in range(4)
    ]  # fmt: skip
    assert {one.problem.name for one in pack} == {"gaussian_fit"}
    _, rows = run(pack)
    other = "reverse" if direction == "forward" else "forward"
    minima = [spec_of(objective(fit(3, 0.6, way))).minimum for way in (direction, other)]
    apart = math.dist(*minima)
    assert apart > 0.3
    for one in pack:
        assert distance(rows, one) < 1e-6
        found = rows.rows("steps", one.trial_id)[-1]["test_loss"]
        expected = float(divergence(spec_of(one), torch.tensor(minima[0], dtype=F64)))
        assert found == pytest.approx(expected, abs=1e-9)


def test_the_forward_fit_covers_and_the_reverse_fit_is_too_narrow() -> None:
    """Bishop 2006, figure 10.2: at ρ = 0.9 the reverse fit has 0.19 of the variance."""
    forward, reverse = (spec_of(objective(fit(2, 0.9, way))) for way in DIRECTIONS)
    ratio = math.exp(2 * (reverse.minimum[2] - forward.minimum[2]))
    assert ratio == pytest.approx(1 - 0.9**2, rel=1e-12)
    # The share of q's own samples that are less likely under p than nearly all of p's are.
    p = MultivariateNormal(torch.ones(2, dtype=F64), covariance(forward))
    torch.manual_seed(0)
    usual = p.log_prob(p.sample((20_000,))).quantile(0.01)
    shares = []
    for spec in (forward, reverse):
        mean, log = torch.tensor(spec.minimum, dtype=F64).chunk(2)
        outside = p.log_prob(Normal(mean, log.exp()).sample((20_000,)).contiguous()) < usual
        shares.append(float(outside.double().mean()))
    assert shares[0] > 0.3
    assert shares[1] < 0.05


def test_noise_of_gradients_leaves_the_minimum_where_it_is() -> None:
    one = objective(fit(2, 0.5, "reverse", gradient_noise=0.3, samples=64))
    data = problems.load(one.problem)
    stack = Stack([one], data, torch.device("cpu"))
    minimum = torch.as_tensor(data.truth["minimum"]).requires_grad_()
    x = stack.train.x.unsqueeze(0)
    (slope,) = torch.autograd.grad(stack.model.forward([minimum], x).mean(), minimum)
    assert data.x_train.std() == pytest.approx(0.3, rel=0.2)
    assert slope.norm() < 1e-12


def test_quadratics_alone_have_a_spectrum_that_theory_speaks_of() -> None:
    keys = {row.key for row in predictions(objective(fit(2, 0.5, "forward")))}
    assert keys == {"sharpness_limit"}


@pytest.mark.parametrize("correlation", [1.0, -1.0, 1.5])
def test_a_correlation_without_an_inverse_is_refused(correlation: float) -> None:
    with pytest.raises(ValueError, match="correlation"):
        objective(fit(2, correlation, "forward"))
