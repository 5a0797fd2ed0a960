"""The few protocol buffer messages that hold numbers and settings, by their field numbers.

What is not listed here (images, graphs, console output) is passed over. Texts are read as bytes:
a name that is not UTF-8 must not cost a run. Sources: ``event.proto``, ``summary.proto`` and
``tensor.proto`` of TensorBoard, ``plugin_data.proto`` of its hparams plugin, and
``wandb_internal.proto``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from .runs import Damaged

_Field = descriptor_pb2.FieldDescriptorProto
_KINDS = {
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int": _Field.TYPE_INT64,
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
}
MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "Event": {"wall_time": (1, "double"), "step": (2, "int"), "summary": (5, "Summary")},
    "Summary": {"value": (1, "Value*")},
    "Value": {
        "tag": (1, "bytes"), "simple_value": (2, "float"), "tensor": (8, "Tensor"),
        "metadata": (9, "Metadata"),
    },
    "Metadata": {"plugin_data": (1, "PluginData")},
    "PluginData": {"plugin_name": (1, "bytes"), "content": (2, "bytes")},
    "Tensor": {
        "dtype": (1, "int"), "tensor_shape": (2, "Shape"), "tensor_content": (4, "bytes"),
        "float_val": (5, "float*"), "double_val": (6, "double*"), "int_val": (7, "int*"),
        "int64_val": (10, "int*"),
    },
    "Shape": {"dim": (2, "Dim*")},
    "Dim": {"size": (1, "int")},
    "HParams": {"start": (3, "SessionStart"), "end": (4, "SessionEnd")},
    "SessionStart": {"hparams": (1, "HParam*")},
    "SessionEnd": {"status": (1, "int")},
    "HParam": {"key": (1, "bytes"), "value": (2, "Scalar")},
    "Scalar": {
        "number_value": (2, "double"), "string_value": (3, "bytes"), "bool_value": (4, "bool"),
    },
    "Record": {
        "history": (2, "History"), "config": (5, "Config"), "run": (17, "RunRecord"),
        "exit": (18, "Exit"),
    },
    "History": {"item": (1, "Item*"), "step": (2, "HistoryStep")},
    "HistoryStep": {"num": (1, "int")},
    "Item": {"key": (1, "bytes"), "nested_key": (2, "bytes*"), "value_json": (16, "bytes")},
    "Config": {"update": (1, "Item*")},
    "RunRecord": {
        "run_id": (1, "bytes"), "entity": (2, "bytes"), "project": (3, "bytes"),
        "config": (4, "Config"), "display_name": (8, "bytes"),
    },
    "Exit": {"exit_code": (1, "int")},
}  # fmt: skip
"""Message -> field -> its number and type; ``*``: repeated."""


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="imported.proto", package="imported")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            label = _Field.LABEL_REPEATED if kind.endswith("*") else _Field.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if plain := _KINDS.get(kind.rstrip("*")):
                added.type = plain
            else:
                added.type, added.type_name = _Field.TYPE_MESSAGE, f".imported.{kind.rstrip('*')}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = message_factory.GetMessageClassesForFiles([file.name], pool)
    return {name.removeprefix("imported."): made for name, made in found.items()}


_CLASSES = _classes()


def parsed(name: str, data: bytes, path: Path, offset: int) -> Any:
    """The message in these bytes; raises Damaged."""
    try:
        return _CLASSES[name].FromString(data)
    except DecodeError as error:
        raise Damaged(path, f"a record is no {name}: {error}", offset) from error


def text(data: bytes) -> str:
    """Bytes as text, whatever they are."""
    return data.decode(errors="replace")
