"""Use cases on engine tasks: submit, look, cancel; and ask the engine something and wait for the answer."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sentinel.catalog.rules import no_pipeline
from sentinel.clock import monotonic_seconds
from sentinel.domain.engine_task import LANES, EngineTask, Lane, TaskFailure, TaskKind
from sentinel.errors import (
    ConfigurationError,
    ConflictError,
    EngineUnavailableError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    SentinelError,
    TooBroadError,
    TransientError,
)
from sentinel.stores.base import PipelineReader
from sentinel.stores.beside_rules import EngineTaskStore

# Per tenant: what one of them asks for must not fill the queue of all.
MAX_WAITING = {Lane.SHORT: 100, Lane.LONG: 20}
POLL_FIRST_SECONDS = 0.01
POLL_MOST_SECONDS = 0.1

_FAILURES: dict[str, type[SentinelError]] = {
    kind.slug: kind
    for kind in (InvalidError, TooBroadError, NotFoundError, ConflictError, ConfigurationError, TransientError)
}


class EngineTaskCatalog:
    """Engine tasks of one tenant."""

    def __init__(self, pipelines: PipelineReader, tasks: EngineTaskStore, caller: str) -> None:
        self._pipelines = pipelines
        self._tasks = tasks
        self._caller = caller

    def submit(self, pipeline_id: int, kind: TaskKind, request: dict[str, Any]) -> EngineTask:
        """Have a task done by the next worker that is free.

        Raises:
            NotFoundError: There is no such pipeline.
            RateLimitedError: Too many of the tenant's tasks wait.
        """
        if self._pipelines.get(pipeline_id) is None:
            raise no_pipeline(pipeline_id)
        lane = LANES[kind]
        waiting = self._tasks.waiting_count(lane)
        if waiting >= MAX_WAITING[lane]:
            raise RateLimitedError(
                f"{waiting} {lane} tasks are not finished yet, as many as may wait; cancel some or come back later",
                retry_after_seconds=5.0,
            )
        return self._tasks.add(pipeline_id, kind, request, created_by=self._caller)

    def get(self, task_id: int) -> EngineTask:
        """Return a task.

        Raises:
            NotFoundError: There is no such task (any more).
        """
        task = self._tasks.get(task_id)
        if task is None:
            raise NotFoundError(f"there is no task {task_id}; finished ones are kept for a while only")
        return task

    def list(
        self,
        *,
        pipeline_id: int | None = None,
        kind: TaskKind | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[EngineTask]:
        """Return tasks, newest first."""
        return self._tasks.list(pipeline_id=pipeline_id, kind=kind, before=before, limit=limit)

    def cancel(self, task_id: int) -> EngineTask:
        """End a task that waits; one that runs is asked to end, which it does within seconds.

        Raises:
            NotFoundError: There is no such task.
            ConflictError: It is finished.
        """
        cancelled = self._tasks.cancel(task_id)
        if cancelled is not None:
            return cancelled
        raise ConflictError(f"task {task_id} is {self.get(task_id).state} already")

    def forget(self, task_id: int) -> None:
        """Delete a finished task."""
        self._tasks.forget(task_id)


class EngineDesk:
    """Asks the engine something on behalf of a request that waits for the answer.

    No transaction is open while it waits: a task is seen by a worker only after its commit.

    Args:
        tasks: Opens a unit of work.
        places: How many requests may wait at the same time, over all of the process.
    """

    def __init__(
        self,
        tasks: Callable[[], AbstractContextManager[EngineTaskCatalog]],
        places: threading.BoundedSemaphore,
        *,
        timeout_seconds: float,
    ) -> None:
        self._tasks = tasks
        self._places = places
        self._timeout_seconds = timeout_seconds

    def ask(self, pipeline_id: int, kind: TaskKind, request: dict[str, Any]) -> dict[str, Any]:
        """Submit a short task, wait for its result and forget it. What is not answered in time is cancelled.

        Raises:
            EngineUnavailableError: No worker takes it, or it is not answered in time.
            RateLimitedError: Too many of the tenant's tasks wait.
            SentinelError: What the task failed with.
        """
        if not self._places.acquire(blocking=False):
            raise EngineUnavailableError("as many requests as may wait for a rule worker do; come back in a moment")
        try:
            with self._tasks() as tasks:
                task = tasks.submit(pipeline_id, kind, request)
            return self._answer(self.wait(task.id, self._timeout_seconds))
        finally:
            self._places.release()

    def wait(self, task_id: int, timeout_seconds: float) -> EngineTask:
        """Return a task once it is finished, or as it is after so many seconds.

        Raises:
            NotFoundError: There is no such task (any more).
        """
        deadline = monotonic_seconds() + timeout_seconds
        pause = POLL_FIRST_SECONDS
        while True:
            with self._tasks() as tasks:
                task = tasks.get(task_id)
            if task.state.is_final or monotonic_seconds() >= deadline:
                return task
            time.sleep(pause)
            pause = min(pause * 1.5, POLL_MOST_SECONDS)

    def _answer(self, task: EngineTask) -> dict[str, Any]:
        with self._tasks() as tasks:
            if not task.state.is_final:
                # Finished this very moment: then that counts.
                with contextlib.suppress(ConflictError):
                    tasks.cancel(task.id)
                task = tasks.get(task.id)
            if task.state.is_final:
                tasks.forget(task.id)
        if task.error is not None:
            raise failure_of(task.error)
        if task.result is None:
            raise _not_answered(task, self._timeout_seconds)
        return task.result


def failure_of(failure: TaskFailure) -> SentinelError:
    """Return the error that a task failed with."""
    return _FAILURES.get(failure.slug, SentinelError)(failure.message)


def _not_answered(task: EngineTask, seconds: float) -> EngineUnavailableError:
    if task.attempts == 0:
        return EngineUnavailableError(
            f"no rule worker took the task within {seconds:g} s: it is away (start it with `sentinel rule-worker`, "
            "`sentinel status` shows it) or busy; come back in a moment"
        )
    return EngineUnavailableError(
        f"the rule worker has not answered within {seconds:g} s: its Spark is starting, or the machine is busy; come "
        "back in a moment"
    )
