"""Figures of a period of time, from PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sentinel.domain.period import MINUTE, AlertHour, HistoryPoint, JobState, Period, PeriodTotals, PresentState
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("period")
# Delays are of this many alerts: reading all of a day would cost what a dashboard may not.
MOST_OF_PERIOD = 1000
MOST_OF_SPAN = 100


class PostgresPeriods:
    """Figures over time of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def totals(self, period: Period) -> tuple[PeriodTotals, PeriodTotals]:
        """Return what happened in a period, and in the one before."""
        wanted = {"before": period.before, "since": period.since, "until": period.until, "recent": period.until}
        detected, raised = self._row("detected", wanted), self._row("raised", wanted)
        return (
            PeriodTotals(
                decided=detected["decided"],
                dead_letters=detected["dead"],
                alerts=raised["alerts"],
                critical=raised["critical"],
                worst_lag=detected["lag"],
                p95_ms=self._delay(period.since, period.until),
            ),
            PeriodTotals(
                decided=detected["decided_before"],
                dead_letters=detected["dead_before"],
                alerts=raised["alerts_before"],
                critical=raised["critical_before"],
                worst_lag=detected["lag_before"],
                p95_ms=self._delay(period.before, period.since),
            ),
        )

    def present(self, now: datetime, since: datetime) -> PresentState:
        """Return what is the case now, and how many pipelines were active at a time before."""
        until = now.replace(second=0, microsecond=0) + MINUTE
        recent = until - 2 * MINUTE
        wanted = {"before": recent, "since": recent, "until": until, "recent": recent}
        detected = self._row("detected", wanted)
        rate = detected["recent"] / (now - recent).total_seconds()
        return PresentState(events_per_second=rate, **self._row("now", {"since": since}))

    def alert_hours(self, since: datetime, until: datetime) -> list[AlertHour]:
        """Return alerts by hour, oldest first; the first hour is whole."""
        return [AlertHour(**row) for row in self._connection.execute(_SQL["hours"], {"since": since, "until": until})]

    def history(self, pipeline_id: int, since: datetime, until: datetime, span: timedelta) -> list[HistoryPoint]:
        """Return a pipeline in spans of time, oldest first; none from before it was created."""
        wanted = {"pipeline_id": pipeline_id, "since": since, "until": until, "span": span, "most": MOST_OF_SPAN}
        return [HistoryPoint(**row) for row in self._connection.execute(_SQL["history"], wanted)]

    def jobs(self) -> list[JobState]:
        """Return the job of each pipeline that is to run or that one holds."""
        return [JobState(**row) for row in self._connection.execute(_SQL["jobs"])]

    def _delay(self, since: datetime, until: datetime) -> float | None:
        found = self._row("delay", {"since": since, "until": until, "most": MOST_OF_PERIOD})["p95"]
        return None if found is None else float(found)

    def _row(self, statement: str, wanted: dict[str, Any]) -> Row:
        return required(self._connection.execute(_SQL[statement], wanted).fetchone())
