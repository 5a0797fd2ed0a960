"""One trial in words and tables: what became of it, verdicts, predictions, probes."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from . import palette
from .formats import ABSENT, compact, count, duration, rate
from .study_health import KEY_WORDS

Row = Mapping[str, Any]
READABLE = 4.5
"""Contrast of small text against its page (WCAG 2.2, 1.4.3)."""


def fate(trial: Row) -> str:
    """What became of a trial, in one or two sentences."""
    made, planned = _whole(trial["updates"] or 0), count(trial["budget_updates"], "update")
    match trial["outcome"]:
        case "waiting":
            return f"Not started yet; {planned} are planned."
        case "running":
            return f"Under way, of {planned}.{_score(trial)}{_judged(trial)}"
        case "failed":
            return f"Failed; the reason stands below.{_score(trial)}"
        case "cancelled":
            return f"Cancelled after {made} of {planned}.{_score(trial)}"
        case "diverged":
            at = trial["diverged_at_update"]
            return f"Diverged at update {at} of {trial['budget_updates']}.{_score(trial)}"
        case "reached_target":
            return f"Reached its target after {made} of {planned}.{_score(trial)}{_judged(trial)}"
        case _:
            return f"Done after {made} of {planned}.{_score(trial)}{_judged(trial)}"


def _whole(number: int) -> str:
    """Grouped as :func:`formats.count` groups."""
    return count(number, "").rstrip(" s")


def _score(trial: Row) -> str:
    last, best = trial["last_score"], trial["best_score"]
    if last is None or best is None:
        return ""
    where = trial["best_score_update"]
    return f" Test score {compact(last)}, the best {compact(best)} at update {where}."


def _judged(trial: Row) -> str:
    return f" Judged {trial['verdict']}." if trial["verdict"] else ""


def tiles(trial: Row) -> dict[str, str]:
    """The figures above a trial."""
    seconds = duration(trial["seconds"]) if trial["isolated"] else "shared"
    return {
        "Test score": compact(trial["last_score"]),
        "Test loss": compact(trial["last_loss"]),
        "Learning rate": rate(trial["lr"]),
        "Depth": ABSENT if trial["depth"] is None else str(trial["depth"]),
        "Updates": ABSENT if trial["updates"] is None else _whole(trial["updates"]),
        "Seconds": ABSENT if trial["seconds"] is None else seconds,
    }


def verdicts(rows: pd.DataFrame) -> pd.DataFrame:
    """The judgements in order, reason and advice apart."""
    reasons = [
        reason.removesuffix(advice).rstrip() if advice else reason
        for reason, advice in zip(rows["reason"], rows["advice"], strict=True)
    ]
    return rows.assign(reason=reasons)


def predictions(rows: pd.DataFrame) -> pd.DataFrame:
    """Predicted beside measured, and their ratio."""
    words = [KEY_WORDS.get(key, key.replace("_", " ")) for key in rows["key"]]
    ratio = rows["measured"] / rows["predicted"].where(rows["predicted"] != 0)
    shown = rows.assign(quantity=words, ratio=ratio)
    return shown[["quantity", "layer", "predicted", "measured", "ratio", "source"]]


def predictions_caption(rows: pd.DataFrame) -> str:
    """How many predictions have a measurement, and how far apart both are."""
    both = predictions(rows).dropna(subset=["ratio"])
    sources = "; ".join(sorted(set(rows["source"])))
    said = (
        f"{len(both)} of {count(len(rows), 'prediction')} have a measurement of the untrained net"
    )
    if len(both):
        low, high = both["ratio"].min(), both["ratio"].max()
        said += f"; it is {compact(low)} to {compact(high)} times what is predicted"
    return f"{said}. Sources: {sources}."


def probes(rows: pd.DataFrame) -> pd.DataFrame:
    """The last measurement of each probe, in words."""
    words = [key.replace("_", " ") for key in rows["key"]]
    shown = rows.assign(quantity=words)[["probe", "quantity", "layer", "value", "updates"]]
    return shown.rename(columns={"updates": "at update"})


def ink(word: object, page: str) -> str:
    """The colour of an outcome or verdict, as near as can be read on a page; empty: none."""
    known = {**palette.OUTCOME_COLOUR, **palette.VERDICT_COLOUR}
    colour = known.get(str(word))
    if colour is None or word in ("waiting", "running"):
        return ""
    towards = 0 if palette.luminance(page) > 0.5 else 255
    channels = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    for share in range(0, 11):
        mixed = [round(c + (towards - c) * share / 10) for c in channels]
        colour = "#" + "".join(f"{c:02X}" for c in mixed)
        if palette.contrast(colour, page) >= READABLE:
            break
    return colour
