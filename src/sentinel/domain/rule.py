"""Rules: immutable versions, and the rule set a generation runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sentinel.domain.reference_list import PinnedList
from sentinel.domain.rule_action import RuleAction


class Severity(StrEnum):
    """How serious a match is."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class RuleContent:
    """What a user says of a rule; two versions of equal content are the same.

    Attributes:
        condition: Spark SQL text that the gate accepted: as the user wrote it, or what the short form stands for.
        short_form: `when ... then ...` as the user wrote it; None for a rule in Spark SQL.
        actions: What the short form asks for.
        lists: Names of the reference tables that the condition reads, sorted.
    """

    condition: str
    severity: Severity
    description: str
    short_form: str | None = None
    actions: tuple[RuleAction, ...] = ()
    lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One immutable version of a rule.

    Attributes:
        rule_version_id: Unique among all versions of all rules.
        condition, severity, description: As in `RuleContent`.
        short_form, actions: As in `RuleContent`; a job's snapshot, which does not need them, leaves them out.
        lists: As in `RuleContent`.
    """

    rule_id: int
    rule_version_id: int
    version: int
    condition: str
    severity: Severity
    description: str
    short_form: str | None = None
    actions: tuple[RuleAction, ...] = ()
    lists: tuple[str, ...] = ()

    @property
    def content(self) -> RuleContent:
        """What the user said."""
        return RuleContent(self.condition, self.severity, self.description, self.short_form, self.actions, self.lists)


@dataclass(frozen=True, slots=True)
class RuleHistoryEntry:
    """One version of a rule and how it came about.

    Attributes:
        content_hash: SHA-256 of the content, hex; equal for equal content.
        comment: Why it was made; empty where nobody said.
        created_by: Who made it: the name of an API key.
    """

    version: RuleVersion
    content_hash: str
    comment: str
    created_by: str
    created_at: datetime


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
    """The active rules of a pipeline at one moment, ordered by rule id. Immutable.

    Attributes:
        lists: The versions of the reference tables that they read.
    """

    version: int
    rules: tuple[RuleVersion, ...]
    lists: tuple[PinnedList, ...] = ()
