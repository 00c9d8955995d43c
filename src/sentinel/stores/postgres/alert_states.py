"""What people do about alerts, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.errors import QueryCanceled
from psycopg.types.json import Jsonb

from sentinel.domain.alert_state import AlertChange, AlertNote, AlertStep
from sentinel.domain.rule_quality import VersionQuality
from sentinel.errors import TooBroadError
from sentinel.stores.postgres.database import Connection
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("alert_states")
_STATEMENT_TIMEOUT_MS = 8_000


class PostgresAlertStates:
    """The states of the alerts of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, steps: Sequence[AlertStep]) -> frozenset[int]:
        """Write steps of different alerts, each with history and outbox, and return the alerts that were changed.

        Somebody else's change of the same alert is waited for; what it left at another version than the step begins
        at is not written.
        """
        if not steps:
            return frozenset()
        values = {"steps": Jsonb([_plain(step) for step in steps]), "now": steps[0].change.changed_at}
        return frozenset(row["alert_id"] for row in self._connection.execute(_SQL["write"], values))

    def notes(self, alert_id: int) -> list[AlertNote]:
        """Return the notes of an alert, oldest first."""
        return [AlertNote(**row) for row in self._connection.execute(_SQL["notes"], {"alert_id": alert_id})]

    def add_note(self, alert_id: int, text: str, *, author: str, now: datetime, most: int) -> AlertNote | None:
        """Write a note; None when the alert has as many as it may."""
        values = {"alert_id": alert_id, "text": text, "author": author, "now": now, "most": most}
        self._connection.execute(_SQL["lock_notes"], values)
        row = self._connection.execute(_SQL["add_note"], values).fetchone()
        return AlertNote(**row) if row else None

    def changes(self, alert_id: int, *, limit: int) -> list[AlertChange]:
        """Return the changes of an alert, newest first."""
        rows = self._connection.execute(_SQL["changes"], {"alert_id": alert_id, "limit": limit})
        return [AlertChange(**row) for row in rows]


class PostgresQuality:
    """What people found the alerts of the transaction's tenant to be."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_rule(self, rule_id: int, *, since: datetime, until: datetime) -> list[VersionQuality]:
        """Return all versions of a rule that raised an alert in [since, until), newest first, then all together.

        Raises:
            TooBroadError: PostgreSQL did not count them in time.
        """
        wanted = {"rule_id": rule_id, "since": since, "until": until}
        try:
            self._connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(_STATEMENT_TIMEOUT_MS),))
            rows = self._connection.execute(_SQL["quality"], wanted, prepare=False).fetchall()
        except QueryCanceled as error:
            raise TooBroadError(
                f"the alerts of rule {rule_id} were not counted within {_STATEMENT_TIMEOUT_MS // 1000} s; choose a "
                "shorter range by since and until"
            ) from error
        return [VersionQuality(**row) for row in rows]


def _plain(step: AlertStep) -> dict[str, object]:
    return {
        **step.state.as_json(),
        "alert_id": step.alert_id,
        "version": step.state.version,
        "author": step.change.author,
        "before": dict(step.change.before),
        "after": dict(step.change.after),
        "event": step.event,
    }
