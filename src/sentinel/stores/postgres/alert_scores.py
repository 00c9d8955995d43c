"""Read alerts as the scores need them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("findings")

Entity = tuple[str, str]


@dataclass(frozen=True, slots=True)
class NewAlerts:
    """Alerts after a position. `full`: there may be more."""

    event_ids: list[str]
    entities: set[Entity]
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
        """Return alerts after an id, in order, no older than the scores' time to live."""
        params = {
            "pipeline_id": self._pipeline_id,
            "after_id": alert_id,
            "limit": limit,
            "score_ttl_seconds": self._score_ttl_seconds,
        }
        with self._database.transaction(self._tenant_id) as tx:
            rows = tx.execute(_SQL["alerts_after"], params).fetchall()
        entities = {(field, value) for row in rows for field, value in row["entities"].items()}
        return NewAlerts(
            event_ids=sorted({row["event_id"] for row in rows}),
            entities=entities,
            last_id=rows[-1]["id"] if rows else alert_id,
            full=len(rows) == limit,
        )

    def severities(self, event_ids: list[str]) -> dict[str, list[str]]:
        """Return the severities of all alerts of these events."""
        # Not prepared, here and below: a plan that was made while the table was small reads all of it, and is kept.
        params = {"pipeline_id": self._pipeline_id, "event_ids": event_ids}
        with self._database.transaction(self._tenant_id) as tx:
            rows = tx.execute(_SQL["event_severities"], params, prepare=False)
            return {row["event_id"]: row["severities"] for row in rows}

    def entity_counts(self, entities: Iterable[Entity]) -> dict[Entity, tuple[int, int, int]]:
        """Return (critical, warning, info) counts of these entities."""
        wanted = sorted(entities)
        if not wanted:
            return {}
        params = {
            "pipeline_id": self._pipeline_id,
            "fields": [field for field, _ in wanted],
            "values": [value for _, value in wanted],
        }
        with self._database.transaction(self._tenant_id) as tx:
            return {
                (row["field"], row["value"]): (row["critical_count"], row["warning_count"], row["info_count"])
                for row in tx.execute(_SQL["entity_counts"], params, prepare=False)
            }
