"""Charts: colours by meaning, what is drawn and what is left out, SVG that stands alone."""

import itertools
import re
from math import inf
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from talweg.dashboard import charts, figures, palette
from talweg.dashboard.encodings import log_ticks, value_scale, with_ends
from talweg.dashboard.metrics import METRICS, SAMPLES, SECONDS, UNITS
from talweg.dashboard.statistics import with_interval
from talweg.dashboard.study import own
from talweg.workloads.activations import ACTIVATIONS

ACCURACY, LOSS = METRICS["test_score"], METRICS["test_loss"]
SERIES = [("batch", None), ("stochastic", 1), ("mini_batch", 32), ("mini_batch", 256)]


def frame(values: list[float], **columns: list[Any]) -> pd.DataFrame:
    """One value per series, at one rate; other columns as given."""
    members = SERIES[: len(values)]
    plain: dict[str, list[Any]] = {
        "series": [palette.series(*member) for member in members],
        "descent": [member[0] for member in members],
        "batch_size": [member[1] for member in members],
        "lr": [0.1] * len(values),
        "n": [5] * len(values),
        "mean": values,
        "stddev": [0.02] * len(values),
        "finished": [5] * len(values),
        "diverged": [0] * len(values),
        "samples": [100] * len(values),
    }
    return with_interval(pd.DataFrame(plain | columns))


def legend_of(chart: charts.Chart) -> list[str]:
    """The labels of the legends of a chart as drawn."""
    drawn = ElementTree.fromstring(figures.svg(chart, "t", 600))
    spots = [e for e in drawn.iter() if "role-legend-label" in e.get("class", "")]
    return [text.text or "" for spot in spots for text in spot.iter() if text.tag.endswith("text")]


def texts_of(chart: charts.Chart) -> list[str]:
    """All texts of a chart as drawn."""
    return re.findall(r"<(?:text|tspan)[^>]*>([^<]+)<", figures.svg(chart, "t", 600))


COLOURS = [*palette.DESCENT_COLOUR.values(), *palette.VERDICT_COLOUR.values()]


@pytest.mark.parametrize("page", [palette.LIGHT_PAGE, palette.DARK_PAGE])
@pytest.mark.parametrize("colour", COLOURS)
def test_every_line_stands_out_from_both_pages(colour: str, page: str) -> None:
    assert palette.contrast(colour, page) >= 3


def test_contrast_of_black_and_white_is_the_largest() -> None:
    assert palette.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert palette.contrast("#777777", "#777777") == 1


def test_a_descent_has_its_colour_in_whatever_company() -> None:
    for size in range(1, len(SERIES) + 1):
        for members in itertools.combinations(SERIES, size):
            expected = [palette.DESCENT_COLOUR[name] for name, _ in members]
            assert palette.colours(members) == expected


def test_no_two_series_share_both_colour_and_dash() -> None:
    looks = list(zip(palette.colours(SERIES), map(tuple, palette.dashes(SERIES)), strict=True))
    assert len(set(looks)) == len(SERIES)
    assert len(set(palette.shapes(SERIES))) == len(SERIES)


def test_one_legend_names_each_series_once() -> None:
    curves = frame([0.5, 0.6, 0.7, 0.8])
    expected = ["batch", "stochastic", "mini-batch 32", "mini-batch 256"]
    assert legend_of(charts.loss_curves(curves, ACCURACY, SAMPLES, log=True)) == expected
    assert legend_of(charts.learning_rates(curves, ACCURACY)) == expected


def test_the_untrained_net_is_left_out_of_a_log_axis_only() -> None:
    curves = frame([0.1, 0.5], samples=[0, 100])
    on_log = charts.loss_curves(curves, ACCURACY, SAMPLES, log=True).to_dict()
    on_line = charts.loss_curves(curves, ACCURACY, SAMPLES, log=False).to_dict()
    assert [row["samples"] for row in _rows(on_log)] == [100]
    assert [row["samples"] for row in _rows(on_line)] == [0, 100]


def _rows(spec: dict[str, Any]) -> list[dict[str, Any]]:
    (rows,) = spec["datasets"].values()
    return list(rows)


def test_an_interval_that_reaches_zero_ends_at_the_bottom_of_a_log_axis() -> None:
    curves = frame([0.4, 0.01], stddev=[0.01, 0.5])
    spec = charts.loss_curves(curves, LOSS, SAMPLES, log=True).to_dict()
    bottom = spec["layer"][0]["encoding"]["y"]["scale"]["domain"][0]
    assert [row["floor"] for row in _rows(spec)] == [pytest.approx(0.3876, abs=1e-4), bottom]
    assert 0 < bottom < 0.01


def test_a_single_trial_is_drawn_without_an_interval() -> None:
    (row,) = _rows(charts.loss_curves(frame([0.5], n=[1]), ACCURACY, SAMPLES, log=True).to_dict())
    assert (row["floor"], row["ceiling"]) == (0.5, 0.5)
    assert row["interval"] == "one trial: none"


def test_diverged_shares_are_written_above_the_plot() -> None:
    finals = frame([0.5, 0.6], diverged=[0, 2])
    assert "✕ 2/5" in texts_of(charts.learning_rates(finals, ACCURACY))
    unharmed = texts_of(charts.learning_rates(frame([0.5, 0.6]), ACCURACY))
    assert not [text for text in unharmed if "✕" in text]


def test_a_rate_at_which_all_diverged_is_marked_without_a_value() -> None:
    finals = frame([0.5, float("nan")], n=[5, 0], diverged=[0, 5])
    assert "✕ 5/5" in texts_of(charts.learning_rates(finals, ACCURACY))


@pytest.mark.parametrize("unit", UNITS)
def test_censored_series_are_shown_as_never(unit: Any) -> None:
    best = frame([120.0, float("nan")], reached=[5, 1], trials=[5, 5], median=[120.0, None])
    texts = texts_of(charts.time_to_target(best, unit))
    assert {"batch", "120", "stochastic", "never (1 of 5)"} <= set(texts)
    assert f"{unit.title} to target" in texts


def test_parts_of_a_second_are_not_written_like_minutes() -> None:
    best = frame([0.004, 0.02], reached=[5, 5], trials=[5, 5], median=[0.004, 0.02])
    ticks = [text for text in texts_of(charts.time_to_target(best, SECONDS)) if text[0] == "0"]
    assert {"0.005", "0.01", "0.02"} <= set(ticks)
    curves = frame([0.1, 0.5], seconds=[0.001, 0.1])
    assert "0.01" in texts_of(charts.loss_curves(curves, ACCURACY, SECONDS, log=True))


def test_nothing_reached_is_still_a_chart() -> None:
    best = frame([float("nan")], reached=[0], trials=[5], median=[None])
    texts = texts_of(charts.time_to_target(best, SAMPLES))
    assert texts == ["samples to target", "batch", "never (0 of 5)"]


def test_outcomes_keep_their_order_and_counts() -> None:
    counts = pd.DataFrame({"outcome": ["waiting", "done", "failed"], "trials": [3, 7, 1]})
    assert legend_of(charts.outcomes(counts)) == ["7 done", "1 failed", "3 waiting"]


def test_the_same_chart_gives_the_same_svg_with_ids_of_its_own() -> None:
    curves = frame([0.5, 0.6])
    one, two = (
        figures.svg(charts.learning_rates(curves, ACCURACY), name, 400) for name in ("a", "a")
    )
    assert one == two
    ids = re.findall(r'id="([^"]+)"', one)
    assert ids
    assert all(name.startswith("a-") for name in ids)
    assert set(re.findall(r"url\(#([^)]+)\)", one)) <= set(ids)
    assert "http" not in one.replace("http://www.w3.org/", "")


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1, 28740, [1, 10, 100, 1000, 10000]),
        (0.03, 2.4, [0.05, 0.1, 0.2, 0.5, 1, 2]),
        (1200, 6000, [1500, 2000, 3000, 4000, 5000, 6000]),
        (0.001, 0.001, [0.001]),
    ],
)
def test_log_ticks_are_round_and_few(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == ticks


def test_a_loss_below_0_is_drawn_on_a_linear_axis() -> None:
    frame = pd.DataFrame({"mean": [2.0, -0.2], "low": [1.9, -0.3], "high": [2.1, -0.1], "n": 5})
    scale = value_scale(frame, own("train_loss", "training loss", (-inf, inf), falling=True))
    assert scale.to_dict().get("type", "linear") == "linear"
    low, high = scale.domain
    assert low < -0.2
    assert high > 2
    assert with_ends(frame, METRICS["train_loss"])["floor"].tolist() == [1.9, -0.3]


def test_a_descent_has_its_colour_under_every_name() -> None:
    colours, dashes, _ = palette.looks(["batch", "mini batch", "mini batch (depth 1)"])
    assert colours == [palette.BLUE, palette.GREEN, palette.GREEN]
    assert dashes[0] == dashes[1] != dashes[2]
    assert palette.looks(["adam", "batch"]) == palette.cycle(2)


def test_an_activation_has_its_looks_whatever_it_is_compared_with() -> None:
    one, other = palette.looks(["relu", "tanh", "leaky relu"]), palette.looks(["leaky relu"])
    assert [column[2] for column in one] == [column[0] for column in other]
    every = palette.looks(list(palette.ACTIVATIONS))
    assert set(palette.ACTIVATIONS) == set(ACTIVATIONS)
    assert len(set(zip(every[0], map(tuple, every[1]), strict=True))) == len(ACTIVATIONS)
