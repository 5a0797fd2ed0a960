"""The page of losses: its formulas against torch, its numbers against the store."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch.nn import functional

from talweg.dashboard import loss_curves, loss_curves_figures
from talweg.services import sweep
from talweg.services.executors import InlineExecutor
from talweg.services.progress import Quiet
from talweg.storage.client import Client
from talweg.workloads import grid, studies
from talweg.workloads.options import Compile, Options

from .storage_helpers import local_store, rows

Loss = Callable[[torch.Tensor], torch.Tensor]
DELTA, GAMMA = 0.7, 1.5
FAR = torch.cat([torch.linspace(-6, 6, 241), torch.tensor([-80.0, 80.0])]).double()


def focal(m: torch.Tensor) -> torch.Tensor:
    logits = torch.stack([torch.zeros_like(m), m], -1)
    entropy = functional.cross_entropy(
        logits, torch.ones(len(m), dtype=torch.long), reduction="none"
    )
    return (1 - torch.exp(-entropy)) ** GAMMA * entropy


def none(loss: Callable[..., torch.Tensor], target: float, **settings: object) -> Loss:
    return lambda x: loss(x, torch.full_like(x, target), reduction="none", **settings)


EXPECTED: dict[str, Loss] = {
    "squared error": none(functional.mse_loss, 0.0),
    "absolute error": none(functional.l1_loss, 0.0),
    "Huber's error, δ = 0.7": none(functional.huber_loss, 0.0, delta=DELTA),
    "binary cross-entropy": none(functional.binary_cross_entropy_with_logits, 1.0),
    "hinge": lambda m: functional.margin_ranking_loss(
        m, torch.zeros_like(m), torch.ones_like(m), margin=1.0, reduction="none"
    ),
    "focal loss, γ = 1.5": focal,
    "squared error of σ": lambda m: (
        0.5 * functional.mse_loss(m.sigmoid(), torch.ones_like(m), reduction="none")
    ),
}
CURVES = {
    curve.title: curve
    for curve in (*loss_curves.regression(DELTA), *loss_curves.classification(GAMMA))
}


def test_every_curve_has_a_loss_of_torch_beside_it() -> None:
    assert set(CURVES) == set(EXPECTED)


@pytest.mark.parametrize("title", EXPECTED)
def test_a_curve_and_its_slope_are_those_of_torch(title: str) -> None:
    # The hinge has no slope at its kink, and torch takes the other side.
    at = FAR[FAR != 1] if title == "hinge" else FAR
    at = at.clone().requires_grad_()
    value = EXPECTED[title](at)
    (slope,) = torch.autograd.grad(value.sum(), at)
    x, curve = at.detach().numpy(), CURVES[title]
    np.testing.assert_allclose(curve.value(x), value.detach().numpy(), rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(curve.slope(x), slope.numpy(), rtol=1e-8, atol=1e-15)


def test_the_sentence_compares_the_slopes_it_names() -> None:
    said = loss_curves_figures.sentence(1.0, 0.0)
    # 2·5 over 2·0.5; δ over 0.5; σ(5)/σ(−2) of cross-entropy, which γ = 0 makes the focal loss.
    assert "10.0 times as hard under the squared error" in said
    assert "2.00 times as hard under Huber's error, δ = 1" in said
    ratio = (1 + np.exp(2.0)) / (1 + np.exp(-5.0))
    assert said.count(f"{ratio:.2f} times as hard") == 2
    assert "alone under the hinge" in said


def page(where: str) -> None:
    import functools

    from talweg.dashboard import app, frame
    from talweg.dashboard.views import losses

    answers = app.answers_of(where, None)
    frame.show(answers, functools.partial(losses.render, answers, {}))


def shown(client: Client, **query: str) -> AppTest:
    app = AppTest.from_function(page, kwargs={"where": client.where}, default_timeout=60)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    assert not app.error
    return app


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store with a small sweep of regression losses, and none of classification losses."""
    with local_store(tmp_path_factory.mktemp("losses")) as client:
        expansion = grid.load(studies.path("regression_losses", small=True))
        executor = InlineExecutor(client, Options(compile=Compile.NEVER))
        assert not sweep.run(sweep.plan(expansion, client), client, executor, "ada", Quiet()).errors
        yield client


def test_the_page_has_formulas_curves_and_what_the_store_says(client: Client) -> None:
    app = shown(client)
    assert len(app.latex) == 2 * len(CURVES)
    spoken = [chart.proto.alt for chart in app.get("vega_lite_chart")]
    assert "squared error 0.250 at 0.5 and 25.0 at 5" in spoken[0]
    assert spoken[4].startswith("Final error of the weights")
    (best,) = rows(
        client,
        "select min(mean) as mean from (select avg(value) as mean from probes p join trials t "
        "using (trial_id) where key = 'parameter_error' and p.update = t.updates and outcome = "
        "'done' and (config ->> '$.problem.outlier_share')::double = (select max((config ->> "
        "'$.problem.outlier_share')::double) from trials) group by loss, config ->> '$.loss', lr)",
    )
    text = "\n".join(element.value for element in app.markdown)
    assert f"ends best in error of the weights, at {best['mean']:.3g}" in text
    assert [code.value for code in app.code] == ["talweg run classification_losses"]


def test_a_slider_moves_its_curve_and_stands_in_the_url(client: Client) -> None:
    app = shown(client, losses_delta="2.5")
    assert app.slider(key="losses_delta").value == 2.5
    assert "whose pull never exceeds 2.5" in "\n".join(e.value for e in app.markdown)
    # δ(|r| − ½δ) at r = 5
    assert "Huber's error, δ = 2.5 0.125 at 0.5 and 9.38 at 5" in (
        app.get("vega_lite_chart")[0].proto.alt
    )


def test_an_empty_store_shows_the_curves_and_what_to_run(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        app = shown(client)
    assert len(app.get("vega_lite_chart")) == 4
    assert len(app.code) == 2
