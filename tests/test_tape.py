"""Tapes: replays do what the recorded function does, and what cannot be taped is found out."""

from collections.abc import Callable

import pytest
import torch

from talweg.workloads.tape import Learned, Tape, Tensors

F64 = torch.float64


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def descent(place: torch.Tensor) -> Callable[[torch.Tensor], Tensors]:
    """One step of gradient descent on tanh(x·w)² in place; returns the loss before it."""

    def step(x: torch.Tensor) -> Tensors:
        leaf = place.detach().requires_grad_()
        with torch.enable_grad():
            loss = torch.tanh(x @ leaf).square().sum()
            (grad,) = torch.autograd.grad(loss, [leaf])
        place.sub_(grad, alpha=0.1)
        return [loss.detach()]

    return step


def test_a_replay_goes_on_where_the_recording_ended() -> None:
    taped, plain = numbers(3, 2), numbers(3, 2)
    tape = Tape(descent(taped), [numbers(5, 3, seed=1)], [taped])
    reference = descent(plain)
    assert torch.equal(tape.first[0], reference(numbers(5, 3, seed=1))[0])
    for seed in range(2, 7):
        x = numbers(5, 3, seed=seed)
        assert torch.equal(tape(x)[0], reference(x)[0])
        assert torch.equal(taped, plain)


def test_constants_are_computed_once_and_writing_to_one_is_undone_by_each_replay() -> None:
    base = numbers(4)

    def function(x: torch.Tensor) -> Tensors:
        table = (base * 2).sqrt().nan_to_num()  # depends on nothing that changes
        counts = torch.zeros(4, dtype=F64)
        counts.add_(x)  # a constant that is written to
        return [table + x, counts]

    tape = Tape(function, [numbers(4, seed=1)], [])
    for seed in (2, 3):
        x = numbers(4, seed=seed)
        assert all(torch.equal(a, b) for a, b in zip(tape(x), function(x), strict=True))
    text = tape.code
    assert "sqrt" not in text
    assert "add_" in text


def test_views_of_a_place_show_what_it_holds_now() -> None:
    place = numbers(2, 3)

    def function(x: torch.Tensor) -> Tensors:
        place.mul_(2)
        return [x @ place.mT[:2]]

    tape = Tape(function, [numbers(1, 3, seed=1)[:, :2]], [place])
    before = place.clone()
    x = numbers(1, 3, seed=2)[:, :2]
    assert torch.equal(tape(x)[0], x @ (2 * before).mT[:2])


def branching(place: torch.Tensor) -> Callable[[torch.Tensor], Tensors]:
    def function(x: torch.Tensor) -> Tensors:
        place.add_(x.sum() if x.sum() > 0 else -x.sum())
        return [place.clone()]

    return function


def test_a_function_that_branches_on_values_is_found_out_and_goes_on_as_it_is() -> None:
    place, reference = torch.zeros(1, dtype=F64), torch.zeros(1, dtype=F64)
    learned, plain = Learned(branching(place), [place]), branching(reference)
    for x in (torch.ones(2, dtype=F64), -torch.ones(2, dtype=F64), torch.ones(2, dtype=F64)):
        assert torch.equal(learned(x)[0], plain(x)[0])
    assert learned.tapes == {(torch.Size([2]),): None}


def test_every_size_has_a_tape_of_its_own() -> None:
    place, reference = numbers(3, 2), numbers(3, 2)
    learned, plain = Learned(descent(place), [place]), descent(reference)
    for size in (5, 5, 5, 2, 2, 2, 5, 2):
        x = numbers(size, 3, seed=size)
        assert torch.equal(learned(x)[0], plain(x)[0])
    assert len([tape for tape in learned.tapes.values() if tape]) == 2


@pytest.mark.parametrize("seed", [1, 2])
def test_random_numbers_are_drawn_anew_in_every_replay(seed: int) -> None:
    def function(x: torch.Tensor) -> Tensors:
        return [x + torch.rand(3, dtype=F64)]

    tape = Tape(function, [numbers(3)], [])
    torch.manual_seed(seed)
    first, second = tape(numbers(3))[0], tape(numbers(3))[0]
    assert not torch.equal(first, second)
