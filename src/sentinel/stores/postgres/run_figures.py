"""Figures of a pipeline's whole life so far, for a report at the end of a run. They read every alert of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sentinel.stores.postgres.database import Connection
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("run_figures")


@dataclass(frozen=True, slots=True)
class RuleAlerts:
    """A rule and how many alerts it has raised."""

    rule_id: int
    severity: str
    description: str
    alerts: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the time in an event to the commit of its alert."""

    alerts: int
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Archived:
    """What the archive has committed."""

    events: int
    dead_letters: int


def alerts_per_rule(connection: Connection, pipeline_id: int) -> list[RuleAlerts]:
    """Return the rules of a pipeline, oldest first."""
    rows = connection.execute(_SQL["alerts_per_rule"], {"pipeline_id": pipeline_id})
    return [RuleAlerts(row["rule_id"], row["severity"], row["description"], row["alerts"]) for row in rows]


def latency(connection: Connection, pipeline_id: int, *, time_field: str, since: datetime) -> Latency | None:
    """Return the latency of the alerts of a pipeline on events that were due since a moment; None without alerts.

    Needs `track_commit_timestamp`, and clocks of producer and database that agree.

    Args:
        time_field: The event's field that says when it was due to be sent.
    """
    parameters = {"pipeline_id": pipeline_id, "time_field": time_field, "since": since}
    row = connection.execute(_SQL["latency"], parameters).fetchone()
    if row is None or not row["alerts"]:
        return None
    return Latency(row["alerts"], *map(float, row["percentiles"]))


def archived(connection: Connection, pipeline_id: int) -> Archived:
    """Return what the archive of a pipeline has committed."""
    row = connection.execute(_SQL["archived"], {"pipeline_id": pipeline_id}).fetchone()
    return Archived(row["events"], row["dead_letters"]) if row else Archived(0, 0)
