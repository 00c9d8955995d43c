"""A plan in words, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sentinel.files.kinds.base import Change, Difference
from sentinel.files.plan import Plan

_SIGNS = {"add": "+", "change": "~", "remove": "-"}
_LONGEST = 400


def lines_of(plan: Plan) -> Iterator[str]:
    """Yield the lines of a plan."""
    for change in plan.changes:
        yield from lines_of_change(change)
    if plan.extra:
        yield "Not in the files, and left as it is:"
        yield from (f"  {kind} {' / '.join(key)}" for kind, key in plan.extra)
    if not plan.changes:
        yield "No changes: the API has what the files say."
        return
    counts = ", ".join(
        f"{plan.count(action)} to {action}" for action in ("add", "change", "remove") if plan.count(action)
    )
    yield f"Plan: {counts}."
    if plan.breaking:
        yield "Breaking changes of schemas are marked; apply makes them with --allow-breaking only."


def lines_of_change(change: Change) -> Iterator[str]:
    """Yield the lines of one change."""
    yield f"{_SIGNS[change.action]} {change.title}{f'  ({change.where})' if change.where else ''}"
    for difference in change.differences:
        yield f"    {difference.name}: {_difference(change, difference)}"
    for note in change.notes:
        yield f"    ! {note}"


def as_json(plan: Plan) -> dict[str, Any]:
    """Return the plan for programs."""
    return {
        "changes": [
            {
                "action": change.action,
                "kind": change.kind,
                "key": list(change.key),
                "where": change.where or None,
                "differences": [
                    {"name": item.name, "before": item.before, "after": item.after} for item in change.differences
                ],
                "notes": list(change.notes),
                "breaking": change.breaking,
            }
            for change in plan.changes
        ],
        "not_in_files": [{"kind": kind, "key": list(key)} for kind, key in plan.extra],
    }


def _difference(change: Change, difference: Difference) -> str:
    if change.action == "add":
        return _shown(difference.after)
    if change.action == "remove":
        return _shown(difference.before)
    return f"{_shown(difference.before)} -> {_shown(difference.after)}"


def _shown(value: Any) -> str:
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) and value.isprintable() and value else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
