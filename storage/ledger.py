"""What is committed of whom, and who may write what: the store's memory of its writers.

Held in memory, loaded from the tables ``ledger`` and ``trials`` when the store starts, and
changed only after the transaction that changes those tables has committed.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from .errors import Fenced, StoreError
from .wire import Flush


@dataclasses.dataclass
class Ledger:
    """``sequences``: writer -> its last committed flush; ``owners``: trial -> its writer."""

    sequences: dict[str, int]
    owners: dict[str, str]

    @classmethod
    def load(cls, con: duckdb.DuckDBPyConnection) -> Self:
        """The ledger as it was committed last."""
        sequences = con.execute("select writer, max(sequence) from ledger group by 1").fetchall()
        owners = con.execute("select trial_id, writer from trials where writer is not null")
        return cls(dict(sequences), dict(owners.fetchall()))

    def is_new(self, flush: Flush, ahead: Mapping[str, int]) -> bool:
        """Whether the flush is to be written; False for one that was seen before.

        ``ahead`` holds the sequences of flushes accepted into the transaction under way.
        Raises StoreError for a gap, Fenced for rows of somebody else's trial.
        """
        last = ahead.get(flush.writer, self.sequences.get(flush.writer, 0))
        # Before ownership: what was committed once is acknowledged even after a takeover.
        if flush.sequence <= last:
            return False
        if flush.sequence != last + 1:
            raise StoreError(
                f"flush {flush.sequence} of writer {flush.writer!r} came too early: {last + 1} "
                "is next; send flushes in order, each again until it is acknowledged. If they "
                "were, this database has lost rows since: docs/store.md, `The database is damaged`"
            )
        for table in flush.tables.values():
            self._demand_ownership(flush.writer, table)
        return True

    def _demand_ownership(self, writer: str, table: pa.Table) -> None:
        for trial_id in pc.unique(table["trial_id"]).to_pylist():
            owner = self.owners.get(trial_id)
            if owner != writer:
                now = f"belongs to {owner!r} now" if owner else "was begun by nobody"
                raise Fenced(
                    f"writer {writer!r} may not add rows to trial {trial_id!r}, which {now}: "
                    "begin() it first, with a fresh writer name for a new attempt"
                )

    def committed(self, sequences: Mapping[str, int]) -> None:
        """Flushes up to these sequences are on disk."""
        self.sequences.update(sequences)

    def owned(self, writer: str, trial_ids: Iterable[str]) -> None:
        """These trials belong to ``writer``, on disk."""
        self.owners.update(dict.fromkeys(trial_ids, writer))

    def released(self, trial_ids: Iterable[str]) -> None:
        """These trials belong to nobody any more, on disk."""
        for trial_id in trial_ids:
            self.owners.pop(trial_id, None)
