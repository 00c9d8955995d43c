"""Arrange the rules of a rule set into masks, so that an event meets only the rules that it can match.

Rules that require the same field to have certain values (`merchant_id = 500 AND ...`) are told apart by those values.
Few of them share a mask that is computed only for events that have one of their values. Many are divided into buckets
by a hash of the value, which is computed once per event: with 1000 rules, each about one of 1000 merchants, an event
meets the about 16 of its bucket.

Where a rule goes depends on its own values and on the count of rules like it, rounded up to a power of two: a rule that
is added changes one mask, and the code of the others is compiled and warm already.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sentinel.rules.compiler import CompiledCondition
from sentinel.rules.requirements import Requirement, bucket_of, membership

RULES_PER_MASK = 32
BRANCHES_PER_MASK = 16
# So full are masks that are chosen by a value, on average, at most: most of them then do not overflow.
_FILLED = 20
# A hash costs as much as looking the value up for about so many masks.
_LEAST_BUCKETS = 16
PART_BITS = (1 << 31) - 1
"""All bits of the number of a branch."""
_RULE_BITS = (1 << RULES_PER_MASK) - 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Branch:
    """Rules that are evaluated for the events of one bucket."""

    bucket: int
    rules: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Buckets:
    """How the values of a field are divided: by `bucket_sql`, into so many."""

    field: str
    count: int


@dataclass(frozen=True, slots=True)
class Mask:
    """Rules that are evaluated together into one bigint.

    Attributes:
        rules: Indexes into the rule set. Without branches bit i of the mask stands for `rules[i]`.
        gate: Spark SQL condition without which none of them is true; None: they are evaluated for every event.
        buckets: Where there are branches: what chooses among them.
        branches: Of which an event meets one at most. Its number stands in the mask above the 32 bits of its rules.
    """

    rules: tuple[int, ...]
    gate: str | None = None
    buckets: Buckets | None = None
    branches: tuple[Branch, ...] = ()

    def parts(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield (number, rules) of each branch; 0 and all rules of a mask without."""
        if not self.branches:
            yield 0, self.rules
        for number, branch in enumerate(self.branches):
            yield number, branch.rules


def bit_of(part: int, bit: int) -> int:
    """Return what a rule adds to a mask, by the number of its branch and its place there."""
    return part << RULES_PER_MASK | 1 << bit


def places_in(mask: Mask) -> Iterator[tuple[int, int, int]]:
    """Yield (branch, bit, rule) of every rule of a mask: where it stands, as in `bit_of`."""
    for part, rules in mask.parts():
        for bit, rule in enumerate(rules):
            yield part, bit, rule


def arrange(conditions: Sequence[CompiledCondition]) -> tuple[Mask, ...]:
    """Arrange all rules of a set, given in its order; each rule is in exactly one mask."""
    by_field: dict[str, list[tuple[int, Requirement]]] = defaultdict(list)
    masks: list[Mask] = []
    ungated: list[int] = []
    spread = _distinct_values(conditions)
    for index, condition in enumerate(conditions):
        if condition.requirements:
            # The field with the most values is the one that tells most rules apart.
            chosen = max(condition.requirements, key=lambda required: (spread[required.field], required.field))
            by_field[chosen.field].append((index, chosen))
        else:
            ungated.append(index)
    masks += [Mask(tuple(chunk)) for chunk in _chunks(ungated)]
    for field, members in sorted(by_field.items()):
        masks += _masks_of(field, members)
    return tuple(masks)


def _masks_of(field: str, members: Sequence[tuple[int, Requirement]]) -> Iterator[Mask]:
    """Yield the masks of the rules that are told apart by a field."""
    count = _power_of_two(len(members) / _FILLED)
    branches: dict[int, list[int]] = defaultdict(list)
    others: dict[int, list[tuple[int, Requirement]]] = defaultdict(list)
    for index, required in members:
        hashed = count >= _LEAST_BUCKETS and len(required.values) == 1
        bucket = bucket_of(next(iter(required.values)), count) if hashed else None
        if bucket is not None and len(branches[bucket]) < RULES_PER_MASK:
            branches[bucket].append(index)
        else:
            others[zlib.crc32(min(required.values).encode(errors="replace")) % count].append((index, required))
    for start in range(0, count, BRANCHES_PER_MASK):
        chosen = tuple(
            Branch(bucket, tuple(branches[bucket]))
            for bucket in range(start, min(count, start + BRANCHES_PER_MASK))
            if branches.get(bucket)
        )
        if chosen:
            yield Mask(tuple(rule for branch in chosen for rule in branch.rules), None, Buckets(field, count), chosen)
    for _, bucketful in sorted(others.items()):
        for chunk in _chunks(bucketful):
            yield _gated(field, chunk)


def rules_of_masks(values: Sequence[int], masks: Sequence[Mask]) -> tuple[int, ...]:
    """Return the indexes of the rules whose bits are set, ascending.

    Args:
        values: One per mask.
    """
    found = []
    for value, mask in zip(values, masks, strict=True):
        left = value & _RULE_BITS
        rules = mask.branches[value >> RULES_PER_MASK].rules if mask.branches else mask.rules
        while left:
            lowest = left & -left
            found.append(rules[lowest.bit_length() - 1])
            left ^= lowest
    return tuple(sorted(found))


def _distinct_values(conditions: Sequence[CompiledCondition]) -> Counter[str]:
    values: dict[str, set[str]] = defaultdict(set)
    for condition in conditions:
        for required in condition.requirements:
            values[required.field] |= required.values
    return Counter({field: len(known) for field, known in values.items()})


def _gated(field: str, members: Sequence[tuple[int, Requirement]]) -> Mask:
    values = frozenset().union(*(required.values for _, required in members))
    return Mask(tuple(index for index, _ in members), membership(field, values))


def _chunks(members: Sequence[T]) -> list[Sequence[T]]:
    return [members[start : start + RULES_PER_MASK] for start in range(0, len(members), RULES_PER_MASK)]


def _power_of_two(least: float) -> int:
    size = 1
    while size < least:
        size *= 2
    return size
