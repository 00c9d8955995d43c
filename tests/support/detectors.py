"""Events of webhooks in PostgreSQL, and detectors run over them at a time of the test's choice."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from sentinel.batch.detectors import DETECTORS, builtins
from sentinel.batch.runner import DetectorRunner
from sentinel.domain.detector import DetectorRun, RunState
from sentinel.domain.webhook import new_public_id
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database, Row
from sentinel.stores.postgres.detector_queries import DetectorQueries
from sentinel.stores.postgres.detector_work import PostgresDetectorWork

# A Monday, so that windows of a day and of an hour begin at round times.
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class DetectorBench:
    """One tenant with webhook sources. `now` is what the runner takes for the present."""

    def __init__(self, settings: Settings, database: Database, tenant: str) -> None:
        self.database = database
        self.tenant = tenant
        self.now = NOON
        self.work = PostgresDetectorWork(database, DetectorQueries(database, settings.lake), run_seconds=60)
        self.runner = self.runner_with(DETECTORS)
        self._ids = itertools.count(1)

    def runner_with(self, detectors: Any, *, run_seconds: float = 60) -> DetectorRunner:
        """Return a runner of certain kinds."""
        return DetectorRunner(
            self.work, detectors, now=lambda: self.now, monotonic=time.monotonic, run_seconds=run_seconds
        )

    def source(self, name: str = "live", kind: str = "stripe") -> int:
        """Add a webhook source and return its id."""
        return int(
            self.one(
                "INSERT INTO sentinel.webhook_sources (tenant_id, public_id, name, kind) VALUES (%s, %s, %s, %s) "
                "RETURNING id",
                (self.tenant, new_public_id(), name, kind),
            )["id"]
        )

    def event(
        self,
        source: int,
        event_type: str,
        at: datetime,
        thing: dict[str, Any] | None = None,
        *,
        received: datetime | None = None,
        raw: bytes | None = None,
    ) -> str:
        """Store an event as if it was delivered, and return the provider's id."""
        identifier = f"evt_{next(self._ids):06d}"
        body = {"id": identifier, "type": event_type, "created": int(at.timestamp()), "data": {"object": thing or {}}}
        content = raw or json.dumps(body).encode()
        self.one(
            "INSERT INTO sentinel.webhook_events (tenant_id, source_id, provider_event_id, event_type, received_at, "
            "occurred_at, content_hash, raw) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
            (
                *(self.tenant, source, identifier, event_type, received or at, at),
                *(hashlib.sha256(content).digest(), content),
            ),
        )
        return identifier

    def payments(
        self, source: int, at: datetime, *, failed: int, succeeded: int, amount: int = 1000, customer: str = "cus_1"
    ) -> list[str]:
        """Store payment intents, one second apart; returns the ids of the events of failed ones."""
        found = []
        for number in range(failed + succeeded):
            kind = "payment_failed" if number < failed else "succeeded"
            thing = {
                "object": "payment_intent",
                "id": f"pi_{next(self._ids)}",
                "amount": amount,
                "currency": "eur",
                "customer": customer,
            }
            event = self.event(source, f"payment_intent.{kind}", at + timedelta(seconds=number), thing)
            if number < failed:
                found.append(event)
        return found

    def detector(self, kind: str, name: str | None = None, **parameters: Any) -> int:
        """Add a detector that is on, and return its id."""
        return int(
            self.one(
                "INSERT INTO sentinel.detectors (tenant_id, name, kind, mode, parameters, schedule, next_run_at) "
                "VALUES (%s, %s, %s, 'on', %s, '{\"interval_seconds\": 300}', %s) RETURNING id",
                (self.tenant, name or kind, kind, json.dumps(parameters), self.now),
            )["id"]
        )

    def run(self, detector_id: int, now: datetime, runner: DetectorRunner | None = None) -> DetectorRun:
        """Have a detector due, and run it."""
        self.now = now
        self.one(
            "UPDATE sentinel.detectors SET next_run_at = %s WHERE id = %s RETURNING id",
            (now, detector_id),
        )
        found = (runner or self.runner).run_due(self.tenant, detector_id, now)
        assert found is not None
        return found

    def done(self, detector_id: int, now: datetime) -> DetectorRun:
        """Run a detector that does not fail."""
        found = self.run(detector_id, now)
        assert (found.state, found.error) == (RunState.DONE, None)
        return found

    def anomalies(self) -> list[Row]:
        """Return the anomalies of the tenant, oldest window first, with `values` of their evidence."""
        rows = self.rows("SELECT * FROM sentinel.alerts WHERE detector_id IS NOT NULL ORDER BY window_start, subject")
        for row in rows:
            row["values"] = row["evidence"][0]["values"]
        return rows

    def outbox(self) -> list[tuple[int, str]]:
        """Return (alert, event), oldest first."""
        rows = self.rows("SELECT alert_id, event FROM sentinel.alert_outbox ORDER BY id")
        return [(row["alert_id"], row["event"]) for row in rows]

    def add_builtins(self) -> None:
        """Have the built-in detectors."""
        self.work.add_builtins(self.tenant, builtins(), self.now)

    def rows(self, statement: Any, values: tuple[Any, ...] = ()) -> list[Row]:
        """Return the rows of a statement as the tenant."""
        with self.database.transaction(self.tenant) as connection:
            return connection.execute(statement, values or None).fetchall()

    def one(self, statement: Any, values: tuple[Any, ...] = ()) -> Row:
        """Return the row of a statement as the tenant."""
        (row,) = self.rows(statement, values)
        return row
