"""Augmentation: which images a trial sees, whatever pack, path or checkpoint it trains in."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from talweg.workloads import engine, problems
from talweg.workloads.checkpoints import Checkpoints, Keeper
from talweg.workloads.compiled import batch_of
from talweg.workloads.grid import load
from talweg.workloads.gridfile import GridError
from talweg.workloads.options import Options
from talweg.workloads.packs import shape_key
from talweg.workloads.records import Records
from talweg.workloads.redrawn import Shifts, moved
from talweg.workloads.seeds import Stream, generator
from talweg.workloads.spec import TrialSpec
from talweg.workloads.stack import Stack

from .trials import Collected, assert_every_path_makes_the_same_updates, run, trial

CPU = torch.device("cpu")
PIXELS = 2
DESCENTS: dict[str, dict[str, Any]] = {
    "batch": {"descent": "batch"},
    "stochastic": {"descent": "stochastic"},
    "mini_batch": {"descent": {"name": "mini_batch", "batch_size": 48}},
}


def shifted(**parts: Any) -> TrialSpec:
    defaults: dict[str, Any] = {
        "problem": {"name": "digits"},
        "model": {"depth": 1, "width": 8},
        "augmentation": {"name": "shift", "pixels": PIXELS},
        "record": {"steps": 4, "probes": []},
    }
    return trial(**defaults | parts)


def rolled(x: torch.Tensor, seed: int, epoch: int, start: int, count: int) -> torch.Tensor:
    """Images (B, 64), the ones from ``start`` on of an epoch of ``count``, each at its place."""
    g = generator(seed, Stream.PLACES, epoch)
    offsets = torch.randint(-PIXELS, PIXELS + 1, (count, 2), generator=g)[start : start + len(x)]
    pairs = zip(x.view(-1, 8, 8), offsets.tolist(), strict=True)
    return torch.stack([image.roll(offset, (0, 1)).flatten() for image, offset in pairs])


@pytest.mark.parametrize("descent", DESCENTS)
def test_every_update_sees_what_a_loop_over_images_makes_of_its_samples(descent: str) -> None:
    spec = shifted(**DESCENTS[descent], seed=3)
    data = problems.load(spec.problem)
    stack, plain = (
        Stack([one], data, CPU)
        for one in (spec, spec.model_copy(update={"augmentation": trial().augmentation}))
    )
    size, count = spec.batch_size, len(data.x_train)
    while stack.update < 1.5 * -(-count // size):
        x, y = stack._samples(64)
        same_x, same_y = plain._samples(64)
        assert torch.equal(y, same_y)
        for u, (seen, given) in enumerate(zip(x[:, 0], same_x[:, 0], strict=True)):
            epoch, position = divmod(stack.update + u, -(-count // size))
            assert torch.equal(seen, rolled(given, 3, epoch, position * size, count))
        stack.update = plain.update = stack.update + len(x)


def test_places_are_uniform_over_all_that_are_allowed_and_new_in_every_epoch() -> None:
    augment = Shifts([shifted(seed=seed) for seed in (0, 1)], CPU)
    first = augment._of(0, 32)
    augment._draw(0)
    offsets = augment._drawn_KN
    counts = Counter(map(tuple, offsets.flatten(0, 1).tolist()))
    assert len(counts) == (2 * PIXELS + 1) ** 2
    mean = offsets[..., 0].numel() / len(counts)
    assert all(abs(count - mean) < 4 * mean**0.5 for count in counts.values())
    assert torch.equal(first, augment._of(0, 32))
    assert not torch.equal(first, augment._of(45, 32))
    assert not torch.equal(first[0], first[1])


def test_channels_move_together_and_masks_with_their_images() -> None:
    x = torch.arange(2 * 3 * 4 * 5, dtype=torch.float64).view(2, 60)
    offsets = torch.tensor([[1, -2], [0, 3]])
    found = moved(x, offsets, (3, 4, 5)).view(2, 3, 4, 5)
    for one, image, (down, right) in zip(found, x.view(2, 3, 4, 5), offsets.tolist(), strict=True):
        assert torch.equal(one, image.roll((down, right), (1, 2)))
    spec = shifted(
        problem={"name": "shapes", "noise": 0, "samples": 64, "test_samples": 8},
        model={"name": "encoder_decoder", "channels": 2}, loss="dice",
    )  # fmt: skip
    x, y = Stack([spec], problems.load(spec.problem), CPU)._samples(2)
    # Without noise the figure's pixels are those that differ from the background.
    assert torch.equal(x > x.median(), y > 0)


@pytest.mark.parametrize("descent", DESCENTS)
def test_a_trial_alone_equals_itself_in_a_pack(descent: str) -> None:
    pack = [shifted(**DESCENTS[descent], seed=s, budget={"updates": 60}) for s in range(3)]
    _, together = run(pack)
    for spec in pack:
        _, alone = run([spec])
        pairs = zip(
            alone.rows("steps", spec.trial_id), together.rows("steps", spec.trial_id), strict=True
        )
        for one, other in pairs:
            assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-9)


@pytest.mark.parametrize("descent", ["batch", "mini_batch"])
def test_the_tape_the_eager_path_and_a_smaller_stack_make_the_same_updates(descent: str) -> None:
    pack = [shifted(**DESCENTS[descent], seed=s, budget={"updates": 80}) for s in range(3)]
    assert_every_path_makes_the_same_updates(pack, 16)


def test_a_compiled_step_does_not_share_the_training_set_of_trials_that_move_it() -> None:
    # It would be built into the update of batch descent, and no trial would see its own images.
    spec = shifted(descent="batch")
    train = Stack([spec], problems.load(spec.problem), CPU).train
    assert batch_of(spec, train).whole is None
    assert batch_of(shifted(descent="batch", augmentation="none"), train).whole is train


class Killed(Exception):
    """The process went away."""


class Dying(Collected):
    """A sink that breaks at its eighth flush."""

    def put(self, records: Records) -> None:
        if len(self.flushes) == 8:
            raise Killed
        super().put(records)


def test_a_trial_that_goes_on_from_a_checkpoint_sees_the_same_images(tmp_path: Path) -> None:
    pack = [shifted(seed=s, budget={"updates": 200}, record={"steps": 12}) for s in range(2)]
    data = problems.load(pack[0].problem)
    options = Options(flush_seconds=0.0)
    whole, rest = Collected(), Collected()
    engine.train(pack, data, whole, options)
    with pytest.raises(Killed):
        engine.train(pack, data, Dying(), options, Keeper(tmp_path, "first", 0.0))
    saved = Checkpoints(tmp_path).find([pack[0].trial_id])
    assert saved is not None
    assert 0 < saved.update < 200
    engine.train(pack, data, rest, options, Keeper(tmp_path, "second", 60.0, saved))
    for spec in pack:
        last, again = (c.rows("steps", spec.trial_id)[-1] for c in (whole, rest))
        assert (last["update"], last["train_loss"]) == (again["update"], again["train_loss"])


def test_without_augmentation_a_trial_is_what_it_was_and_with_it_another() -> None:
    plain = trial()
    assert trial(augmentation="none").trial_id == plain.trial_id
    assert shape_key(shifted()) != shape_key(shifted(augmentation="none"))
    assert len({shifted(augmentation={"pixels": p}).trial_id for p in (1, 2, 3)}) == 3


def test_only_images_can_be_moved(tmp_path: Path) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text("name: a\nbase:\n  problem: iris\ngrid:\n  augmentation: [none, shift]\n")
    with pytest.raises(GridError, match=r"augmentation\.name.*iris has none; use digits"):
        load(file)
