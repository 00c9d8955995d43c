"""Which range a backfill begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sentinel.domain.webhook_backfill import HORIZON, Backfill, BackfillCounts, BackfillRange, range_to_begin
from sentinel.errors import InvalidError

NOW = datetime(2026, 5, 31, 12, 0, 0, 999, tzinfo=UTC)
END = NOW.replace(microsecond=0)
NEW = Backfill("Ab3x", True, NOW, "ann", None, False, BackfillCounts(), None, None, None)
HALFWAY = replace(NEW, range=BackfillRange(END - timedelta(days=2), END - timedelta(days=1), True, "evt_7"))


def begun(state: Backfill, since: datetime | None = None, *, only_failed: bool = True) -> BackfillRange | None:
    """Return the range that is begun now."""
    return range_to_begin(state, since=since, only_failed=only_failed, now=NOW)


def test_the_first_goes_back_to_the_horizon() -> None:
    assert begun(NEW) == BackfillRange(END - HORIZON, END, True)


def test_one_that_is_not_complete_goes_on_unless_a_time_is_named() -> None:
    assert begun(HALFWAY) is None
    since = END - timedelta(days=3)
    assert begun(HALFWAY, since) == BackfillRange(since, END, True)


def test_another_kind_begins_anew_at_the_horizon() -> None:
    covered = replace(HALFWAY, covered_until=END - timedelta(hours=5))
    assert begun(covered, only_failed=False) == BackfillRange(END - HORIZON, END, False)


@pytest.mark.parametrize(("hours", "start"), [(5, 6), (29 * 24, 29 * 24 + 1), (30 * 24, 30 * 24), (5000, 30 * 24)])
def test_the_next_begins_an_hour_before_what_is_covered(hours: int, start: int) -> None:
    state = replace(HALFWAY, is_complete=True, covered_until=END - timedelta(hours=hours))
    assert begun(state) == BackfillRange(END - timedelta(hours=start), END, True)


@pytest.mark.parametrize("since", [END - HORIZON - timedelta(seconds=1), END, END + timedelta(days=1)])
def test_what_stripe_does_not_list_is_refused(since: datetime) -> None:
    with pytest.raises(InvalidError) as refused:
        begun(NEW, since)
    assert refused.value.details[0].pointer == "/since"
