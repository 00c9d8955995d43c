"""Quiet hours: every zone, both changes of the clock."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.domain.quiet_hours import DAY, MINUTE, QuietHours, QuietWindow

ZONES = sorted(zoneinfo.available_timezones())
EVERY_DAY = frozenset(range(7))
NIGHT = QuietWindow(EVERY_DAY, time(22), time(7))
# Both changes of the clock of a year lie in it, in either hemisphere.
YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def changes_of(zone: ZoneInfo) -> list[datetime]:
    """Return when the clock of a zone is changed in a year, to the minute; found by halving."""
    found = []
    for day in range(366):
        low, high = YEAR + day * DAY, YEAR + (day + 1) * DAY
        if low.astimezone(zone).utcoffset() == high.astimezone(zone).utcoffset():
            continue
        while high - low > MINUTE:
            middle = low + (high - low) / 2
            middle -= timedelta(seconds=middle.second, microseconds=middle.microsecond)
            if middle == low:
                middle += MINUTE
            if middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset():
                low = middle
            else:
                high = middle
        found.append(high)
    return found


def minute_by_minute(hours: QuietHours, at: datetime, days: int) -> datetime | None:
    """Return the first instant that is not quiet, by looking at each minute: what `first_allowed` has to equal."""
    now = at
    for _ in range(days * 1440 + 1):
        if not shows_quiet(hours, now):
            return now
        now = now.replace(second=0, microsecond=0) + MINUTE
    return None


def shows_quiet(hours: QuietHours, at: datetime) -> bool:
    """Return whether the wall clock shows a quiet minute: the definition once more, in other words."""
    wall = at.astimezone(hours.zone)
    if wall.date() in hours.holidays:
        return True
    minute = wall.hour * 60 + wall.minute
    for window in hours.windows:
        begins = window.begins.hour * 60 + window.begins.minute
        ends = window.ends.hour * 60 + window.ends.minute
        today, yesterday = wall.weekday(), (wall.weekday() - 1) % 7
        if ends > begins:
            if today in window.weekdays and begins <= minute < ends:
                return True
        elif (today in window.weekdays and minute >= begins) or (yesterday in window.weekdays and minute < ends):
            return True
    return False


class TestEveryZone:
    """Every deferred notice leaves at the first allowed minute."""

    @pytest.mark.parametrize("first", ["A", "E", "P"])
    def test_around_both_changes_of_the_clock_of_every_zone(self, first: str) -> None:
        follows = {"A": "E", "E": "P", "P": "~"}[first]
        checked = 0
        for name in ZONES:
            if not first <= name[0] < follows:
                continue
            zone = ZoneInfo(name)
            for change in [*changes_of(zone), YEAR]:
                for hours in windows_around(zone, change):
                    for minutes in (-600, -121, -60, -1, 0, 1, 59, 60, 119):
                        at = change + timedelta(minutes=minutes, seconds=17)
                        assert hours.first_allowed(at) == minute_by_minute(hours, at, 3), (name, at, hours.windows)
                        checked += 1
        assert checked > 1000

    def test_a_year_in_zones_whose_clocks_are_changed_in_odd_ways(self) -> None:
        # Half an hour, a quarter of an offset, thrice a year, at midnight, and not at all.
        for name in ("Australia/Lord_Howe", "Pacific/Chatham", "Africa/Casablanca", "America/Havana", "Asia/Kathmandu"):
            hours = QuietHours(ZoneInfo(name), [NIGHT])
            for hour in range(0, 365 * 24, 7):
                at = YEAR + timedelta(hours=hour, minutes=hour % 60)
                assert hours.first_allowed(at) == minute_by_minute(hours, at, 2), (name, at)

    @settings(max_examples=300, deadline=None)
    @given(
        zone=st.sampled_from(ZONES),
        minutes=st.integers(0, 365 * 1440),
        seconds=st.floats(0, 59.999),
        windows=st.lists(
            st.builds(
                QuietWindow,
                st.frozensets(st.integers(0, 6)),
                st.builds(time, st.integers(0, 23), st.integers(0, 59)),
                st.builds(time, st.integers(0, 23), st.integers(0, 59)),
            ),
            max_size=4,
        ),
        holidays=st.frozensets(st.integers(0, 365).map(lambda day: date(2026, 1, 1) + day * DAY), max_size=4),
    )
    def test_any_windows(
        self, zone: str, minutes: int, seconds: float, windows: list[QuietWindow], holidays: frozenset[date]
    ) -> None:
        hours = QuietHours(ZoneInfo(zone), windows, holidays)
        at = YEAR + timedelta(minutes=minutes, seconds=seconds)
        expected = minute_by_minute(hours, at, 15)
        found = hours.first_allowed(at)
        assert found == expected or (expected is None and (found is None or found > at + 15 * DAY))


def windows_around(zone: ZoneInfo, change: datetime) -> Iterator[QuietHours]:
    """Yield quiet hours that begin, end, or lie within what a change of the clock skips or repeats."""
    local = change.astimezone(zone)
    for begins, ends in ((-120, 0), (-120, 30), (-30, 30), (0, 60), (-600, 600)):
        first, last = (local.replace(tzinfo=None) + timedelta(minutes=minutes) for minutes in (begins, ends))
        yield QuietHours(zone, [QuietWindow(EVERY_DAY, first.time(), last.time())])


class TestByHand:
    """Cases that a person can follow."""

    def test_a_night_ends_at_seven(self) -> None:
        hours = QuietHours(ZoneInfo("Europe/Vienna"), [NIGHT])
        assert hours.first_allowed(datetime(2026, 1, 15, 23, 30, tzinfo=UTC)) == datetime(2026, 1, 16, 6, tzinfo=UTC)

    def test_what_is_allowed_is_not_moved(self) -> None:
        hours = QuietHours(ZoneInfo("Europe/Vienna"), [NIGHT])
        at = datetime(2026, 1, 15, 12, 34, 56, 789, tzinfo=UTC)
        assert hours.first_allowed(at) == at

    def test_the_night_in_which_the_clock_goes_forward_is_an_hour_shorter(self) -> None:
        hours = QuietHours(ZoneInfo("Europe/Vienna"), [NIGHT])
        evening = datetime(2026, 3, 28, 22, tzinfo=UTC)
        assert hours.first_allowed(evening) == datetime(2026, 3, 29, 5, tzinfo=UTC)

    def test_a_window_that_ends_in_a_skipped_hour_ends_where_it_is_skipped(self) -> None:
        window = QuietWindow(EVERY_DAY, time(1), time(2, 30))
        hours = QuietHours(ZoneInfo("Europe/Vienna"), [window])
        assert hours.first_allowed(datetime(2026, 3, 29, 0, 30, tzinfo=UTC)) == datetime(2026, 3, 29, 1, tzinfo=UTC)

    def test_a_minute_that_comes_twice_is_quiet_twice(self) -> None:
        window = QuietWindow(EVERY_DAY, time(2), time(2, 30))
        hours = QuietHours(ZoneInfo("Europe/Vienna"), [window])
        for first in (datetime(2026, 10, 25, 0, 10, tzinfo=UTC), datetime(2026, 10, 25, 1, 10, tzinfo=UTC)):
            assert hours.first_allowed(first) == first + timedelta(minutes=20)

    def test_a_weekend_and_the_holiday_after_it_are_one_stretch(self) -> None:
        weekend = QuietWindow(frozenset({5, 6}), time(0), time(0))
        hours = QuietHours(ZoneInfo("Europe/Vienna"), [weekend], frozenset({date(2026, 4, 6)}))
        assert hours.first_allowed(datetime(2026, 4, 4, 12, tzinfo=UTC)) == datetime(2026, 4, 6, 22, tzinfo=UTC)

    def test_what_is_always_quiet_has_no_first_minute(self) -> None:
        hours = QuietHours(ZoneInfo("UTC"), [QuietWindow(EVERY_DAY, time(0), time(0))])
        assert hours.first_allowed(YEAR) is None
