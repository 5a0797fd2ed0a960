"""Hostile files: archives that must not be imported, and grid files that must not be planned."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from talweg.storage import archive
from talweg.storage.errors import ArchiveError

Spoil = Callable[[Path], object]


def _manifest(**fields: object) -> Spoil:
    """Other fields in the manifest."""

    def spoil(folder: Path) -> None:
        path = folder / archive.MANIFEST
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return spoil


def _file(**fields: object) -> Spoil:
    """Other facts about the file of steps."""

    def spoil(folder: Path) -> None:
        files = json.loads((folder / archive.MANIFEST).read_text())["files"]
        files["steps"] |= fields
        _manifest(files=files)(folder)

    return spoil


def _files(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Other files."""

    def spoil(folder: Path) -> None:
        files = json.loads((folder / archive.MANIFEST).read_text())["files"]
        change(files)
        _manifest(files=files)(folder)

    return spoil


def _instead(name: str, make: Callable[[Path], object]) -> Spoil:
    """Something else in the place of a file."""

    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return spoil


def _forged(table: str, change: Callable[[pa.Table], pa.Table]) -> Spoil:
    """Other rows, with every hash as it then must be."""

    def spoil(folder: Path) -> None:
        path = archive.file_of(folder, table)
        rows = change(parquet.read_table(path))
        parquet.write_table(rows, path)
        described = archive.described(path, rows.num_rows).model_dump()
        _files(lambda files: files.update({table: described}))(folder)
        try:
            with archive.opened(folder) as con:
                content = archive.content_of(con, "s").model_dump()
        except ArchiveError:
            return
        _manifest(sweeps={"s": content})(folder)

    return spoil


def _set(name: str, values: pa.Array) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.column_names.index(name), name, values)

    return change


def _bomb(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table] * 20_000).combine_chunks()


_STEPS = "steps.parquet"
_DEEP = "[" * 200_000 + "]" * 200_000

ARCHIVES: Mapping[str, Spoil] = {
    "no manifest": lambda f: (f / archive.MANIFEST).unlink(),
    "a folder as manifest": _instead(archive.MANIFEST, Path.mkdir),
    "a pipe as manifest": _instead(archive.MANIFEST, os.mkfifo),
    "a manifest without end": _instead(archive.MANIFEST, lambda p: p.symlink_to("/dev/zero")),
    "a manifest that leads to itself": _instead(archive.MANIFEST, lambda p: p.symlink_to(p.name)),
    "an empty manifest": lambda f: (f / archive.MANIFEST).write_text(""),
    "a manifest that is no JSON": lambda f: (f / archive.MANIFEST).write_text("a: 1"),
    "a manifest that is a list": lambda f: (f / archive.MANIFEST).write_text("[]"),
    "a manifest of brackets": lambda f: (f / archive.MANIFEST).write_text(_DEEP),
    "a manifest of bytes": lambda f: (f / archive.MANIFEST).write_bytes(b"\xff\xfe\x00"),
    "a pickle as manifest": lambda f: (f / archive.MANIFEST).write_bytes(b"\x80\x04N."),
    "a very large number": lambda f: (f / archive.MANIFEST).write_text("9" * 10_000),
    "a later format": _manifest(format_version=10**6),
    "a format that is text": _manifest(format_version="1"),
    "a later schema": _manifest(schema_version=10**6),
    "a date that is none": _manifest(created_at="yesterday"),
    "sweeps as a list": _manifest(sweeps=["s"]),
    "a sweep that is not there": _manifest(sweeps={"evil": {"sha256": "0" * 64, "tables": {}}}),
    "a sweep named as a path": _manifest(sweeps={"../../evil": {"sha256": "0" * 64, "tables": {}}}),
    "a sweep named as SQL": _manifest(
        sweeps={"'; drop table steps; --": {"sha256": "0" * 64, "tables": {}}}
    ),
    "a file named as a path": _files(lambda files: files.update({"../../evil": files["steps"]})),
    "a file elsewhere": _files(lambda files: files.update({"/etc/passwd": files.pop("steps")})),
    "a file too few": _files(lambda files: files.pop("steps")),
    "the ledger": _files(lambda files: files.update({"ledger": files["steps"]})),
    "no files": _manifest(files={}),
    "fewer than no rows": _file(rows=-1),
    "more rows than there are": _file(rows=10**18),
    "half a row": _file(rows=0.5),
    "a size of nothing": _file(size=0),
    "a size beyond 64 bits": _file(size=2**80),
    "another hash": _file(sha256="0" * 64),
    "a hash that is none": _file(sha256="../../etc/passwd"),
    "a hash that is too short": _file(sha256="0"),
    "no file of steps": lambda f: (f / _STEPS).unlink(),
    "a folder of steps": _instead(_STEPS, Path.mkdir),
    "a pipe of steps": _instead(_STEPS, os.mkfifo),
    "steps without end": _instead(_STEPS, lambda p: p.symlink_to("/dev/zero")),
    "steps in a file of the system": _instead(_STEPS, lambda p: p.symlink_to("/etc/passwd")),
    "steps in the store's tokens": _instead(_STEPS, lambda p: p.symlink_to("../endpoint")),
    "steps that lead to themselves": _instead(_STEPS, lambda p: p.symlink_to(p.name)),
    "half of the steps": lambda f: (f / _STEPS).write_bytes((f / _STEPS).read_bytes()[:-99]),
    "steps as text": lambda f: (f / _STEPS).write_text("trial_id,update\na,1\n"),
    "no bytes of steps": lambda f: (f / _STEPS).write_bytes(b""),
    "rows that unpack to many": _forged("steps", _bomb),
    "steps with another column": _forged("steps", lambda t: t.append_column("evil", t["update"])),
    "steps with a column less": _forged("steps", lambda t: t.drop_columns(["update"])),
    "updates as text": _forged("steps", _set("update", pa.array(["'; drop table steps"]))),
    "updates as lists": _forged("steps", _set("update", pa.array([[1, 2]]))),
    "trials without a name": _forged("trials", _set("trial_id", pa.array([None], pa.string()))),
    "trials named by structs": _forged("trials", _set("trial_id", pa.array([{"a": 1}]))),
    "trials named by numbers": _forged("trials", _set("trial_id", pa.array([7]))),
    "a configuration of lists": _forged("trials", _set("config", pa.array([["{}"]]))),
    "a configuration that is no JSON": _forged("trials", _set("config", pa.array(["{"]))),
    "a seed that is text": _forged("trials", _set("seed", pa.array(["x"]))),
    "an owner of a trial": _forged("trials", lambda t: t.append_column("writer", t["trial_id"])),
    "a place of a trial that is not there": _forged(
        "sweep_trials", _set("trial_id", pa.array(["evil"]))
    ),
    "a sweep with another column": _forged(
        "sweeps", lambda t: t.append_column('"; drop table sweeps; --', t["sweep_id"])
    ),
    "a sweep without a name": _forged("sweeps", _set("name", pa.array([None], pa.string()))),
}
"""Ways to spoil a sound archive of the sweep ``s``, which is passed over when it is not spoilt."""

_LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

GRIDS: Mapping[str, str] = {
    "a billion laughs": _LAUGHS,
    "laughs in maps": "a: &a {k: x}\n"
    + "".join(f"a{i}: &a{i} {{k: *a{i - 1 or ''}, l: *a{i - 1 or ''}}}\n" for i in range(1, 30)),
    "an alias of itself": "a: &a [*a]\n",
    "an alias of nothing": "a: *b\n",
    "a merge of itself": "a: &a\n  <<: *a\n",
    "brackets": "name: a\nbase: " + "[" * 100_000,
    "braces": "name: a\nbase: " + "{a: " * 3_000 + "1" + "}" * 3_000,
    "indents": "".join(" " * i + "a:\n" for i in range(1_000)),
    "Python's objects": "name: !!python/object/apply:os.system [ls]\n",
    "Python's names": "name: !!python/name:os.system\n",
    "Python's modules": "a: !!python/module:os\n",
    "a new object": "a: !!python/object/new:subprocess.Popen [[id]]\n",
    "bytes": "name: !!binary aGVsbG8=\n",
    "a set": "base: !!set {a, b}\n",
    "ordered maps": "base: !!omap [a: 1]\n",
    "a tag of one's own": "name: a\nbase: !evil {seed: 1}\n",
    "a tag at an address": "%TAG ! tag:example.org,2026:\n---\nname: !x a\n",
    "a later YAML": "%YAML 9.9\n---\nname: [\n",
    "two documents": "name: a\n---\nname: b\n",
    "a huge range": "name: a\ngrid: {seed: {range: 1000000000000}}\n",
    "a range of 10^12": "name: a\ngrid: {seed: {range: 1e12}}\n",
    "a range without end": "name: a\ngrid: {seed: {range: [0, 10, 0]}}\n",
    "a range beyond 64 bits": f"name: a\ngrid: {{seed: {{range: [0, {2**80}]}}}}\n",
    "a logspace of 10^9": "name: a\ngrid: {optimizer.lr: {logspace: [1, 2, 1000000000]}}\n",
    "a linspace of 10^9": "name: a\ngrid: {optimizer.lr: {linspace: [1, 2, 1000000000]}}\n",
    "a logspace to infinity": "name: a\ngrid: {optimizer.lr: {logspace: [1, .inf, 3]}}\n",
    "a logspace of texts": "name: a\ngrid: {optimizer.lr: {logspace: [a, b, c]}}\n",
    "a product of 10^12": (
        "name: a\ngrid: {seed: {range: 1000000}, model.width: {range: [1, 1000000]}}\n"
    ),
    "a number of 10,000 digits": "name: a\nbase: {seed: " + "9" * 10_000 + "}\n",
    "a number in base 60": "name: a\nbase: {seed: " + "1:" * 5_000 + "1}\n",
    "a depth of 10^9": "name: a\nbase: {model: {depth: 1000000000}}\n",
    "a seed that is negative": "name: a\nbase: {seed: -1}\n",
    "a name that is a path": "name: ../../etc/passwd\n",
    "a name with a NUL": 'name: "a\\0b"\n',
    "a name with escapes": 'name: "\\e[31ma"\n',
    "a very long name": "name: " + "a" * 10_000 + "\n",
    "a very long team": "name: a\nteam: " + "a" * 10_000 + "\n",
    "a study that is a path": "name: a\nstudy: ../../etc/passwd\n",
    "a key that is SQL": 'name: a\n"\'; drop table steps; --": 1\n',
    "a key that is a list": "? [a, b]\n: 1\n",
    "a key of Python": "name: a\ngrid: {__class__.__init__: [1]}\n",
    "an exclusion of Python": "name: a\nexclude: [{__class__.__name__: TrialSpec}]\n",
    "a key of Python in the base": "name: a\nbase: {__dict__: {}}\n",
    "a control character": "name: a\x07\n",
    "two marks of order": "\ufeff\ufeffname: a\n- b\n",
    "a million letters": "x" * 1_000_001,
}
"""Grid files that end in one message and exit code 2."""
