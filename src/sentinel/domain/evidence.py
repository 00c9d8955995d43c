"""The evidence of an alert: each condition that had to be true, with the values of the fields that it looks at.

A rule that is true has only true operands of AND at its top. So what they are is known from the rule, once, and of the
event only their fields are taken. It is bounded, whatever an event holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

MAX_CONDITIONS = 12
MAX_CONDITION_CHARACTERS = 200
MAX_FIELDS = 12
MAX_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a value is kept."""

    characters: int
    items: int
    depth: int


AMPLE, SPARSE = Limits(200, 10, 3), Limits(40, 3, 1)


@dataclass(frozen=True, slots=True)
class EvidencePath:
    """A field that a condition looks at.

    Attributes:
        name: As the rule writes it.
        steps: Names of members and indexes of elements, from the event down.
    """

    name: str
    steps: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class EvidenceCondition:
    """A condition without which the rule is not true."""

    text: str
    paths: tuple[EvidencePath, ...]


EvidencePlan = tuple[EvidenceCondition, ...]


def evidence_text(plan: EvidencePlan, event: Any) -> str:
    """Return the evidence as JSON text of at most `MAX_BYTES` bytes: `[{"condition": ..., "values": {...}}]`.

    A value that is cut ends with "..."; a field that the event lacks is null.

    Args:
        event: The event's JSON, decoded.
    """
    for limits in (AMPLE, SPARSE):
        found = orjson.dumps([_of(condition, event, limits) for condition in plan])
        if len(found) <= MAX_BYTES:
            return found.decode()
    return orjson.dumps([{"condition": f"{each.text[: SPARSE.characters]}...", "values": {}} for each in plan]).decode()


def _of(condition: EvidenceCondition, event: Any, limits: Limits) -> dict[str, Any]:
    values = {}
    for path in condition.paths:
        value = event
        for step in path.steps:
            value = _step(value, step)
        kind = type(value)
        values[path.name] = value if kind is float or kind is int or value is None else _cut(value, limits, 0)
    return {"condition": condition.text, "values": values}


def _step(value: Any, step: str | int) -> Any:
    """Return a member or an element; of an array of objects the array of that member, as a rule has it."""
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and 0 <= step < len(value) else None
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list):
        return [item.get(step) if isinstance(item, dict) else None for item in value[: AMPLE.items + 1]]
    return None


def _cut(value: Any, limits: Limits, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limits.characters else f"{value[: limits.characters]}..."
    if isinstance(value, list | dict) and depth >= limits.depth:
        return "..."
    if isinstance(value, list):
        kept = [_cut(item, limits, depth + 1) for item in value[: limits.items]]
        return kept if len(value) <= limits.items else [*kept, "..."]
    if isinstance(value, dict):
        kept_members = {
            _cut(name, limits, 0): _cut(item, limits, depth + 1) for name, item in list(value.items())[: limits.items]
        }
        return kept_members if len(value) <= limits.items else {**kept_members, "...": "..."}
    return value


def shortened(texts: Sequence[tuple[str, tuple[EvidencePath, ...]]]) -> EvidencePlan:
    """Build a plan from conditions and their fields, no more of them and no longer than is kept."""
    return tuple(
        EvidenceCondition(
            text if len(text) <= MAX_CONDITION_CHARACTERS else f"{text[:MAX_CONDITION_CHARACTERS]}...",
            paths[:MAX_FIELDS],
        )
        for text, paths in texts[:MAX_CONDITIONS]
    )
