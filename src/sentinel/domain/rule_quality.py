"""How good a rule is, by what people found its alerts to be."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

# The 97.5th percentile of the standard normal distribution: an interval of 95 %.
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Precision:
    """The share of true positives among the alerts that were judged, with its interval of 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class VersionQuality:
    """The alerts of one version of a rule in a range of time.

    Attributes:
        version: Of the rule; None: of all its versions together.
        acknowledged: Alerts with an acknowledgement that holds, resolved ones included.
        seconds_to_acknowledge, seconds_to_resolve: Medians since the alert; None: there was none.
    """

    version: int | None
    alerts: int
    acknowledged: int
    resolved: int
    suppressed: int
    true_positives: int
    false_positives: int
    benign: int
    seconds_to_acknowledge: float | None
    seconds_to_resolve: float | None

    @property
    def precision(self) -> Precision | None:
        """Of true and false positives; benign ones count on neither side. None: nothing was judged."""
        judged = self.true_positives + self.false_positives
        if not judged:
            return None
        low, high = wilson_interval(self.true_positives, judged)
        return Precision(self.true_positives / judged, low, high)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the score interval of a proportion, 95 %.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927), 209-212; recommended for small numbers by Brown, Cai and DasGupta, "Interval
    estimation for a binomial proportion", Statistical Science 16 (2001), 101-133.

    Args:
        trials: At least 1.
    """
    share = successes / trials
    weight = _Z * _Z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * sqrt(share * (1 - share) / trials + weight / (4 * trials))
    return max(0.0, centre - half), min(1.0, centre + half)
