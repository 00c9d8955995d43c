"""Rules, their versions, and what the check says of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from sentinel.client.models.base import Model, Severity


class Action(Model):
    """What a rule asks for when it matches."""

    kind: str
    value: str | int


class Candidate(Model):
    """A version that is tried beside a rule's current one."""

    state: str
    version: int
    rule_version_id: int
    rule_expression: str
    short_form: str | None = None
    severity: Severity
    description: str


class Rollout(Model):
    """For whom a version on trial counts."""

    entity: str
    share_percent: float
    salt: str


class RuleChange(Model):
    """What a version changed in one field."""

    field: str
    before: Any
    after: Any


class RuleVersion(Model):
    """One version of a rule."""

    version: int
    rule_version_id: int
    rule_expression: str
    short_form: str | None = None
    actions: list[Action] = Field(default_factory=list)
    severity: Severity
    description: str
    content_hash: str
    comment: str
    created_by: str
    created_at: datetime
    changes: list[RuleChange]


class Issue(Model):
    """Something about a rule expression, with its place in the text."""

    severity: Literal["error", "warning"]
    code: str
    start: int | None = None
    end: int | None = None
    message: str
    suggestion: str | None = None


class RuleCheck(Model):
    """Whether an expression can be a rule."""

    valid: bool
    issues: list[Issue]
    columns: list[str]
    rule_expression: str
    actions: list[Action]


class Rule(Model):
    """A rule with its current version."""

    id: int
    pipeline_id: int
    rule_expression: str
    short_form: str | None = None
    actions: list[Action] = Field(default_factory=list)
    severity: Severity
    description: str
    is_active: bool
    version: int
    row_version: int
    created_at: datetime
    updated_at: datetime
    name: str = ""
    state: str = ""
    candidate: Candidate | None = None
    rollout: Rollout | None = None
    issues: list[Issue] = Field(default_factory=list)
