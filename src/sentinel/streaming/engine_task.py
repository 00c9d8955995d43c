"""What a rule worker hands to the code that does a kind of task."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from sentinel.errors import TransientError
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database


class TaskStoppedError(TransientError):
    """A task ends early: it was cancelled, its worker stops, or another worker holds it."""

    slug = "task-stopped"
    title = "The task was stopped"


@dataclass(slots=True)
class TaskContext:
    """One task while it is done.

    Attributes:
        request: As it was submitted.
        database: For transactions of `tenant_id`.
        stopped: Set when the task is to end early.
    """

    tenant_id: str
    pipeline_id: int
    task_id: int
    request: Mapping[str, Any]
    settings: Settings
    database: Database
    _start_spark: Callable[[], SparkSession]
    stopped: threading.Event = field(default_factory=threading.Event)
    _spark: SparkSession | None = None
    _progress: dict[str, Any] | None = None

    @property
    def spark(self) -> SparkSession:
        """A session of this task's own, with the settings that evaluation of rules needs, in the warm driver.

        The first one of a worker starts Spark, which takes seconds.
        """
        if self._spark is None:
            self._spark = self._start_spark()
        return self._spark

    def report(self, progress: Mapping[str, Any]) -> None:
        """Say how far the task is, as JSON; it is published with the next heartbeat, within a second."""
        self._progress = dict(progress)

    def cancelled(self) -> bool:
        """Whether the task is to end early; a handler then stops at a good moment, by `check` or by returning."""
        return self.stopped.is_set()

    def check(self) -> None:
        """End the task here if it is to end early.

        Raises:
            TaskStoppedError: It is.
        """
        if self.stopped.is_set():
            raise TaskStoppedError(f"task {self.task_id} was stopped")

    def take_progress(self) -> dict[str, Any] | None:
        """Return what was reported since the last call; for the worker."""
        reported, self._progress = self._progress, None
        return reported


Handler = Callable[[TaskContext], dict[str, Any]]
"""Does a task and returns its result, as JSON.

A `SentinelError` that it raises becomes the task's error; a transient one gives the task back, to be tried again a few
times. It may be called again for a task that another worker began, so what it writes is written once or not at all.
Spark work of a task that is stopped is cancelled under it.
"""
