from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sentinel.batch.detectors import DETECTORS, builtins
from sentinel.batch.detectors.payment_failure_spike import Parameters, PaymentFailureSpike
from sentinel.domain.detector import MAX_WINDOWS, Mode, builtin, windows_between

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EMPTY = builtin("payment_failure_spike", "", Mode.ON)
KIND = PaymentFailureSpike()


class TestWindowsBetween:
    @given(
        st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - naive by contract
        st.integers(0, 5_000),
        st.integers(1, 1440),
    )
    def test_they_are_aligned_touch_each_other_and_stay_inside(
        self, first: datetime, minutes: int, length: int
    ) -> None:
        until, step = first + minutes * MINUTE, length * MINUTE
        found = windows_between(first, until, step)
        assert all(window.length == step and window.start.timestamp() % step.total_seconds() == 0 for window in found)
        assert all(earlier.end == later.start for earlier, later in pairwise(found))
        if found:
            assert first <= found[0].start < first + step
            assert until - step < found[-1].end <= until
        else:
            assert until - first < 2 * step


class TestWindowsDue:
    def test_a_first_run_looks_at_the_recent_past(self) -> None:
        due = KIND.windows_due(EMPTY, Parameters(late_hours=2), NOON + 5 * MINUTE)
        assert (due.new[0].start, due.new[-1].end, list(due.late)) == (NOON - 90 * MINUTE, NOON, [])

    def test_then_it_goes_on_where_it_is_and_looks_back(self) -> None:
        present = replace(EMPTY, evaluated_until=NOON - 30 * MINUTE)
        due = KIND.windows_due(present, Parameters(late_hours=2), NOON + 5 * MINUTE)
        assert [window.end for window in due.new] == [NOON]
        assert [window.end for window in due.late] == [NOON - back * MINUTE for back in (90, 60, 30)]

    def test_nothing_before_other_windows_began(self) -> None:
        present = replace(EMPTY, evaluated_until=NOON, evaluates_from=NOON - 60 * MINUTE)
        due = KIND.windows_due(present, Parameters(), NOON + 35 * MINUTE)
        assert [window.start for window in due.late] == [NOON - 60 * MINUTE, NOON - 30 * MINUTE]

    def test_a_run_has_a_bound_and_says_what_is_left(self) -> None:
        present = replace(EMPTY, evaluated_until=NOON - timedelta(days=365))
        due = KIND.windows_due(present, Parameters(), NOON)
        assert (len(due.new), due.is_complete) == (MAX_WINDOWS, False)
        assert due.new[0].start == NOON - timedelta(days=365)
        assert due.late == [] or due.late[-1].end <= due.new[0].start

    @given(st.integers(0, 2000), st.integers(0, 24), st.integers(0, 30), st.lists(st.integers(0, 500), max_size=6))
    def test_however_often_it_runs_each_window_is_new_once(
        self, first: int, late: int, grace: int, pauses: list[int]
    ) -> None:
        present, at, seen = EMPTY, NOON + first * MINUTE, []
        parameters = Parameters(late_hours=late, grace_minutes=grace)
        for pause in [0, *pauses]:
            at += pause * MINUTE
            due = KIND.windows_due(present, parameters, at)
            assert all(window.end <= at - grace * MINUTE for window in (*due.new, *due.late))
            assert not set(due.new) & set(due.late)
            assert set(due.late) <= set(seen) | {
                window for window in due.late if not seen or window.end <= seen[0].start
            }
            seen += due.new
            if due.new:
                present = replace(present, evaluated_until=due.new[-1].end)
        assert len(set(seen)) == len(seen)
        assert all(earlier.end == later.start for earlier, later in pairwise(seen))


class TestRegistry:
    def test_a_kind_is_registered_by_its_name_and_tells_of_itself(self) -> None:
        for name, kind in DETECTORS.items():
            assert kind.name == name
            assert kind.title
            assert kind.query_version >= 1
            for field, described in kind.parameters.model_fields.items():
                assert field in kind.defaults() or described.is_required()

    def test_builtins_work_without_parameters(self) -> None:
        for definition in builtins():
            kind = DETECTORS[definition.kind]
            assert kind.stored({}) == {}
            assert kind.complete({}) == kind.defaults()
