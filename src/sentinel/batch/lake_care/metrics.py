"""What care of the lake counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from sentinel.domain.lake_care import CareOutcome

BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class LakeCareMetrics:
    """Counts runs over the tables of all tenants. Thread-safe.

    Args:
        registry: Where they are told; None: nowhere.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._runs = Counter("lake_care_runs", "Runs, by what became of them.", ["outcome"], registry=registry)
        self._files = Counter("lake_care_files", "Files, by what was done to them.", ["action"], registry=registry)
        self._seconds = Histogram("lake_care_seconds", "Time of one run.", buckets=BUCKETS, registry=registry)

    def ran(self, outcome: CareOutcome, seconds: float) -> None:
        """Count a run."""
        self._runs.labels("done" if outcome.error is None else "failed").inc()
        self._files.labels("merged").inc(outcome.merged_files)
        self._files.labels("written").inc(outcome.written_files)
        self._files.labels("deleted").inc(outcome.deleted_files)
        self._seconds.observe(seconds)
