"""Adversarial losses and nets: against a naive twin, and on the ring of Gaussians."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import logsigmoid

from talweg.workloads import problems
from talweg.workloads.gamespecs import Gan as Spec
from talweg.workloads.gamespecs import Ring
from talweg.workloads.losses import CRITERIA
from talweg.workloads.losses.adversarial import Verdicts
from talweg.workloads.models.gan import Gan
from talweg.workloads.options import Compile, cpp_compiler
from talweg.workloads.spec import TrialSpec
from talweg.workloads.stack import Stack

from .trials import Collected, run

LOSSES: dict[str, dict[str, Any]] = {
    "minimax": {"name": "gan_minimax"},
    "nonsaturating": {"name": "gan_nonsaturating"},
    "hinge": {"name": "gan_hinge"},
    "wasserstein": {"name": "gan_wasserstein", "penalty": 3.0},
}
ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU}


def game(**parts: Any) -> TrialSpec:
    """A small game on a small ring, in float64."""
    defaults: dict[str, Any] = {
        "problem": {"name": "ring", "samples": 96, "test_samples": 64, "latents": 3},
        "model": {"name": "gan", "depth": 2, "width": 8, "discriminator_width": 12},
        "loss": "gan_nonsaturating",
        "dtype": "float64",
        "budget": {"updates": 60},
        "optimizer": {"lr": 0.05, "momentum": 0.5},
        "record": {"steps": 6, "layers": 6},
    }
    return TrialSpec.model_validate(defaults | parts)


class Twin:
    """The same game as a tutorial writes it: two nets, two losses, autograd for the penalty."""

    def __init__(self, spec: TrialSpec) -> None:
        assert isinstance(spec.model, Spec)
        self.spec = spec
        self.data = problems.load(spec.problem)
        self.start = Gan(spec, self.data).start(spec)
        activation = ACTIVATIONS[spec.model.activation]
        sizes = spec.model.sizes(spec.problem.shape)
        self.generator, self.discriminator = (_net(s, activation) for s in sizes)
        given = iter(self.start)
        for linear in [*self.generator, *self.discriminator]:
            if isinstance(linear, nn.Linear):
                linear.weight.data = next(given).T.contiguous()
                linear.bias.data = next(given)[0].clone()

    def losses(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean loss of the generator and of the discriminator on [x, z, u]."""
        real, latents, weight = inputs[:, :2], inputs[:, 2:-1], inputs[:, -1:]
        made = self.generator(latents)
        d_real, d_fake = self.discriminator(real), self.discriminator(made)
        match self.spec.loss.name:
            case "gan_minimax":
                # log(1 − σ(d)) = log σ(−d)
                g = logsigmoid(-d_fake).mean()
            case "gan_nonsaturating":
                g = -logsigmoid(d_fake).mean()
            case _:
                g = -d_fake.mean()
        match self.spec.loss.name:
            case "gan_hinge":
                d = (1 - d_real).clamp(min=0).mean() + (1 + d_fake).clamp(min=0).mean()
            case "gan_wasserstein":
                d = d_fake.mean() - d_real.mean() + 3.0 * self._penalty(real, made, weight)
            case _:
                d = -(logsigmoid(d_real) + logsigmoid(-d_fake)).mean()
        return g, d

    def _penalty(
        self, real: torch.Tensor, made: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        between = weight * real + (1 - weight) * made.detach()
        between.requires_grad_()
        slope = torch.autograd.grad(self.discriminator(between).sum(), between, create_graph=True)
        off: torch.Tensor = slope[0].norm(dim=1) - 1
        return off.square().mean()

    def gradients(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        """Of each player's own loss by its own parameters, as our parameters lie."""
        g, d = self.losses(inputs)
        found = [
            *torch.autograd.grad(g, list(self.generator.parameters()), retain_graph=True),
            *torch.autograd.grad(d, list(self.discriminator.parameters()), materialize_grads=True),
        ]
        return [t.T if t.ndim == 2 else t.unsqueeze(0) for t in found]

    def params(self) -> list[torch.Tensor]:
        found = [*self.generator.parameters(), *self.discriminator.parameters()]
        return [(t.T if t.ndim == 2 else t.unsqueeze(0)).detach() for t in found]

    def train(self, updates: int) -> None:
        """Batch descent with momentum, both players at once."""
        settings: Any = self.spec.optimizer
        both = [*self.generator.parameters(), *self.discriminator.parameters()]
        optimizer = torch.optim.SGD(both, lr=settings.lr, momentum=settings.momentum)
        inputs = torch.as_tensor(self.data.x_train)
        for _ in range(updates):
            for param, grad in zip(both, self.gradients(inputs), strict=True):
                param.grad = grad.T.contiguous() if param.ndim == 2 else grad[0].clone()
            optimizer.step()


def _net(sizes: list[int], activation: type[nn.Module]) -> nn.Sequential:
    layers = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), activation())]
    return nn.Sequential(*layers[:-1]).double()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_values_and_both_gradients_are_those_of_the_naive_twin(loss: str, activation: str) -> None:
    net = {"name": "gan", "depth": 2, "width": 8, "discriminator_width": 12}
    spec = game(loss=LOSSES[loss], model=net | {"activation": activation}, seed=2)
    twin = Twin(spec)
    criterion = CRITERIA[spec.loss.name](spec.loss)
    x, y = (torch.as_tensor(t).unsqueeze(0) for t in (twin.data.x_train, twin.data.y_train))
    leaves = [p.unsqueeze(0).requires_grad_() for p in twin.start]
    outputs = Gan(spec, twin.data).forward(leaves, x)
    value = criterion.loss(outputs, y).mean()
    generator, discriminator = twin.losses(x[0])
    assert value.item() == pytest.approx(generator.item(), rel=1e-10)
    told = criterion.measures["discriminator_loss"](outputs, y)
    assert told.item() == pytest.approx(discriminator.item(), rel=1e-10)
    found = torch.autograd.grad(value, leaves, materialize_grads=True)
    for ours, theirs in zip(found, twin.gradients(x[0]), strict=True):
        torch.testing.assert_close(ours[0], theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_game_trains_as_its_twin_alone_and_in_a_pack(loss: str) -> None:
    one, *others = (game(loss=LOSSES[loss], descent="batch", seed=seed) for seed in range(4))
    twin = Twin(one)
    twin.train(60)
    generator, discriminator = twin.losses(torch.as_tensor(twin.data.x_test))
    for pack in ([one], [*others, one]):
        outcomes, rows = run(pack)
        assert [str(o) for o in outcomes] == ["done"] * len(pack)
        last = rows.rows("steps", one.trial_id)[-1]
        assert math.isclose(last["test_loss"], generator.item(), rel_tol=1e-9)
        told = measured(rows, one, "discriminator_loss")[-1]
        assert math.isclose(told, discriminator.item(), rel_tol=1e-9)


def measured(rows: Collected, trial: TrialSpec, key: str) -> list[float]:
    return [float(r["value"]) for r in rows.rows("probes", trial.trial_id) if r["key"] == key]


def test_the_generators_gradient_norm_is_that_of_its_own_loss_alone() -> None:
    one = game(loss=LOSSES["minimax"], descent="batch", budget={"updates": 0})
    twin = Twin(one)
    generator, _ = twin.losses(torch.as_tensor(twin.data.x_test))
    grads = torch.autograd.grad(generator, list(twin.generator.parameters()))
    expected = torch.cat([g.flatten() for g in grads]).norm().item()
    _, rows = run([one])
    assert measured(rows, one, "generator_grad_norm") == pytest.approx([expected], rel=1e-9)


def test_the_layers_of_both_players_are_measured() -> None:
    one = game(descent="batch", budget={"updates": 1})
    _, rows = run([one])
    layers = rows.rows("layers", one.trial_id)[:6]
    players = ("generator", "discriminator")
    expected = [f"{p}.{name}" for p in players for name in ("hidden1", "hidden2", "output")]
    assert [row["name"] for row in layers] == expected
    twin = Twin(one)
    grads = twin.gradients(torch.as_tensor(twin.data.x_train))[0::2]
    norms = [row["grad_norm"] for row in layers]
    assert norms == pytest.approx([g.norm().item() for g in grads], rel=1e-9)


def test_the_gradient_of_minimax_vanishes_where_the_discriminator_wins() -> None:
    """Goodfellow et al. 2014, section 3: log(1 − σ) saturates, −log σ does not."""
    verdicts = torch.zeros(1, 1, 6, dtype=torch.float64)
    verdicts[..., 2] = -20.0  # D(G(z)): surely made
    verdicts.requires_grad_()
    slopes = {}
    for name in ("minimax", "nonsaturating"):
        spec = game(loss=LOSSES[name]).loss
        value = CRITERIA[spec.name](spec).loss(verdicts, torch.zeros(1, 1, 3))
        (grad,) = torch.autograd.grad(value.sum(), verdicts)
        slopes[name] = Verdicts.of(grad).through.item()
    assert slopes["minimax"] == pytest.approx(-math.exp(-20), rel=1e-6)
    assert slopes["nonsaturating"] == pytest.approx(-1, rel=1e-6)


def test_the_ring_is_what_its_spec_says() -> None:
    ring = Ring(name="ring", modes=5, radius=3.0, deviation=0.1, samples=1000, latents=4)
    data = problems.load(ring)
    assert data.x_train.shape == (1000, 7)
    assert data.y_test.shape == (1024, 3)
    means = data.truth["modes"]
    assert np.linalg.norm(means, axis=1) == pytest.approx([3.0] * 5)
    off = data.x_train[:, :2] - data.y_train[:, :2]
    assert off.std() == pytest.approx(0.1, rel=0.05)
    for mode in means:
        assert (data.y_train[:, :2] == mode).all(1).sum() == 200
    assert data.x_train[:, 2:6].std() == pytest.approx(1, rel=0.05)
    weight = data.x_train[:, 6]
    assert 0 <= weight.min() < 0.01 < 0.99 < weight.max() <= 1
    with pytest.raises(ValueError, match="8 modes need as many samples"):
        Ring(name="ring", samples=4)


def test_modes_and_quality_are_counted_as_stated() -> None:
    data = problems.load(Ring(name="ring", radius=1.0, deviation=0.1, test_samples=400))
    criterion = CRITERIA["gan_hinge"](game(loss="gan_hinge").loss)
    modes = torch.as_tensor(data.truth["modes"])
    outputs = torch.zeros(1, 400, 6, dtype=torch.float64)
    made = outputs[0, :, 4:]
    made[:] = 50.0  # far from every mode
    made[:4] = modes[0] + torch.tensor([0.0, 0.299])  # 1 % of 400, within three deviations
    made[4:7] = modes[1]  # less than 1 %
    made[7:20] = modes[2] + torch.tensor([0.0, 0.301])  # just outside
    made[20:100] = modes[3]
    targets = torch.as_tensor(data.y_test).unsqueeze(0)
    assert criterion.score(outputs, targets).item() == 2 / 8
    found = {name: f(outputs, targets).item() for name, f in criterion.measures.items()}
    assert found["modes_covered"] == 2
    assert found["high_quality_share"] == pytest.approx(87 / 400)


def test_a_game_goes_on_from_a_snapshot_as_if_nothing_had_happened() -> None:
    one = game(loss=LOSSES["wasserstein"], descent={"batch_size": 32})
    data = problems.load(one.problem)
    whole, part, rest = (Stack([one], data, torch.device("cpu")) for _ in range(3))
    whole.descend(60)
    part.descend(31)
    rest.restore(part.snapshot([0]), 31, 0.0)
    rest.descend(60)
    for a, b in zip(whole.params, rest.params, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_the_penalised_game_compiles(tmp_path: Path) -> None:
    parts = {
        "model": {"name": "gan", "depth": 1, "width": 4},
        "loss": LOSSES["wasserstein"],
        "descent": {"batch_size": 32},
        "budget": {"updates": 10},
    }
    # Two trials on a plane with two latents: no axis may be taken for another of its length.
    problem = {"name": "ring", "samples": 96, "test_samples": 64, "latents": 2}
    pack = [game(problem=problem, seed=seed, **parts) for seed in (0, 1)]
    _, eager = run(pack)
    _, compiled = run(pack, compile=Compile.ALWAYS, steps_folder=tmp_path)
    assert bool(list(tmp_path.glob("*.pt2"))) == bool(cpp_compiler())
    for one in pack:
        last = [rows.rows("steps", one.trial_id)[-1] for rows in (eager, compiled)]
        assert last[1]["test_loss"] == pytest.approx(last[0]["test_loss"], rel=1e-9)
