"""Read alerts as the scores need them."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass

from sentinel.stores.postgres.database import Connection, Database
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("findings")

Entity = tuple[str, str]

FEW = 100


@dataclass(frozen=True, slots=True)
class NewAlerts:
    """What the scores of the alerts after a position come from.

    Attributes:
        severities: Of all alerts of their events, by event id.
        counts: (critical, warning, info) of their entities.
        full: There may be more.
    """

    severities: dict[str, list[str]]
    counts: dict[Entity, tuple[int, int, int]]
    last_id: int
    full: bool


class AlertScoreReader:
    """Reads one pipeline's alerts and entity counts."""

    def __init__(self, database: Database, tenant_id: str, pipeline_id: int, *, score_ttl_seconds: int) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._pipeline_id = pipeline_id
        self._score_ttl_seconds = score_ttl_seconds

    def after(self, alert_id: int, limit: int) -> NewAlerts:
        """Read the alerts after an id, in order, no older than the scores' time to live."""
        place = {
            "pipeline_id": self._pipeline_id,
            "after_id": alert_id,
            "limit": limit,
            "score_ttl_seconds": self._score_ttl_seconds,
        }
        with self._database.transaction(self._tenant_id) as tx:
            rows = tx.execute(_SQL["alerts_after"], place).fetchall()
            event_ids = sorted({row["event_id"] for row in rows})
            entities = sorted({entity for row in rows for entity in row["entities"].items()})
            return NewAlerts(
                severities=self._severities(tx, event_ids) if event_ids else {},
                counts=self._counts(tx, entities) if entities else {},
                last_id=rows[-1]["id"] if rows else alert_id,
                full=len(rows) == limit,
            )

    def _severities(self, tx: Connection, event_ids: list[str]) -> dict[str, list[str]]:
        params = {"pipeline_id": self._pipeline_id, "event_ids": event_ids}
        rows = tx.execute(_SQL["event_severities"], params, prepare=_prepared(event_ids))
        return {row["event_id"]: row["severities"] for row in rows}

    def _counts(self, tx: Connection, entities: list[Entity]) -> dict[Entity, tuple[int, int, int]]:
        params = {
            "pipeline_id": self._pipeline_id,
            "fields": [field for field, _ in entities],
            "values": [value for _, value in entities],
        }
        return {
            (row["field"], row["value"]): (row["critical_count"], row["warning_count"], row["info_count"])
            for row in tx.execute(_SQL["entity_counts"], params, prepare=_prepared(entities))
        }


def _prepared(wanted: Sized) -> bool | None:
    """Whether psycopg may prepare a statement that looks up so many rows.

    The plan of a prepared one knows nothing of a pipeline that is newer than the statistics, which a plan for that very
    pipeline takes for empty, and it saves half a millisecond. But one that was made while the table was small may read
    all of it, and is kept until the next statistics: that is too dear where many rows are looked up.
    """
    return None if len(wanted) <= FEW else False
