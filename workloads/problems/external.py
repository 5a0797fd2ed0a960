"""Tables from outside as data: split, and standardised where asked for."""

from pathlib import Path

from ..externalspecs import File, OpenMl
from .data import Data, split, standardised
from .tables import digest_of


def file(spec: File) -> Data:
    """See :class:`~..externalspecs.File`.

    Raises:
        ValueError: the file is another one than when the trial was planned.
    """
    if (found := digest_of(Path(spec.path))) != spec.source:
        raise ValueError(
            f"{spec.path} has changed since this trial was planned (its hash was {spec.source}, "
            f"and is {found}); plan again"
        )
    return tabular(spec)


def tabular(spec: File | OpenMl) -> Data:
    """The table of a spec, split at random."""
    table = spec.table
    x_train, y_train, x_test, y_test = split(table.x, table.y, spec.test_share, spec.split_seed)
    if spec.standardise:
        x_train, x_test = standardised(x_train, x_test)
        if not table.classes:
            y_train, y_test = standardised(y_train, y_test)
    return Data(x_train, y_train, x_test, y_test)
