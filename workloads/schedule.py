"""When a trial is measured: at 0, at its end, and log-spaced between; torch-free."""


def log_spaced(last: int, count: int) -> list[int]:
    """At most ``count`` updates from 0 to ``last``, both included, denser at the start.

    Between them the updates are round(last^(i / (n−1))) without repeats: equal steps on a
    logarithmic axis, so that volume grows with log(last).

    >>> log_spaced(1000, 5)
    [0, 1, 10, 100, 1000]
    """
    if count <= 1 or last == 0:
        return [last] if count == 1 and last > 0 else [0]
    inner = count - 1
    if last < inner:
        return list(range(last + 1))
    grid = (round(last ** (i / max(1, inner - 1))) for i in range(inner))
    return sorted({0, last, *grid} if inner > 1 else {0, last})


def subset(updates: list[int], count: int) -> set[int]:
    """At most ``count`` of ``updates``, first and last included, evenly by position."""
    if count >= len(updates):
        return set(updates)
    if count <= 1:
        return set(updates[:count])
    stride = (len(updates) - 1) / (count - 1)
    return {updates[round(i * stride)] for i in range(count)}
