"""What a rule costs per event, measured on a sample of real events, off the alert path."""

from __future__ import annotations

import math

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sentinel.clock import monotonic_seconds

SAMPLE_ROWS = 2_000
# A rule that is cheap on the sample is measured on so many times more rows; the others are expensive enough to tell.
REPEATS = 50
CHEAP_MICROSECONDS = 20.0
RUNS = 3


class CostMeter:
    """Measures conditions over a sample of events.

    A figure is the shortest of some runs beyond the shortest of runs with a condition that costs nothing: work beside
    it makes runs longer, never shorter.
    """

    def __init__(self, events: DataFrame) -> None:
        """Take the sample. Columns in: event struct; at most `SAMPLE_ROWS` rows are kept, in memory."""
        self._sample = events.select("event").limit(SAMPLE_ROWS).persist()
        self.rows: int = self._sample.count()
        self._many = self._sample.crossJoin(F.broadcast(self._sample.sparkSession.range(REPEATS)))
        self._empty = {1: self._shortest("false", 1), REPEATS: self._shortest("false", REPEATS)} if self.rows else {}

    def microseconds(self, condition: str) -> float:
        """Return what a compiled condition costs per event.

        Raises:
            PySparkException: It throws.
        """
        if not self.rows:
            raise ValueError("there are no events to measure on")
        found = self._per_event(condition, 1)
        return self._per_event(condition, REPEATS) if found < CHEAP_MICROSECONDS else found

    def close(self) -> None:
        """Give the memory back."""
        self._sample.unpersist()

    def _per_event(self, condition: str, repeats: int) -> float:
        spent = self._shortest(condition, repeats) - self._empty[repeats]
        return max(0.0, spent) * 1e6 / (self.rows * repeats)

    def _shortest(self, condition: str, repeats: int) -> float:
        rows = self._sample if repeats == 1 else self._many
        counted = rows.agg(F.count_if(F.expr(condition)))
        best: float = math.inf
        # The first run compiles.
        for _ in range(RUNS + 1):
            began = monotonic_seconds()
            counted.collect()
            spent: float = monotonic_seconds() - began
            best = min(best, spent)
        return best
