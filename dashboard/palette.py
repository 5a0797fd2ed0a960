"""Colours, dashes and shapes by meaning: the same descent looks the same everywhere.

Colours are Okabe and Ito's (2008), safe for the common colour vision deficiencies; those used
have a contrast of at least 3 : 1 against the light and the dark page (WCAG 2.2, 1.4.11). No
colour stands alone: dash, shape or words say the same.
"""

from collections.abc import Mapping, Sequence

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, GREY = "#AA4499", "#7A7A7A"

LIGHT_PAGE, DARK_PAGE = "#FFFFFF", "#14171A"

DESCENT_COLOUR: Mapping[str, str] = {
    "batch": BLUE,
    "stochastic": VERMILLION,
    "mini_batch": GREEN,
}

_DESCENT_DASH: Mapping[str, list[int]] = {"batch": [1, 0], "stochastic": [2, 3]}
_DESCENT_SHAPE: Mapping[str, str] = {"batch": "square", "stochastic": "triangle-up"}
_SIZE_DASH: Sequence[list[int]] = ([8, 3], [8, 3, 2, 3], [12, 3], [4, 2, 1, 2, 1, 2])
_SIZE_SHAPE: Sequence[str] = ("circle", "diamond", "cross", "triangle-down")

OUTCOME_COLOUR: Mapping[str, str] = {
    "done": GREEN,
    "reached_target": BLUE,
    "diverged": VERMILLION,
    "failed": PURPLE,
    "cancelled": GREY,
    "running": "#56B4E9",
    "waiting": "#B5B9BE",
}
"""Outcomes, in the order in which they are shown."""

VERDICT_COLOUR: Mapping[str, str] = {
    "healthy": GREEN,
    "vanishing": BLUE,
    "exploding": VERMILLION,
    "dead": GREY,
    "saturated": PURPLE,
    "unstable": "#B8860B",
    "diverged": "#A0522D",
}
"""Verdicts of gradient health, in the order in which they are shown."""


def series(descent: str, batch_size: int | None) -> str:
    """The name under which one descent is shown: ``batch``, ``stochastic``, ``mini-batch 32``."""
    if descent == "mini_batch":
        return f"mini-batch {batch_size}"
    return descent.replace("_", "-")


def order(descent: str, batch_size: int | None) -> tuple[int, int]:
    """Sort key of series: batch, stochastic, mini-batches by size."""
    known = list(DESCENT_COLOUR)
    return (known.index(descent) if descent in known else len(known), batch_size or 0)


Member = tuple[str, int | None]


def colours(members: Sequence[Member]) -> list[str]:
    """One colour per (descent, batch size); all mini-batches share theirs."""
    return [DESCENT_COLOUR.get(descent, GREY) for descent, _ in members]


def dashes(members: Sequence[Member]) -> list[list[int]]:
    """One dash per member; the sizes of mini-batches are told apart, the smallest first."""
    return [
        _DESCENT_DASH.get(m[0], _SIZE_DASH[_rank(m, members, len(_SIZE_DASH))]) for m in members
    ]


def shapes(members: Sequence[Member]) -> list[str]:
    """One point shape per member, likewise."""
    return [
        _DESCENT_SHAPE.get(m[0], _SIZE_SHAPE[_rank(m, members, len(_SIZE_SHAPE))]) for m in members
    ]


_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, GREY)
_DASHES: Sequence[list[int]] = ([1, 0], [8, 3], [2, 3], [8, 3, 2, 3], [12, 3], [4, 2, 1, 2, 1, 2])
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def cycle(count: int) -> tuple[list[str], list[list[int]], list[str]]:
    """Colours, dashes and shapes of so many series without a meaning of their own.

    The lengths of the cycles have no common divisor, so 30 pairs of colour and dash differ.
    """
    places = range(count)
    return (
        [_COLOURS[place % len(_COLOURS)] for place in places],
        [_DASHES[place % len(_DASHES)] for place in places],
        [_SHAPES[place % len(_SHAPES)] for place in places],
    )


ACTIVATIONS: Sequence[str] = (
    *("relu", "tanh", "sigmoid", "gelu", "identity", "leaky_relu", "elu", "silu", "selu"),
    "softplus",
)
"""Activations in the order of their looks: those compared most often differ most."""


def looks(names: Sequence[str]) -> tuple[list[str], list[list[int]], list[str]]:
    """Colours, dashes and shapes of named series.

    Descents and activations have their own, others those of a cycle. ``mini batch (depth 1)`` has
    the colour and shape of its descent; the dash tells what stands in brackets apart.
    """
    known = [name.replace(" ", "_") for name in names]
    if names and set(known) <= set(ACTIVATIONS):
        places = [ACTIVATIONS.index(name) for name in known]
        colours, dashes, shapes = cycle(len(ACTIVATIONS))
        return (
            [colours[place] for place in places],
            [dashes[place] for place in places],
            [shapes[place] for place in places],
        )
    parts = [name.partition(" (") for name in names]
    descents = [first.replace(" ", "_") for first, _, _ in parts]
    if not names or not set(descents) <= set(DESCENT_COLOUR):
        return cycle(len(names))
    rest = list(dict.fromkeys(rest for _, _, rest in parts))
    return (
        [DESCENT_COLOUR[descent] for descent in descents],
        [_DASHES[rest.index(part[2]) % len(_DASHES)] for part in parts]
        if len(rest) > 1
        else [_DESCENT_DASH.get(descent, _SIZE_DASH[0]) for descent in descents],
        [_DESCENT_SHAPE.get(descent, _SIZE_SHAPE[0]) for descent in descents],
    )


def _rank(member: Member, members: Sequence[Member], length: int) -> int:
    sizes = [other for other in members if other[0] not in _DESCENT_DASH]
    return sizes.index(member) % length if member in sizes else 0


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour ``#RRGGBB`` (WCAG 2.2)."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
