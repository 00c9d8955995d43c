"""Keeps a driver running, as a supervisor does: one that ends is started again."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping

from tests.support.detection import Job, Workbench

LOOK_SECONDS = 0.05


class Keeper(threading.Thread):
    """Starts a driver for a pipeline and starts it again whenever it ends.

    Args:
        environment: Variables of every driver.
        first: Variables of the first driver alone: the faults that are planned for it.
        master: Where every driver runs its tasks; empty: in itself.

    Attributes:
        is_doomed: A fault is planned for the first driver.
    """

    def __init__(
        self,
        bench: Workbench,
        pipeline_id: int,
        environment: Mapping[str, str],
        first: Mapping[str, str],
        master: str = "",
    ) -> None:
        super().__init__(name="keeper", daemon=True)
        self._bench = bench
        self._pipeline_id = pipeline_id
        self._environment = dict(environment)
        self._master = master
        self._lock = threading.Lock()
        self._ended = False
        self._is_paused = False
        self.deaths: list[float] = []
        self.exit_codes: list[int] = []
        self.is_doomed = "SENTINEL_TEST_FAULTS" in {**environment, **first}
        self.job: Job = bench.start_job(pipeline_id, master=master, **{**environment, **first})

    def run(self) -> None:
        """Look after the driver until stopped."""
        while True:
            with self._lock:
                if self._ended:
                    return
                code = self.job.process.poll()
                if code is not None and not self._is_paused:
                    self.deaths.append(time.time())
                    self.exit_codes.append(code)
                    self.job = self._bench.start_job(self._pipeline_id, master=self._master, **self._environment)
            time.sleep(LOOK_SECONDS)

    def kill(self) -> None:
        """Kill the driver with SIGKILL."""
        self.job.process.kill()

    def pause(self) -> None:
        """Stop the driver gracefully and start none until `resume`."""
        with self._lock:
            self._is_paused = True
        self._end()

    def resume(self) -> None:
        """Start a driver again."""
        with self._lock:
            self._is_paused = False

    def stop(self) -> None:
        """Stop the driver and start none again."""
        with self._lock:
            self._ended = True
        if self.is_alive():
            self.join(10)
        self._end()

    def _end(self) -> None:
        if self.job.process.poll() is None:
            self.job.process.terminate()
            try:
                self.job.process.wait(40)
            except subprocess.TimeoutExpired:
                self.job.kill()
