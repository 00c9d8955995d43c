"""Rules: immutable versions, and the rule set a generation runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """How serious a match is."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One immutable version of a rule.

    Attributes:
        rule_version_id: Unique among all versions of all rules.
        condition: Spark SQL text, as the user wrote it and the gate accepted it.
    """

    rule_id: int
    rule_version_id: int
    version: int
    condition: str
    severity: Severity
    description: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its current version.

    Attributes:
        version: Grows with every change, also of its status; `current.version` only with its content.
    """

    id: int
    pipeline_id: int
    is_active: bool
    current: RuleVersion
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The active rules of a pipeline at one moment, ordered by rule id. Immutable."""

    version: int
    rules: tuple[RuleVersion, ...]
