"""TensorBoard: event files. A folder with some is a run, as TensorBoard has it."""

import functools
import hashlib
import math
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...workloads.records import Outcome
from . import framing
from .messages import parsed, text
from .runs import Run, Sink, Source, files_under, number, relative

PARTS = ("train", "validation", "val", "eval", "test")
"""Folders that are one run together with the one that holds them, as Keras writes them."""

_UNITS = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}
"""Number types of tensors (``types.proto``), as their one value stands in ``tensor_content``."""
_LISTS = {1: "float_val", 2: "double_val", 3: "int_val", 9: "int64_val"}
_SUCCESS, _FAILURE = 1, 2


def fits(name: str) -> bool:
    """Whether this is how event files are called."""
    return ".tfevents." in name


def sources(root: Path) -> Iterator[Source]:
    """The runs below a folder; the step of an event is the update."""
    folders: dict[Path, list[tuple[str, Path]]] = {}
    for file in files_under(root, fits):
        folder, prefix = file.parent, ""
        if folder.name in PARTS and folder != root:
            folder, prefix = folder.parent, f"{folder.name}/"
        folders.setdefault(folder, []).append((prefix, file))
    for folder, files in folders.items():
        name = folder.name if root.is_file() else relative(folder, root)
        yield Source(folder, functools.partial(_read, name, files))


def _read(name: str, files: Sequence[tuple[str, Path]], sink: Sink) -> Run:
    settings: dict[str, Any] = {}
    outcome, began = Outcome.DONE, ""
    for prefix, file in files:
        for offset, data in framing.tf_records(file):
            event = parsed("Event", data, file, offset)
            # The first file's name and first moment stay when others join it.
            began = began or f"{file.name} {event.wall_time!r}"
            for value in event.summary.value:
                plugin = value.metadata.plugin_data
                if plugin.plugin_name == b"hparams":
                    told = parsed("HParams", plugin.content, file, offset)
                    settings |= {text(one.key): _setting(one.value) for one in told.start.hparams}
                    outcome = Outcome.FAILED if told.end.status == _FAILURE else outcome
                elif value.HasField("simple_value"):
                    sink(prefix + text(value.tag), event.step, number(value.simple_value))
                elif value.HasField("tensor") and (found := _scalar(value.tensor)) is not None:
                    sink(prefix + text(value.tag), event.step, number(found))
    error = None if outcome is Outcome.DONE else "its session ended with STATUS_FAILURE"
    identity = hashlib.sha256(f"{name}\n{began}".encode()).hexdigest()
    return Run(identity, name, settings, outcome, error)


def _setting(value: Any) -> Any:
    if value.HasField("number_value"):
        real = value.number_value
        # protobuf's Value has doubles alone; a batch size is an integer all the same.
        return int(real) if math.isfinite(real) and real == int(real) else real
    return value.bool_value if value.HasField("bool_value") else text(value.string_value)


def _scalar(tensor: Any) -> float | None:
    """The number in a tensor of one; None for any other tensor."""
    unit = _UNITS.get(tensor.dtype)
    if unit is None or math.prod(dim.size for dim in tensor.tensor_shape.dim) != 1:
        return None
    if len(tensor.tensor_content) == struct.calcsize(unit):
        return float(struct.unpack(unit, tensor.tensor_content)[0])
    values = list(getattr(tensor, _LISTS[tensor.dtype]))
    return float(values[0]) if len(values) == 1 else None
