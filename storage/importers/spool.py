"""The numbers of one run, sorted on disk: they come by name, ``steps`` has them by update.

Tools write a number at a time, in any order and with repetitions; of those the last counts.
However many there are, memory holds :data:`BUFFER` of them and what DuckDB may use.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ...workloads.records import columns_of
from ..rows import incoming
from .runs import Unfit

BUFFER = 50_000
MEMORY_LIMIT = "256MB"
MOST_NAMES = 10_000
"""Different names of one run, and characters of a name, beyond which it is refused."""
MOST_CHARACTERS = 500
METRICS = ("train_loss", "test_loss", "train_score", "test_score")

_POINTS = pa.schema(
    [("key", pa.int32()), ("step", pa.int64()), ("value", pa.float64()), ("place", pa.int64())]
)
# arg_max passes over NULL, which stands for a number that was not finite and must count.
_LAST = "arg_max({'value': value}, place)['value']"
_DISTINCT = (
    "create or replace table recordings as "
    f"select key, step, {_LAST} as value from points group by key, step"
)
_RENUMBERED = (
    "create or replace table recordings as "
    "select key, round(u.value)::bigint as step, arg_max({'value': x.value}, x.step)['value'] "
    "as value from recordings x join (select step, value from recordings "
    "where key = $key and value >= 0) u using (step) where key <> $key group by all"
)


class Spool:
    """Takes numbers (:meth:`add`), then gives the rows of ``steps``, ``probes``, ``summaries``."""

    def __init__(self, folder: Path) -> None:
        settings: dict[str, Any] = {
            "memory_limit": MEMORY_LIMIT,
            "threads": 2,
            "temp_directory": str(folder),
        }
        self._con = duckdb.connect(str(folder / "spool.duckdb"), config=settings)
        self.clear()

    def clear(self) -> None:
        """Forget the run before."""
        self.keys: dict[str, int] = {}
        self._count = 0
        self._buffer: tuple[list[int], list[int], list[float | None]] = ([], [], [])
        self._con.execute(
            "create or replace table points (key integer, step bigint, value double, place bigint)"
        )

    def add(self, name: str, step: int, value: float | None) -> None:
        """Take a number in; raises Unfit for steps and names that none can have."""
        key = self.keys.get(name)
        if key is None:
            key = self._new(name)
        if not 0 <= step < 2**62:
            raise Unfit(f"{name[:60]!r} has a value at step {step}: updates count from 0")
        keys, steps, values = self._buffer
        keys.append(key)
        steps.append(step)
        values.append(value)
        if len(keys) >= BUFFER:
            self._flush()

    def _new(self, name: str) -> int:
        if len(name) > MOST_CHARACTERS:
            raise Unfit(f"{name[:60]!r}… is no name of a metric: it has {len(name):,} characters")
        if len(self.keys) >= MOST_NAMES:
            raise Unfit(f"it has more than {MOST_NAMES:,} different metrics")
        return self.keys.setdefault(name, len(self.keys))

    def _flush(self) -> None:
        keys, steps, values = self._buffer
        places = range(self._count, self._count + len(keys))
        table = pa.table([keys, steps, values, list(places)], schema=_POINTS)
        with incoming(self._con, table):
            self._con.execute("insert into points select * from incoming")
        self._count += len(keys)
        self._buffer = ([], [], [])

    def sort(self, columns: Mapping[str, str]) -> int:
        """Settle which name fills which column; returns the last update. Raises Unfit."""
        self._flush()
        self._con.execute(_DISTINCT)
        self._columns = {ours: self.keys[theirs] for ours, theirs in columns.items()}
        if (key := self._columns.pop("update", None)) is not None:
            self._con.execute(_RENUMBERED, {"key": key})
        last: int | None = self._con.sql("select max(step) from recordings").fetchall()[0][0]
        if last is None:
            raise Unfit("it holds no numbers")
        return last

    def steps(
        self, trial_id: str, batch: int | None, epoch_samples: int | None, lr: float | None
    ) -> Iterator[pa.Table]:
        """Rows of ``steps``, one per update that has any number, in order, in pieces.

        Samples are updates times the batch size, epochs samples over those of an epoch; 0 where
        that is not known, for the columns must have a number. What a run records now and then
        of its epoch, samples and rate holds until it records it again.
        """
        values = {
            name: f"max(value) filter (where key = {key})" for name, key in self._columns.items()
        }
        wide = "".join(f", {sql} as {name}" for name, sql in values.items())
        # A window over the whole run takes memory and time: only where there is what to hold.
        held = {
            name: f"last_value({name} ignore nulls) over past" if name in values else "null::double"
            for name in ("samples", "epoch", "lr")
        }
        counted = f"step::hugeint * {batch}" if batch else "null"
        samples = (
            f"coalesce(try_cast({held['samples']} as bigint), try_cast({counted} as bigint), 0)"
        )
        passes = f"{samples}::double / {epoch_samples}" if epoch_samples else "0"
        known = {
            "samples": samples,
            "epoch": f"coalesce({held['epoch']}, {passes}::double)",
            "lr": f"coalesce({held['lr']}, {lr or 0.0!r}::double)",
        }
        listed = [
            f"{known.get(name, name if name in values else 'null')} as {name}"
            for name in columns_of("steps")
            if name not in ("trial_id", "update", "gradient_evaluations")
        ]
        yield from self._pieces(
            f"select $trial_id as trial_id, step as update, "
            f"{samples} as gradient_evaluations, {', '.join(listed)} "
            f"from (select step{wide} from recordings group by step) "
            "window past as (order by step rows unbounded preceding) order by step",
            trial_id,
        )

    def probes(self, trial_id: str) -> Iterator[pa.Table]:
        """Rows of ``probes``: every number that has no column, under its own name."""
        taken = set(self._columns.values())
        rest = {key: name for name, key in self.keys.items() if key not in taken}
        table = pa.table({"key": list(rest), "name": list(rest.values())}) if rest else None
        if table is None:
            return
        with incoming(self._con, table):
            yield from self._pieces(
                "select $trial_id as trial_id, step as update, 'imported' as probe, "
                "n.name as key, null::bigint as layer, value "
                "from recordings join incoming n using (key) order by key, step",
                trial_id,
            )

    def summaries(self, trial_id: str) -> pa.Table:
        """Rows of ``summaries``, over the recordings that have the metric."""
        known = [f"('{name}', {self._columns.get(name, -1)})" for name in METRICS]
        (table,) = self._pieces(
            f"""
            with pieces as (
                select
                    *,
                    (step - lag(step) over along) * (value + lag(value) over along) / 2 as area
                from recordings
                where value is not null
                window along as (partition by key order by step)
            )
            select
                $trial_id as trial_id,
                m.metric,
                arg_min(value, step) as first,
                arg_max(value, step) as last,
                if(m.metric like '%loss', min(value), max(value)) as best,
                arg_min(step, (if(m.metric like '%loss', value, -value), step))
                    filter (value is not null) as best_update,
                if(count(value) > 0, coalesce(sum(area), 0), null) as area
            from (values {", ".join(known)}) m(metric, key)
            left join pieces using (key)
            group by m.metric
            order by m.metric
            """,
            trial_id,
        )
        return table

    def _pieces(self, sql: str, trial_id: str) -> Iterator[pa.Table]:
        # With parameters DuckDB would hold the whole answer in memory; the id is a hash.
        found = self._con.sql(sql.replace("$trial_id", f"'{trial_id}'"))
        for batch in found.to_arrow_reader(BUFFER):
            yield pa.Table.from_batches([batch])

    def close(self) -> None:
        """Let go of the file."""
        self._con.close()
