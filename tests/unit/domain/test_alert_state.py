"""Steps from one state of an alert to the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from sentinel.domain.alert_state import NEXT, AlertState, AlertStatus, AlertStep, Disposition, WantedState, step
from sentinel.errors import ConflictError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def went(state: AlertState, wanted: WantedState, author: str = "ann", now: datetime = NOW) -> AlertStep:
    """Return a step that there is."""
    found = step(7, state, wanted, author=author, now=now)
    assert found is not None
    return found


def state_in(status: AlertStatus) -> AlertState:
    """Return a state that ann brought an alert into."""
    return AlertState() if status is AlertStatus.OPEN else went(AlertState(), WantedState(status)).state


class TestStatus:
    @pytest.mark.parametrize(
        ("before", "after"), [pair for pair in product(AlertStatus, repeat=2) if pair[0] != pair[1]]
    )
    def test_the_table_decides_what_may_follow(self, before: AlertStatus, after: AlertStatus) -> None:
        if after in NEXT[before]:
            assert went(state_in(before), WantedState(after)).state.status is after
        else:
            with pytest.raises(ConflictError, match=f"alert 7 is {before}; it cannot become {after}"):
                step(7, state_in(before), WantedState(after, force=True), author="ann", now=NOW)

    @pytest.mark.parametrize("status", AlertStatus)
    def test_the_same_again_by_the_same_is_no_step(self, status: AlertStatus) -> None:
        assert step(7, state_in(status), WantedState(status), author="ann", now=NOW) is None

    def test_an_acknowledgement_of_somebody_else_is_taken_over_with_force_only(self) -> None:
        held = state_in(AlertStatus.ACKNOWLEDGED)
        with pytest.raises(ConflictError, match="acknowledged by 'ann' already; take it over with force"):
            step(7, held, WantedState(AlertStatus.ACKNOWLEDGED), author="bob", now=NOW)
        later = NOW + timedelta(hours=1)
        taken = went(held, WantedState(AlertStatus.ACKNOWLEDGED, force=True), "bob", later)
        assert (taken.state.acknowledged_by, taken.state.acknowledged_at) == ("bob", NOW)
        assert (taken.change.before, taken.change.after) == ({"acknowledged_by": "ann"}, {"acknowledged_by": "bob"})
        assert taken.event is None

    def test_opening_again_forgets_who_had_it_and_not_what_it_was(self) -> None:
        resolved = went(
            state_in(AlertStatus.ACKNOWLEDGED), WantedState(AlertStatus.RESOLVED, disposition=Disposition.BENIGN)
        ).state
        assert (resolved.acknowledged_by, resolved.resolved_by, resolved.resolved_at) == ("ann", "ann", NOW)
        opened = went(resolved, WantedState(AlertStatus.OPEN)).state
        assert opened == AlertState(disposition=Disposition.BENIGN, version=3, updated_at=NOW)

    @pytest.mark.parametrize(
        ("status", "event"),
        [("acknowledged", "acknowledged"), ("resolved", "resolved"), ("suppressed", "suppressed")],
    )
    def test_each_step_is_told(self, status: str, event: str) -> None:
        moved = went(AlertState(), WantedState(AlertStatus(status)))
        assert moved.event == event
        assert went(moved.state, WantedState(AlertStatus.OPEN)).event == "reopened"
        assert went(AlertState(), WantedState(assignee="ann")).event is None


class TestMembers:
    def test_what_is_not_named_stays_and_none_takes_away(self) -> None:
        given = went(AlertState(), WantedState(assignee="ann", disposition=Disposition.TRUE_POSITIVE)).state
        assert (given.status, given.assignee, given.disposition) == ("open", "ann", "true_positive")
        taken = went(given, WantedState(assignee=None)).state
        assert taken == replace(given, assignee=None, version=2)

    def test_a_change_says_what_it_touched(self) -> None:
        change = went(AlertState(), WantedState(AlertStatus.RESOLVED, assignee="bob")).change
        assert (change.version, change.author, change.changed_at) == (1, "ann", NOW)
        assert change.before == {"status": "open", "assignee": None, "resolved_by": None, "resolved_at": None}
        assert change.after["assignee"] == "bob"
        assert change.after.keys() == change.before.keys()
