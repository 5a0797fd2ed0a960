"""The pages' memory: the last answer while the store is away, the next one when it is back."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from talweg.dashboard.answers import Answers, read_token
from talweg.storage.client import Client
from talweg.storage.errors import QueryError, StoreUnreachable
from talweg.storage.store import Store

from .storage_helpers import sweep, trials, until


class Team:
    """A team's store at a fixed address, which can go away and come back."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "team.duckdb"
        self.store = self._store(0)
        self.url = self.store.url

    def leave(self) -> None:
        self.store.close()

    def return_(self) -> None:
        port = int(self.url.rsplit(":", 1)[1])
        self.store = self._store(port)

    def _store(self, port: int) -> Store:
        return Store(self.database, port=port, read_token="look", write_token="change")


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    team = Team(tmp_path)
    try:
        yield team
    finally:
        team.leave()


def answers_of(team: Team, fresh_s: float = 0.0) -> Answers:
    client = Client(team.url, token="look", patience_s=0.3, scope="read")
    return Answers(client, fresh_s=fresh_s, wait_s=0.5)


def test_the_last_answer_stays_while_the_store_is_away_and_is_renewed_after(team: Team) -> None:
    answers = answers_of(team)
    first = answers("activity")
    assert first.to_pylist() == [{"sweeps": 0, "newest": None, "running": ""}]
    team.leave()
    assert answers("activity").equals(first)
    until(lambda: answers("activity") is not None and answers.away_since is not None)
    team.return_()
    until(lambda: answers("activity") is not None and answers.away_since is None)
    assert answers("activity").equals(first)


def test_a_question_never_answered_says_that_the_store_is_away(team: Team) -> None:
    answers = answers_of(team)
    team.leave()
    with pytest.raises(StoreUnreachable):
        answers("sweeps")
    assert answers.away_since is not None


def test_a_wrong_question_is_the_askers_fault_and_not_an_absence(team: Team) -> None:
    answers = answers_of(team)
    with pytest.raises(QueryError, match="no query named"):
        answers("no_such_query")
    assert answers.away_since is None


def test_an_answer_from_before_the_store_changed_is_not_fresh(team: Team) -> None:
    answers = answers_of(team, fresh_s=60)
    answers.settle("nothing runs")
    assert answers("sweeps").num_rows == 0
    with Client(team.url, token="change") as writer:
        writer.register(sweep("new"), trials(["t1"]))
    assert answers("sweeps").num_rows == 0
    answers.settle("nothing runs")
    assert answers("sweeps").num_rows == 0
    answers.settle("new runs")
    assert answers("sweeps").num_rows == 1


def test_a_fresh_answer_is_given_again_without_asking(team: Team) -> None:
    answers = answers_of(team, fresh_s=60)
    first = answers("activity")
    team.leave()
    assert answers("activity") is first
    assert answers.away_since is None


def test_what_is_expected_is_there_when_it_is_wanted(team: Team) -> None:
    answers = answers_of(team, fresh_s=60)
    answers.expect("activity")
    first = answers("activity")
    answers.expect("activity")  # fresh: not asked for again
    assert answers("activity") is first
    team.leave()
    answers.expect("no_such_query")  # nobody may ever want it: no reason to fail
    with pytest.raises(StoreUnreachable):
        answers("sweeps")
    answers.expect("sweeps")
    assert answers("activity") is first


def test_many_pages_at_once_get_the_same_answers(team: Team) -> None:
    answers = answers_of(team)
    got: list[int] = []
    threads = [
        threading.Thread(target=lambda: got.append(answers("sweeps").num_rows)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [0] * 16


def test_a_token_that_can_be_read_only_once_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret\n", encoding="utf-8")
    assert read_token(str(file)) == "secret"
    file.write_text("", encoding="utf-8")
    assert read_token(str(file)) == "secret"
