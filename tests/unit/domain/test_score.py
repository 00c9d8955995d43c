"""Scores from severities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.score import score_of, score_of_counts


@pytest.mark.parametrize(
    ("severities", "score"),
    [
        ([], 0),
        (["info"], 10),
        (["warning"], 40),
        (["critical"], 80),
        (["critical"] * 2, 96),
        (["critical", "warning"], 88),
    ],
)
def test_score_of_severities(severities: list[str], score: int) -> None:
    assert score_of(severities) == score


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_more_matches_never_lower_a_score_and_100_is_the_limit(critical: int, warning: int, info: int) -> None:
    score = score_of_counts(critical, warning, info)
    assert 0 <= score <= 100
    assert score_of_counts(critical + 1, warning, info) >= score
    assert score_of_counts(critical, warning, info + 1) >= score
