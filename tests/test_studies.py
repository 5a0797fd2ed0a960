"""A study is one name in three folders: its grid, its query, its page."""

import json
from typing import Any

import pytest

from talweg.dashboard import studies as words_of
from talweg.dashboard.declarations import DECLARED
from talweg.dashboard.views import descent
from talweg.services import sweep_commands
from talweg.storage import named
from talweg.workloads import grid, studies
from talweg.workloads.gridfile import GridError

STUDIES = list(studies.names())


def test_there_are_studies() -> None:
    assert "descent" in STUDIES


def test_every_study_has_a_page() -> None:
    assert {*DECLARED, descent.STUDY} == set(STUDIES)


def level(config: dict[str, Any], key: str) -> Any:
    """What a dotted key holds in a trial's configuration; None where it is not there."""
    found: Any = config
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


@pytest.mark.parametrize("small", [False, True], ids=["full", "small"])
@pytest.mark.parametrize("study", STUDIES)
def test_every_grid_is_of_its_study_and_has_what_the_page_groups_by(
    study: str, small: bool
) -> None:
    expansion = grid.load(studies.path(study, small))
    assert expansion.study == study
    assert expansion.name == (f"{study}-small" if small else study)
    assert not expansion.duplicates
    if study == descent.STUDY:
        return
    configs = [json.loads(planned.trial.row()["config"]) for planned in expansion.trials]
    for key in DECLARED[study].keys:
        assert any(level(config, key) is not None for config in configs), key
    for keys in (DECLARED[study].lines, [DECLARED[study].along or "seed"]):
        found = {tuple(json.dumps(level(config, key)) for key in keys) for config in configs}
        assert len(found) > 1 or (small and "remedies" in study)
    # What is left beside the groups are seeds, so a mean is over nothing else.
    groups = [tuple(json.dumps(level(c, k)) for k in DECLARED[study].keys) for c in configs]
    seeds = {level(config, "seed") for config in configs}
    assert len(configs) == len(set(groups)) * len(seeds)
    assert len(seeds) > 1


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_has_a_twin_of_few_trials(study: str) -> None:
    few = grid.load(studies.path(study, small=True)).trials
    assert len(few) <= 60
    assert len(few) < len(grid.load(studies.path(study)).trials)


def test_only_a_study_has_a_small_twin() -> None:
    assert sweep_commands.load("descent", small=True).name == "descent-small"
    assert sweep_commands.load(str(studies.path("descent"))).name == "descent"
    with pytest.raises(GridError, match="--small is for the built-in studies"):
        sweep_commands.load(str(studies.path("descent")), small=True)


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
