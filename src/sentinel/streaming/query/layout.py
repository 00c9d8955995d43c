"""Arrange the rules of a rule set into masks, so that an event meets only the rules that it can match.

Rules that require the same field to have certain values (`merchant_id = 500 AND ...`) share masks by those values, and
a mask is computed only for events that have one of them. With 1000 rules, each about one of 1000 merchants, an event
passes 32 look-ups of a number instead of 1000 conditions.

Where a rule goes depends on its own values and on the count of rules like it, rounded up to a power of two: a rule that
is added changes one mask, and the code of the others is compiled and warm already.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from sentinel.rules.compiler import CompiledCondition
from sentinel.rules.requirements import Requirement, membership

RULES_PER_MASK = 32
# So full are masks that are chosen by a value, on average, at most: most of them then do not overflow.
_FILLED = 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mask:
    """Rules that are evaluated together into one bigint.

    Attributes:
        rules: Indexes into the rule set; bit i of the mask stands for `rules[i]`.
        gate: Spark SQL condition without which none of them is true; None: they are evaluated for every event.
    """

    rules: tuple[int, ...]
    gate: str | None = None


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
        buckets = _power_of_two(len(members) / _FILLED)
        assigned: dict[int, list[tuple[int, Requirement]]] = defaultdict(list)
        for index, required in members:
            assigned[zlib.crc32(min(required.values).encode()) % buckets].append((index, required))
        for _, bucket in sorted(assigned.items()):
            masks += [_gated(field, chunk) for chunk in _chunks(bucket)]
    return tuple(masks)


def rules_of_masks(values: Sequence[int], masks: Sequence[Mask]) -> tuple[int, ...]:
    """Return the indexes of the rules whose bits are set, ascending.

    Args:
        values: One per mask.
    """
    found = []
    for value, mask in zip(values, masks, strict=True):
        left = value
        while left:
            lowest = left & -left
            found.append(mask.rules[lowest.bit_length() - 1])
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
