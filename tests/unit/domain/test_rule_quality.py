"""Precision and its interval."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sentinel.domain.rule_quality import VersionQuality, wilson_interval

NONE = VersionQuality(1, 20, 0, 0, 0, 0, 0, 0, None, None)


class TestWilsonInterval:
    # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
    # table I, method 3.
    @pytest.mark.parametrize(
        ("successes", "trials", "low", "high"),
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
    )
    def test_published_values(self, successes: int, trials: int, low: float, high: float) -> None:
        assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)

    @pytest.mark.parametrize("trials", [1, 2, 1000, 10**9])
    def test_it_holds_the_share_and_stays_within_0_and_1(self, trials: int) -> None:
        for successes in {0, 1, trials // 2, trials}:
            low, high = wilson_interval(successes, trials)
            assert 0 <= low <= successes / trials + 1e-12
            assert successes / trials - 1e-12 <= high <= 1


class TestPrecision:
    def test_nothing_judged_says_nothing(self) -> None:
        assert NONE.precision is None
        assert replace(NONE, benign=5).precision is None

    def test_benign_ones_count_on_neither_side(self) -> None:
        judged = replace(NONE, true_positives=3, false_positives=1, benign=7).precision
        assert judged is not None
        assert judged.value == 0.75
