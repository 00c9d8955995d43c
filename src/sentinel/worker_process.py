"""The worker process: loops that run beside each other until the process is asked to stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Protocol

from sentinel.clock import monotonic_seconds
from sentinel.errors import ConfigurationError, SentinelError, TransientError

_LOG = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
# A loop that ran for so long before it failed is tried again after the first pause.
SETTLED_SECONDS = 120.0
# One that has run for so long is told as well again.
STEADY_SECONDS = 10.0
# Below the time after which the supervisor kills (stop_seconds of the worker's program).
STOP_SECONDS = 25.0


class Loop(Protocol):
    """Something that the worker does again and again, in a thread of its own."""

    @property
    def name(self) -> str:
        """What logs and health call it; unique within a process."""

    def run(self, stopping: threading.Event) -> None:
        """Work until `stopping` is set, and return soon after that.

        Called again, after a pause that grows, when it raises or returns earlier. What it holds when it ends must be
        taken up by the next call, here or in another process: a process may be killed at any point.
        """


@dataclass(frozen=True, slots=True)
class LoopState:
    """How a loop fares.

    Attributes:
        is_running: False: it failed and waits to be run again, or ended.
        failure_count: How often in a row it failed.
        error: Of the last time, where it failed; without secrets, as in the log.
        since: When it last began or failed, by the process's clock.
        failures: How often it failed since the process began.
    """

    is_running: bool
    failure_count: int = 0
    error: str = ""
    since: float = 0.0
    failures: int = 0

    def trouble(self, now: float) -> str | None:
        """Return why it cannot be relied on; None where it can.

        A loop that failed counts as well again when it has run for `STEADY_SECONDS`.
        """
        if not self.is_running:
            return f"failed {self.failure_count} times: {self.error}" if self.error else "it does not run"
        if self.failure_count and now - self.since < STEADY_SECONDS:
            return f"began anew {now - self.since:.0f} s ago, after it failed: {self.error}"
        return None


class WorkerProcess:
    """Runs loops, each in a thread; one that fails is run again and does not disturb the others.

    Args:
        loops: What to run.
        check: Called before the loops begin, again while it raises TransientError: a store that is away is waited for.
    """

    def __init__(
        self,
        loops: Sequence[Loop],
        *,
        check: Callable[[], None] = lambda: None,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        stop_seconds: float = STOP_SECONDS,
        clock: Callable[[], float] = monotonic_seconds,
    ) -> None:
        names = [loop.name for loop in loops]
        if len(set(names)) < len(names):
            raise ConfigurationError(f"two loops have the same name: {', '.join(sorted(names))}")
        self._loops = tuple(loops)
        self._check = check
        self._first_pause_seconds = first_pause_seconds
        self._stop_seconds = stop_seconds
        self._clock = clock
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._states = {name: LoopState(is_running=False) for name in names}

    def run(self) -> bool:
        """Run until `stop`, SIGTERM or SIGINT; return whether every loop ended in time.

        Raises:
            ConfigurationError: The check says that nothing can work as it is set up.
        """
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)
        self._wait_for_check()
        threads = [
            threading.Thread(target=self._keep_running, args=(loop,), name=loop.name, daemon=True)
            for loop in self._loops
        ]
        for thread in threads:
            thread.start()
        # In turns: a signal is handled between two of them, on every platform.
        while not self._stopping.wait(0.5):
            pass
        deadline = self._clock() + self._stop_seconds
        for thread in threads:
            thread.join(max(0.0, deadline - self._clock()))
        late = [thread.name for thread in threads if thread.is_alive()]
        if late:
            _LOG.error("%s did not end within %g s; left behind", ", ".join(late), self._stop_seconds)
        return not late

    def stop(self) -> None:
        """Ask to stop, from any thread."""
        self._stopping.set()

    def states(self) -> dict[str, LoopState]:
        """Return how each loop fares, by name."""
        with self._lock:
            return dict(self._states)

    def _wait_for_check(self) -> None:
        while not self._stopping.is_set():
            try:
                self._check()
            except TransientError as error:
                _LOG.warning("waiting: %s", error.message)
                self._stopping.wait(self._first_pause_seconds)
            else:
                return

    def _keep_running(self, loop: Loop) -> None:
        while not self._stopping.is_set():
            began = self._clock()
            self._note(loop.name, is_running=True)
            error = self._error_of(loop)
            if self._stopping.is_set():
                break
            failures = 1 if self._clock() - began >= SETTLED_SECONDS else self.states()[loop.name].failure_count + 1
            pause = min(LONGEST_PAUSE_SECONDS, self._first_pause_seconds * 2 ** min(failures - 1, 10))
            with self._lock:
                total = self._states[loop.name].failures + 1
                self._states[loop.name] = LoopState(False, failures, error, self._clock(), total)
            _LOG.error("%s failed (%s); run again in %g s", loop.name, error, pause)
            self._stopping.wait(pause)
        self._note(loop.name, is_running=False)

    def _error_of(self, loop: Loop) -> str:
        """Run a loop until it ends, and return why it did."""
        try:
            loop.run(self._stopping)
        except SentinelError as error:
            return error.message
        except Exception as error:
            _LOG.exception("%s failed", loop.name)
            return f"{type(error).__name__}, see the log"
        return "it ended without being asked to"

    def _note(self, name: str, *, is_running: bool) -> None:
        with self._lock:
            self._states[name] = replace(self._states[name], is_running=is_running, since=self._clock())

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        _LOG.info("stopping: %s", signal.Signals(number).name)
        self.stop()
