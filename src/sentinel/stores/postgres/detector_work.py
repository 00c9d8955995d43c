"""The work of detectors in PostgreSQL: what is due, one window at a time, and what came of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from psycopg import errors
from psycopg.types.json import Jsonb

from sentinel.domain.detector import (
    KEPT_RUN_DAYS,
    DetectorDefinition,
    DetectorFinding,
    DetectorRun,
    Need,
    RunCause,
    RunState,
    Window,
)
from sentinel.errors import ConflictError, TooBroadError
from sentinel.stores.detectors import ClaimedRun, FinishedRun, WindowOutcome
from sentinel.stores.postgres.anomalies import write_anomalies
from sentinel.stores.postgres.database import Connection, Database, required
from sentinel.stores.postgres.detector_queries import DetectorQueries
from sentinel.stores.postgres.detector_reader import PostgresDetectorReader
from sentinel.stores.postgres.detectors import definition_of, is_ready, run_of
from sentinel.stores.postgres.statements import load_statements
from sentinel.stores.postgres.webhook_facts import read_events, unread_tenants

_SQL = load_statements("detector_work")
_LOG = logging.getLogger(__name__)


class PostgresDetectorWork:
    """The detectors of all tenants. Each call is a transaction of its own.

    Args:
        run_seconds: How long a run may take; one that is noted as running for much longer has lost its process.
    """

    def __init__(self, database: Database, queries: DetectorQueries, *, run_seconds: float) -> None:
        self._database = database
        self._queries = queries
        self._lost_after = timedelta(seconds=2 * run_seconds + 60)

    def tenants(self) -> Sequence[str]:
        """Return every tenant."""
        with self._database.transaction("", detector_loop="all") as connection:
            return [row["tenant_id"] for row in connection.execute(_SQL["tenants"])]

    def add_builtins(self, tenant_id: str, builtins: Sequence[DetectorDefinition], now: datetime) -> None:
        """Have the rows of the built-in detectors where they are missing."""
        with self._database.transaction(tenant_id) as connection, connection.cursor() as cursor:
            cursor.executemany(
                _SQL["add_builtin"],
                [
                    {
                        "name": each.name,
                        "kind": each.kind,
                        "description": each.description,
                        "mode": each.mode.value,
                        "schedule": Jsonb(each.schedule.as_json()),
                        "next_run_at": now,
                    }
                    for each in builtins
                ],
            )

    def unread_tenants(self) -> Sequence[str]:
        """Return the tenants of which webhook events were not read yet."""
        return unread_tenants(self._database)

    def read_events(self, tenant_id: str) -> int:
        """Read the facts of some unread webhook events, oldest first, and return of how many."""
        return read_events(self._database, tenant_id)

    def due(self, now: datetime) -> Sequence[tuple[str, int]]:
        """Return the detectors that are due, as (tenant, id), those that have waited longest first."""
        with self._database.transaction("", detector_loop="all") as connection:
            return [(row["tenant_id"], row["id"]) for row in connection.execute(_SQL["due"], {"now": now})]

    def claim(self, tenant_id: str, detector_id: int, now: datetime, needs: Mapping[str, Need]) -> ClaimedRun | None:
        """Take a detector that is due, and move its time on; None: another has it, or it is off."""
        with self._database.transaction(tenant_id) as connection:
            row = connection.execute(_SQL["claim"], {"id": detector_id, "now": now}).fetchone()
            if row is None:
                return None
            found = definition_of(row)
            definition = found.settled(is_ready=is_ready(connection, needs.get(found.kind, Need.NOTHING)))
            connection.execute(_SQL["move_on"], {"id": detector_id, "next_run_at": _next_run(definition, now)})
            if not definition.is_enabled:
                return None
            run_id = self._begin(connection, definition, RunCause.SCHEDULE, now, requested_by="", now=now)
            return ClaimedRun(run_id, definition)

    def begin(
        self, tenant_id: str, definition: DetectorDefinition, run_at: datetime, *, requested_by: str, now: datetime
    ) -> int:
        """Note a run that somebody asked for, and return its id."""
        with self._database.transaction(tenant_id) as connection:
            return self._begin(connection, definition, RunCause.REQUEST, run_at, requested_by=requested_by, now=now)

    @contextmanager
    def window(self, tenant_id: str, detector_id: int, *, seconds: float) -> Iterator[PostgresWindow]:
        """Hold a detector, so that nobody else evaluates it, and commit at the end.

        Raises:
            ConflictError: Another has held it for too long.
            TooBroadError: A statement took longer than `seconds`.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(tenant_id) as connection:
            try:
                connection.execute(_SQL["hold"], {"id": detector_id})
            except errors.LockNotAvailable as error:
                raise ConflictError("another process has evaluated this detector for long; try again") from error
            limit = str(max(1, round(seconds * 1000)))
            connection.execute("SELECT set_config('statement_timeout', %s, true)", (limit,))
            try:
                yield PostgresWindow(connection, tenant_id, detector_id, self._queries)
            except errors.QueryCanceled as error:
                raise TooBroadError(
                    f"a window took longer than the {seconds:.0f} s that were left; have shorter windows, or look back "
                    "less far"
                ) from error

    def finish(self, tenant_id: str, run: FinishedRun) -> DetectorRun:
        """Note what became of a run."""
        parameters = {
            "run_id": run.run_id,
            "id": run.detector_id,
            "version": run.version,
            "state": (RunState.DONE if run.error is None else RunState.FAILED).value,
            "window_start": min((window.start for window in run.windows), default=None),
            "window_end": max((window.end for window in run.windows), default=None),
            "window_count": len(run.windows),
            "finding_count": run.finding_count,
            "fired_count": run.fired_count,
            "amended_count": run.amended_count,
            "error": run.error,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
        }
        with self._database.transaction(tenant_id) as connection:
            if run.error is None and run.is_complete:
                connection.execute(_SQL["checked"], parameters)
            return run_of(required(connection.execute(_SQL["finish"], parameters).fetchone()))

    def _begin(
        self,
        connection: Connection,
        definition: DetectorDefinition,
        cause: RunCause,
        run_at: datetime,
        *,
        requested_by: str,
        now: datetime,
    ) -> int:
        parameters = {
            "id": definition.id,
            "cause": cause.value,
            "requested_by": requested_by,
            "run_at": run_at,
            "now": now,
            "lost_before": now - self._lost_after,
            "days": KEPT_RUN_DAYS,
        }
        connection.execute(_SQL["lose_runs"], parameters)
        connection.execute(_SQL["prune_runs"], parameters)
        return int(required(connection.execute(_SQL["begin"], parameters).fetchone())["id"])


def _next_run(definition: DetectorDefinition, now: datetime) -> datetime:
    """Return when a detector is due again: an hour later where its time zone is one that this machine lacks."""
    try:
        return definition.schedule.next_after(now)
    except (ValueError, KeyError) as error:
        _LOG.error("the schedule of detector %r cannot be read, it runs in an hour: %s", definition.name, error)
        return now + timedelta(hours=1)


class PostgresWindow:
    """One window of one detector: evaluated by one at a time, and written as a whole."""

    def __init__(self, connection: Connection, tenant_id: str, detector_id: int, queries: DetectorQueries) -> None:
        self._connection = connection
        self._detector_id = detector_id
        self.reader = PostgresDetectorReader(connection, queries.of(tenant_id))

    def write(
        self,
        definition: DetectorDefinition,
        window: Window,
        findings: Sequence[DetectorFinding],
        *,
        context: Mapping[str, Any],
        advances: bool,
    ) -> WindowOutcome:
        """Make the anomalies of the window what the findings say. The same again changes nothing.

        Raises:
            ConflictError: The detector was changed, or deleted, since the run began.
        """
        outcome = write_anomalies(self._connection, definition, window, findings, context)
        if advances:
            place = {"id": self._detector_id, "until": window.end, "version": definition.version}
            if self._connection.execute(_SQL["advance"], place).rowcount != 1:
                raise ConflictError(
                    "the detector was changed while it ran; the next run evaluates the rest with what it is then"
                )
        return outcome
