"""Detectors: checks over windows of time that run on a schedule, and what they find."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sentinel.domain.rule import Severity
from sentinel.domain.schedule import EVERY_FIVE_MINUTES, Schedule

DETECTOR_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
MAX_DETECTORS = 100
MAX_SUBJECT_CHARACTERS = 500
MAX_SAMPLES = 20
# Of one window: a detector that finds more is wrong, or its thresholds are.
MAX_FINDINGS = 1_000
# Of one run: what is left is evaluated by the next.
MAX_WINDOWS = 500
KEPT_RUN_DAYS = 30


class Level(StrEnum):
    """How far beyond its thresholds a finding is. none: of an anomaly that no longer holds."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


SEVERITY_OF = {Level.LOW: Severity.INFO, Level.MEDIUM: Severity.WARNING, Level.HIGH: Severity.CRITICAL}


class Mode(StrEnum):
    """auto: on as soon as the tenant has what the detector looks at."""

    ON = "on"
    OFF = "off"
    AUTO = "auto"


class Need(StrEnum):
    """What a detector in mode `auto` waits for."""

    NOTHING = "nothing"
    WEBHOOK_SOURCE = "webhook_source"
    STRIPE_SOURCE = "stripe_source"


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, [start, end), aware, in UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


def windows_between(first: datetime, until: datetime, length: timedelta) -> Sequence[Window]:
    """Return the windows that start at `first` or later and end by `until`, oldest first.

    They are aligned to 1970-01-01 UTC, so that the same windows come out whenever they are asked for.
    """
    seconds = int(length.total_seconds())
    start = -(-_ceil_seconds(first) // seconds) * seconds
    last = int(until.timestamp()) // seconds * seconds
    return [Window(_utc(at), _utc(at + seconds)) for at in range(start, last, seconds)]


@dataclass(frozen=True, slots=True)
class DetectorFinding:
    """What a detector says of one subject in one window.

    Attributes:
        subject: What it is about, stable from run to run: it tells an anomaly from another of the same window.
        level: Not `none`.
        value: What was measured: evaluating a window again amends its anomaly when this or the level differs.
        baseline: What it was held against; None: nothing.
        condition: What held, in words.
        details: Further figures, JSON values.
        sample_ids: Ids of events that show it.
        entities: Name -> value, e.g. {"customer": "cus_1"}.
    """

    subject: str
    level: Level
    value: int | float
    baseline: int | float | str | None
    condition: str
    details: Mapping[str, Any] = field(default_factory=dict)
    sample_ids: tuple[str, ...] = ()
    entities: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DetectorDefinition:
    """A detector of a tenant.

    Attributes:
        id: 0: a built-in one that nobody changed and that did not run yet.
        parameters: What differs from the defaults of its kind.
        is_enabled: Whether it runs, as mode and, for `auto`, the tenant's sources say.
        next_run_at: When it is due.
        evaluates_from: Windows that start earlier are left alone: they were cut otherwise.
        evaluated_until: Every window that ends by then was evaluated.
        checked_at: When the last complete run began.
    """

    id: int
    name: str
    kind: str
    is_builtin: bool
    description: str
    mode: Mode
    parameters: Mapping[str, Any]
    schedule: Schedule
    is_enabled: bool
    version: int
    next_run_at: datetime | None = None
    evaluates_from: datetime | None = None
    evaluated_until: datetime | None = None
    checked_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def settled(self, *, is_ready: bool) -> DetectorDefinition:
        """Return it with `is_enabled` as its mode and the tenant's sources say."""
        return replace(self, is_enabled=self.mode is Mode.ON or (self.mode is Mode.AUTO and is_ready))


def builtin(kind: str, description: str, mode: Mode) -> DetectorDefinition:
    """Return a built-in detector as it is before anybody changed it."""
    return DetectorDefinition(
        id=0,
        name=kind,
        kind=kind,
        is_builtin=True,
        description=description,
        mode=mode,
        parameters={},
        schedule=EVERY_FIVE_MINUTES,
        is_enabled=False,
        version=0,
    )


class RunState(StrEnum):
    """What became of a run."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RunCause(StrEnum):
    """Why a detector ran."""

    SCHEDULE = "schedule"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class DetectorRun:
    """One run of a detector over the windows that were due.

    Attributes:
        run_at: The time it was run for; windows that ended later were left alone.
        window_start, window_end: First start and last end of what it evaluated; None: nothing was due.
        finding_count: Subjects beyond a threshold, whether they were known or not.
        fired_count: New anomalies.
        amended_count: Anomalies that now say something else.
        error: Why it failed.
    """

    id: int
    detector: str
    cause: RunCause
    requested_by: str
    run_at: datetime
    state: RunState
    window_start: datetime | None
    window_end: datetime | None
    window_count: int
    finding_count: int
    fired_count: int
    amended_count: int
    error: str | None
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Amendment:
    """What an anomaly said before it was amended."""

    alert_id: int
    version: int
    severity: Severity
    level: Level
    evidence_json: str
    reason: str
    amended_at: datetime


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _ceil_seconds(moment: datetime) -> int:
    return -int(-moment.timestamp() // 1)
