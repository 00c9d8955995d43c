"""The storm guard's count against a plain one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.storm import StormGuard, hour_of

PLACES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=60)


@given(PLACES, st.integers(1, 8), st.integers(0, 9))
def test_the_first_so_many_of_a_rule_and_hour_alert(places: list[tuple[int, int]], limit: int, stored: int) -> None:
    guard = StormGuard()
    plain: Counter[tuple[int, int]] = Counter()
    for place in places:
        unknown = guard.unknown([place])
        assert unknown == (set() if place in plain else {place})
        guard.learn(dict.fromkeys(unknown, stored))
        admitted = guard.admit(place, limit)
        assert admitted == (stored + plain[place] < limit)
        plain[place] += admitted


def test_what_is_forgotten_is_looked_up_again() -> None:
    guard = StormGuard()
    guard.learn({(10, 0): 1, (11, 0): 2})
    guard.forget([(10, 0)])
    assert guard.unknown([(10, 0), (11, 0)]) == {(10, 0)}
    guard.forget()
    assert guard.unknown([(10, 0), (11, 0)]) == {(10, 0), (11, 0)}


def test_a_timestamp_without_a_year_has_an_hour() -> None:
    assert hour_of(-1) == 0
    assert hour_of(3_600_000) == 1
    assert hour_of(2**63 - 1) == 253_402_300_799 // 3600
