"""Scores: 0 to 100 from the severities of matches.

Each match multiplies the remaining distance to 100 by what its severity leaves over (a noisy-OR, Pearl 1988,
"Probabilistic Reasoning in Intelligent Systems", section 4.3.2): one critical match gives 80, two give 96, a critical
and a warning 88. More or worse matches never lower a score, and 100 is a limit.
"""

from __future__ import annotations

from collections.abc import Iterable

from sentinel.domain.rule import Severity

WEIGHTS: dict[str, float] = {Severity.CRITICAL: 0.8, Severity.WARNING: 0.4, Severity.INFO: 0.1}


def score_of_counts(critical: int, warning: int, info: int) -> int:
    """Return the score of so many matches of each severity, an integer in 0..100."""
    left = (
        (1 - WEIGHTS[Severity.CRITICAL]) ** critical
        * (1 - WEIGHTS[Severity.WARNING]) ** warning
        * (1 - WEIGHTS[Severity.INFO]) ** info
    )
    return round(100 * (1 - left))


def score_of(severities: Iterable[str]) -> int:
    """Return the score of matches with these severities, an integer in 0..100."""
    found = list(severities)
    return score_of_counts(found.count(Severity.CRITICAL), found.count(Severity.WARNING), found.count(Severity.INFO))
