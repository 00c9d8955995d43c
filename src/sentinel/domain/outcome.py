"""Outcomes: for how many events a rule matched, did not match, or could not be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

NOT_COMPUTABLE = "(not computable)"
"""Stands among the missing fields where all of them are there and a value could still not be computed."""


@dataclass(slots=True)
class OutcomeCount:
    """What was counted of one rule version in one hour of the records' timestamps.

    Attributes:
        evaluated: Events it was evaluated on.
        unknown: Those of them for which it is neither true nor false.
        missing: Field -> how many of the unknown ones lack it; `NOT_COMPUTABLE` where none of its fields is missing.
    """

    evaluated: int = 0
    unknown: int = 0
    missing: Counter[str] = field(default_factory=Counter)

    def add(self, evaluated: int, unknown: int, missing: Mapping[str, int]) -> None:
        """Count some more."""
        self.evaluated += evaluated
        self.unknown += unknown
        self.missing.update(missing)


@dataclass(frozen=True, slots=True)
class RuleCost:
    """What a rule version costs.

    Attributes:
        microseconds: Of one core, per event.
        sampled_events: How many different events it was measured on.
    """

    rule_version_id: int
    microseconds: float
    sampled_events: int
    measured_at: datetime


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """What was counted of a rule over some hours, over all of its versions, and what it costs.

    Attributes:
        alerts, suppressed: As of `HourOutcomes`.
        microseconds: What its current version costs, of one core, per event; None: it is not measured.
        last_alert_at: When its newest alert was made, however long ago; None: there is none.
    """

    rule_id: int
    evaluated: int
    unknown: int
    alerts: int
    suppressed: int
    microseconds: float | None
    last_alert_at: datetime | None


@dataclass(frozen=True, slots=True)
class HourOutcomes:
    """The outcomes of a rule in one hour, over all of its versions.

    Attributes:
        evaluated: Events that were counted so far; a count follows the lake and so is a minute or two behind.
        alerts: Matches that became alerts.
        suppressed: Matches that were only counted: muted, snoozed, or beyond the storm guard's limit.
    """

    hour: datetime
    evaluated: int
    unknown: int
    missing: Mapping[str, int]
    alerts: int
    suppressed: int

    @property
    def matched(self) -> int:
        """Events on which it was true; the same event id twice counts once."""
        return self.alerts + self.suppressed

    @property
    def not_matched(self) -> int:
        """Events on which it was false."""
        return max(0, self.evaluated - self.unknown - self.matched)
