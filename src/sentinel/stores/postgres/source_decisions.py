"""An operator's decision to go on after records were lost from the topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from sentinel.domain.source_gap import SourceGap
from sentinel.errors import NotFoundError
from sentinel.stores.postgres.database import Connection, Database
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("source_decisions")


class SourceDecisionStore:
    """Records decisions of one tenant and carries them out, each in one transaction."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id

    def accept(
        self,
        pipeline_id: int,
        gap: SourceGap,
        lost_in_lake: Mapping[int, tuple[int, int]],
        archived: Mapping[int, int],
        *,
        reason: str,
        decided_by: str,
    ) -> None:
        """Go on after the gap.

        Lost offsets count as decided and as archived, without events. A topic made anew begins a new source epoch
        at its first records; identities of its events that stem from their place carry the epoch.

        Args:
            lost_in_lake: Partition -> (next offset for the lake, first offset the topic still holds), where the
                lake lacks records that are decided and gone.
            archived: Partition -> end of what the lake holds, of the current epoch; for every partition.

        Raises:
            NotFoundError: The tenant has no such pipeline.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        same = {"pipeline_id": pipeline_id, "tenant_id": self._tenant_id}
        skipped: dict[str, tuple[int, int | None]] = {}
        skipped |= {str(p): span for p, span in {**gap.lost, **gap.recreated, **lost_in_lake}.items()}
        skipped |= {str(p): (offset, None) for p, offset in gap.gone.items()}
        with self._database.transaction(self._tenant_id) as tx:
            row = tx.execute(_SQL["lock_pipeline"], same).fetchone()
            if row is None:
                raise NotFoundError(f"tenant {self._tenant_id!r} has no pipeline {pipeline_id}")
            if gap.is_new_topic:
                tx.execute(_SQL["close_plans"], same)
                tx.execute(_SQL["forget_progress"], same)
            else:
                for partition, (_, low) in gap.lost.items():
                    tx.execute(_SQL["skip"], {**same, "partition": partition, "offset": low})
                skip_in_lake(tx, same, archived, {p: low for p, (_, low) in {**gap.lost, **lost_in_lake}.items()})
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


def skip_in_lake(tx: Connection, same: dict[str, Any], archived: Mapping[int, int], lows: Mapping[int, int]) -> None:
    """Let the archive go on at `lows` (partition -> first offset that there is) in the partitions that lost records."""
    plan = tx.execute(_SQL["open_plan"], same).fetchone()
    if plan is not None:
        clipped = {
            p: [max(start, lows.get(int(p), start)), max(end, lows.get(int(p), end))]
            for p, (start, end) in plan["ranges"].items()
        }
        tx.execute(_SQL["clip_plan"], {**same, "seq": plan["seq"], "ranges": Jsonb(clipped)})
        return
    ranges = {str(p): [end, max(end, lows.get(p, end))] for p, end in archived.items()}
    if tx.execute(_SQL["skip_in_lake"], {**same, "ranges": Jsonb(ranges)}).rowcount == 0:
        for partition, low in lows.items():
            tx.execute(_SQL["skip_before_first"], {**same, "partition": partition, "offset": low})
