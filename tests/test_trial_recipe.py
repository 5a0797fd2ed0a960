"""The grid file that repeats one trial: the same trial again, and nothing that is a default."""

import pytest

from talweg.dashboard import trial_recipe
from talweg.workloads import grid, gridfile, studies
from talweg.workloads.spec import TrialSpec


@pytest.mark.parametrize("name", list(studies.names()))
@pytest.mark.parametrize("small", [True, False])
def test_a_minimal_grid_file_plans_the_same_trial(name: str, small: bool) -> None:
    planned = grid.load(studies.path(name, small=small)).trials
    for one in planned[:: max(1, len(planned) // 12)]:
        found = trial_recipe.recipe(TrialSpec, one.trial.row()["config"])
        assert found is not None
        text = trial_recipe.grid_file(trial_recipe.file_name(found.trial_id), found.content)
        (again,) = grid.expand(gridfile.parse(text)).trials
        assert again.trial.trial_id == one.trial.trial_id == found.trial_id


def test_only_what_is_no_default_is_listed() -> None:
    trial = TrialSpec.model_validate(
        {"model": {"depth": 5}, "optimizer": {"lr": 0.3}, "loss": "mse", "seed": 7}
    )
    found = trial_recipe.recipe(TrialSpec, trial.row()["config"])
    assert found is not None
    assert found.settings == [
        ("model.depth", "5", "2"),
        ("loss", "mse", "cross_entropy"),
        ("optimizer.lr", "0.3", "0.1"),
        ("seed", "7", "0"),
    ]
