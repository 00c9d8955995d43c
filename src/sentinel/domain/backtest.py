"""Backtests: what rules would have said of a pipeline's past."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.history import TimeRange
from sentinel.errors import ErrorDetail, InvalidError

MAX_RULES = 50
MAX_SAMPLES = 10
MAX_OVERLAPS = 100
DEFAULT_SAMPLES = 5
# Shorter ranges have a curve per hour, longer ones per day, the longest per week.
HOURS_UP_TO = timedelta(days=4)
DAYS_UP_TO = timedelta(days=800)


def condition_hash(condition: str) -> str:
    """Return the SHA-256 of a condition, hex: what a backtest says depends on nothing else of a rule."""
    return hashlib.sha256(condition.encode()).hexdigest()


def check_label_column(schema: EventSchema, name: str) -> str:
    """Return the type of a field that can say what is true of an event: boolean or integer.

    Raises:
        InvalidError: There is no such field, or it is of another type.
    """
    kinds = {field.name: str(field.type) for field in schema}
    if kinds.get(name) in ("boolean", "integer"):
        return kinds[name]
    usable = (
        ", ".join(repr(known) for known, kind in kinds.items() if kind in ("boolean", "integer")) or "there is none"
    )
    what = f"is of type {kinds[name]}" if name in kinds else "is no field of the schema"
    message = f"the label column {name[:200]!r} {what}; it must be a boolean, or an integer that is 0 or 1: {usable}"
    raise InvalidError(message, details=[ErrorDetail("/label_column", message)])


@dataclass(frozen=True, slots=True)
class BacktestRule:
    """A rule that is tested: a saved version, or a candidate that is nowhere yet.

    Attributes:
        name: What to call it in the result.
        condition: Spark SQL.
        rule_id, version, rule_version_id: Of a saved version; None for a candidate.
        content_hash: Of a saved version, as its history tells it; empty for a candidate.
    """

    name: str
    condition: str
    rule_id: int | None = None
    version: int | None = None
    rule_version_id: int | None = None
    content_hash: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {**asdict(self), "condition_hash": condition_hash(self.condition)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> BacktestRule:
        """Build it from its stored form."""
        return cls(**{name: value for name, value in stored.items() if name != "condition_hash"})


@dataclass(frozen=True, slots=True)
class Sweep:
    """Values to put in the place of a number in one of the tested conditions.

    Attributes:
        rule: Index of the rule.
        constant: The number as it is written.
        conditions: The condition with each value.
    """

    rule: int
    constant: str
    values: tuple[Decimal, ...]
    conditions: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {**asdict(self), "values": [f"{value:f}" for value in self.values], "conditions": [*self.conditions]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Sweep:
        """Build it from its stored form."""
        values = tuple(Decimal(value) for value in stored["values"])
        return cls(stored["rule"], stored["constant"], values, tuple(stored["conditions"]))


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What is tested on which part of the past.

    Attributes:
        label_column: A field of the event that says what is true of it; None: no such field.
        label_set_id: Uploaded labels; None: none.
        against_active: Hold them against the active rules.
        samples: Matching events shown per rule.
    """

    rules: tuple[BacktestRule, ...]
    range: TimeRange
    label_column: str | None = None
    label_set_id: int | None = None
    sweep: Sweep | None = None
    against_active: bool = True
    samples: int = DEFAULT_SAMPLES

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {
            "rules": [rule.as_json() for rule in self.rules],
            "range": self.range.as_json(),
            "label_column": self.label_column,
            "label_set_id": self.label_set_id,
            "sweep": self.sweep.as_json() if self.sweep else None,
            "against_active": self.against_active,
            "samples": self.samples,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> BacktestRequest:
        """Build it from its stored form."""
        return cls(
            rules=tuple(BacktestRule.from_json(rule) for rule in stored["rules"]),
            range=TimeRange.from_json(stored["range"]),
            label_column=stored["label_column"],
            label_set_id=stored["label_set_id"],
            sweep=Sweep.from_json(stored["sweep"]) if stored["sweep"] else None,
            against_active=stored["against_active"],
            samples=stored["samples"],
        )


@dataclass(frozen=True, slots=True)
class Quality:
    """Matches held against labels; events without a label are left out.

    Precision: the share of matches that are true. Recall: the share of what is true that matches. F1: their harmonic
    mean. None where there is nothing to divide by.
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def precision(self) -> float | None:
        """TP / (TP + FP)."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | None:
        """TP / (TP + FN)."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float | None:
        """2 TP / (2 TP + FP + FN)."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    def as_json(self) -> dict[str, Any]:
        """Return counts and measures."""
        return {**asdict(self), "precision": self.precision, "recall": self.recall, "f1": self.f1}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, slots=True)
class Overlap:
    """A tested rule held against an active one, in events.

    Attributes:
        both: Both match.
        only_this: Only the tested one does.
        only_that: Only the active one does.
    """

    rule_id: int
    description: str
    both: int
    only_this: int
    only_that: int


@dataclass(frozen=True, slots=True)
class SampleEvent:
    """A matching event. Which ones are shown depends on their places alone, so it is the same each time.

    Attributes:
        event: Its fields; None where they are too long to show.
    """

    event_id: str
    event_time: str
    partition: int
    offset: int
    event: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What one rule says of the events in the range.

    Attributes:
        matches, unknown: Events; the others do not match.
        curve: Matches per bucket.
        unknown_curve: The unknown ones per bucket.
        overlap: With the active rules that have most in common with it, at most 100.
    """

    rule: BacktestRule
    matches: int
    unknown: int
    unknown_share: float
    curve: tuple[int, ...]
    unknown_curve: tuple[int, ...]
    overlap: tuple[Overlap, ...]
    quality: Quality | None
    samples: tuple[SampleEvent, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            **asdict(self),
            "rule": self.rule.as_json(),
            "quality": self.quality.as_json() if self.quality else None,
        }


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One value of a sweep."""

    value: Decimal
    matches: int
    quality: Quality | None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        quality = self.quality.as_json() if self.quality else None
        return {"value": f"{self.value:f}", "matches": self.matches, "quality": quality}


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What the rules would have said.

    Attributes:
        schema_version: The schema that the rules were compiled for.
        rule_set_version: What they were held against.
        bucket_seconds, buckets: The curve: how long a bucket is, and where each begins (ISO 8601).
        events: Per bucket.
        labelled: Events by label; None without labels.
        seconds: How long it took.
    """

    schema_version: int
    rule_set_version: int
    range: TimeRange
    bucket_seconds: int
    buckets: tuple[str, ...]
    events: tuple[int, ...]
    event_count: int
    labelled: dict[str, int] | None
    rules: tuple[RuleOutcome, ...]
    sweep: tuple[SweepPoint, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "schema_version": self.schema_version,
            "rule_set_version": self.rule_set_version,
            "range": self.range.as_json(),
            "bucket_seconds": self.bucket_seconds,
            "buckets": [*self.buckets],
            "events": [*self.events],
            "event_count": self.event_count,
            "labelled": self.labelled,
            "rules": [rule.as_json() for rule in self.rules],
            "sweep": [point.as_json() for point in self.sweep],
            "seconds": self.seconds,
        }


def bucket_seconds(wanted: TimeRange) -> int:
    """Return how long a bucket of the curve is: an hour, a day or a week."""
    length = wanted.end - wanted.start
    if length <= HOURS_UP_TO:
        return 3600
    return 86_400 if length <= DAYS_UP_TO else 7 * 86_400
