"""The rule worker: a process that serves the tasks of one tenant or of all."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Mapping
from types import FrameType

import psycopg

from sentinel.domain.engine_task import Lane, TaskKind
from sentinel.errors import StoreUnavailableError, TerminalError
from sentinel.settings import PostgresSettings, Settings
from sentinel.stores.postgres.database import Database, first_line
from sentinel.stores.postgres.engine_tasks import CHANNEL, EngineTaskQueue
from sentinel.streaming.engine_task import Handler
from sentinel.streaming.worker.lane import RETRY_SECONDS, LaneThread
from sentinel.streaming.worker.metrics import TaskMetrics
from sentinel.streaming.worker.spark import WarmSpark
from sentinel.telemetry.health import Check

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0


class RuleWorker:
    """Serves tasks in two lanes, so that an explanation does not wait for a backtest.

    Args:
        handlers: What it can do; tasks of other kinds are left to other workers.
        tenant_id: Serve this tenant only; empty: all.
    """

    def __init__(
        self,
        settings: Settings,
        handlers: Mapping[TaskKind, Handler],
        *,
        tenant_id: str = "",
        metrics: TaskMetrics | None = None,
    ) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        # One of them is for questions about health.
        self._database = Database(settings.postgres, pool_size=7)
        self._spark = WarmSpark(settings)
        name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        queue = EngineTaskQueue(
            self._database,
            name,
            tenant_id=tenant_id,
            lease_seconds=settings.worker.lease_seconds,
            max_attempts=settings.worker.max_attempts,
        )
        self._wakes = {lane: threading.Event() for lane in Lane}
        counted = metrics or TaskMetrics()
        self._lanes = [
            LaneThread(
                lane,
                handlers,
                settings=settings,
                database=self._database,
                queue=queue,
                spark=self._spark,
                wake=self._wakes[lane],
                stopping=self._stopping,
                metrics=counted,
            )
            for lane in Lane
        ]

    @property
    def database(self) -> Database:
        """The connections, for questions about health."""
        return self._database

    def alive(self) -> list[Check]:
        """Return what only a new process mends: a lane that ended, a Spark that is gone."""
        return [
            *(
                Check(f"lane {lane.lane}", None if lane.is_alive() else "it has ended")
                for lane in self._lanes
                if lane.ident is not None
            ),
            Check("spark", "it ended under the worker" if self._spark.is_gone() else None),
        ]

    def run(self) -> None:
        """Serve until `stop`, SIGTERM or SIGINT.

        Raises:
            ConfigurationError: A database role that bypasses row-level security.
            TerminalError: Spark ended under the worker.
        """
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)
        self._database.open()
        try:
            self._check_role()
            listener = TaskListener(self._settings.postgres, self._wakes, self._stopping)
            for thread in (listener, *self._lanes):
                thread.start()
            while not self._stopping.wait(0.5):
                if self._spark.is_gone() or not all(lane.is_alive() for lane in self._lanes):
                    break
            lost = not self._stopping.is_set()
            self.stop()
            for lane in self._lanes:
                lane.join(STOP_SECONDS)
            if lost:
                raise TerminalError("Spark, or a lane, ended under the rule worker; the log above says why")
        finally:
            self._spark.stop()
            self._database.close()

    def stop(self) -> None:
        """Ask to stop, from any thread. What runs is given back for another worker to begin anew."""
        self._stopping.set()
        for wake in self._wakes.values():
            wake.set()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        log.info("stopping: %s", signal.Signals(number).name)
        self.stop()

    def _check_role(self) -> None:
        while not self._stopping.is_set():
            try:
                self._database.refuse_privileged_role()
            except StoreUnavailableError as error:
                log.warning("waiting: %s", error)
                self._stopping.wait(RETRY_SECONDS)
            else:
                return


class TaskListener(threading.Thread):
    """Wakes a lane when a task of it is submitted; notifications that are lost are made up for by its polling."""

    def __init__(
        self, settings: PostgresSettings, wakes: Mapping[Lane, threading.Event], stopping: threading.Event
    ) -> None:
        super().__init__(name="task-listener", daemon=True)
        self._conninfo = settings.conninfo("app")
        self._wakes = wakes
        self._stopping = stopping

    def run(self) -> None:
        """Listen until the worker stops."""
        while not self._stopping.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                log.warning("new tasks are polled for, PostgreSQL does not answer: %s", first_line(error))
                self._stopping.wait(RETRY_SECONDS)

    def _listen(self) -> None:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            while not self._stopping.is_set():
                for notification in connection.notifies(timeout=1.0):
                    for lane, wake in self._wakes.items():
                        if notification.payload == lane:
                            wake.set()
