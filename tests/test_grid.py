"""Grid files: axes, identity, slugs, and what is said about wrong ones."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talweg.services.cli import main
from talweg.workloads import grid, gridfile, problems, studies
from talweg.workloads.grid import Expansion, GridSpec
from talweg.workloads.parts import Part
from talweg.workloads.problems.shapes import BUNDLED
from talweg.workloads.problemspecs import BundledProblem
from talweg.workloads.spec import CONTENT_VERSION, TrialSpec, canonical


def expand(text: str) -> Expansion:
    return grid.expand(gridfile.parse(text, "g.yaml"))


AXES: dict[str, tuple[str, list[Any]]] = {
    "logspace": ("optimizer.lr: {logspace: [1.0e-3, 1.0, 4]}", [0.001, 0.01, 0.1, 1.0]),
    "logspace of YAML 1.2 floats": ("optimizer.lr: {logspace: [1e-3, 1, 2]}", [0.001, 1.0]),
    "linspace": ("optimizer.lr: {linspace: [0.1, 0.4, 4]}", [0.1, 0.2, 0.3, 0.4]),
    "range of n": ("seed: {range: 3}", [0, 1, 2]),
    "range from to": ("seed: {range: [2, 5]}", [2, 3, 4]),
    "range by steps": ("seed: {range: [0, 10, 5]}", [0, 5]),
    "values": ("model.depth: {values: [1, 3]}", [1, 3]),
    "a plain list": ("model.activation: [tanh, relu]", ["tanh", "relu"]),
}


@pytest.mark.parametrize(("axis", "expected"), AXES.values(), ids=AXES)
def test_an_axis_takes_its_values_in_order(axis: str, expected: list[Any]) -> None:
    key = axis.split(":", maxsplit=1)[0]
    trials = expand(f"name: a\ngrid: {{{axis}}}").trials
    found = []
    for planned in trials:
        value: Any = planned.trial
        for part in key.split("."):
            value = getattr(value, part)
        found.append(value)
    assert found == expected


def test_the_cross_product_runs_in_the_order_of_the_file() -> None:
    trials = expand("name: a\ngrid: {optimizer.lr: [0.1, 0.2], seed: [0, 1]}").trials
    assert [(t.trial.optimizer.lr, t.trial.seed) for t in trials] == [
        (0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1),
    ]  # fmt: skip


def test_zipped_axes_vary_together() -> None:
    text = "name: a\ngrid: {model.width: [8, 16], optimizer.lr: [1, 2], seed: {range: 2}}\n"
    trials = expand(text + "zip: [[model.width, optimizer.lr]]").trials
    rows = [t.trial.row() for t in trials]
    found = [(row["width"], row["lr"], row["seed"]) for row in rows]
    assert found == [(8, 1, 0), (8, 1, 1), (16, 2, 0), (16, 2, 1)]


def test_excluded_trials_are_left_out_and_counted() -> None:
    text = "name: a\ngrid: {descent: [batch, stochastic], optimizer.lr: [0.1, 1.0]}\n"
    result = expand(text + "exclude: [{descent: {name: stochastic}, optimizer.lr: 1.0}]")
    assert len(result.trials) == 3
    assert result.excluded == 1


def test_an_exclusion_may_name_a_part_in_one_word() -> None:
    text = "name: a\ngrid: {descent: [batch, stochastic], seed: [0, 1]}\n"
    result = expand(text + "exclude: [{descent: batch}]")
    assert [t.trial.descent.name for t in result.trials] == ["stochastic", "stochastic"]


def test_duplicates_are_removed_and_counted() -> None:
    result = expand("name: a\ngrid: {optimizer.lr: [0.1, 0.1, 0.2]}")
    assert len(result.trials) == 2
    assert result.duplicates == 1


def test_slugs_are_words() -> None:
    trials = grid.load(studies.path("descent")).trials
    assert trials[0].slug == "descent/batch-lr0.001-s0"
    assert trials[-1].slug == "descent/mini-batch32-lr1-s4"
    assert len({t.slug for t in trials}) == len(trials)


def test_an_axis_may_go_below_a_default_section() -> None:
    trials = expand("name: a\ngrid: {descent.batch_size: [8, 16], budget.updates: [3]}").trials
    assert [t.trial.batch_size for t in trials] == [8, 16]
    assert trials[0].trial.budget_updates == 3


def test_a_trial_is_its_content() -> None:
    plain = TrialSpec()
    spelled_out = TrialSpec.model_validate(json.loads(plain.model_dump_json()))
    assert plain.trial_id == spelled_out.trial_id
    assert len(plain.trial_id) == 16
    changed = {
        TrialSpec.model_validate(part).trial_id
        for part in (
            {"seed": 1},
            {"optimizer": {"lr": 0.2}},
            {"dtype": "float64"},
            {"record": {"steps": 7}},
            {"problem": {"split_seed": 1}},
            {"target": {"value": 0.9}},
            {"model": {"init": "he"}},
            {"descent": "batch"},
        )
    }
    assert len(changed | {plain.trial_id}) == 9


# A change here retrains everybody's trials: raise CONTENT_VERSION and say so instead.
IDS: dict[str, dict[str, Any]] = {
    "732322c128ed6784": {},
    "e2b5f438a362f571": {"seed": 7},
    "e1358196723d4830": {
        "problem": "iris",
        "model": {"depth": 1, "width": 8},
        "budget": {"updates": 10},
        "optimizer": {"lr": 0.001},
    },
    "e16ed7f969a0ddff": {
        "problem": {"name": "gaussian_inputs", "features": 32},
        "model": {
            "activation": "relu",
            "init": {"name": "gaussian", "sigma_w": 2.0, "sigma_b": 0.22},
        },
        "budget": {"updates": 0},
        "dtype": "float64",
    },
    "c04257593f82d5ad": {
        "descent": "stochastic",
        "optimizer": {"momentum": 0.9, "clip_norm": 1.0},
        "target": {"value": 0.9, "stop": False},
        "record": {"steps": 7},
    },
}


@pytest.mark.parametrize("trial_id", IDS)
def test_ids_do_not_change_by_accident(trial_id: str) -> None:
    assert TrialSpec.model_validate(IDS[trial_id]).trial_id == trial_id


def naive_id(trial: TrialSpec) -> str:
    """The definition of a trial's id, without anything remembered."""
    content = f'"version":{CONTENT_VERSION}'
    for field in TrialSpec.model_fields:
        value = getattr(trial, field)
        if value == TrialSpec.model_fields[field].get_default():
            continue
        if isinstance(value, Part):
            value = json.loads(value.model_dump_json(exclude_defaults=True))
        content += f',"{field}":{json.dumps(value, sort_keys=True, separators=(",", ":"))}'
    return hashlib.sha256(f"{{{content}}}".encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", list(studies.names()))
def test_what_trials_share_changes_neither_their_ids_nor_their_rows(name: str) -> None:
    for trial in (planned.trial for planned in grid.load(studies.path(name)).trials):
        alone = TrialSpec.model_validate_json(trial.model_dump_json())
        assert trial.trial_id == alone.trial_id == naive_id(trial)
        assert trial.row() == alone.row() | {"config": trial.model_dump_json()}


def test_a_grid_gives_its_trials_the_ids_they_have_alone() -> None:
    text = (
        "name: a\n"
        "grid: {model.depth: [1, 2], optimizer.momentum: [0.0, 0.9], "
        "model.activation: [tanh, relu], seed: [3]}\n"
        "zip: [[model.depth, optimizer.momentum]]\n"
        "exclude: [{model.activation: relu, model.depth: 2}]"
    )
    assert [(t.slug, t.trial.trial_id) for t in expand(text).trials] == [
        ("a/depth1-momentum0-tanh", "4c5e32ab18031eac"),
        ("a/depth1-momentum0-relu", "835a73698b4b7826"),
        ("a/depth2-momentum0.9-tanh", "b323c02c46c7cb1a"),
    ]


def test_what_is_remembered_of_a_part_is_not_said_of_its_copies() -> None:
    # Each copy is gone before the next one is made, often in the same place in memory.
    part = TrialSpec().optimizer
    said = [canonical(part.model_copy(update={"lr": lr})) for lr in (0.1, 0.5, 0.0, -0.0)]
    assert said == ["{}", '{"lr":0.5}', '{"lr":0.0}', '{"lr":-0.0}']


def test_the_trials_of_a_grid_share_their_parts() -> None:
    # What makes 100,000 trials cheap: each part is validated, kept and written once.
    trials = [
        t.trial for t in expand("name: a\ngrid: {seed: {range: 50}, model.depth: [1, 2]}").trials
    ]
    shared = {
        field: len({id(getattr(t, field)) for t in trials}) for field in ("model", "optimizer")
    }
    assert shared == {"model": 2, "optimizer": 1}


@given(st.integers(1, 3000), st.integers(0, 50_000), st.integers(1, 4000))
def test_a_budget_of_samples_sees_at_least_so_many(batch: int, samples: int, size: int) -> None:
    from talweg.workloads.spec import Budget

    batch = min(batch, size)
    updates = Budget(samples=samples).updates_for(size, batch)
    epochs, rest = divmod(updates, -(-size // batch))
    assert epochs * size + min(rest * batch, size) >= samples


@pytest.mark.parametrize("name", BUNDLED)
def test_the_planned_sizes_are_those_of_the_data(name: Any) -> None:
    spec = BundledProblem(name=name)
    data = problems.load(spec)
    assert len(data.x_train) == spec.train_samples
    assert len(data.x_train) + len(data.x_test) == spec.shape.samples
    assert data.features == spec.shape.features
    assert set(data.y_train.tolist()) == set(range(spec.shape.outputs))


def test_the_schema_accepts_the_built_in_studies_and_refuses_an_unknown_key() -> None:
    schema = GridSpec.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for name in studies.names():
        value = gridfile.read(studies.path(name)).value
        jsonschema.validate(value, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value | {"bse": {}}, schema)
    short = {
        "name": "a",
        "base": {"problem": "digits", "model": {"init": "he"}, "descent": "batch"},
    }
    jsonschema.validate(short, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "a", "base": {"descent": "bach"}}, schema)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BATCH = "digits has 1437 training samples"

# file -> (line named, key named, part of the message)
WRONG: dict[str, tuple[str, str, str]] = {
    "name: a\nbase:\n  problem: iris\n  model: {name: convnet}\n": (
        "4", "model.name", "iris has none; use digits, or model mlp"
    ),
    "name: a\ngrid:\n  model:\n    - mlp\n    - {name: convnet}\n  problem: [iris]\n": (
        "5", "model.name", "needs images"
    ),
    "name: a\nbase: {model: {name: lstm, depth: 3}}\n": ("2", "base.model.depth", "unknown key"),
    "name: a\nbase: {model: {name: module, path: nets.Net}}\n": (
        "2", "base.model.path", "match pattern"
    ),
    "name: a\ntiming: exclusive\n": ("2", "timing", "'fused' or 'isolated'"),
    "name: a\nbse: {}\n": (":2:", "bse", "did you mean 'base'?"),
    "name: a\nbase:\n  optimizer: {learning_rate: 0.1}\n": (":3:", "learning_rate", "'lr'?"),
    "name: a\nbase:\n  optimiser: {lr: 0.1}\n": (":3:", "optimiser", "'optimizer'?"),
    "name: a\nbase:\n  optimizer:\n    lr: fast\n": (":4:", "optimizer.lr", "'fast' is not"),
    "name: a\nbase: {optimizer: {lr: -0.1}}\n": (":2:", "optimizer.lr", "greater than 0"),
    "name: a\nbase: {optimizer: {lr: .nan}}\n": (":2:", "optimizer.lr", "finite"),
    "name: a\ngrid:\n  optimizer.lr: [0.1, -3]\n": (":3:", "optimizer.lr", "-3 is not allowed"),
    "name: a\ngrid:\n  optimizer.lrr: [0.1]\n": (":3:", "optimizer.lrr", "did you mean 'lr'?"),
    "name: a\ngrid:\n  optimzer.lr: [0.1]\n": (":3:", "optimzer", "did you mean 'optimizer'?"),
    "name: a\ngrid:\n  seed: []\n": (":3:", "grid.seed", "is empty"),
    "name: a\ngrid:\n  seed: {range: 0}\n": (":3:", "grid.seed", "is empty"),
    "name: a\ngrid:\n  seed:\n": (":3:", "grid.seed", "not allowed"),
    "name: a\ngrid:\n  descent: {name: batch}\n": (":3:", "grid.descent", "a list or one of"),
    "name: a\nbase: {descent: {name: mini_batch, batch_size: 2000}}\n": (
        ":2:", "descent.batch_size", BATCH,
    ),
    "name: a\ngrid:\n  descent:\n  - batch\n  - {name: mini_batch, batch_size: 1438}\n": (
        ":5:", "descent.batch_size", BATCH,
    ),
    "name: a\nbase: {budget: {epochs: 1, updates: 2}}\n": (":2:", "budget", "exactly one of"),
    "name: a\nbase: {budget: {}}\n": (":2:", "budget", "exactly one of"),
    "name: a\nbase: {seed: true}\n": (":2:", "seed", "integer"),
    "name: a\nbase: {descent: minibatch}\n": (":2:", "descent", "did you mean 'mini_batch'?"),
    "name: a\nbase: {model: {activation: rleu}}\n": (":2:", "activation", "mean 'relu'?"),
    "name: a\nbase: {model: {init: {name: gaussian, sigma: 3}}}\n": (":2:", "sigma", "sigma_w"),
    "name: a\ngrid: {optimizer.lr: {logspace: [0, 1, 3]}}\n": (":2:", "lr", "first > 0"),
    "name: a\ngrid: {optimizer.lr: {logspce: [1, 2, 3]}}\n": (":2:", "lr", "logspace"),
    "name: a\ngrid: {seed: {range: 100000000}}\n": (":2:", "seed", "not allowed"),
    "name: a\ngrid: {seed: {range: 2000}, model.width: {range: [1, 2000]}}\n": (
        ":2:", "grid", "more than 1,000,000",
    ),
    "name: a\ngrid: {seed: [1, 2], model.depth: [1]}\nzip: [[seed, model.depth]]\n": (
        ":3:", "zip", "equal lengths",
    ),
    "name: a\ngrid: {seed: [1]}\nzip: [[sed]]\n": (":3:", "zip", "did you mean 'seed'?"),
    "name: a\nstudy: descnt\n": (":2:", "study", "did you mean 'descent'?"),
    "name: a/b\n": (":1:", "name", "not allowed"),
    "base: {}\n": (":1:", "name", "is missing"),
    "name: a\nexclude: [{seed: 0}]\n": (":2:", "exclude", "leaves no trial"),
    "name: a\nexclude: [{seed: 7}]\n": (":2:", "exclude[0]", "matches no trial (seed: 7)"),
    "name: a\nexclude: [{optimzer.lr: 1}]\n": (":2:", "exclude[0]", "mean 'optimizer'?"),
    "name: a\nexclude: [{optimizer.lrr: 1}]\n": (":2:", "exclude[0]", "matches no trial"),
    "name: a\nbase: {budget: [\n": (":3:", "", "not valid YAML"),
    "name: a\n\tbase: 3\n": (":2:", "", "not valid YAML"),
    "name: a\nname: b\n": (":2:", "name", "given twice"),
    "- a\n- b\n": (":1:", "", "must be a mapping"),
    "name: !!python/object/apply:os.system [ls]\n": (":1:", "name", "plain values only"),
    "name: a\nbase: !mine {seed: 1}\n": (":2:", "base", "plain values only"),
    "name: 2020-01-01\n": (":1:", "name", "plain values only"),
    "a: &a [*a]\n": ("g.yaml", "", "not valid YAML"),
    "name: a\nbase: " + "{a: " * 3000 + "1" + "}" * 3000: ("g.yaml", "", "not valid YAML"),
    BOMB: (":1:", "", "expands to more than"),
    "x" * 1_000_001: ("g.yaml", "", "larger than"),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=[repr(text[:40]) for text in WRONG])
def test_a_wrong_grid_gives_one_message_and_exit_code_2_and_writes_nothing(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line, key, message = WRONG[text]
    path = tmp_path / "g.yaml"
    path.write_text(text)
    with pytest.raises(SystemExit) as stop:
        main(["run", str(path), "--store", str(tmp_path / "x.duckdb"), "--executor", "inline"])
    said = capsys.readouterr()
    assert stop.value.code == 2
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert line in said.err
    assert key in said.err
    assert message in said.err
    assert [p.name for p in tmp_path.iterdir()] == ["g.yaml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.yaml"], "cannot be read"),
        (["run", "descnt"], "did you mean 'descent'?"),
        (["plan", "nowhere.yaml"], "cannot be read"),
        (["run", "."], "cannot be read"),
    ],
)
def test_a_missing_grid_is_told_through_the_real_command(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "talweg.services", *arguments]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert message in found.stderr
    assert found.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_copy_with_other_content_is_another_trial() -> None:
    one = TrialSpec.model_validate({"problem": "iris"})
    before = one.trial_id, one.shape.outputs
    other = one.model_copy(update={"problem": BundledProblem(name="digits")})
    assert other.trial_id == TrialSpec().trial_id
    assert (one.trial_id, one.shape.outputs) == before
    assert (other.shape.outputs, one.shape.outputs) == (10, 3)
