"""A study is one name in three folders: its grid, its query, its page."""

import importlib

import pytest

from talweg.dashboard import studies as words_of
from talweg.storage import named
from talweg.workloads import studies

STUDIES = list(studies.names())


def test_there_are_studies() -> None:
    assert "descent" in STUDIES


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_has_a_query_and_a_page_of_its_name(study: str) -> None:
    assert study in named.names()
    page = importlib.import_module(f"talweg.dashboard.views.{study}")
    assert callable(page.render)
    assert study == page.STUDY


@pytest.mark.parametrize("study", STUDIES)
def test_every_grid_file_opens_with_its_question_and_how_to_read_it(study: str) -> None:
    words = words_of.words(study)
    assert words.title.endswith("?")
    assert words.question.endswith("?")
    assert words.how_to_read.endswith(".")


def test_other_names_are_no_studies() -> None:
    assert words_of.exists("descent")
    assert not words_of.exists(None)
    assert not words_of.exists("../secrets")


@pytest.mark.parametrize("query", named.names())
def test_every_query_says_what_it_answers_and_its_parameters(query: str) -> None:
    head = [line for line in named.sql_of(query).splitlines() if line.startswith("--")]
    assert head[0].startswith("-- Question: ")
    assert any(line.startswith("-- Parameters: ") for line in head)
