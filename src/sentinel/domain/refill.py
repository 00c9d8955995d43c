"""Refills: alerts that are made afterwards, for a time in which a rule did not exist or did not run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentinel.domain.history import LakeEnds, TimeRange

DEFAULT_MAX_ALERTS = 100_000
MOST_ALERTS = 1_000_000


@dataclass(frozen=True, slots=True)
class RefillRequest:
    """What is to be refilled.

    Attributes:
        rule_version_ids: The versions to evaluate.
        max_alerts: With more matches nothing is written.
    """

    rule_version_ids: tuple[int, ...]
    range: TimeRange
    max_alerts: int = DEFAULT_MAX_ALERTS

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {
            "rule_version_ids": [*self.rule_version_ids],
            "range": self.range.as_json(),
            "max_alerts": self.max_alerts,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RefillRequest:
        """Build it from its stored form."""
        return cls(tuple(stored["rule_version_ids"]), TimeRange.from_json(stored["range"]), stored["max_alerts"])


@dataclass(frozen=True, slots=True)
class Refill:
    """A refill in the ledger: what it evaluates can be evaluated again, with the same result.

    Attributes:
        rule_set_version: Pins what the rules refer to: other rules, and versions of lists.
        ends: What the lake held when it began; later records of the same range are live detection's.
        is_complete: Whether all of its alerts were written.
    """

    id: int
    task_id: int
    rule_version_ids: tuple[int, ...]
    schema_version: int
    rule_set_version: int
    range: TimeRange
    ends: LakeEnds
    is_complete: bool
    match_count: int
    alert_count: int
