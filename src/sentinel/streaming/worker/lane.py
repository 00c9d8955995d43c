"""One lane of the worker: takes tasks one after the other and does them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from psycopg import DataError

from sentinel.clock import monotonic_seconds
from sentinel.domain.engine_task import LANES, ClaimedTask, Lane, TaskFailure, TaskKind, TaskState
from sentinel.errors import LeaseLostError, SentinelError, StoreUnavailableError, TransientError
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database, first_line
from sentinel.stores.postgres.engine_tasks import EngineTaskQueue
from sentinel.streaming.engine_task import Handler, TaskContext
from sentinel.streaming.worker.metrics import TaskMetrics
from sentinel.streaming.worker.spark import WarmSpark

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0
RETRY_SECONDS = 1.0
LOST = "lost to another worker"


class LaneThread(threading.Thread):
    """A thread that does the tasks of one lane.

    Of the tenants that have something to do, the one is served next that was served longest ago.
    """

    def __init__(
        self,
        lane: Lane,
        handlers: Mapping[TaskKind, Handler],
        *,
        settings: Settings,
        database: Database,
        queue: EngineTaskQueue,
        spark: WarmSpark,
        wake: threading.Event,
        stopping: threading.Event,
        metrics: TaskMetrics,
    ) -> None:
        super().__init__(name=f"lane-{lane}", daemon=True)
        self._metrics = metrics
        self.lane = lane
        self._handlers = {kind: handler for kind, handler in handlers.items() if LANES[kind] is lane}
        self._settings = settings
        self._database = database
        self._queue = queue
        self._spark = spark
        self._wake = wake
        self._stopping = stopping
        self._served: dict[str, float] = {}

    def run(self) -> None:
        """Do tasks until the worker stops or its Spark is gone."""
        while not self._stopping.is_set() and not self._spark.is_gone():
            self._wake.clear()
            try:
                task = self._take()
                if task is not None:
                    self._do(task)
                    continue
            except StoreUnavailableError as error:
                log.warning("%s tasks wait: %s", self.lane, error)
                self._stopping.wait(RETRY_SECONDS)
            self._wake.wait(self._settings.worker.poll_seconds)

    def _take(self) -> ClaimedTask | None:
        waiting = self._queue.waiting(self.lane, list(self._handlers))
        for tenant_id, task_id in sorted(waiting, key=lambda each: (self._served.get(each[0], 0.0), each[1])):
            task = self._queue.claim(tenant_id, task_id)
            if task is not None:
                self._served[tenant_id] = monotonic_seconds()
                return task
        return None

    def _do(self, task: ClaimedTask) -> None:
        began = monotonic_seconds()
        group = f"task-{task.id}-{task.attempt}"

        def session() -> Any:
            spark = self._spark.session()
            self._spark.begin(group, self.lane)
            return spark

        context = TaskContext(
            tenant_id=task.tenant_id,
            pipeline_id=task.pipeline_id,
            task_id=task.id,
            request=task.request,
            settings=self._settings,
            database=self._database,
            _start_spark=session,
        )
        keeper = Keeper(self._queue, task, context, self._stopping, lambda: self._spark.cancel(group))
        keeper.start()
        result: dict[str, Any] | None = None
        error: Exception | None = None
        try:
            result = self._handlers[task.kind](context)
        except Exception as raised:
            error = raised
        finally:
            keeper.stop()
        outcome = self._write_end(task, context, keeper, result, error)
        took = monotonic_seconds() - began
        self._metrics.ended(task.kind, outcome, took)
        log.info("task %d (%s of %s): %s, %.2f s", task.id, task.kind, task.tenant_id, outcome, took)

    def _write_end(
        self,
        task: ClaimedTask,
        context: TaskContext,
        keeper: Keeper,
        result: dict[str, Any] | None,
        error: Exception | None,
    ) -> str:
        """Write what became of a task; a result counts even if its task was to be stopped at the last moment."""
        progress = context.take_progress()
        if keeper.lost:
            return LOST
        if result is not None:
            return self._finish(task, TaskState.DONE, progress, result=result)
        if keeper.cancelled:
            return self._finish(task, TaskState.CANCELLED, progress)
        if context.cancelled():
            self._queue.give_back(task, counts=False)
            return "given back, the worker stops"
        if self._is_worth_another(task, error):
            self._stopping.wait(RETRY_SECONDS * task.attempt)
            self._queue.give_back(task, counts=True)
            return f"given back: {error}"
        return self._finish(task, TaskState.FAILED, progress, failure=failure_of(task, error))

    def _is_worth_another(self, task: ClaimedTask, error: Exception | None) -> bool:
        """Tell whether to try again later. Whoever waits for a short task asks again himself."""
        passing = isinstance(error, TransientError) and self.lane is Lane.LONG
        return task.attempt < self._settings.worker.max_attempts and (passing or self._spark.is_gone())

    def _finish(self, task: ClaimedTask, state: TaskState, progress: dict[str, Any] | None, **more: Any) -> str:
        """Write the end; while PostgreSQL is away wait, for as long as nobody else can have taken the task up."""
        deadline = monotonic_seconds() + self._settings.worker.lease_seconds
        while True:
            try:
                return str(state) if self._queue.finish(task, state, progress=progress, **more) else LOST
            except StoreUnavailableError:
                if monotonic_seconds() > deadline or self._stopping.wait(RETRY_SECONDS):
                    raise
            except (TypeError, ValueError, DataError) as error:
                if state is TaskState.FAILED:
                    raise
                return self._finish(task, TaskState.FAILED, None, failure=failure_of(task, error))


def failure_of(task: ClaimedTask, error: Exception | None) -> TaskFailure:
    """Return what is told of a task that failed; what was not raised on purpose goes to the log in full."""
    if isinstance(error, SentinelError):
        return TaskFailure(error.slug, error.message)
    log.error("task %d failed", task.id, exc_info=error)
    why = f"{type(error).__name__}: {first_line(error)[:500]}" if error else "it gave no result"
    return TaskFailure("internal", f"the task failed: {why}")


class Keeper(threading.Thread):
    """Keeps a task by its heartbeat, publishes its progress, and stops it when it is to end early.

    Attributes:
        cancelled: Whether somebody asked to cancel the task.
        lost: Whether another worker holds it by now.
    """

    def __init__(
        self,
        queue: EngineTaskQueue,
        task: ClaimedTask,
        context: TaskContext,
        stopping: threading.Event,
        interrupt: Any,
    ) -> None:
        super().__init__(name=f"keeper-{task.id}", daemon=True)
        self._queue = queue
        self._task = task
        self._context = context
        self._stopping = stopping
        self._interrupt = interrupt
        self._ended = threading.Event()
        self.cancelled = False
        self.lost = False

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Beat until the task has ended."""
        while not self._ended.wait(HEARTBEAT_SECONDS):
            try:
                self.cancelled = self._queue.beat(self._task, self._context.take_progress())
            except LeaseLostError:
                self.lost = True
            except StoreUnavailableError as error:
                log.warning("task %d goes on without heartbeat: %s", self._task.id, error)
            if self.cancelled or self.lost or self._stopping.is_set():
                self._context.stopped.set()
                self._interrupt()
