"""Counts how alerts divide, in PostgreSQL."""

from __future__ import annotations

from typing import Any

from psycopg.errors import QueryCanceled

from sentinel.domain.alert import AlertFilter
from sentinel.domain.alert_facets import MAX_COUNTED, MAX_SEARCHED, MAX_VALUES, AlertFacets, Facet, FacetCount
from sentinel.errors import TooBroadError
from sentinel.stores.postgres.alerts import contains
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("alert_facets")
_TOTAL = "total"
_STATEMENT_TIMEOUT_MS = 4_000


class PostgresAlertFacets:
    """Counts the alerts of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def count(self, wanted: AlertFilter) -> AlertFacets:
        """Return how the alerts that fit divide. The cost is bounded: only so many alerts are looked at.

        Raises:
            TooBroadError: PostgreSQL did not count them in time.
        """
        most = MAX_COUNTED if wanted.text is None else MAX_SEARCHED
        parameters = {**_parameters(wanted), "limit": most, "most": MAX_VALUES}
        try:
            self._connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(_STATEMENT_TIMEOUT_MS),))
            reach = required(self._connection.execute(_SQL["reach"], parameters, prepare=False).fetchone())
            rows = self._connection.execute(_SQL["facets"], parameters, prepare=False).fetchall()
        except QueryCanceled as error:
            raise TooBroadError(
                f"not counted within {_STATEMENT_TIMEOUT_MS // 1000} s; narrow the filter by since and until"
            ) from error
        is_cut = reach["looked_at"] > most
        return AlertFacets(
            total=next((row["n"] for row in rows if row["facet"] == _TOTAL), 0),
            looked_at=min(reach["looked_at"], most),
            since=reach["since"] if is_cut else None,
            counts={facet: tuple(_count(row) for row in rows if row["facet"] == facet) for facet in Facet},
        )


def _parameters(wanted: AlertFilter) -> dict[str, Any]:
    return {
        "pipeline_id": wanted.pipeline_id,
        "severity": wanted.severity,
        "rule_id": wanted.rule_id,
        "event_id": wanted.event_id,
        "since": wanted.since,
        "until": wanted.until,
        "pattern": contains(wanted.text),
        "status": wanted.status,
        "assignee": wanted.assignee,
        "disposition": wanted.disposition,
        "source": wanted.source,
        "detector": wanted.detector,
    }


def _count(row: Row) -> FacetCount:
    return FacetCount(row["value"], row["name"] or "", row["pipeline_id"], row["n"])
