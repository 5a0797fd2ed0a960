"""Work that begins before its turn."""

import threading

import pytest

from talweg.dashboard import ahead


def test_it_is_under_way_before_its_turn_and_made_anew_after() -> None:
    begun, made = threading.Event(), []

    def make() -> int:
        begun.set()
        made.append(threading.get_ident())
        return len(made)

    turn = ahead.begin(make)
    assert begun.wait(10)
    assert (turn(), turn(), turn()) == (1, 2, 3)
    # Only what runs ahead runs elsewhere: a later turn has nothing to wait for meanwhile.
    here = threading.get_ident()
    assert [thread == here for thread in made] == [False, True, True]


def test_what_fails_ahead_fails_when_its_turn_comes() -> None:
    def make() -> None:
        raise ValueError("no such thing")

    turn = ahead.begin(make)
    with pytest.raises(ValueError, match="no such thing"):
        turn()
