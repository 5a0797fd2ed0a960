"""``python -m benchmarks.hostile``: what tries to get into a store, or to take it down.

Each attack is tried on a store in a process of its own, as it is served, but with a short time
limit. It gets in when it is answered, or when the tables are others afterwards; the store is
down when it does not answer then. How it was refused is looked at as well: in one message,
without a traceback, a token, or a path of the store's machine.
"""

import contextlib
import dataclasses
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import grpc
import pyarrow as pa
import pyarrow.flight as flight
from rich.console import Console
from rich.table import Table

from talweg.storage.client import Client, connect
from talweg.storage.errors import QueryError, StoreError, unpack

from . import hostile_calls, hostile_messages, hostile_sql
from .hostile_messages import Attack, Target

TIME_LIMIT_S = 0.3
READ, WRITE = "the-reader-s-secret", "the-writer-s-secret"
CLOSING_S = 20.0
MAX_BYTES = 2 * 2**30
"""Of memory, at any moment: the largest allowed message, held once as it came and once unpacked,
and what DuckDB may take."""

_SERVE = f"""
import sys
from talweg.storage.limits import set_limits
from talweg.storage.store import Store
set_limits()
with Store(sys.argv[1], read_token={READ!r}, write_token={WRITE!r}, time_limit_s={TIME_LIMIT_S},
           memory_limit="256MB") as store:
    print(store.url, flush=True)
    sys.stdin.read()
"""
_TABLES = ("sweeps", "trials", "sweep_trials", "steps", "ledger", "calibrations")
_STATE = "select " + ", ".join(
    f"(select (count(*), bit_xor(hash(t::varchar))) from {table} as t)::varchar as {table}"
    for table in _TABLES
)


@dataclasses.dataclass
class Tally:
    """What came of the attacks of one family."""

    tried: int = 0
    got_in: list[str] = dataclasses.field(default_factory=list)
    down: list[str] = dataclasses.field(default_factory=list)
    told_too_much: list[str] = dataclasses.field(default_factory=list)


class Victim(NamedTuple):
    """A store in a process of its own, with rows to lose."""

    process: "subprocess.Popen[str]"
    folder: Path
    client: Client
    target: Target
    state: object

    @property
    def most_bytes(self) -> int:
        """The most memory that the store has ever had."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

    def try_all(self, attacks: Iterator[tuple[str, Attack]]) -> Tally:
        """Try these attacks, one after the other."""
        tally = Tally()
        for name, attack in attacks:
            tally.tried += 1
            said = self._try(attack)
            if said is None:
                tally.got_in.append(name)
            elif self._tells_too_much(said):
                tally.told_too_much.append(f"{name}: {said[:300]}")
            try:
                if self._state() != self.state:
                    tally.got_in.append(f"{name}: changed rows")
            except StoreError as error:
                tally.down.append(f"{name}: {error}")
                break
        return tally

    def _state(self) -> object:
        """What the tables hold; on a busy machine that can take longer than the time limit."""
        for _ in range(20):
            with contextlib.suppress(QueryError):
                return self.client.query(_STATE).to_pylist()
        return self.client.query(_STATE).to_pylist()

    def _try(self, attack: Attack) -> str | None:
        """What was said to an attack; None when it was answered."""
        try:
            answer = attack(self.target)
        except flight.FlightError as error:
            told = unpack(error.extra_info)
            return str(told or error)
        except (pa.ArrowException, OSError, NotImplementedError) as error:
            return str(error)
        except grpc.RpcError as error:
            return str(error.details() or error.code().name)  # gRPC itself says little
        return "no answer" if answer in ([], None) else None

    def _tells_too_much(self, said: str) -> bool:
        secrets = (READ, WRITE, str(self.folder), "Traceback", 'File "', "site-packages")
        return not said or any(secret in said for secret in secrets)


@contextlib.contextmanager
def victim(folder: Path) -> Iterator[Victim]:
    """A store that waits to be attacked."""
    database = folder / "test.duckdb"
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout
        url = process.stdout.readline().strip()
        with connect(url, token=WRITE, patience_s=10) as client, flight.FlightClient(url) as bare:
            _fill(client)
            state = client.query(_STATE).to_pylist()
            try:
                yield Victim(process, folder, client, Target(url, READ, WRITE, bare), state)
                assert process.stdin
                process.stdin.close()
                process.wait(CLOSING_S)
            finally:
                process.kill()


def _fill(client: Client) -> None:
    sweep = {"sweep_id": "s", "name": "s", "spec": "{}", "status": "running", "talweg_version": "0"}
    words = ("problem", "model", "loss", "descent", "optimizer", "dtype")
    plain = {word: [word] for word in words} | {"trial_id": ["a"], "slug": ["a"], "seed": [0]}
    client.register(sweep, {**plain, "budget_updates": [10], "config": ["{}"]})
    client.begin("w", ["a"])
    client.append("w", 1, {"steps": hostile_messages.STEPS})


def statements(family: str) -> Iterator[tuple[str, Attack]]:
    """The attacks of one family of SQL."""
    for sql in hostile_sql.STATEMENT_FAMILIES[family]:
        yield f"{sql[:80]!r}, {len(sql)} letters", query(sql, {})


def parameters() -> Iterator[tuple[str, Attack]]:
    """Parameters that do not fit."""
    for given in hostile_sql.PARAMETERS:
        yield repr(given)[:80], query("select $a + 1", given)


def query(sql: str, params: object) -> Attack:
    """One query."""
    return hostile_messages.get(json.dumps({"query": sql, "params": params}).encode())


def families() -> Iterator[tuple[str, Iterator[tuple[str, Attack]]]]:
    """Every family by name, with its attacks."""
    for name in hostile_sql.STATEMENT_FAMILIES:
        yield name, statements(name)
    yield "parameters that do not fit", parameters()
    for name, parts in hostile_calls.FAMILIES.items():
        yield name, itertools.chain.from_iterable(part() for part in parts)


def main() -> int:
    """Try everything; exit code 1 when something got in."""
    terminal = Console()
    table = Table("attacks on a store", "tried", "got in", "store down", "told too much")
    total = Tally()
    with tempfile.TemporaryDirectory() as folder, victim(Path(folder)) as store:
        for name, attacks in families():
            print(f"{name} …", file=sys.stderr, flush=True)
            tally = store.try_all(attacks)
            lists = (tally.got_in, tally.down, tally.told_too_much)
            table.add_row(name, str(tally.tried), *(str(len(found)) for found in lists))
            total.tried += tally.tried
            for sums, found in zip(
                (total.got_in, total.down, total.told_too_much), lists, strict=True
            ):
                sums.extend(found)
        most = store.most_bytes
    terminal.print(table)
    for line in (*total.got_in, *total.down, *total.told_too_much):
        terminal.print(line, markup=False, highlight=False)
    print(
        f"tried {total.tried}, got in {len(total.got_in)}, store down {len(total.down)}, told too "
        f"much {len(total.told_too_much)}; the store's memory was {most / 2**20:,.0f} MiB at most"
    )
    return 1 if total.got_in or total.down or total.told_too_much or most > MAX_BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
