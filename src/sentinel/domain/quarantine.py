"""Quarantines: a rule version that broke the query, or costs more than it may, is out until a person decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sentinel.domain.rule import RuleVersion

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Culprit:
    """A rule version that throws, and the first record on which it does; or one that costs too much.

    Attributes:
        partition, offset: None where a record is not the matter.
        cause: What Spark says, or what was measured.
    """

    rule: RuleVersion
    partition: int | None
    offset: int | None
    cause: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A rule version that is kept out of every rule set.

    Attributes:
        cause: Why, in words.
        kafka_partition, kafka_offset: The first record on which it threw; None where a record is not the matter.
        generation_id: The generation that ran it.
        released_at: When a person let it run again; None while it is out.
    """

    id: int
    pipeline_id: int
    rule_id: int
    rule_version_id: int
    rule_version: int
    generation_id: int
    cause: str
    source_epoch: int
    kafka_partition: int | None
    kafka_offset: int | None
    quarantined_at: datetime
    released_at: datetime | None
    released_by: str | None
    comment: str


def culprits_among(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> list[T]:
    """Return the items that fail by themselves, by halving: about log2(n) looks for each of them.

    Args:
        fails: Whether any of these items fails. Asked about all of them first.
    """
    if not items or not fails(items):
        return []
    if len(items) == 1:
        return [items[0]]
    middle = len(items) // 2
    return culprits_among(items[:middle], fails) + culprits_among(items[middle:], fails)


def first_failing(start: int, end: int, fails: Callable[[int, int], bool]) -> int:
    """Return the first number in [start, end) on which something fails.

    Args:
        fails: Whether a number in [a, b) fails; true for (start, end).
    """
    low, high = start, end
    while high - low > 1:
        middle = (low + high) // 2
        if fails(low, middle):
            high = middle
        else:
            low = middle
    return low
