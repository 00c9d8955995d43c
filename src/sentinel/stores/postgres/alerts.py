"""Reads alerts from PostgreSQL, however many there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from psycopg.errors import QueryCanceled

from sentinel.domain.alert import Alert, AlertFilter, AlertPage, AlertSource
from sentinel.domain.alert_state import AlertState, AlertStatus, Disposition
from sentinel.domain.ledger import EventMatches
from sentinel.domain.rule import Severity
from sentinel.errors import NotFoundError, TooBroadError
from sentinel.stores.postgres.database import Connection, Row
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("alerts")

# A search in the text reads the alerts one by one: 20,000 take some 0.1 s, so a page answers in about two seconds and
# goes on in the next.
_WINDOW = 20_000
# One for what nobody did reads two indexes side by side; mostly the newest alerts are open, else it takes longer
# strides.
_FIRST_STRIDE = 5_000
_LONGEST_STRIDE = 500_000
_SEARCH_SECONDS = 1.5
_STATEMENT_TIMEOUT_MS = 8_000


class PostgresAlerts:
    """The alerts of the transaction's tenant."""

    def __init__(self, connection: Connection, monotonic: Callable[[], float]) -> None:
        self._connection = connection
        self._monotonic = monotonic

    def page(self, wanted: AlertFilter, *, before: int | None, limit: int) -> AlertPage:
        """Return alerts, newest first, from after the alert `before` on.

        Raises:
            NotFoundError: There is no alert `before`.
            TooBroadError: PostgreSQL did not find them in time.
        """
        found = {"detector_ids": self._detector_ids(wanted.detector), **self._place(before)}
        parameters = {**_parameters(wanted), "limit": limit + 1, **found}
        try:
            self._connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(_STATEMENT_TIMEOUT_MS),))
            if not self._rows("can_match", parameters)[0]["can_match"]:
                return AlertPage((), None)
            if wanted.text is not None:
                return self._search(parameters, limit, _WINDOW, _WINDOW)
            if wanted.goes_by_absence:
                # A hash of all states would be made anew for each stretch.
                self._connection.execute("SELECT set_config('enable_hashjoin', 'off', true)")
                return self._search(parameters, limit, _FIRST_STRIDE, _LONGEST_STRIDE)
            return _page([_alert(row) for row in self._rows("page", parameters)], limit)
        except QueryCanceled as error:
            raise TooBroadError(
                f"no answer within {_STATEMENT_TIMEOUT_MS // 1000} s; narrow the filter, e.g. by since and until"
            ) from error

    def of_ids(self, ids: Sequence[int]) -> list[Alert]:
        """Return the alerts of these ids that there are, newest first."""
        parameters = {**_parameters(AlertFilter()), "ids": list(ids), "limit": len(ids), **self._place(None)}
        return [_alert(row) for row in self._rows("page", parameters)]

    def matches_of(self, pipeline_id: int, event_id: str) -> EventMatches | None:
        """Return what matched an event; None when no alert is about it."""
        rows = self._rows("matches_of", {"pipeline_id": pipeline_id, "event_id": event_id})
        if not rows:
            return None
        return EventMatches(tuple(row["severity"] for row in rows), tuple(row["rule_id"] for row in rows))

    def _detector_ids(self, name: str | None) -> list[int] | None:
        return None if name is None else [row["id"] for row in self._rows("detector_ids", {"name": name})]

    def _search(self, parameters: dict[str, Any], limit: int, window: int, longest: int) -> AlertPage:
        """Read stretch by stretch until there are enough, no more are left, or the time is up."""
        deadline = self._monotonic() + _SEARCH_SECONDS
        found: list[Alert] = []
        here = dict(parameters)
        while True:
            ends = self._rows("window_end", {**here, "window": window - 1})
            here |= {
                "last_id": ends[0]["id"] if ends else None,
                "last_timestamp": ends[0]["alert_timestamp"] if ends else None,
                "limit": limit + 1 - len(found),
            }
            found += [_alert(row) for row in self._stretch(here)]
            if len(found) > limit or not ends:
                return _page(found, limit)
            if self._monotonic() >= deadline:
                return AlertPage(tuple(found), next_before=ends[0]["id"])
            here |= {"before_id": ends[0]["id"], "before_timestamp": ends[0]["alert_timestamp"]}
            window = min(longest, window * 4)

    def _stretch(self, here: dict[str, Any]) -> list[Row]:
        if here["pattern"] is not None or not here["by_absence"]:
            return self._rows("page", here)
        # Looking up the state of each alert by its id reads four pages of an index per alert, a merge one per hundred.
        # Both are in order as they are, so nothing is sorted either.
        for name in ("enable_nestloop", "enable_sort"):
            self._connection.execute("SELECT set_config(%s, 'off', true)", (name,))
        ids = [row["id"] for row in self._rows("absent", here)]
        for name in ("enable_nestloop", "enable_sort"):
            self._connection.execute("SELECT set_config(%s, 'on', true)", (name,))
        return self._rows("page", {**here, "ids": ids}) if ids else []

    def _place(self, before: int | None) -> dict[str, Any]:
        if before is None:
            return {"before_id": None, "before_timestamp": None}
        rows = self._rows("place", {"id": before})
        if not rows:
            raise NotFoundError(f"there is no alert {before} to continue from; begin again without `before`")
        return {"before_id": rows[0]["id"], "before_timestamp": rows[0]["alert_timestamp"]}

    def _rows(self, statement: str, parameters: dict[str, Any]) -> list[Row]:
        # Not prepared: each execution is planned with its own values, so that filters that are not set cost nothing.
        return self._connection.execute(_SQL[statement], parameters, prepare=False).fetchall()


def _parameters(wanted: AlertFilter) -> dict[str, Any]:
    return {
        "ids": None,
        "pipeline_id": wanted.pipeline_id,
        "severity": wanted.severity,
        "rule_id": wanted.rule_id,
        # A detector's alerts are found by an index that holds no others.
        "source": AlertSource.DETECTOR if wanted.detector is not None and wanted.source is None else wanted.source,
        "detector_ids": None,
        "event_id": wanted.event_id,
        "since": wanted.since,
        "until": wanted.until,
        "pattern": contains(wanted.text),
        "status": wanted.status,
        "assignee": wanted.assignee,
        "disposition": wanted.disposition,
        "by_state": wanted.goes_by_state,
        "by_absence": wanted.goes_by_absence,
        # Both orders are the same. Beside other filters PostgreSQL weighs which side has fewer.
        "in_order_of_states": wanted.goes_by_state and not wanted.names_what_matched,
        "last_id": None,
        "last_timestamp": None,
    }


def _page(alerts: list[Alert], limit: int) -> AlertPage:
    more = len(alerts) > limit
    return AlertPage(tuple(alerts[:limit]), alerts[limit - 1].id if more else None)


def contains(text: str | None) -> str | None:
    """Return the pattern of ILIKE for values that hold a text; None: for all."""
    if text is None:
        return None
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    return f"%{escaped}%"


def _alert(row: Row) -> Alert:
    found = {each.name: row[each.name] for each in fields(AlertState)}
    state = AlertState()
    if found["version"] is not None:
        disposition = None if found["disposition"] is None else Disposition(found["disposition"])
        state = AlertState(**{**found, "status": AlertStatus(found["status"]), "disposition": disposition})
    rest = {name: value for name, value in row.items() if name not in found}
    return Alert(**{**rest, "severity": Severity(row["severity"]), "state": state})
