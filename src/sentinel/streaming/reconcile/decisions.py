"""Decisions = what each generation's scorecards say of its events, computed anew from the lake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sentinel.streaming.reconcile.report import Difference

Decided = tuple[int, str, int, int, str]
"""Scorecard id, event id, scorecard version id, score, decision."""
EXAMPLES = 5


def decided(row: Mapping[str, Any]) -> Decided:
    """Return what a row of a decision says."""
    return row["scorecard_id"], row["event_id"], row["scorecard_version_id"], row["score"], row["decision"]


def compare_decisions(
    expected: Sequence[Decided], found: Sequence[Decided], elsewhere: Sequence[Decided]
) -> Difference:
    """Compare decisions by scorecard and event, of which there is one at most.

    An event id that came twice was decided by the first of its records, which are in no order between partitions; any
    of them will do.

    Args:
        found: Decisions on records that are in the lake.
        elsewhere: Decisions on records that are not there yet. An event id that came twice may have its one among them.
    """
    possible: dict[tuple[int, str], set[Decided]] = defaultdict(set)
    for each in expected:
        possible[each[:2]].add(each)
    there = {each[:2] for each in (*found, *elsewhere)}
    missing = sorted(possible.keys() - there)
    wrong = sorted(each for each in found if each not in possible.get(each[:2], ()))
    examples = [f"missing: scorecard {card}, event {event}" for card, event in missing[:EXAMPLES]]
    examples += [
        f"without reason: scorecard {card}, event {event}: {decision} by {score} points"
        for card, event, _, score, decision in wrong[:EXAMPLES]
    ]
    return Difference(
        "decisions = scorecards over the lake",
        expected=len(possible),
        found=len(found),
        lost=len(missing),
        doubled=len(wrong),
        examples=tuple(examples),
    )
