"""What a rule costs per event, measured on a sample of real events, off the alert path."""

from __future__ import annotations

import math

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sentinel.clock import monotonic_seconds
from sentinel.streaming.query.lookups import Lookups

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
        many = _many(self._sample)
        self._empty = {1: _shortest(self._sample, "false"), REPEATS: _shortest(many, "false")} if self.rows else {}

    def microseconds(self, condition: str, lookups: Lookups | None = None) -> float:
        """Return what a compiled condition costs per event.

        Args:
            lookups: What it looks up. That is done beforehand: rules share it, so it is no rule's cost.

        Raises:
            PySparkException: It throws.
            StoreUnavailableError: The rows of lists cannot be read now.
        """
        if not self.rows:
            raise ValueError("there are no events to measure on")
        if lookups is None or lookups.is_empty:
            return self._microseconds(self._sample, condition)
        sample = lookups.add_to(self._sample).persist()
        try:
            return self._microseconds(sample, condition)
        finally:
            sample.unpersist()

    def close(self) -> None:
        """Give the memory back."""
        self._sample.unpersist()

    def _microseconds(self, sample: DataFrame, condition: str) -> float:
        found = self._per_event(sample, condition, 1)
        if found >= CHEAP_MICROSECONDS:
            return found
        return self._per_event(_many(sample), condition, REPEATS)

    def _per_event(self, rows: DataFrame, condition: str, repeats: int) -> float:
        spent = _shortest(rows, condition) - self._empty[repeats]
        return max(0.0, spent) * 1e6 / (self.rows * repeats)


def _many(sample: DataFrame) -> DataFrame:
    return sample.crossJoin(F.broadcast(sample.sparkSession.range(REPEATS)))


def _shortest(rows: DataFrame, condition: str) -> float:
    counted = rows.agg(F.count_if(F.expr(condition)))
    best: float = math.inf
    # The first run compiles.
    for _ in range(RUNS + 1):
        began = monotonic_seconds()
        counted.collect()
        spent: float = monotonic_seconds() - began
        best = min(best, spent)
    return best
