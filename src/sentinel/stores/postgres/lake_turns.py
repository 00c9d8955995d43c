"""Whose turn it is to commit to a lake table.

Spark writes a commit of Delta's log on S3 by looking whether it is there and then putting it, without a condition
(`S3SingleDriverLogStore`): within one driver that is safe, and a commit that another process puts in between would be
overwritten. So whoever commits to a table has its turn, a row in PostgreSQL, meanwhile.

Should a turn run out while a commit of Spark's is still on its way, the worst is a compaction that is overwritten. Its
inputs are all there, and care looks for its commit afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("lake_care")

TurnKind = Literal["archive", "care"]
# Longer than one commit of the archive takes, also when its store is slow. A job that ended within its turn is
# followed by another one at once; only care waits for so long.
ARCHIVE_TURN_SECONDS = 600.0
LOOK_SECONDS = 0.2


class LakeTurns:
    """The turns at one pipeline's table, of one holder.

    Args:
        holder: Unlike that of any other process, and of any other thread of this one.
    """

    def __init__(self, database: Database, tenant_id: str, pipeline_id: int, kind: TurnKind, holder: str) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._same = {"pipeline_id": pipeline_id, "kind": kind, "holder": holder}

    def take(self, seconds: float) -> bool:
        """Take the turn, or keep it, for so long from now; False: another has it.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(self._tenant_id) as tx:
            return tx.execute(_SQL["take_turn"], {**self._same, "seconds": seconds}).fetchone() is not None

    def end(self) -> None:
        """End the turn. Repeating it changes nothing.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer; the turn ends by its time.
        """
        with self._database.transaction(self._tenant_id) as tx:
            tx.execute(_SQL["end_turn"], self._same)

    @contextmanager
    def held(self) -> Iterator[None]:
        """End the turn, which was taken, when the context ends."""
        try:
            yield
        finally:
            self.end()
