"""When paired differences are decided: looks, levels and tests of the rule; pure functions.

Arrays of differences have the shape (pairs P, seeds n): how much better one is than the other
on a seed that both share. A look is an analysis after so many seeds. docs/enough-seeds.md
says why the rule is this one and what it costs.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

Floats = NDArray[np.float64]

FIRST = 5
"""Seeds of the first look: with fewer, the smallest levels need absurd differences."""
LOOKS = 5
LAST = 0.8
"""Share of α that is kept for the cap."""
FUTILE = 0.05
"""Below this chance of a decision at the cap, a comparison gets no more seeds."""
SIGNS = 0.1
"""Share of every level that goes to the test of signs; the rest goes to the test of means."""
ALIKE = 1e-12
"""Differences nearer to each other than this share of them are equal but for rounding."""


def schedule(most: int, first: int = FIRST) -> list[int]:
    """Seeds at each look: at most :data:`LOOKS`, in equal ratios from ``first`` to ``most``.

    Raises:
        ValueError: ``most`` is below ``first``.
    """
    if most < first:
        raise ValueError(f"a cap of {most} seeds is below the first look, after {first}")
    return sorted({round(first * (most / first) ** (k / (LOOKS - 1))) for k in range(LOOKS)})


def shares(looks: Sequence[int]) -> Floats:
    """How α is dealt out to the looks: :data:`LAST` for the cap, the rest by seeds; adds up to 1.

    Early looks are strict, so that little is lost at the cap against a single look there.
    Source: Haybittle 1971; Peto et al. 1976.
    """
    seeds = np.asarray(looks, dtype=np.float64)
    dealt: Floats = np.ones(1)
    if len(looks) > 1:
        dealt = np.append((1 - LAST) * seeds[:-1] / seeds[:-1].sum(), LAST)
    return dealt


def means_p(difference_Pn: ArrayLike) -> Floats:
    """p of the two-sided paired t test, (P,); 1 where it says nothing.

    That is where a difference is not finite, for somebody diverged, and where all of them are
    equal: no spread is known then, and it is for the signs to decide.

    Source: Student 1908.
    """
    difference = np.asarray(difference_Pn, dtype=np.float64)
    mean, spread = moments(difference)
    usable = np.isfinite(mean) & (spread > 0)
    t = np.divide(mean, spread, out=np.zeros_like(mean), where=usable)
    n = difference.shape[-1]
    return np.where(usable, 2 * special.stdtr(n - 1, -np.abs(t) * np.sqrt(n)), 1.0)


def moments(difference_Pn: Floats) -> tuple[Floats, Floats]:
    """Mean and sample deviation of each row; not a number where a difference is not finite."""
    known = np.asarray(np.isfinite(difference_Pn).all(axis=-1))
    finite = np.where(known[..., None], difference_Pn, 0.0)
    mean, spread = finite.mean(axis=-1), finite.std(axis=-1, ddof=1)
    # Of equal numbers the deviation is often not 0 but a rounding error.
    alike = np.ptp(finite, axis=-1) <= ALIKE * (1 + np.abs(mean))
    spread = np.where(alike, 0.0, spread)
    return np.where(known, mean, np.nan), np.where(known, spread, np.nan)


def wins(difference_Pn: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """On how many seeds each is ahead and behind; ties are neither. Infinities count."""
    difference = np.asarray(difference_Pn, dtype=np.float64)
    return (difference > 0).sum(axis=-1), (difference < 0).sum(axis=-1)


def signs_p(ahead: ArrayLike, behind: ArrayLike) -> Floats:
    """p of the two-sided sign test, ties left out.

    Source: Conover 1999 (Practical Nonparametric Statistics), section 3.4.
    """
    one, other = np.asarray(ahead), np.asarray(behind)
    p: Floats = np.minimum(1.0, 2 * special.bdtr(np.minimum(one, other), one + other, 0.5))
    return p


def look_p(difference_Pn: ArrayLike) -> tuple[Floats, Floats]:
    """p of one look, before its share of α is counted, and the direction it speaks for.

    The better of the two tests, each charged for its share (weighted Bonferroni), so a valid p
    whichever of them the data favour.

    Returns:
        p (P,), and 1, −1 or 0 (P,): who is ahead by the test that gave the p.
    """
    difference = np.asarray(difference_Pn, dtype=np.float64)
    by_means, (ahead, behind) = means_p(difference) / (1 - SIGNS), wins(difference)
    by_signs = signs_p(ahead, behind) / SIGNS
    mean = np.nan_to_num(moments(difference)[0])
    side = np.where(by_means <= by_signs, np.sign(mean), np.sign(ahead - behind))
    return np.minimum(1.0, np.minimum(by_means, by_signs)), side


def holm(p: ArrayLike) -> Floats:
    """p adjusted for the number of hypotheses, in the order given; all are p values.

    The same as :func:`.statistics.corrections.holm`, whose library collects garbage on each
    call: a race calls this at every look, and a simulation thousands of times.

    Source: Holm 1979.
    """
    given = np.asarray(p, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(1.0, stepped)
    return adjusted


def within(difference_Pn: ArrayLike, margin: float, level: float) -> NDArray[np.bool_]:
    """Whether both one-sided t tests reject a difference of ``margin`` or more at the level.

    Source: Schuirmann 1987 (two one-sided tests).
    """
    difference = np.asarray(difference_Pn, dtype=np.float64)
    mean, spread = moments(difference)
    n = difference.shape[-1]
    half = stats.t.isf(level, n - 1) * spread / np.sqrt(n)
    return np.asarray(np.isfinite(mean) & (np.abs(mean) + half < margin), dtype=np.bool_)


def chance(difference_Pn: ArrayLike, most: int, level: float) -> Floats:
    """The chance that a look at the cap is below ``level``, given what has been seen, (P,).

    Predictive power: the mean (or the share of wins, where the t test says nothing) is as
    uncertain as the data leave it, under a flat prior. It only ever stops seeds, never
    makes a claim, so it need not be exact.

    Args:
        difference_Pn: what has been seen, of n < ``most`` seeds.
        most: seeds at the cap.
        level: what the p of :func:`look_p` must fall below there.

    Source: Spiegelhalter, Freedman and Blackburn 1986.
    """
    difference = np.asarray(difference_Pn, dtype=np.float64)
    n = difference.shape[-1]
    mean, spread = moments(difference)
    usable = np.isfinite(mean) & (spread > 0)
    effect = np.divide(mean, spread, out=np.zeros_like(mean), where=usable)
    needed = -special.stdtrit(most - 1, level * (1 - SIGNS) / 2) / np.sqrt(most)
    # mean at the cap − mean now = (N − n)/N · (mean of the rest − mean now)
    scale = (most - n) / most * np.sqrt(1 / n + 1 / (most - n))
    above = special.stdtr(n - 1, (effect - needed) / scale)
    below = special.stdtr(n - 1, (-needed - effect) / scale)
    predicted: Floats = above + below
    if not usable.all():
        predicted[~usable] = _chance_of_signs(difference[~usable], most, level)
    return predicted


def _chance_of_signs(difference_Pn: Floats, most: int, level: float) -> Floats:
    """The same for the test of signs; none where all differences are 0."""
    ahead, behind = wins(difference_Pn)
    left = most - difference_Pn.shape[-1]
    more = np.arange(left + 1)
    final = signs_p(ahead[..., None] + more, behind[..., None] + left - more)
    seen = stats.betabinom.pmf(more, left, 1 + ahead[..., None], 1 + behind[..., None])
    total: Floats = np.where(final <= level * SIGNS, seen, 0.0).sum(axis=-1)
    return np.where(ahead + behind > 0, total, 0.0)
