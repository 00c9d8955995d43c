"""What a rule worker counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from sentinel.domain.engine_task import TaskKind
from sentinel.telemetry.bounded import known

BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
OUTCOMES = frozenset({"done", "failed", "cancelled", "given_back", "lost"})


class TaskMetrics:
    """Counts tasks. Thread-safe.

    Args:
        registry: Where they are told; None: nowhere.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._tasks = Counter(
            "engine_tasks",
            "Tasks that this worker had, by what became of them.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "engine_task_seconds", "Time of one task.", ["kind"], buckets=BUCKETS, registry=registry
        )

    def ended(self, kind: TaskKind, outcome: str, seconds: float) -> None:
        """Count a task.

        Args:
            outcome: In words, beginning with one of `OUTCOMES`.
        """
        word = next((each for each in OUTCOMES if outcome.startswith(each.replace("_", " "))), "")
        self._tasks.labels(kind.value, known(word, OUTCOMES)).inc()
        self._seconds.labels(kind.value).observe(seconds)
