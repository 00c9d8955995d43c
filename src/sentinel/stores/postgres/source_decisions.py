"""An operator's decision to go on after records were lost from the topic."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from sentinel.domain.source_gap import SourceGap
from sentinel.errors import NotFoundError
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("source_decisions")


class SourceDecisionStore:
    """Records decisions of one tenant and carries them out, each in one transaction."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id

    def accept(
        self, pipeline_id: int, gap: SourceGap, archived: dict[int, int], *, reason: str, decided_by: str
    ) -> None:
        """Go on after the gap.

        Lost offsets count as decided and as archived, without events. A topic made anew begins a new source epoch
        at its first records; identities of its events that stem from their place carry the epoch.

        Args:
            archived: Partition -> end of what the lake holds, of the current epoch.

        Raises:
            NotFoundError: The tenant has no such pipeline.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        same = {"pipeline_id": pipeline_id, "tenant_id": self._tenant_id}
        skipped: dict[str, tuple[int, int | None]] = {}
        skipped |= {str(p): span for p, span in {**gap.lost, **gap.recreated}.items()}
        skipped |= {str(p): (offset, None) for p, offset in gap.gone.items()}
        with self._database.transaction(self._tenant_id) as tx:
            row = tx.execute(_SQL["lock_pipeline"], same).fetchone()
            if row is None:
                raise NotFoundError(f"tenant {self._tenant_id!r} has no pipeline {pipeline_id}")
            tx.execute(_SQL["close_plans"], same)
            if gap.is_new_topic:
                tx.execute(_SQL["forget_progress"], same)
            else:
                for partition, (_, low) in gap.lost.items():
                    tx.execute(_SQL["skip"], {**same, "partition": partition, "offset": low})
                ends = {p: gap.lost[p][1] if p in gap.lost else end for p, end in archived.items()}
                ranges = {str(p): [end, ends[p]] for p, end in archived.items()}
                tx.execute(_SQL["skip_in_lake"], {**same, "ranges": Jsonb(ranges)})
            tx.execute(
                _SQL["record"],
                {
                    **same,
                    "source_epoch": row["source_epoch"],
                    "recreated": gap.is_new_topic,
                    "skipped": Jsonb(skipped),
                    "reason": reason,
                    "decided_by": decided_by,
                },
            )
            tx.execute(_SQL["touch_pipeline"], {**same, "epochs": int(gap.is_new_topic)})
