"""Reads what an explanation is made of: rule versions, and where an event is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sentinel.domain.event_schema import EventSchema
from sentinel.errors import NotFoundError
from sentinel.stores.postgres.database import Database, Row
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("explain_reader")


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """A version of a rule."""

    rule_id: int
    rule_version_id: int
    version: int
    rule_expression: str
    short_form: str | None


@dataclass(frozen=True, slots=True)
class AlertedEvent:
    """An event that some rule matched; `raw` as PostgreSQL keeps it: JSON of the same values."""

    generation_id: int
    partition: int
    offset: int
    timestamp: datetime
    raw: str


@dataclass(frozen=True, slots=True)
class KeptDeadLetter:
    """A record that is no event; `is_whole` tells whether all of it was kept."""

    generation_id: int
    timestamp: datetime
    raw: bytes | None
    is_whole: bool


class ExplainReader:
    """What is known of one pipeline's rules and events."""

    def __init__(self, database: Database, tenant_id: str, pipeline_id: int) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._pipeline_id = pipeline_id

    def rule(self, rule_id: int, version: int | None) -> ExplainedRule:
        """Return a version of a rule; None: the current one.

        Raises:
            NotFoundError: The pipeline has no such rule, or it no such version.
        """
        row = self._row("rule_version", rule_id=rule_id, version=version)
        if row is not None:
            return ExplainedRule(**row)
        known = self._row("rule_exists", rule_id=rule_id)
        if known is None:
            raise NotFoundError(f"pipeline {self._pipeline_id} has no rule {rule_id}")
        raise NotFoundError(f"rule {rule_id} has no version {version}; its newest is {known['current_version']}")

    def version_in_force(self, rule_id: int, rule_set_version: int) -> int | None:
        """Return the version of a rule in a rule set; None: it was not in force."""
        row = self._row("version_in_force", rule_id=rule_id, rule_set_version=rule_set_version)
        return row["version"] if row else None

    def alerted_event(self, event_id: str) -> AlertedEvent | None:
        """Return an event that some rule matched."""
        row = self._row("alerted_event", event_id=_stored(event_id))
        if row is None:
            return None
        return AlertedEvent(
            row["generation_id"], row["kafka_partition"], row["kafka_offset"], row["kafka_timestamp"], row["raw"]
        )

    def alert_id(self, rule_id: int, event_id: str) -> int | None:
        """Return the alert of a rule about an event."""
        row = self._row("alert", rule_id=rule_id, event_id=_stored(event_id))
        return row["id"] if row else None

    def dead_letter(self, partition: int, offset: int) -> KeptDeadLetter | None:
        """Return the dead letter at a place."""
        row = self._row("dead_letter", partition=partition, offset=offset)
        if row is None:
            return None
        raw = None if row["raw"] is None else bytes(row["raw"])
        whole = len(raw or b"") == row["raw_size_bytes"]
        return KeptDeadLetter(row["generation_id"], row["kafka_timestamp"], raw, whole)

    def generation_at(self, partition: int, offset: int) -> int | None:
        """Return the generation that answers for a place; None: it is not decided yet."""
        row = self._row("generation_at", partition=partition, offset=offset)
        return row["id"] if row else None

    def schemas(self) -> tuple[tuple[int, EventSchema], ...]:
        """Return (version, schema) of every schema version, oldest first."""
        with self._database.transaction(self._tenant_id) as tx:
            rows = tx.execute(_SQL["schemas"], {"pipeline_id": self._pipeline_id}).fetchall()
        return tuple((row["version"], EventSchema.from_json(row["fields"])) for row in rows)

    def _row(self, statement: str, **parameters: Any) -> Row | None:
        with self._database.transaction(self._tenant_id) as tx:
            return tx.execute(_SQL[statement], {"pipeline_id": self._pipeline_id, **parameters}).fetchone()


def _stored(event_id: str) -> str:
    """Return an event id as an alert holds it."""
    return event_id.replace("\x00", "\ufffd")
