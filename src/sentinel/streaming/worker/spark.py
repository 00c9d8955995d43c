"""The worker's Spark: one local driver that starts with the first task and stays warm."""

from __future__ import annotations

import logging
import subprocess
import threading

from pyspark import SparkContext
from pyspark.sql import SparkSession

from sentinel.clock import monotonic_seconds
from sentinel.errors import TransientError
from sentinel.settings import Settings
from sentinel.streaming.query.session import build_session, evaluation_session

log = logging.getLogger(__name__)

JVM_SECONDS = 10.0


class WarmSpark:
    """Starts Spark when a task first asks for it; thread-safe."""

    def __init__(self, settings: Settings) -> None:
        job = settings.job.model_copy(update={"driver_memory": settings.worker.driver_memory})
        self._settings = settings.model_copy(update={"job": job})
        self._lock = threading.Lock()
        self._spark: SparkSession | None = None

    def session(self) -> SparkSession:
        """Return a new session with the settings that evaluation of rules needs.

        Raises:
            TransientError: Spark is gone; the worker ends.
        """
        with self._lock:
            if self._spark is None:
                began = monotonic_seconds()
                self._spark = build_session(
                    self._settings,
                    app_name="sentinel rule worker",
                    master=f"local[{self._settings.worker.slots}]",
                    extra={
                        "spark.ui.enabled": "false",
                        # A short task does not wait until the stages of a long one are through.
                        "spark.scheduler.mode": "FAIR",
                        "spark.driver.memory": self._settings.worker.driver_memory,
                    },
                )
                log.info("Spark is there after %.1f s", monotonic_seconds() - began)
        if self.is_gone():
            raise TransientError("the worker's Spark ended")
        return evaluation_session(self._spark)

    def begin(self, group: str, lane: str) -> None:
        """Have the calling thread's Spark jobs belong to a group that `cancel` ends."""
        if self._spark is not None:
            self._spark.sparkContext.setJobGroup(group, group, interruptOnCancel=True)
            self._spark.sparkContext.setLocalProperty("spark.scheduler.pool", lane)

    def cancel(self, group: str) -> None:
        """End the Spark jobs of a group, from any thread."""
        if self._spark is not None and not self.is_gone():
            self._spark.sparkContext.cancelJobGroup(group)

    def is_gone(self) -> bool:
        """Whether Spark was started and its JVM or context has ended."""
        if self._spark is None:
            return False
        try:
            return bool(self._spark.sparkContext._jsc.sc().isStopped())
        except Exception:  # py4j raises many kinds when the other side is gone
            return True

    def stop(self) -> None:
        """End Spark if it was started, and its JVM with it."""
        with self._lock:
            if self._spark is None:
                return
            jvm = getattr(SparkContext._gateway, "proc", None)
            if not self.is_gone():
                self._spark.stop()
            if jvm is not None:
                # It ends when nobody can talk to it any more.
                jvm.stdin.close()
                try:
                    jvm.wait(JVM_SECONDS)
                except subprocess.TimeoutExpired:
                    jvm.kill()
