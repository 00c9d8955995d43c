"""Detectors of a tenant and their runs, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from sentinel.domain.detector import (
    Amendment,
    DetectorDefinition,
    DetectorRun,
    Level,
    Mode,
    Need,
    RunCause,
    RunState,
)
from sentinel.domain.rule import Severity
from sentinel.domain.schedule import Schedule
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("detectors")


class PostgresDetectors:
    """The detectors of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Sequence[DetectorDefinition]:
        """Return those that have rows, by name."""
        return [definition_of(row) for row in self._connection.execute(_SQL["list"])]

    def lock(self, name: str) -> DetectorDefinition | None:
        """Return one, locked until the transaction ends."""
        row = self._connection.execute(_SQL["lock"], {"name": name}).fetchone()
        return None if row is None else definition_of(row)

    def lock_all(self) -> None:
        """Keep others from adding some until the transaction ends."""
        self._connection.execute(_SQL["lock_all"])

    def add(
        self, definition: DetectorDefinition, *, created_by: str, next_run_at: datetime
    ) -> DetectorDefinition | None:
        """Keep a new one; None: its name is taken."""
        parameters = {**_stored(definition), "created_by": created_by, "next_run_at": next_run_at}
        row = self._connection.execute(_SQL["add"], parameters).fetchone()
        return None if row is None else definition_of(row)

    def change(self, definition: DetectorDefinition) -> DetectorDefinition:
        """Keep what can be changed of one, under its next version."""
        row = self._connection.execute(_SQL["change"], _stored(definition)).fetchone()
        return definition_of(required(row))

    def delete(self, detector_id: int) -> None:
        """Take one away. Its alerts and their detector's name stay."""
        self._connection.execute(_SQL["delete"], {"id": detector_id})

    def is_ready(self, need: Need) -> bool:
        """Tell whether the tenant has what is waited for."""
        return is_ready(self._connection, need)

    def last_runs(self) -> Mapping[int, DetectorRun]:
        """Return detector -> its newest run."""
        rows = self._connection.execute(_SQL["last_runs"]).fetchall()
        return {row.pop("detector_id"): run_of(row) for row in rows}

    def runs(self, detector_id: int, *, before: int | None, limit: int) -> Sequence[DetectorRun]:
        """Return runs, newest first."""
        wanted = {"id": detector_id, "before": before, "limit": limit}
        return [run_of(row) for row in self._connection.execute(_SQL["runs"], wanted)]

    def amendments(self, alert_id: int) -> Sequence[Amendment] | None:
        """Return what an alert said before, oldest first; None: there is no such alert."""
        wanted = {"alert_id": alert_id}
        if self._connection.execute(_SQL["alert_exists"], wanted).fetchone() is None:
            return None
        return [
            Amendment(**{**row, "severity": Severity(row["severity"]), "level": Level(row["level"])})
            for row in self._connection.execute(_SQL["amendments"], wanted)
        ]


def is_ready(connection: Connection, need: Need) -> bool:
    """Tell whether the transaction's tenant has what a detector in mode `auto` waits for."""
    if need is Need.NOTHING:
        return True
    return bool(required(connection.execute(_SQL["is_ready"], {"need": need.value}).fetchone())["found"])


def definition_of(row: Row) -> DetectorDefinition:
    """Return the detector of a row. Whether `auto` means on is for the caller to say."""
    mode = Mode(row["mode"])
    return DetectorDefinition(
        **{**row, "mode": mode, "schedule": Schedule.from_json(row["schedule"])}, is_enabled=mode is Mode.ON
    )


def run_of(row: Row) -> DetectorRun:
    """Return the run of a row."""
    return DetectorRun(**{**row, "cause": RunCause(row["cause"]), "state": RunState(row["state"])})


def _stored(definition: DetectorDefinition) -> dict[str, Any]:
    return {
        "id": definition.id,
        "name": definition.name,
        "kind": definition.kind,
        "is_builtin": definition.is_builtin,
        "description": definition.description,
        "mode": definition.mode.value,
        "parameters": Jsonb(dict(definition.parameters)),
        "schedule": Jsonb(definition.schedule.as_json()),
        "next_run_at": definition.next_run_at,
        "evaluates_from": definition.evaluates_from,
        "evaluated_until": definition.evaluated_until,
        "checked_at": definition.checked_at,
    }
