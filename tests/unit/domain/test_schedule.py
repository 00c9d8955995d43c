from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.schedule import Schedule, refuse_impossible
from sentinel.errors import InvalidError

BERLIN = "Europe/Berlin"
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - naive by contract
zones = st.sampled_from(sorted(available_timezones() - {"localtime"}))


def times(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    """Return the next times of a schedule."""
    found = [schedule.next_after(after)]
    while len(found) < count:
        found.append(schedule.next_after(found[-1]))
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestInterval:
    def test_it_is_counted_from_the_epoch(self) -> None:
        schedule = Schedule(300)
        assert schedule.next_after(utc("2026-03-02T12:01:07")) == utc("2026-03-02T12:05:00")
        assert schedule.next_after(utc("2026-03-02T12:05:00")) == utc("2026-03-02T12:10:00")


class TestCron:
    def test_a_time_that_does_not_exist_comes_once_after_the_change(self) -> None:
        found = times(Schedule(None, "30 2 * * *", BERLIN), utc("2026-03-27T12:00:00"), 3)
        assert found == [utc("2026-03-28T01:30:00"), utc("2026-03-29T01:00:00"), utc("2026-03-30T00:30:00")]

    def test_a_time_that_comes_twice_is_due_the_first_time(self) -> None:
        found = times(Schedule(None, "30 2 * * *", BERLIN), utc("2026-10-24T12:00:00"), 2)
        assert found == [utc("2026-10-25T00:30:00"), utc("2026-10-26T01:30:00")]

    def test_asked_in_the_second_of_two_equal_hours_it_does_not_look_back(self) -> None:
        schedule = Schedule(None, "30 2 * * *", BERLIN)
        assert schedule.next_after(utc("2026-10-25T01:10:00")) == utc("2026-10-26T01:30:00")

    def test_what_is_due_every_hour_follows_the_time_that_passes(self) -> None:
        found = times(Schedule(None, "0 * * * *", BERLIN), utc("2026-10-24T22:30:00"), 4)
        assert [later - earlier for earlier, later in pairwise(found)] == [timedelta(hours=1)] * 3

    @given(zones, moments, st.integers(0, 23), st.integers(0, 59))
    def test_a_time_of_day_comes_once_a_day_in_every_zone(
        self, zone: str, moment: datetime, hour: int, minute: int
    ) -> None:
        found = times(Schedule(None, f"{minute} {hour} * * *", zone), moment, 5)
        days = [each.astimezone(ZoneInfo(zone)).date() for each in found]
        assert all(later > earlier for earlier, later in pairwise([moment, *found]))
        assert len(set(days)) == len(days)

    @given(zones, moments)
    def test_the_next_time_is_later(self, zone: str, moment: datetime) -> None:
        for cron in ("*/7 * * * *", "0 */3 * * *", "15 1,2,3 * * 0", "0 0 29 2 *"):
            assert Schedule(None, cron, zone).next_after(moment) > moment


class TestRefused:
    @pytest.mark.parametrize(
        ("schedule", "said"),
        [
            (Schedule(None, ""), "either interval_seconds or cron"),
            (Schedule(300, "* * * * *"), "either interval_seconds or cron"),
            (Schedule(59), "not 59"),
            (Schedule(10**9), "not 1000000000"),
            (Schedule(None, "@daily"), "'@daily'"),
            (Schedule(None, "* * * * * *"), "five fields"),
            (Schedule(None, "61 * * * *"), "Bad minute"),
            (Schedule(None, "0 0 31 2 *"), "day-of-month|never"),
            (Schedule(None, "0 6 * * *", "Mars/Olympus"), "Mars/Olympus"),
            (Schedule(None, "0 6 * * *", "../../etc/passwd"), "no time zone"),
            (Schedule(None, "0 6 * * *" + " " * 500), "five fields"),
        ],
        ids=range(11),
    )
    def test_the_message_names_what_is_wrong(self, schedule: Schedule, said: str) -> None:
        with pytest.raises(InvalidError, match=said):
            refuse_impossible(schedule, utc("2026-01-01T00:00:00"))

    def test_what_was_kept_comes_back(self) -> None:
        for schedule in (Schedule(300), Schedule(None, "0 6 * * *", BERLIN)):
            assert Schedule.from_json(schedule.as_json()) == schedule
