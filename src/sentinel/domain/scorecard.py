"""Scorecards: rules with points, whose sum decides about an event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

MAX_POINTS = 10_000
MAX_SCORECARDS = 20
MAX_WEIGHTS = 1000


class Decision(StrEnum):
    """What to do about an event."""

    APPROVE = "approve"
    REVIEW = "review"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on an event is reviewed, and from which on it is declined."""

    review: int
    decline: int

    def decide(self, score: int) -> Decision:
        """Return what a score means."""
        if score >= self.decline:
            return Decision.DECLINE
        return Decision.REVIEW if score >= self.review else Decision.APPROVE


@dataclass(frozen=True, slots=True)
class ScorecardContent:
    """What a user says of a scorecard.

    Attributes:
        weights: Rule name -> points, which may be negative.
    """

    weights: Mapping[str, int]
    thresholds: Thresholds


@dataclass(frozen=True, slots=True)
class ScorecardVersion:
    """One immutable version of a scorecard.

    Attributes:
        content_hash: SHA-256 of the content, hex.
    """

    id: int
    version: int
    content: ScorecardContent
    content_hash: str
    comment: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A scorecard with its current version.

    Attributes:
        version: Grows with every change, also of its status.
    """

    id: int
    pipeline_id: int
    name: str
    is_active: bool
    current: ScorecardVersion
    version: int
    created_at: datetime
    updated_at: datetime

    def member(self, rule_ids: Mapping[str, int]) -> ScorecardMember:
        """Return what it comes to in a rule set.

        Args:
            rule_ids: Rule name -> id, of the rules that are there.
        """
        content = self.current.content
        weights = {rule_ids[name]: points for name, points in sorted(content.weights.items()) if name in rule_ids}
        return ScorecardMember(self.id, self.current.id, self.name, weights, content.thresholds)


@dataclass(frozen=True, slots=True)
class EventDecision:
    """What a scorecard says of one event.

    Attributes:
        version: Of the scorecard.
        rule_ids: The rules that matched, all of them.
        decided_at: None where nothing matched, so that there was nothing to write down.
    """

    scorecard: str
    version: int
    score: int
    decision: Decision
    rule_ids: tuple[int, ...]
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class ScorecardMember:
    """A scorecard as part of a rule set.

    Attributes:
        weights: Rule id -> points.
    """

    scorecard_id: int
    scorecard_version_id: int
    name: str
    weights: Mapping[int, int]
    thresholds: Thresholds

    def score(self, rule_ids: Iterable[int]) -> int | None:
        """Return the sum of the points of the rules that matched; None where none of them has any."""
        points = [self.weights[rule_id] for rule_id in rule_ids if rule_id in self.weights]
        return sum(points) if points else None

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {
            "scorecard_id": self.scorecard_id,
            "scorecard_version_id": self.scorecard_version_id,
            "name": self.name,
            "weights": {str(rule_id): points for rule_id, points in self.weights.items()},
            "review": self.thresholds.review,
            "decline": self.thresholds.decline,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ScorecardMember:
        """Build it from its stored form."""
        return cls(
            stored["scorecard_id"],
            stored["scorecard_version_id"],
            stored["name"],
            {int(rule_id): points for rule_id, points in stored["weights"].items()},
            Thresholds(stored["review"], stored["decline"]),
        )
