"""The variational autoencoder: a naive twin, a linear one's closed form, noise of every epoch."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence

from talweg.workloads import problems
from talweg.workloads.compiled import batch_of
from talweg.workloads.grid import load
from talweg.workloads.latentspecs import Elbo, LowRankGaussian
from talweg.workloads.latentspecs import Vae as Spec
from talweg.workloads.losses import CRITERIA
from talweg.workloads.models.vae import Vae
from talweg.workloads.options import Compile, cpp_compiler
from talweg.workloads.seeds import Stream, generator
from talweg.workloads.spec import TrialSpec
from talweg.workloads.stack import Stack

from .trials import Collected, assert_every_path_makes_the_same_updates, run

CPU = torch.device("cpu")
IMAGES = {"name": "digit_images", "latents": 3, "test_share": 0.95}
LOW_RANK = {"name": "low_rank_gaussian", "features": 6, "samples": 80, "test_samples": 40}
GAUSSIAN = {"name": "elbo", "likelihood": "gaussian", "deviation": 0.7, "beta": 2.0}
CASES: dict[str, dict[str, Any]] = {
    "bernoulli": {"problem": IMAGES, "loss": {"name": "elbo"}},
    "bernoulli, beta": {"problem": IMAGES, "loss": {"name": "elbo", "beta": 0.3}},
    "gaussian": {"problem": LOW_RANK, "loss": GAUSSIAN},
    "gaussian, linear": {"problem": LOW_RANK, "loss": GAUSSIAN, "model": {"depth": 0}},
}
every_case = pytest.mark.parametrize("case", CASES)


def coded(**parts: Any) -> TrialSpec:
    """A small autoencoder of images in float64; ``model`` is added to."""
    model = {"name": "vae", "depth": 2, "width": 7} | parts.pop("model", {})
    defaults: dict[str, Any] = {
        "problem": IMAGES,
        "loss": "elbo",
        "dtype": "float64",
        "budget": {"updates": 20},
        "descent": {"batch_size": 16},
        "optimizer": {"lr": 0.003, "momentum": 0.5},
        "record": {"steps": 5, "layers": 5, "samples": None, "layer_samples": None},
    }
    return TrialSpec.model_validate(defaults | parts | {"model": model})


class Twin:
    """The same autoencoder as a tutorial writes it: two nets, one sample after the other."""

    def __init__(self, spec: TrialSpec) -> None:
        assert isinstance(spec.model, Spec)
        assert isinstance(spec.loss, Elbo)
        self.spec, self.loss = spec, spec.loss
        self.data = problems.load(spec.problem)
        self.start = Vae(spec, self.data).start(spec)
        latents: Any = getattr(spec.problem, "latents", None)
        numbers, hidden = self.data.features - latents, [spec.model.width] * spec.model.depth
        self.encoder = _net([numbers, *hidden, 2 * latents])
        self.decoder = _net([latents, *hidden, numbers])
        given = iter(self.start)
        for linear in [*self.encoder, *self.decoder]:
            if isinstance(linear, nn.Linear):
                linear.weight.data = next(given).T.contiguous()
                linear.bias.data = next(given)[0].clone()
        self.numbers, self.latents = numbers, latents

    def parts(self, sample: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """−ln p(x|z) and KL(q‖N(0, I)) of one [x, ε]."""
        x, noise = sample.split([self.numbers, self.latents])
        mean, log = self.encoder(x).chunk(2)
        q = Normal(mean, torch.exp(log / 2))
        made = self.decoder(q.loc + q.scale * noise)
        prior = Normal(torch.zeros_like(mean), torch.ones_like(mean))
        if self.loss.likelihood == "bernoulli":
            # Probabilities of values between 0 and 1 are not checked: grey pixels are allowed.
            p: Any = Bernoulli(logits=made, validate_args=False)
        else:
            p = Normal(made, self.loss.deviation)
        return -p.log_prob(x).sum(), kl_divergence(q, prior).sum()

    def means(self, samples: torch.Tensor) -> dict[str, torch.Tensor]:
        """Means over samples: what is minimised, and its parts."""
        pairs = [self.parts(sample) for sample in samples]
        reconstruction, kl = (torch.stack(t).mean() for t in zip(*pairs, strict=True))
        return {
            "loss": reconstruction + self.loss.beta * kl,
            "score": -reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
        }

    def gradients(self, samples: torch.Tensor) -> list[torch.Tensor]:
        """By all parameters, as ours lie."""
        grads = torch.autograd.grad(self.means(samples)["loss"], self.params())
        return [g.T if g.ndim == 2 else g.unsqueeze(0) for g in grads]

    def params(self) -> list[nn.Parameter]:
        return [*self.encoder.parameters(), *self.decoder.parameters()]

    def train(self, updates: int) -> None:
        """Mini-batches with momentum, fresh noise in each epoch."""
        settings: Any = self.spec.optimizer
        optimizer = torch.optim.SGD(self.params(), lr=settings.lr, momentum=settings.momentum)
        for batch in itertools.islice(self.batches(), updates):
            optimizer.zero_grad()
            self.means(batch)["loss"].backward()
            optimizer.step()

    def batches(self) -> Any:
        """Samples of each update, with the noise of their epoch."""
        x = torch.as_tensor(self.data.y_train)
        order = generator(self.spec.seed, Stream.ORDER)
        for epoch in itertools.count():
            places = torch.randperm(len(x), generator=order)
            draw = generator(self.spec.seed, Stream.NOISE, epoch)
            noise = torch.randn(len(x), self.latents, generator=draw, dtype=torch.float64)
            yield from torch.cat([x[places], noise], 1).split(self.spec.batch_size)


def _net(sizes: list[int]) -> nn.Sequential:
    layers = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), nn.Tanh())]
    return nn.Sequential(*layers[:-1]).double()


@every_case
def test_values_and_gradients_are_those_of_the_naive_twin(case: str) -> None:
    spec = coded(**CASES[case], seed=2)
    twin = Twin(spec)
    criterion = CRITERIA["elbo"](spec.loss)
    x, y = (torch.as_tensor(t).unsqueeze(0) for t in (twin.data.x_train, twin.data.y_train))
    leaves = [p.unsqueeze(0).requires_grad_() for p in twin.start]
    outputs = Vae(spec, twin.data).forward(leaves, x)
    assert outputs.shape == (1, spec.problem.train_samples, spec.shape.outputs)
    expected = twin.means(x[0])
    value = criterion.loss(outputs, y).mean()
    told = {name: of(outputs, y) for name, of in criterion.measures.items()}
    told |= {"loss": value, "score": criterion.score(outputs, y)}
    assert told.keys() == expected.keys()
    for name, number in told.items():
        assert number.item() == pytest.approx(expected[name].item(), rel=1e-10), name
    found = torch.autograd.grad(value, leaves)
    for ours, theirs in zip(found, twin.gradients(x[0]), strict=True):
        torch.testing.assert_close(ours[0], theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", ["bernoulli, beta", "gaussian"])
def test_it_trains_as_its_twin_alone_and_in_a_pack(case: str) -> None:
    """Three epochs of 5 or 6 updates, and a few more, each with noise of its own."""
    one, *others = (coded(**CASES[case], seed=seed) for seed in range(4))
    twin = Twin(one)
    twin.train(20)
    with torch.no_grad():
        train, test = (
            twin.means(torch.as_tensor(x)) for x in (twin.data.x_train, twin.data.x_test)
        )
    for pack in ([one], [*others, one]):
        outcomes, rows = run(pack)
        assert [str(o) for o in outcomes] == ["done"] * len(pack)
        last = rows.rows("steps", one.trial_id)[-1]
        assert math.isclose(last["train_loss"], train["loss"], rel_tol=1e-9)
        assert math.isclose(last["test_loss"], test["loss"], rel_tol=1e-9)
        assert math.isclose(last["test_score"], test["score"], rel_tol=1e-9)
        for name in ("kl", "reconstruction"):
            assert math.isclose(measured(rows, one, name)[-1], test[name], rel_tol=1e-9)


def measured(rows: Collected, trial: TrialSpec, key: str) -> list[float]:
    return [float(r["value"]) for r in rows.rows("probes", trial.trial_id) if r["key"] == key]


def test_the_layers_of_both_nets_are_measured() -> None:
    one = coded(budget={"updates": 1})
    _, rows = run([one])
    layers = rows.rows("layers", one.trial_id)[:6]
    nets = ("encoder", "decoder")
    assert [row["name"] for row in layers] == [
        f"{net}.{name}" for net in nets for name in ("hidden1", "hidden2", "output")
    ]
    twin = Twin(one)
    grads = twin.gradients(torch.as_tensor(twin.data.x_train))[0::2]
    norms = [row["grad_norm"] for row in layers]
    assert norms == pytest.approx([g.norm().item() for g in grads], rel=1e-9)
    assert all(row["q"] > 0 and row["backward_signal"] > 0 for row in layers)


def test_the_tape_the_eager_path_and_a_smaller_stack_make_the_same_updates() -> None:
    pack = [coded(seed=seed, budget={"updates": 80}) for seed in range(3)]
    assert_every_path_makes_the_same_updates(pack, 31)


@pytest.mark.parametrize("descent", ["batch", {"batch_size": 32}])
def test_noise_is_new_in_every_epoch_and_what_is_recorded_keeps_its_own(descent: Any) -> None:
    one = coded(descent=descent)
    data = problems.load(one.problem)
    stack = Stack([one], data, CPU)
    per_epoch = 1 if descent == "batch" else 3
    seen = []
    for _ in range(4):
        x, y = stack._samples(1)
        stack.update += per_epoch
        assert torch.equal(x[..., :-3], y)
        seen.append(x[0, 0, :, -3:])
    stack.sampler.batches(stack.update, 1)
    for a, b in itertools.combinations(seen, 2):
        assert float((a - b).square().mean()) == pytest.approx(2, rel=0.5)
    assert torch.equal(stack.train.x, torch.as_tensor(data.x_train))
    assert data.x_train[:, -3:].std() == pytest.approx(1, rel=0.2)
    # Such a batch is each trial's own: it is not built into a compiled step.
    assert batch_of(one, stack.train).whole is None


def test_it_goes_on_from_a_snapshot_as_if_nothing_had_happened() -> None:
    one = coded(budget={"updates": 60})
    data = problems.load(one.problem)
    whole, part, rest = (Stack([one], data, CPU) for _ in range(3))
    whole.descend(40)
    part.descend(17)
    rest.restore(part.snapshot([0]), 17, 0.0)
    rest.descend(40)
    for a, b in zip(whole.params, rest.params, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_it_compiles(tmp_path: Path) -> None:
    pack = [coded(seed=seed, model={"depth": 0}, budget={"updates": 10}) for seed in (0, 1)]
    _, eager = run(pack)
    _, compiled = run(pack, compile=Compile.ALWAYS, steps_folder=tmp_path)
    assert bool(list(tmp_path.glob("*.pt2"))) == bool(cpp_compiler())
    for one in pack:
        last = [rows.rows("steps", one.trial_id)[-1] for rows in (eager, compiled)]
        assert last[1]["test_loss"] == pytest.approx(last[0]["test_loss"], rel=1e-9)


# --- A linear one: probabilistic principal component analysis -----------------------------------

DEVIATION = 0.5


def best(x_ND: Any, latents: int) -> tuple[float, Any]:
    """The greatest mean ln N(x; m, W Wᵀ + s²·I) for a given s, and that covariance.

    Source: Tipping and Bishop (1999), section 3.2, with s² held fixed.
    """
    values, axes = np.linalg.eigh(np.cov(x_ND, rowvar=False, bias=True))
    free = np.arange(len(values)) >= len(values) - latents
    fitted = np.where(free, np.maximum(values, DEVIATION**2), DEVIATION**2)
    likelihood = -0.5 * (np.log(2 * np.pi * fitted) + values / fitted).sum()
    return float(likelihood), (axes * fitted) @ axes.T


def expected_elbo(params: list[torch.Tensor], x_ND: torch.Tensor) -> float:
    """The bound of a linear autoencoder with the mean over ε taken in closed form."""
    into, into_bias, out, out_bias = params
    mean, log = (x_ND @ into + into_bias).chunk(2, 1)
    # E|x − W z − b|² = |x − W μ − b|² + Σ_l σ_l² |w_l|²
    off = (x_ND - mean @ out - out_bias).square().sum(1) + log.exp() @ out.square().sum(1)
    constant = x_ND.shape[1] * math.log(2 * math.pi * DEVIATION**2) / 2
    reconstruction = off / (2 * DEVIATION**2) + constant
    q = Normal(mean, (log / 2).exp())
    kl = kl_divergence(q, Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum(1)
    return float(-(reconstruction + kl).mean())


def linear(latents: int, seed: int, **problem: Any) -> TrialSpec:
    own = {"name": "low_rank_gaussian", "features": 6, "rank": 2, "latents": latents}
    return coded(
        problem=own | {"noise": DEVIATION, "samples": 512, "test_samples": 64} | problem,
        loss={"name": "elbo", "likelihood": "gaussian", "deviation": DEVIATION},
        model={"depth": 0}, seed=seed, descent={"batch_size": 64},
        optimizer={"name": "adam", "lr": 0.03, "schedule": "cosine"},
        budget={"updates": 2000}, record={"steps": 2, "samples": None, "probes": []},
    )  # fmt: skip


@pytest.mark.parametrize("latents", [1, 2, 4])
def test_a_linear_autoencoder_ends_at_the_greatest_likelihood_of_principal_components(
    latents: int,
) -> None:
    """Lucas et al. 2019, section 4: the bound is tight there. Seeds 0 to 2, within 0.03 nats."""
    pack = [linear(latents, seed) for seed in range(3)]
    data = problems.load(pack[0].problem)
    most, covariance = best(data.y_train, latents)
    p = MultivariateNormal(torch.as_tensor(data.y_train.mean(0)), torch.as_tensor(covariance))
    assert float(p.log_prob(torch.as_tensor(data.y_train)).mean()) == pytest.approx(most, rel=1e-9)
    without, _ = best(data.y_train, latents - 1)
    assert latents > 2 or most - without > 0.3
    stack = Stack(pack, data, CPU)
    stack.descend(2000)
    for k in range(3):
        bound = expected_elbo([p[k] for p in stack.params], torch.as_tensor(data.y_train))
        assert most - 0.03 < bound <= most


def test_the_low_rank_gaussian_is_what_its_spec_says() -> None:
    spec = LowRankGaussian(
        name="low_rank_gaussian", features=5, rank=2, noise=0.3, samples=20_000, latents=3
    )
    data = problems.load(spec)
    assert data.x_train.shape == (20_000, 8)
    assert data.x_test.shape == (1024, 8)
    assert np.array_equal(data.x_train[:, :5], data.y_train)
    weights = data.truth["weights"]
    covariance = weights @ weights.T + 0.3**2 * np.eye(5)
    assert np.cov(data.y_train, rowvar=False) == pytest.approx(covariance, abs=0.05)
    assert np.cov(data.x_train[:, 5:], rowvar=False) == pytest.approx(np.eye(3), abs=0.05)


def test_images_are_those_of_digits_without_their_labels() -> None:
    ours = problems.load(coded().problem)
    digits = {"name": "digits", "test_share": 0.95}
    theirs = problems.load(TrialSpec.model_validate({"problem": digits}).problem)
    assert np.array_equal(ours.y_train, theirs.x_train)
    assert np.array_equal(ours.x_test[:, :-3], theirs.x_test)
    assert 0 <= ours.y_train.min() < ours.y_train.max() <= 1


# --- Planning ------------------------------------------------------------------------------------


def test_problems_bring_their_model_and_loss_along(tmp_path: Path) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text("name: a\ngrid:\n  problem.name: [digit_images, low_rank_gaussian]\n")
    trials = [planned.trial for planned in load(file).trials]
    assert [t.model.name for t in trials] == ["vae"] * 2
    assert [t.loss for t in trials] == [
        Elbo(name="elbo"),
        Elbo(name="elbo", likelihood="gaussian"),
    ]
