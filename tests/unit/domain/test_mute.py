"""What a rule set's mutes and snoozes silence."""

from __future__ import annotations

import pytest

from sentinel.domain.mute import Silence, Silencer, SuppressionCause

MUTED, SNOOZED = SuppressionCause.MUTED, SuppressionCause.SNOOZED


def cause(*silences: Silence, rule_id: int = 1, user: str = "u1", timestamp_ms: int = 500) -> SuppressionCause | None:
    """Return why a match of a rule on a user raises no alert."""
    return Silencer(silences).cause(rule_id, {"user_id": user, "card": "c1"}, timestamp_ms)


def test_nothing_is_silent_without_a_mute() -> None:
    assert not Silencer(())
    assert cause() is None


@pytest.mark.parametrize(("rule_id", "expected"), [(1, MUTED), (2, None)])
def test_a_mute_is_about_one_rule(rule_id: int, expected: SuppressionCause | None) -> None:
    assert cause(Silence(1, 1, None, None, None), rule_id=rule_id) is expected


@pytest.mark.parametrize(("timestamp_ms", "expected"), [(499, MUTED), (500, None), (501, None)])
def test_it_ends_with_the_timestamp_of_the_record(timestamp_ms: int, expected: SuppressionCause | None) -> None:
    assert cause(Silence(1, 1, None, None, 500), timestamp_ms=timestamp_ms) is expected


def test_a_snooze_is_about_one_value_of_one_field() -> None:
    snooze = Silence(1, None, "user_id", "u1", 1000)
    assert cause(snooze) is SNOOZED
    assert cause(snooze, rule_id=2) is SNOOZED
    assert cause(snooze, user="u2") is None
    assert cause(Silence(1, None, "card", "u1", 1000)) is None


def test_a_snooze_may_be_about_one_rule_only() -> None:
    snooze = Silence(1, 1, "user_id", "u1", 1000)
    assert (cause(snooze), cause(snooze, rule_id=2)) == (SNOOZED, None)


def test_of_several_the_longest_counts() -> None:
    assert cause(Silence(1, 1, None, None, 100), Silence(2, 1, None, None, 900)) is MUTED
    assert cause(Silence(1, 1, "user_id", "u1", 100), Silence(2, None, "user_id", "u1", 900)) is SNOOZED


def test_a_mute_is_told_before_a_snooze() -> None:
    assert cause(Silence(1, None, "user_id", "u1", 900), Silence(2, 1, None, None, None)) is MUTED
