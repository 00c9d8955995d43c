"""Mutes, snoozes and what they silenced, in PostgreSQL."""

from __future__ import annotations

from datetime import datetime

from sentinel.domain.mute import Mute, SuppressedCount
from sentinel.stores.postgres.database import Connection, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("mutes")

# Records may come this long after their timestamp and still meet the snooze of their time.
KEPT_DAYS = 7


class PostgresMutes:
    """The mutes and snoozes of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        pipeline_id: int,
        *,
        rule_id: int | None,
        field: str | None,
        value: str | None,
        expires_at: datetime | None,
        reason: str,
        created_by: str,
    ) -> Mute:
        """Write a mute or snooze."""
        parameters = {
            "pipeline_id": pipeline_id,
            "rule_id": rule_id,
            "field": field,
            "value": value,
            "expires_at": expires_at,
            "reason": reason,
            "created_by": created_by,
        }
        return Mute(**required(self._connection.execute(_SQL["add"], parameters).fetchone()))

    def get(self, mute_id: int) -> Mute | None:
        """Return a mute or snooze."""
        row = self._connection.execute(_SQL["get"], {"mute_id": mute_id}).fetchone()
        return Mute(**row) if row else None

    def list(self, pipeline_id: int, *, ended: bool, before: int | None, limit: int) -> list[Mute]:
        """Return those of a pipeline, newest first; also those that count no more where asked for."""
        parameters = {"pipeline_id": pipeline_id, "ended": ended, "before_id": before, "limit": limit}
        return [Mute(**row) for row in self._connection.execute(_SQL["list"], parameters)]

    def kept(self, pipeline_id: int) -> tuple[Mute, ...]:
        """Return what a rule set has to know, in the order of their ids."""
        parameters = {"pipeline_id": pipeline_id, "days": KEPT_DAYS}
        return tuple(Mute(**row) for row in self._connection.execute(_SQL["kept"], parameters))

    def end(self, mute_id: int, ended_by: str) -> None:
        """End a mute or snooze."""
        self._connection.execute(_SQL["end"], {"mute_id": mute_id, "ended_by": ended_by})

    def suppressed(
        self, pipeline_id: int, *, rule_id: int | None, since: datetime | None, until: datetime | None, limit: int
    ) -> tuple[SuppressedCount, ...]:
        """Return the matches that raised no alert, per rule and hour, newest hour first."""
        parameters = {
            "pipeline_id": pipeline_id,
            "rule_id": rule_id,
            "since": since,
            "until": until,
            "limit": limit,
        }
        return tuple(SuppressedCount(**row) for row in self._connection.execute(_SQL["suppressed"], parameters))
