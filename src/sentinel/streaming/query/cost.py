"""What a rule costs per event, measured on a sample of real events, off the alert path."""

from __future__ import annotations

import math

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sentinel.clock import monotonic_seconds
from sentinel.streaming.query.lookups import Lookups

SAMPLE_ROWS = 2_000
# A condition is measured on the sample so many times over that it adds this long to a run: a few milliseconds say more
# of the machine than of the rule. No more than so many evaluations, which tell a microsecond on a busy machine.
RUN_SECONDS = 0.25
MOST_EVALUATIONS = 250_000
RUNS = 3
FEW_ROWS = 50
FEW_SECONDS = 2.0


class CostMeter:
    """Measures conditions over a sample of events.

    A figure is the shortest of some runs beyond the shortest of runs with a condition that costs nothing: work beside
    it makes runs longer, never shorter.
    """

    def __init__(self, events: DataFrame) -> None:
        """Take the sample. Columns in: event struct; at most `SAMPLE_ROWS` rows are kept, in memory."""
        self._sample = events.select("event").limit(SAMPLE_ROWS).persist()
        self.rows: int = self._sample.count()
        # What is very expensive is told by few of them.
        self._few: int = min(FEW_ROWS, self.rows)
        self._empty: dict[int, float] = {}

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
        few = _shortest(sample.limit(self._few), condition)
        if few >= FEW_SECONDS:
            return few * 1e6 / self._few
        repeats = 1
        while True:
            spent = self._seconds(sample, condition, repeats)
            if spent >= RUN_SECONDS or 4 * repeats * self.rows > MOST_EVALUATIONS:
                return spent * 1e6 / (self.rows * repeats)
            repeats *= 4

    def _seconds(self, sample: DataFrame, condition: str, repeats: int) -> float:
        """Return what the condition adds to a run over so many times the sample."""
        if repeats not in self._empty:
            self._empty[repeats] = _shortest(_repeated(self._sample, repeats), "false")
        return max(0.0, _shortest(_repeated(sample, repeats), condition) - self._empty[repeats])


def _repeated(sample: DataFrame, repeats: int) -> DataFrame:
    if repeats == 1:
        return sample
    return sample.crossJoin(F.broadcast(sample.sparkSession.range(repeats).select("id")))


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
