"""Tables of openml.org by id, fetched once with scikit-learn, which checks their MD5; no torch."""

import functools
import urllib.request
import warnings
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np

from .columns import Column
from .downloads import TIMEOUT, DataUnavailable, folder
from .tables import Table, Wanted, table

INFORMATION = "https://www.openml.org/api/v1/json/data/{}"


def home() -> Path:
    """Where scikit-learn keeps what it fetched."""
    return folder() / "openml"


def here(number: int) -> bool:
    """Whether the data set was fetched before."""
    # scikit-learn's own layout.
    return (home() / "openml.org" / "api" / "v1" / "json" / "data" / f"{number}.gz").exists()


def digest_of(number: int) -> str:
    """The first 12 digits of the MD5 that OpenML states for the data, and that was checked."""
    return str(_fetched(number, home())["details"]["md5_checksum"])[:12]


def read(number: int, wanted: Wanted) -> Table:
    """A data set as a table; without a target, its own default one.

    Raises:
        ValueError: it cannot be used, and why.
        DataUnavailable: it was not fetched before, and cannot be now.
    """
    return _read(number, wanted, home())


@functools.lru_cache(maxsize=4)
def _read(number: int, wanted: Wanted, where: Path) -> Table:
    found = _fetched(number, where)
    target = wanted.target or found["details"].get("default_target_attribute")
    columns = {
        name: _column(values, found["categories"].get(name))
        for name, values in zip(found["feature_names"], found["data"].T, strict=True)
    }
    return table(f"OpenML {number}", columns, Wanted(target, wanted.kind, wanted.without))


def _column(values: Any, words: list[str] | None) -> Column:
    """Categories as words; whole numbers as such, since ARFF does not tell them from others."""
    values = np.asarray(values, np.float64)
    if words is not None:
        return np.array([words[int(v)] if v == v else None for v in values], object)
    whole = np.isfinite(values).all() and np.array_equal(values, np.round(values))
    column: Column = values.astype(np.int64) if whole else values
    return column


@functools.lru_cache(maxsize=2)
def _fetched(number: int, where: Path) -> Any:
    from sklearn.datasets import fetch_openml

    try:
        if not here(number):
            _ask(number)
        with warnings.catch_warnings():
            # scikit-learn warns of an invalid cache where there is none yet.
            warnings.simplefilter("ignore", RuntimeWarning)
            found = fetch_openml(
                data_id=number,
                data_home=where.parent,  # to which scikit-learn adds "openml"
                target_column=None,
                as_frame=False,
                parser="liac-arff",
            )
    except OSError as error:
        raise DataUnavailable(
            f"OpenML {number} is not in {where} and openml.org cannot be reached ({error}); on a "
            f"machine that can, run sklearn.datasets.fetch_openml(data_id={number}, "
            f"data_home={str(where.parent)!r}, as_frame=False) and copy that folder here"
        ) from error
    if hasattr(found["data"], "toarray"):
        found["data"] = found["data"].toarray()
    return found


def _ask(number: int) -> None:
    """Whether OpenML is there and has it; scikit-learn would wait without end."""
    try:
        with urllib.request.urlopen(INFORMATION.format(number), timeout=TIMEOUT):
            pass
    except HTTPError as error:
        raise ValueError(f"openml.org has no data set {number} ({error})") from error
