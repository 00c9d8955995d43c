"""Rollouts, mutes, scorecards, audit entries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sentinel.client.models.base import Model
from sentinel.client.models.rules import Rollout


class RolloutArm(Model):
    """Alerts of one arm while a rollout had one share."""

    share_percent: float
    arm: str
    version: int
    rule_version_id: int
    match_count: int
    entity_count: int


class RolloutResult(Model):
    """What a rollout has shown so far."""

    rule_id: int
    state: str
    rollout: Rollout | None
    control_version: int | None
    candidate_version: int | None
    arms: list[RolloutArm]
    guard_rail: str | None


class Mute(Model):
    """A mute or snooze."""

    id: int
    pipeline_id: int
    rule_id: int | None
    field: str | None
    value: str | None
    expires_at: datetime | None
    reason: str
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None


class Suppressed(Model):
    """Matches of one rule that raised no alert, in one hour."""

    rule_id: int
    hour: datetime
    cause: str
    match_count: int


class Thresholds(Model):
    """From which score on an event is reviewed, and declined."""

    review: int
    decline: int


class Scorecard(Model):
    """A scorecard with its current version."""

    id: int
    pipeline_id: int
    name: str
    is_active: bool
    version: int
    weights: dict[str, int]
    thresholds: Thresholds
    row_version: int


class AuditEntry(Model):
    """One change that somebody made."""

    id: int
    pipeline_id: int | None
    actor: str
    action: str
    object_type: str
    object_id: int
    object_name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    comment: str
    created_at: datetime
