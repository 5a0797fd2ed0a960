"""The SQL console without its page: asking, examples, parameters, columns."""

import dataclasses
import json
import re
import time
from collections.abc import Mapping
from typing import Protocol

import pyarrow as pa

from ..storage.errors import QueryError
from .answers import Answers
from .statements import limited

LIMIT = 10_000
"""Rows of an answer that are shown; one more is asked for, to know whether there are more."""
PLANNING_S = 5.0
"""An error that takes longer than this came from running, not from reading the text."""
URL_CHARACTERS = 1500

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

EXAMPLES: Mapping[str, str] = {
    "Best test score by model and optimizer": """select model, optimizer, count(*) as trials,
    round(max(s.best), 4) as best_score, arg_max(t.slug, s.best) as trial
from trials t
join summaries s using (trial_id)
where s.metric = 'test_score'
group by all
order by best_score desc""",
    "Learning rates and how many trials diverge": """select optimizer, lr, count(*) as trials,
    count(*) filter (where outcome = 'diverged') as diverged
from trials
where outcome in ('done', 'reached_target', 'diverged')
group by all
order by optimizer, lr""",
    "Trials whose verdict changed while training": """select t.slug,
    arg_min(v.verdict, v.update) as untrained, arg_max(v.verdict, v.update) as at_the_end
from verdicts v
join trials t using (trial_id)
group by t.trial_id, t.slug
having untrained <> at_the_end
order by t.slug""",
    "A setting that has no column, from the configuration": """select
    config ->> '$.optimizer.schedule.name' as schedule, count(*) as trials
from trials
group by all
order by trials desc""",
    "Rows of every table": """select table_name, estimated_size as number_of_rows
from duckdb_tables()
where not internal
order by number_of_rows desc""",
}

USUAL: Mapping[str, str] = {
    "metric": "test_score",
    "quantity": "backward_signal",
    "target": "0.95",
    "factors": '["$.optimizer.name"]',
    "points": "400",
    "columns": "60",
    "rows": "200",
    "start": "0",
    "sort": "slug",
    "descending": "false",
    "words": '""',
}
"""What some parameters of the named queries stand at before somebody changes them."""


class Queries(Protocol):
    """The named queries (``storage.named``)."""

    def names(self) -> list[str]:
        """All names."""
        ...

    def sql_of(self, query: str) -> str:
        """The text of one."""
        ...


@dataclasses.dataclass(frozen=True)
class Result:
    """The answer to one statement."""

    table: pa.Table
    cut: bool
    seconds: float

    @property
    def sentence(self) -> str:
        """How many rows, in what time, and whether all of them are here."""
        rows = f"{self.table.num_rows:,}".replace(",", " ")
        size = "1 row" if rows == "1" else f"{rows} rows"
        took = f"in {self.seconds:.2f} s, the way here included"
        if self.cut:
            return f"The first {size}, {took}; there are more, which this page leaves out."
        return f"{size}, {took}; all of them."


def ask(answers: Answers, queries: Queries, text: str, values: Mapping[str, object]) -> Result:
    """The answer to a SELECT, or to a named query under its name, cut after :data:`LIMIT` rows.

    Raises:
        StoreError: the store refused, with its reason.
    """
    sql = resolved(queries, text)
    began = time.monotonic()
    try:
        table = answers.once(limited(sql, LIMIT + 1), values)
    except QueryError:
        if time.monotonic() - began > PLANNING_S:
            raise
        # As written, the store names the right line, or refuses what is no SELECT as such.
        table = answers.once(sql, values)
    seconds = time.monotonic() - began
    return Result(table.slice(0, LIMIT), table.num_rows > LIMIT, seconds)


def resolved(queries: Queries, text: str) -> str:
    """The text, or that of the named query whose name it is."""
    word = text.strip()
    return queries.sql_of(word) if _NAME.fullmatch(word) and word in queries.names() else text


def usual(sql: str, name: str, newest: str | None) -> str:
    """What a parameter stands at before somebody changes it.

    ``newest``: the newest sweep. Where nothing better is known: an empty list for a list, which
    in the named queries means no restriction, and NULL.
    """
    if newest is not None and name in ("sweep_id", "sweeps"):
        return newest if name == "sweep_id" else json.dumps([newest])
    is_list = re.search(rf"\${name}\s*::\s*\w+\[\]", sql)
    return USUAL.get(name, "[]" if is_list else "null")


def value_of(text: str) -> object:
    """A parameter as typed: JSON where it is JSON (0.1, null, ["a"]), else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def question_of(sql: str) -> str:
    """What a named query asks: the head of its file."""
    first = sql.splitlines()[0]
    return first.removeprefix("-- Question:").strip()
