"""Detectors and their runs, as they are sent and answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, JsonValue

from config_api.schemas.base import AnswerModel, Description, Moment, RequestModel, Text, Timestamp
from sentinel.catalog.detectors import DescribedDetector, DetectorKind
from sentinel.domain.detector import DetectorRun, Mode, Need, RunCause, RunState
from sentinel.domain.schedule import EVERY_FIVE_MINUTES, Schedule

_EXAMPLES: list[JsonValue] = [
    {
        "name": "many_failures",
        "kind": "payment_failure_spike",
        "parameters": {"window_minutes": 15, "min_payments": 50},
        "schedule": {"cron": "*/5 * * * *", "time_zone": "Europe/Berlin"},
    },
    {
        "name": "failing_customers",
        "kind": "sql",
        "parameters": {
            "sql": "SELECT customer AS subject, 'low' AS level, count(*) AS value FROM webhook_events WHERE "
            "event_type = 'charge.failed' AND occurred_at >= :window_start AND occurred_at < :window_end "
            "GROUP BY customer HAVING count(*) > 3"
        },
    },
]
Parameters = Annotated[dict[str, JsonValue], Field(max_length=50)]


class ScheduleRequest(RequestModel):
    """When a detector runs: every so many seconds, or by a cron expression."""

    interval_seconds: int | None = Field(default=None, ge=1, le=2**31 - 1, description="60 seconds to 7 days.")
    cron: Text = Field(default="", max_length=200, description="Five fields.", examples=["0 6 * * 1-5"])
    time_zone: Text = Field(default="UTC", max_length=100, description="IANA's name.", examples=["Europe/Berlin"])

    def schedule(self) -> Schedule:
        """Return the schedule. Whether it can work is for the catalog to say."""
        return Schedule(self.interval_seconds, self.cron, self.time_zone)


class DetectorRequest(RequestModel):
    """A detector that is to be set up."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": _EXAMPLES})

    name: Text = Field(max_length=200, description="Lower-case letters, digits and underscores, at most 64.")
    kind: Text = Field(max_length=100, description="As GET /api/detector-kinds lists them.")
    description: Description = ""
    mode: Mode = Mode.ON
    parameters: Parameters = Field(default={}, description="Those that differ from the defaults of the kind.")
    schedule: ScheduleRequest = ScheduleRequest(interval_seconds=EVERY_FIVE_MINUTES.interval_seconds)


class DetectorPatchRequest(RequestModel):
    """What is to change. What is left out stays."""

    description: Description | None = None
    mode: Mode | None = None
    parameters: Parameters | None = Field(default=None, description="Those to change; null: back to the default.")
    schedule: ScheduleRequest | None = None


class RunRequest(RequestModel):
    """A run that is asked for."""

    at: Moment | None = Field(
        default=None,
        description="Evaluate what ended in the `late_hours` before this time. Left out: what is due now.",
    )


class ScheduleAnswer(AnswerModel):
    """When a detector runs."""

    interval_seconds: int | None
    cron: str | None
    time_zone: str


class RunAnswer(AnswerModel):
    """One run of a detector."""

    id: int
    detector: str
    cause: RunCause
    requested_by: str
    run_at: Timestamp = Field(description="The time it was run for.")
    state: RunState
    window_start: Timestamp | None = Field(description="Start of the first window it evaluated.")
    window_end: Timestamp | None = Field(description="End of the last one.")
    window_count: int
    finding_count: int = Field(description="Beyond a threshold, whether they were known or not.")
    fired_count: int = Field(description="New alerts.")
    amended_count: int = Field(description="Alerts that now say something else.")
    error: str | None
    started_at: Timestamp
    finished_at: Timestamp | None

    @classmethod
    def of(cls, run: DetectorRun) -> Self:
        """Describe a run."""
        return cls(**asdict(run))


class DetectorAnswer(AnswerModel):
    """A detector."""

    name: str
    kind: str
    title: str = Field(description="Of its kind.")
    is_builtin: bool
    description: str
    mode: Mode = Field(description="auto: on as soon as there is what it looks at.")
    is_enabled: bool = Field(description="Whether it runs now.")
    parameters: dict[str, Any] = Field(description="All of them.")
    changed_parameters: list[str] = Field(description="Those that were set.")
    schedule: ScheduleAnswer
    next_run_at: Timestamp | None
    evaluated_until: Timestamp | None = Field(description="Every window that ended by then was evaluated.")
    last_run: RunAnswer | None
    version: int
    created_at: Timestamp | None
    updated_at: Timestamp | None

    @classmethod
    def of(cls, found: DescribedDetector) -> Self:
        """Describe a detector."""
        definition = found.definition
        schedule = definition.schedule
        return cls(
            name=definition.name,
            kind=definition.kind,
            title=found.title,
            is_builtin=definition.is_builtin,
            description=definition.description,
            mode=definition.mode,
            is_enabled=definition.is_enabled,
            parameters=dict(found.parameters),
            changed_parameters=sorted(definition.parameters),
            schedule=ScheduleAnswer(
                interval_seconds=schedule.interval_seconds, cron=schedule.cron or None, time_zone=schedule.time_zone
            ),
            next_run_at=definition.next_run_at if definition.is_enabled else None,
            evaluated_until=definition.evaluated_until,
            last_run=None if found.last_run is None else RunAnswer.of(found.last_run),
            version=definition.version,
            created_at=definition.created_at,
            updated_at=definition.updated_at,
        )


class DetectorKindAnswer(AnswerModel):
    """A kind of detector."""

    name: str
    title: str
    needs: Need = Field(description="What one in mode auto waits for.")
    defaults: dict[str, Any] = Field(description="Parameters that need not be given.")

    @classmethod
    def of(cls, kind: DetectorKind) -> Self:
        """Describe a kind."""
        return cls(name=kind.name, title=kind.title, needs=kind.need, defaults=kind.defaults())
