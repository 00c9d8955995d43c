"""Tests of channels that run at the same time."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from sentinel.errors import RateLimitedError
from sentinel.notify.reach.trial import MAX_TRIALS, MAX_TRIALS_OF_TENANT, TrialPlaces


def test_a_tenant_leaves_places_to_the_others_and_all_come_back() -> None:
    places = TrialPlaces()
    for _ in range(3):
        with ExitStack() as held:
            for _ in range(MAX_TRIALS_OF_TENANT):
                held.enter_context(places.taken("one"))
            with pytest.raises(RateLimitedError):
                held.enter_context(places.taken("one"))
            for number in range(MAX_TRIALS - MAX_TRIALS_OF_TENANT):
                held.enter_context(places.taken(f"other-{number}"))
            with pytest.raises(RateLimitedError):
                held.enter_context(places.taken("last"))


def test_a_test_that_fails_gives_its_place_back() -> None:
    places = TrialPlaces()
    for _ in range(MAX_TRIALS + 1):
        with pytest.raises(ZeroDivisionError), places.taken("one"):
            raise ZeroDivisionError
