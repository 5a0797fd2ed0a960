"""Problems, models and losses that do not go together are told at planning."""

from pathlib import Path

import pytest

from talweg.workloads.grid import load
from talweg.workloads.gridfile import GridError


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ("problem: digits, loss: gan_hinge", "digits is a problem of classification; use "),
        ("problem: ring, loss: cross_entropy", "ring is a problem of generation; use gan_hinge"),
        ("problem: ring, model: mlp", "ring is a problem of generation; use model gan"),
        ("problem: digits, model: {name: gan}", "digits is a problem of classification; use model"),
        ("problem: digits, loss: elbo", "digits is a problem of classification; use "),
        ("problem: digit_images, loss: mse", "digit_images is a problem of density; use elbo"),
        ("problem: digit_images, model: mlp", "is a problem of density; use model vae"),
        ("problem: digits, model: {name: vae}", "digits is a problem of classification; use "),
        ("problem: low_rank_gaussian, loss: elbo", "no bounds; use likelihood gaussian"),
        ("problem: digit_images, augmentation: shift", "moves images, and digit_images has none"),
    ],
)
def test_what_does_not_go_together_is_said_at_planning(
    parts: str, complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text(f"name: misfit\nbase: {{{parts}}}\n")
    with pytest.raises(GridError, match=complaint):
        load(file)


@pytest.mark.parametrize(
    ("probes", "complaint"),
    [
        ("[{name: curvature, step: 3}]", r"\(allowed: iterations, name, samples, steps\)"),
        ("[{name: curvature, step: 3}]", "a.yaml:2: .*step.*did you mean 'steps'"),
        ("[noise, {name: noise, steps: 3}]", "noise is given twice; give each probe once"),
        ("[nois]", "'nois' is not allowed .*did you mean 'noise'"),
        ("[{name: noise, samples: 0}]", "0 is not allowed"),
    ],
)
def test_a_wrong_probe_is_said_at_planning(probes: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"name: wrong\nrecord: {{probes: {probes}}}\n")
    with pytest.raises(GridError, match=complaint):
        load(file)
