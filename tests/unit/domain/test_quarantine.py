"""Halving: culprits among many, and the first record on which one throws."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.quarantine import culprits_among, first_failing


@given(st.sets(st.integers(0, 99), max_size=6))
def test_exactly_the_failing_ones_are_found(bad: set[int]) -> None:
    looks = 0

    def fails(some: Sequence[int]) -> bool:
        nonlocal looks
        looks += 1
        return bool(bad.intersection(some))

    assert culprits_among(range(100), fails) == sorted(bad)
    assert looks <= 1 + 14 * max(1, len(bad))


def test_what_fails_only_together_has_no_culprit() -> None:
    assert culprits_among([1, 2, 3, 4], lambda some: {1, 4} <= set(some)) == []


@given(st.integers(0, 1000), st.integers(1, 1000), st.data())
def test_the_first_failing_number_is_found(start: int, count: int, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(start, start + count - 1), min_size=1, max_size=5))
    found = first_failing(start, start + count, lambda low, high: any(low <= each < high for each in bad))
    assert found == min(bad)
