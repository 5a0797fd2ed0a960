"""W&B: offline runs (``run-*.wandb``) and histories that were exported as Parquet."""

import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from ...workloads.records import Outcome
from ..archive import MANIFEST
from . import framing
from .messages import parsed, text
from .runs import Damaged, Run, Sink, Source, Unfit, files_under, number, relative

STEP = "_step"
OWN = (STEP, "_timestamp", "_wandb")
"""What W&B writes beside what it was given."""
ROWS = 10_000
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
_INTERNAL = "_wandb"


def fits(name: str) -> bool:
    """Whether this is how W&B calls offline runs, or an export."""
    return name.endswith((".wandb", ".parquet"))


def files(root: Path) -> Iterator[Path]:
    """Offline runs and exports below a folder; the Parquet of talweg's own archives is neither."""
    for file in files_under(root, fits):
        if file.name.endswith(".wandb") or not (file.parent / MANIFEST).exists():
            yield file


def sources(root: Path) -> Iterator[Source]:
    """The runs below a folder; ``_step`` is the update."""
    for file in files(root):
        read = _read_log if file.name.endswith(".wandb") else _read_export
        name = relative(file, root).removesuffix(file.suffix)
        yield Source(file, functools.partial(read, file, name))


def _read_log(file: Path, name: str, sink: Sink) -> Run:
    identity = hashlib.sha256(file.name.encode()).hexdigest()
    settings: dict[str, Any] = {}
    outcome, error = Outcome.CANCELLED, "the file has no record of the run's end"
    for offset, data in framing.wandb_records(file):
        record = parsed("Record", data, file, offset)
        if record.HasField("run"):
            run = record.run
            identity = "/".join(map(text, (run.entity, run.project, run.run_id)))
            words = (run.project, run.display_name, run.run_id)
            name = "/".join(text(word) for word in words if word)
            settings |= _settings(run.config)
        elif record.HasField("config"):
            settings |= _settings(record.config)
        elif record.HasField("exit"):
            code = record.exit.exit_code
            outcome = Outcome.FAILED if code else Outcome.DONE
            error = f"exit code {code}"
        elif record.HasField("history"):
            _history(record.history, file, offset, sink)
    return Run(identity, name, settings, outcome, None if outcome is Outcome.DONE else error)


def _settings(config: Any) -> dict[str, Any]:
    named = {_name(item): _value(item) for item in config.update}
    return {name: value for name, value in named.items() if name != _INTERNAL}


def _history(history: Any, file: Path, offset: int, sink: Sink) -> None:
    values = {_name(item): _value(item) for item in history.item}
    step = history.step.num if history.HasField("step") else values.get(STEP)
    if not isinstance(step, int):
        raise Damaged(file, "a line of the history has no step", offset)
    for name, value in values.items():
        if name not in OWN and (isinstance(value, int | float) or value in _NO_NUMBERS):
            sink(name, step, number(value))


def _name(item: Any) -> str:
    return text(item.key) or ".".join(map(text, item.nested_key))


def _value(item: Any) -> Any:
    """What JSON says; None where it is not JSON, or nested or long beyond reason."""
    try:
        found = json.loads(item.value_json)
    except (ValueError, RecursionError):
        return None
    return None if isinstance(found, list | dict) and len(item.value_json) > ROWS else found


def _read_export(file: Path, name: str, sink: Sink) -> Run:
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        with parquet.ParquetFile(file) as table:
            schema = table.schema_arrow
            if STEP not in schema.names or not pa.types.is_integer(schema.field(STEP).type):
                raise Unfit(f"{file} has no column {STEP} of integers, as a history of W&B has")
            metrics = [f.name for f in schema if _is_number(f.type) and f.name not in OWN]
            for batch in table.iter_batches(ROWS, columns=[STEP, *metrics]):
                _rows(batch, metrics, sink)
    except (pa.ArrowException, OSError) as error:
        raise Damaged(file, str(error)) from error
    return Run(digest, name, {})


def _rows(batch: pa.RecordBatch, metrics: list[str], sink: Sink) -> None:
    steps = batch.column(STEP).to_pylist()
    for metric in metrics:
        for step, value in zip(steps, batch.column(metric).to_pylist(), strict=True):
            # NULL: not logged at this step. NaN is a value, though not a number.
            if value is not None and step is not None:
                sink(metric, step, number(value))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
