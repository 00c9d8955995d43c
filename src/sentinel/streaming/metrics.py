"""What a detection job measures. Per commit, per generation, per turn: nothing is measured per record."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram

from sentinel.clock import monotonic_seconds
from sentinel.stores.postgres.findings import GenerationFindings

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
DELAYS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
COUNTS = (1, 10, 100, 1_000, 5_000, 10_000, 20_000, 50_000)
PHASES = ("decode", "plan", "evaluate", "commit")


class JobMetrics:
    """The metrics of one driver, by pipeline.

    Args:
        registry: Where they are told; None: nowhere.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        label = ["pipeline_id"]
        self.phases = Histogram(
            "detect_phase_seconds",
            "Time of a turn's phases: decode and commit in Real-Time Mode; plan, evaluate and commit in micro-batches.",
            [*label, "phase"],
            buckets=SECONDS,
            registry=registry,
        )
        self.findings = Counter("findings_committed", "Findings, by kind.", [*label, "kind"], registry=registry)
        self.alerts = Counter("alerts_committed", "Alerts that this job wrote.", label, registry=registry)
        self.per_commit = Histogram(
            "findings_per_commit", "Findings of one transaction.", label, buckets=COUNTS, registry=registry
        )
        self.retries = Counter(
            "commit_retries", "Transactions of findings that PostgreSQL did not take.", label, registry=registry
        )
        self.delay = Histogram(
            "alert_delay_seconds",
            "From the Kafka timestamp of a transaction's newest finding to its commit.",
            label,
            buckets=DELAYS,
            registry=registry,
        )
        self.starts = Counter(
            "generation_starts", "Generations, by whether they came to serve.", [*label, "outcome"], registry=registry
        )
        self.start_seconds = Histogram(
            "generation_start_seconds",
            "From a generation's start until it serves.",
            label,
            buckets=SECONDS,
            registry=registry,
        )
        self.archive_seconds = Histogram(
            "archive_commit_seconds", "Time of one commit to the lake.", label, buckets=SECONDS, registry=registry
        )
        self.archived = Counter(
            "archive_records",
            "Records of commits to the lake: events, and dead letters that were passed over.",
            [*label, "kind"],
            registry=registry,
        )
        self.archive_failures = Counter(
            "archive_failures", "Rounds of the archive that failed.", label, registry=registry
        )
        self.outcomes = Counter(
            "rule_outcomes",
            "Outcomes of rules for events: match as findings are committed, the others as the lake is counted.",
            [*label, "outcome"],
            registry=registry,
        )

    def of(self, pipeline_id: int) -> PipelineMetrics:
        """Return those of a pipeline."""
        return PipelineMetrics(self, str(pipeline_id))


class PipelineMetrics:
    """The metrics of one pipeline. Used by its threads at once."""

    def __init__(self, metrics: JobMetrics, pipeline_id: str) -> None:
        self._metrics = metrics
        self._label = pipeline_id
        self._phases = {phase: metrics.phases.labels(pipeline_id, phase) for phase in PHASES}
        self._lock = threading.Lock()
        self._matches_not_observed = 0

    @classmethod
    def silent(cls) -> PipelineMetrics:
        """Return what is told nowhere."""
        return JobMetrics().of(0)

    def phase(self, name: str, seconds: float) -> None:
        """Note how long a phase took; one of `PHASES`."""
        self._phases[name].observe(seconds)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measure a phase that succeeds."""
        began = monotonic_seconds()
        yield
        self.phase(name, monotonic_seconds() - began)

    def retried(self) -> None:
        """Count a transaction that PostgreSQL did not take."""
        self._metrics.retries.labels(self._label).inc()

    def committed(self, parts: list[GenerationFindings], alerts: int, at: datetime) -> None:
        """Count a transaction that was committed.

        Args:
            alerts: How many alerts it wrote.
        """
        metrics, label = self._metrics, self._label
        metrics.alerts.labels(label).inc(alerts)
        matches = sum(len(part.batch.matches) for part in parts)
        dead = sum(len(part.batch.dead_letters) for part in parts)
        clean = sum(len(part.batch.clean) for part in parts)
        for kind, count in (("match", matches), ("dead_letter", dead), ("clean", clean)):
            if count:
                metrics.findings.labels(label, kind).inc(count)
        if matches + dead + clean:
            metrics.per_commit.labels(label).observe(matches + dead + clean)
        newest = max((part.batch.newest_ms for part in parts), default=0)
        if newest:
            metrics.delay.labels(label).observe(max(0.0, at.timestamp() - newest / 1000))
        if matches:
            true = sum(len(match.rules) for part in parts for match in part.batch.matches)
            metrics.outcomes.labels(label, "match").inc(true)
            with self._lock:
                self._matches_not_observed += true

    def observed(self, evaluated: int, unknown: int) -> None:
        """Count what rules in force said of events in the lake.

        Their matches were counted when they were committed, so what is neither unknown nor one of those is no match.
        Both follow each other by minutes: over time the three add up.
        """
        with self._lock:
            matched = min(self._matches_not_observed, max(0, evaluated - unknown))
            self._matches_not_observed -= matched
        outcomes = self._metrics.outcomes
        outcomes.labels(self._label, "unknown").inc(unknown)
        outcomes.labels(self._label, "no_match").inc(max(0, evaluated - unknown - matched))

    def served(self, seconds: float) -> None:
        """Count a generation that came to serve, so long after it was begun."""
        self._metrics.starts.labels(self._label, "served").inc()
        self._metrics.start_seconds.labels(self._label).observe(seconds)

    def not_served(self) -> None:
        """Count a generation that could not start or was given up."""
        self._metrics.starts.labels(self._label, "failed").inc()

    def archived(self, seconds: float, *, events: int, dead: int) -> None:
        """Count a commit to the lake."""
        self._metrics.archive_seconds.labels(self._label).observe(seconds)
        self._metrics.archived.labels(self._label, "event").inc(events)
        self._metrics.archived.labels(self._label, "dead_letter").inc(dead)

    def not_archived(self) -> None:
        """Count a round of the archive that failed."""
        self._metrics.archive_failures.labels(self._label).inc()
