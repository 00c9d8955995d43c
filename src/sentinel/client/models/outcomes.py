"""What a job says of rules."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sentinel.client.models.base import Model


class TrialHour(Model):
    """A version on trial in one hour, held against the one in force."""

    hour: datetime
    rule_version_id: int
    version: int
    control_version: int | None
    evaluated: int
    unknown: int
    both: int
    only_trial: int
    only_control: int


class TrialSample(Model):
    """An event that only one of two versions matches."""

    rule_version_id: int
    kind: Literal["only_trial", "only_control"]
    event_id: str
    kafka_partition: int
    kafka_offset: int
    kafka_timestamp: datetime


class RuleTrials(Model):
    """What is, or was, tried of a rule."""

    hours: list[TrialHour]
    samples: list[TrialSample]


class RuleCost(Model):
    """What a rule costs per event."""

    rule_version_id: int
    microseconds: float
    sampled_events: int
    measured_at: datetime


class HourOutcomes(Model):
    """What a rule said of the events of one hour."""

    hour: datetime
    evaluated: int
    matched: int
    alerts: int
    suppressed: int
    not_matched: int
    unknown: int
    missing: dict[str, int]


class RuleFigures(Model):
    """What was counted of a rule over some hours, what it costs per event, and when it alerted last."""

    rule_id: int
    evaluated: int
    matched: int
    alerts: int
    suppressed: int
    unknown: int
    microseconds: float | None
    last_alert_at: datetime | None


class Quarantine(Model):
    """A rule version that a job took out of its rule set."""

    id: int
    pipeline_id: int
    rule_id: int
    rule_version_id: int
    rule_version: int
    generation_id: int
    cause: str
    kafka_partition: int | None
    kafka_offset: int | None
    quarantined_at: datetime
    released_at: datetime | None
    released_by: str | None
    comment: str
