"""Rules: immutable versions, and the rule set a generation runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sentinel.domain.mute import Silence
from sentinel.domain.rule_action import RuleAction
from sentinel.domain.scorecard import ScorecardMember

RULE_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Severity(StrEnum):
    """How serious a match is."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class RuleState(StrEnum):
    """Where a rule, or a candidate version beside it, stands in its life.

    draft: kept, never evaluated, and the only state whose text may have errors. shadow: evaluated off the alert path,
    never alerted. rollout: alerted for a share of the entities. active: alerted. paused: not evaluated. archived: kept
    for its alerts alone; it never changes again.
    """

    DRAFT = "draft"
    SHADOW = "shadow"
    ROLLOUT = "rollout"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


ALERTING = frozenset((RuleState.ROLLOUT, RuleState.ACTIVE))
EVALUATED = frozenset((RuleState.SHADOW, RuleState.ROLLOUT, RuleState.ACTIVE))
REFERABLE = frozenset((RuleState.SHADOW, RuleState.ROLLOUT, RuleState.ACTIVE, RuleState.PAUSED))
"""States in which the current version has passed the check, so that another rule may refer to it."""

TRANSITIONS: Mapping[RuleState, tuple[RuleState, ...]] = {
    RuleState.DRAFT: (RuleState.SHADOW, RuleState.ROLLOUT, RuleState.ACTIVE, RuleState.PAUSED, RuleState.ARCHIVED),
    RuleState.SHADOW: (RuleState.DRAFT, RuleState.ROLLOUT, RuleState.ACTIVE, RuleState.PAUSED, RuleState.ARCHIVED),
    RuleState.ROLLOUT: (RuleState.SHADOW, RuleState.ACTIVE, RuleState.PAUSED, RuleState.ARCHIVED),
    RuleState.ACTIVE: (RuleState.PAUSED, RuleState.ARCHIVED),
    RuleState.PAUSED: (RuleState.DRAFT, RuleState.SHADOW, RuleState.ROLLOUT, RuleState.ACTIVE, RuleState.ARCHIVED),
    RuleState.ARCHIVED: (),
}


@dataclass(frozen=True, slots=True)
class RuleContent:
    """What a user says of a rule; two versions of equal content are the same.

    Attributes:
        condition: Spark SQL text that the gate accepted: as the user wrote it, or what the short form stands for.
        short_form: `when ... then ...` as the user wrote it; None for a rule in Spark SQL.
        actions: What the short form asks for.
    """

    condition: str
    severity: Severity
    description: str
    short_form: str | None = None
    actions: tuple[RuleAction, ...] = ()

    @property
    def content_hash(self) -> str:
        """SHA-256, hex; equal for equal content. The actions are part of the short form."""
        hashed = [self.condition, self.severity, self.description]
        if self.short_form is not None:
            hashed += [self.short_form]
        return hashlib.sha256(json.dumps(hashed).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One immutable version of a rule.

    Attributes:
        rule_version_id: Unique among all versions of all rules.
        condition, severity, description: As in `RuleContent`.
        short_form, actions: As in `RuleContent`; a job's snapshot, which does not need them, leaves them out.
    """

    rule_id: int
    rule_version_id: int
    version: int
    condition: str
    severity: Severity
    description: str
    short_form: str | None = None
    actions: tuple[RuleAction, ...] = ()

    @property
    def content(self) -> RuleContent:
        """What the user said."""
        return RuleContent(self.condition, self.severity, self.description, self.short_form, self.actions)


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
        name: Unique among the rules of its pipeline that are not archived; how other rules refer to it.
        state: Of the rule; a candidate beside it has a state of its own.
        current: The published version; of a draft, the newest text.
        version: Grows with every change, also of its state; `current.version` only with its content.
        candidate: The version that is tried beside the current one; None: there is none.
        candidate_state: draft, shadow or rollout, where there is a candidate.
        rollout: For whom the version on trial counts, where the rule or its candidate is in rollout.
    """

    id: int
    pipeline_id: int
    name: str
    state: RuleState
    current: RuleVersion
    version: int
    created_at: datetime
    updated_at: datetime
    candidate: RuleVersion | None = None
    candidate_state: RuleState | None = None
    rollout: RolloutPlan | None = None

    @property
    def is_active(self) -> bool:
        """Whether it alerts, be it for a share of the entities."""
        return self.state in ALERTING


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """Whose events the version on trial decides.

    Attributes:
        entity: A field of role entity; its value is hashed.
        share: Of 10,000 buckets, how many are in: 1000 is 10 %.
        salt: Fixed when the rollout began, so that a larger share keeps everyone who was in.
    """

    entity: str
    share: int
    salt: str

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {"entity": self.entity, "share": self.share, "salt": self.salt}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RolloutPlan:
        """Build it from its stored form."""
        return cls(stored["entity"], stored["share"], stored["salt"])


@dataclass(frozen=True, slots=True)
class Arms:
    """A rule in rollout inside a rule set: which version decides for whom.

    Attributes:
        candidate_id: Its version on trial: for entities in the share, unless its outcome is unknown.
        control_id: Its version for all the others; None: for them the rule does not exist yet.
    """

    rule_id: int
    candidate_id: int
    control_id: int | None
    plan: RolloutPlan

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {
            "rule_id": self.rule_id,
            "candidate": self.candidate_id,
            "control": self.control_id,
            **self.plan.as_json(),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Arms:
        """Build it from its stored form."""
        return cls(stored["rule_id"], stored["candidate"], stored["control"], RolloutPlan.from_json(stored))


@dataclass(frozen=True, slots=True)
class RuleSetMembers:
    """What a rule set is stored as: ids of versions, and what else is in force with them.

    Attributes:
        rules, shadow: Ids of versions.
        references: Rule name -> id of the version that it stands for.
        arms, mutes, scorecards: As in `RuleSet`.
    """

    rules: tuple[int, ...]
    shadow: tuple[int, ...] = ()
    references: Mapping[str, int] = field(default_factory=dict)
    arms: tuple[Arms, ...] = ()
    mutes: tuple[Silence, ...] = ()
    scorecards: tuple[ScorecardMember, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the stored form of everything but `rules`; what is empty is left out."""
        members: dict[str, Any] = {
            "shadow": list(self.shadow),
            "references": dict(sorted(self.references.items())),
            "arms": [arms.as_json() for arms in self.arms],
            "mutes": [silence.as_json() for silence in self.mutes],
            "scorecards": [card.as_json() for card in self.scorecards],
        }
        return {name: value for name, value in members.items() if value}

    @classmethod
    def from_json(cls, rules: Sequence[int], stored: Mapping[str, Any]) -> RuleSetMembers:
        """Build it from its stored form."""
        return cls(
            tuple(rules),
            tuple(stored.get("shadow", ())),
            stored.get("references", {}),
            tuple(Arms.from_json(arms) for arms in stored.get("arms", ())),
            tuple(Silence.from_json(silence) for silence in stored.get("mutes", ())),
            tuple(ScorecardMember.from_json(card) for card in stored.get("scorecards", ())),
        )


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What a pipeline evaluates at one moment. Immutable.

    Attributes:
        rules: Versions on the alert path, ordered by rule id and version; of a rule in rollout both arms.
        shadow: Versions that are evaluated off the alert path and never alerted, in the same order.
        references: Rule name -> the version that `rule('name')` stands for in any of them.
        arms: The rules in rollout.
        mutes: What is evaluated and not alerted.
        scorecards: What sums up matches to decisions.
    """

    version: int
    rules: tuple[RuleVersion, ...]
    shadow: tuple[RuleVersion, ...] = ()
    references: Mapping[str, RuleVersion] = field(default_factory=dict)
    arms: tuple[Arms, ...] = ()
    mutes: tuple[Silence, ...] = ()
    scorecards: tuple[ScorecardMember, ...] = ()

    @property
    def conditions_by_name(self) -> dict[str, str]:
        """Rule name -> the condition that `rule('name')` stands for."""
        return {name: version.condition for name, version in self.references.items()}
