"""DeepOBS: folders ``testproblem/optimizer/settings/random_seed__*.json``, a file per run."""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .runs import Damaged, Run, Sink, Source, Unfit, files_under, number, relative

MOST = 64 << 20
"""Bytes of a file: a hundred thousand epochs have about 10 MB."""

_PLAIN = ("testproblem", "optimizer_name", "batch_size", "num_epochs", "random_seed")
_NESTED = ("optimizer_hyperparams", "training_params", "analyzable_training_params")


def fits(name: str) -> bool:
    """Whether DeepOBS calls its results so."""
    return name.startswith("random_seed__") and name.endswith(".json")


def sources(root: Path) -> Iterator[Source]:
    """The runs below a folder. DeepOBS counts epochs alone, so the update is the epoch."""
    for file in files_under(root, fits):
        name = relative(file, root).removesuffix(".json")
        yield Source(file, functools.partial(_read, file, name))


def _read(file: Path, name: str, sink: Sink) -> Run:
    content = _content(file)
    found = _parsed(file, content)
    lengths = [len(losses) for losses in _losses(found)]
    for key, values in found.items():
        # Losses of single mini-batches have another length, and no epoch.
        if isinstance(values, list) and len(values) in lengths:
            for epoch, value in enumerate(values):
                sink(key, epoch, number(value))
    for epoch in range(max(lengths)):
        sink("epoch", epoch, float(epoch))
    settings = {key: found[key] for key in (*_PLAIN, "weight_decay") if key in found}
    for key in _NESTED:
        given = found.get(key)
        settings |= given if isinstance(given, Mapping) else {}
    return Run(hashlib.sha256(content).hexdigest(), name, settings)


def _content(file: Path) -> bytes:
    with file.open("rb") as opened:
        content = opened.read(MOST + 1)
    if len(content) > MOST:
        raise Unfit(f"{file} has more than {MOST:,} bytes: no result of DeepOBS is that large")
    return content


def _parsed(file: Path, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except json.JSONDecodeError as error:
        raise Damaged(file, error.msg, error.pos) from error
    except (ValueError, RecursionError) as error:
        raise Damaged(file, str(error)) from error
    if not isinstance(found, dict) or not _losses(found):
        raise Unfit(f"{file} has no list train_losses or test_losses: it is no result of DeepOBS")
    return found


def _losses(found: Mapping[str, Any]) -> list[list[Any]]:
    lists = (found.get(key) for key in ("train_losses", "test_losses"))
    return [values for values in lists if isinstance(values, list)]
