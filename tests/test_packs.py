"""Packs, samplers, schedules and initialisers."""

import math
from typing import Any

import pytest
import torch

from talweg.workloads import calibration, grid, packs, problems, studies
from talweg.workloads.costs import Costs
from talweg.workloads.initializers import INITIALIZERS
from talweg.workloads.initspecs import GaussianInit, NamedInit, ScaledInit
from talweg.workloads.options import Options
from talweg.workloads.samplers import Sampler
from talweg.workloads.schedule import log_spaced, subset

from .trials import DESCENTS, trial


def test_packs_hold_every_trial_once_and_one_shape_each() -> None:
    trials = [p.trial for p in grid.load(studies.path("descent")).trials]
    planned = packs.plan(trials, workers=2)
    assert sorted(t.trial_id for p in planned for t in p.trials) == sorted(
        t.trial_id for t in trials
    )
    for pack in planned:
        assert len({packs.shape_key(t) for t in pack.trials}) == 1
    seconds = [p.seconds for p in planned]
    assert seconds == sorted(seconds, reverse=True)


def test_there_are_two_packs_per_worker_when_there_is_one_shape() -> None:
    planned = packs.plan([trial(seed=s) for s in range(64)], workers=4)
    assert len(planned) >= 8
    assert max(len(p.trials) for p in planned) <= 64 / 8


@pytest.mark.parametrize(
    ("part", "shared"),
    [
        ({"optimizer": {"lr": 3.0, "momentum": 0.5, "clip_norm": 1.0}}, True),
        ({"model": {"depth": 2, "width": 16, "init": "he"}}, True),
        ({"seed": 9}, True),
        ({"model": {"depth": 3, "width": 16}}, False),
        ({"model": {"depth": 2, "width": 16, "activation": "relu"}}, False),
        ({"descent": "batch"}, False),
        ({"budget": {"updates": 21}}, False),
        ({"dtype": "float32"}, False),
        ({"record": {"steps": 3}}, False),
        ({"problem": {"name": "wine"}}, False),
    ],
)
def test_what_may_share_a_pack(part: dict[str, Any], shared: bool) -> None:
    assert (packs.shape_key(trial()) == packs.shape_key(trial(**part))) is shared


def test_a_pack_never_outgrows_its_memory() -> None:
    big = [trial(model={"depth": 3, "width": 2000}, seed=s) for s in range(40)]
    planned = packs.plan(big, workers=1)
    assert all(p.memory_bytes <= packs.MEMORY_BYTES for p in planned)


def drawn(sampler: Sampler, updates: int, most: int) -> list[torch.Tensor]:
    """The samples of so many updates, (K, B) each, fetched at most ``most`` at a time."""
    found: list[torch.Tensor] = []
    while len(found) < updates:
        batches = sampler.batches(len(found), min(most, updates - len(found)))
        if isinstance(batches, int):
            found += [torch.arange(sampler.samples).expand(3, -1)] * batches
        else:
            found += batches.unbind(0)
    return found


@pytest.mark.parametrize("most", [1, 3, 1000])
@pytest.mark.parametrize("name", DESCENTS)
def test_an_epoch_shows_every_sample_once(name: str, most: int) -> None:
    pack = [trial(descent=DESCENTS[name], seed=s) for s in range(3)]
    sampler = Sampler(pack, torch.device("cpu"))
    batches = drawn(sampler, 2 * sampler.per_epoch, most)
    first, second = batches[: sampler.per_epoch], batches[sampler.per_epoch :]
    for epoch in (first, second):
        assert torch.cat(epoch, 1).sort(1).values.tolist() == [list(range(120))] * 3
    if name != "batch":
        assert first[0].tolist() != second[0].tolist()
    assert sampler.seen(sampler.per_epoch) == 120
    assert sampler.seen(sampler.per_epoch + 1) == 120 + min(pack[0].batch_size, 120)


@pytest.mark.parametrize("most", [1, 2, 1000])
def test_the_short_last_batch_of_an_epoch_is_seen(most: int) -> None:
    pack = [trial(descent={"name": "mini_batch", "batch_size": 50})]
    batches = drawn(Sampler(pack, torch.device("cpu")), 6, most)
    assert [batch.shape[1] for batch in batches] == [50, 50, 20, 50, 50, 20]


@pytest.mark.parametrize("update", [0, 1, 7, 24, 30])
def test_a_restored_sampler_goes_on_in_the_same_order(update: int) -> None:
    pack = [trial(seed=s, descent={"name": "mini_batch", "batch_size": 7}) for s in range(3)]
    one, other = (Sampler(pack, torch.device("cpu")) for _ in range(2))
    drawn(one, update, 5)
    other.restore(one.state())
    left = [one.batches(u, 1) for u in range(update, update + 40)]
    right = [other.batches(u, 1) for u in range(update, update + 40)]
    for a, b in zip(left, right, strict=True):
        assert torch.equal(torch.as_tensor(a), torch.as_tensor(b))


@pytest.mark.parametrize("last", [0, 1, 2, 5, 99, 100, 7185, 10**6])
@pytest.mark.parametrize("count", [1, 2, 3, 30, 100])
def test_recordings_are_at_most_so_many_from_start_to_end(last: int, count: int) -> None:
    updates = log_spaced(last, count)
    assert len(updates) <= count or (count == 1 and len(updates) == 1)
    assert updates == sorted(set(updates))
    assert updates[-1] == last
    if count > 1:
        assert updates[0] == 0
    picked = subset(updates, 4)
    assert picked <= set(updates)
    assert len(picked) == min(4, len(updates))


DEVIATIONS: dict[str, tuple[Any, float]] = {
    "he": (NamedInit(name="he"), math.sqrt(2 / 300)),
    "xavier": (NamedInit(name="xavier"), math.sqrt(2 / 500)),
    "lecun": (NamedInit(name="lecun"), math.sqrt(1 / 300)),
    "orthogonal": (NamedInit(name="orthogonal"), math.sqrt(1 / 300)),
    "pytorch_default": (NamedInit(name="pytorch_default"), math.sqrt(1 / 3 / 300)),
    "zeros": (NamedInit(name="zeros"), 0.0),
    "gaussian": (GaussianInit(name="gaussian", sigma_w=1.5, sigma_b=0.2), 1.5 / math.sqrt(300)),
    "scaled": (ScaledInit(name="scaled", gain=3.0), 3 * math.sqrt(2 / 500)),
}


def test_every_initialiser_has_a_known_deviation() -> None:
    assert DEVIATIONS.keys() == INITIALIZERS.keys()


@pytest.mark.parametrize("name", DEVIATIONS)
def test_an_initialiser_draws_with_its_deviation(name: str) -> None:
    spec, deviation = DEVIATIONS[name]
    w, b = INITIALIZERS[name](300, 200, spec, torch.Generator().manual_seed(0))
    assert (w.shape, b.shape, w.dtype) == ((300, 200), (200,), torch.float64)
    # 60,000 draws: the deviation of the deviation is about 0.3 %.
    assert float(w.std()) == pytest.approx(deviation, rel=0.015)
    if name == "gaussian":
        assert float(b.std()) == pytest.approx(0.2, rel=0.15)
    elif name != "pytorch_default":
        assert not b.any()
    if name == "orthogonal":
        assert torch.allclose(w.T @ w, torch.eye(200, dtype=w.dtype), atol=1e-10)


def test_probes_are_in_what_is_estimated_and_in_what_is_measured() -> None:
    """A trial with a curvature at every recording costs several times as much."""
    plain = trial(budget={"updates": 50})
    probed = trial(
        budget={"updates": 50},
        record={"probes": ["gradients", {"name": "curvature", "steps": 100}]},
    )
    guessed = [Costs().seconds("unknown", one, 1) for one in (plain, probed)]
    assert guessed[1] > 2 * guessed[0]
    data = problems.load(plain.problem)
    (without,), (with_it,) = (
        list(calibration.measure([one], data, Options(), 1)) for one in (plain, probed)
    )
    assert with_it.recording_seconds > 3 * without.recording_seconds
