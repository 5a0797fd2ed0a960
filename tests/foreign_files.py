"""Writers of the files that other tools leave, byte by byte: the formats as their sources say.

The messages are put together here from field numbers and wire types alone, so that a mistake in
the readers' table of messages cannot hide in the tests. Checked once against files that
TensorBoard 2.21, W&B 0.31 and MLflow 3.17 wrote themselves.
"""

import json
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

BLOCK = 32768
HEADER = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
POLYNOMIAL = 0x82F63B78  # Castagnoli's, reversed

Scalar = tuple[int, str, float]
"""Step, name, value."""
Settings = Mapping[str, float | str | bool]
Runs = Mapping[str, tuple[str, Mapping[str, str], list[Any]]]


def crc32c(data: bytes) -> int:
    """CRC-32C, bit by bit: a twin of the library that the reader uses."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def tf_record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def varint(number: int) -> bytes:
    number &= 2**64 - 1  # negative ones have ten bytes
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def field(number: int, value: bytes | int) -> bytes:
    """A varint, or bytes with their length in front."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def event(step: int, *values: bytes, wall_time: float = 1e9) -> bytes:
    summary = b"".join(field(1, value) for value in values)
    return tf_record(double(1, wall_time) + field(2, step) + field(5, summary))


def simple(tag: str, value: float) -> bytes:
    return field(1, tag.encode()) + varint(2 << 3 | 5) + struct.pack("<f", value)


def tensor(tag: str, dtype: int, content: bytes, shape: Sequence[int] = ()) -> bytes:
    dims = b"".join(field(2, field(1, size)) for size in shape)
    return field(1, tag.encode()) + field(8, field(1, dtype) + field(2, dims) + field(4, content))


def hparams(settings: Settings) -> bytes:
    """The value that the hparams plugin starts a session with."""
    pairs = b"".join(
        field(1, field(1, key.encode()) + field(2, _struct_value(value)))
        for key, value in settings.items()
    )
    plugin = field(1, b"hparams") + field(2, field(3, pairs))
    return field(1, b"_hparams_/session_start_info") + field(9, field(1, plugin))


def _struct_value(value: float | str | bool) -> bytes:
    if isinstance(value, bool):
        return field(4, int(value))
    return field(3, value.encode()) if isinstance(value, str) else double(2, value)


def event_file(
    folder: Path,
    scalars: Iterable[Scalar],
    settings: Settings | None = None,
    name: str = "events.out.tfevents.1.host.1.0",
) -> Path:
    """A folder that is a run of TensorBoard."""
    folder.mkdir(parents=True, exist_ok=True)
    records = [tf_record(double(1, 1e9) + field(3, b"brain.Event:2"))]
    records += [event(0, hparams(settings))] if settings else []
    records += [event(step, simple(tag, value)) for step, tag, value in scalars]
    file = folder / name
    file.write_bytes(b"".join(records))
    return file


def leveldb_log(records: Iterable[bytes]) -> bytes:
    """Records in chunks that end where blocks do, behind the header of W&B."""
    log = bytearray(HEADER)
    for record in records:
        first, left = True, record
        while first or left:
            room = BLOCK - len(log) % BLOCK
            if room < 7:
                log += bytes(room)
                room = BLOCK
            part, left = left[: room - 7], left[room - 7 :]
            kind = (1 if not left else 2) if first else (4 if not left else 3)
            crc = zlib.crc32(bytes([kind]) + part)
            log += struct.pack("<IHB", crc, len(part), kind) + part
            first = False
    return bytes(log)


def item(key: str, text: str, nested: bool = False) -> bytes:
    """A pair of name and JSON text; newer versions name it as nested keys."""
    named = field(2, key.encode()) if nested else field(1, key.encode())
    return named + field(16, text.encode())


def history(step: int, **values: str) -> bytes:
    items = b"".join(field(1, item(key, text, nested=True)) for key, text in values.items())
    return field(2, items + field(2, field(1, step)))


def run_record(run_id: str, name: str, config: Mapping[str, Any]) -> bytes:
    update = b"".join(field(1, item(key, json.dumps(v))) for key, v in config.items())
    words = {1: run_id, 3: "demo", 8: name}
    told = b"".join(field(number, word.encode()) for number, word in words.items())
    return field(17, told + field(4, update))


def wandb_file(folder: Path, run_id: str, records: Iterable[bytes]) -> Path:
    """An offline run; its records are numbered, as W&B does."""
    place = folder / f"offline-run-20260101_000000-{run_id}"
    place.mkdir(parents=True)
    file = place / f"run-{run_id}.wandb"
    file.write_bytes(leveldb_log(field(1, n) + record for n, record in enumerate(records, 1)))
    return file


MLFLOW = """
create table experiments (experiment_id integer not null primary key, name varchar(256) not null,
    artifact_location varchar(256), lifecycle_stage varchar(32));
create table runs (run_uuid varchar(32) not null primary key, name varchar(250),
    source_type varchar(20), source_name varchar(500), entry_point_name varchar(50),
    user_id varchar(256), status varchar(9), start_time bigint, end_time bigint,
    source_version varchar(50), lifecycle_stage varchar(20), artifact_uri varchar(200),
    experiment_id integer, deleted_time bigint);
create table metrics (key varchar(250) not null, value float not null, timestamp bigint not null,
    run_uuid varchar(32) not null, step bigint default '0' not null,
    is_nan boolean default '0' not null,
    primary key (key, timestamp, step, run_uuid, value, is_nan));
create table params (key varchar(250) not null, value varchar(8000) not null,
    run_uuid varchar(32) not null, primary key (key, run_uuid));
create table tags (key varchar(250) not null, value varchar(8000),
    run_uuid varchar(32) not null, primary key (key, run_uuid));
"""


def mlflow_file(file: Path, runs: Runs) -> Path:
    """A tracking store: run -> status, params, rows of (key, value, timestamp, step, is_nan)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    con = sqlite3.connect(file)
    con.executescript(MLFLOW)
    con.execute("insert into experiments values (1, 'demo', '', 'active')")
    for run_id, (status, params, metrics) in runs.items():
        con.execute(
            "insert into runs (run_uuid, name, status, lifecycle_stage, experiment_id) "
            "values (?, ?, ?, 'active', 1)",
            [run_id, f"run of {run_id}", status],
        )
        con.executemany(
            "insert into params values (?, ?, ?)", [(*p, run_id) for p in params.items()]
        )
        con.executemany(
            "insert into metrics (key, value, timestamp, step, is_nan, run_uuid) "
            "values (?, ?, ?, ?, ?, ?)",
            [(*metric, run_id) for metric in metrics],
        )
    con.commit()
    con.close()
    return file


def deepobs_file(root: Path, seed: int = 42, **changes: Any) -> Path:
    """A result as DeepOBS 1.2 writes it: three epochs of SGD on a test problem."""
    content = {
        "testproblem": "fmnist_2c2d", "batch_size": 128, "num_epochs": 2, "random_seed": seed,
        "weight_decay": None, "optimizer_name": "SGD",
        "optimizer_hyperparams": {"lr": 0.1, "momentum": 0.9},
        "train_losses": [2.5, 1.5, 1.0], "test_losses": [2.6, 1.75, 1.25],
        "valid_losses": [2.6, 1.8, 1.5],
        "train_accuracies": [0.1, 0.5, 0.75], "test_accuracies": [0.1, 0.45, 0.625],
        "minibatch_train_losses": [2.5, 2.0, 1.5, 1.25], "analyzable_training_params": {},
    } | changes  # fmt: skip
    settings = "num_epochs__2__batch_size__128__lr__1.e-01__momentum__9.e-01"
    folder = root / "fmnist_2c2d" / "SGD" / settings
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"random_seed__{seed}__2026-01-01-00-00-00.json"
    file.write_text(json.dumps(content))
    return file
