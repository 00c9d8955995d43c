"""Points and decisions."""

from __future__ import annotations

import pytest

from sentinel.domain.rollout import guard_rail
from sentinel.domain.scorecard import Decision, ScorecardMember, Thresholds

CARD = ScorecardMember(1, 2, "risk", {7: 30, 8: 50, 9: -20}, Thresholds(50, 80))


@pytest.mark.parametrize(
    ("rule_ids", "score", "decision"),
    [
        ([7], 30, Decision.APPROVE),
        ([8], 50, Decision.REVIEW),
        ([7, 8], 80, Decision.DECLINE),
        ([7, 8, 9], 60, Decision.REVIEW),
        ([9], -20, Decision.APPROVE),
        ([8, 100], 50, Decision.REVIEW),
    ],
)
def test_the_points_of_what_matched_decide(rule_ids: list[int], score: int, decision: Decision) -> None:
    assert CARD.score(rule_ids) == score
    assert CARD.thresholds.decide(score) is decision


def test_rules_without_points_decide_nothing() -> None:
    assert CARD.score([100]) is None


def test_it_is_stored_as_it_is() -> None:
    assert ScorecardMember.from_json(CARD.as_json()) == CARD


class TestGuardRail:
    @pytest.mark.parametrize(
        ("control", "candidate", "share"),
        [(900, 100, 1000), (900, 130, 1000), (5, 5, 1000), (0, 500, 10_000), (450, 550, 5000)],
    )
    def test_lets_go_on(self, control: int, candidate: int, share: int) -> None:
        assert guard_rail(control, candidate, share) is None

    @pytest.mark.parametrize(
        ("control", "candidate", "share"), [(900, 300, 1000), (900, 30, 1000), (0, 60, 1000), (100, 0, 5000)]
    )
    def test_stops(self, control: int, candidate: int, share: int) -> None:
        assert guard_rail(control, candidate, share) is not None

    def test_says_why(self) -> None:
        assert guard_rail(900, 300, 1000) == (
            "the candidate matched 300 entities of a share of 10 %, the control 900 of the others: 3 times as many, "
            "allowed is 0.5 to 2"
        )
