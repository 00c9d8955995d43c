"""Finds what else was raised about what an alert is about, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.errors import QueryCanceled

from sentinel.domain.alert import Alert
from sentinel.domain.entity_history import MAX_NEIGHBOURS, EntityHistory, EntityScore
from sentinel.domain.score import score_of_counts
from sentinel.errors import TooBroadError
from sentinel.stores.postgres.alerts import PostgresAlerts
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("entity_history")
_STATEMENT_TIMEOUT_MS = 4_000


class PostgresEntityHistory:
    """Alerts about the same, of the transaction's tenant.

    No index leads from an entity to its alerts, since each alert would pay for it; the alerts around the given one are
    looked through, and how far is told.
    """

    def __init__(self, connection: Connection, alerts: PostgresAlerts, *, score_ttl_seconds: int) -> None:
        self._connection = connection
        self._alerts = alerts
        self._score_ttl_seconds = score_ttl_seconds

    def around(self, alert: Alert, *, limit: int) -> EntityHistory:
        """Return up to `limit` alerts on each side of an alert that are about the same, and the scores of its entities.

        Raises:
            TooBroadError: PostgreSQL did not find them in time.
        """
        about = self._row("about", {"id": alert.id})
        if about["detector_id"] is None and not about["entities"]:
            return EntityHistory((), (), (), None, None)
        parameters = {
            "id": alert.id,
            "timestamp": alert.alert_timestamp,
            "pipeline_id": alert.pipeline_id,
            "subject": alert.subject,
            "window": MAX_NEIGHBOURS,
            "limit": limit,
            **about,
        }
        try:
            self._connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(_STATEMENT_TIMEOUT_MS),))
            before, after = self._row("before", parameters), self._row("after", parameters)
        except QueryCanceled as error:
            raise TooBroadError(
                f"what is about the same as alert {alert.id} was not found within {_STATEMENT_TIMEOUT_MS // 1000} s; "
                "search for it by text, since and until"
            ) from error
        found = {each.id: each for each in self._alerts.of_ids([*before["ids"], *after["ids"]])}
        return EntityHistory(
            self._scores(alert.id),
            _in_order(before["ids"], found),
            _in_order(after["ids"], found),
            before["reached"] if before["looked_at"] == MAX_NEIGHBOURS else None,
            after["reached"] if after["looked_at"] == MAX_NEIGHBOURS else None,
        )

    def _scores(self, alert_id: int) -> tuple[EntityScore, ...]:
        parameters = {"id": alert_id, "score_ttl_seconds": self._score_ttl_seconds}
        return tuple(
            EntityScore(score=score_of_counts(row["critical_count"], row["warning_count"], row["info_count"]), **row)
            for row in self._connection.execute(_SQL["scores"], parameters)
        )

    def _row(self, statement: str, parameters: dict[str, Any]) -> Row:
        # Not prepared: what is not set folds away when it is planned with its values.
        return required(self._connection.execute(_SQL[statement], parameters, prepare=False).fetchone())


def _in_order(ids: Sequence[int], found: dict[int, Alert]) -> tuple[Alert, ...]:
    return tuple(found[each] for each in ids if each in found)
