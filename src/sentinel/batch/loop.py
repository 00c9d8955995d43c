"""The loop of the worker that runs detectors when they are due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from sentinel.batch.runner import DetectorRunner
from sentinel.domain.detector import DetectorDefinition
from sentinel.errors import SentinelError
from sentinel.stores.detectors import DetectorWork

_LOG = logging.getLogger(__name__)

# So many tenants have their turn at a time, each with one detector.
PLACES = 3
# A tenant whose detectors took so long lets the others have their turn.
TURN_SECONDS = 30.0
# So many batches of a tenant's webhook events are read before those of the next; 2000 events, a second or so.
BATCHES_PER_TURN = 40


class DetectorLoop:
    """Looks every few seconds for what is due, over all tenants. Several processes may do so beside each other.

    Args:
        builtins: What every tenant has without having set it up.
        beat: Called as long as it goes round.
    """

    name = "detectors"

    def __init__(
        self,
        work: DetectorWork,
        runner: DetectorRunner,
        builtins: Sequence[DetectorDefinition],
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        poll_seconds: float,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._work = work
        self._runner = runner
        self._builtins = builtins
        self._now = now
        self._monotonic = monotonic
        self._poll_seconds = poll_seconds
        self._beat = beat
        self._known: set[str] = set()

    def run(self, stopping: threading.Event) -> None:
        """Work until `stopping` is set; a run that is on its way then ends after the window that it is in."""
        while not stopping.is_set():
            self._beat()
            self.pass_once(stopping)
            stopping.wait(self._poll_seconds)

    def pass_once(self, stopping: threading.Event) -> int:
        """Do what is due now, and return how many detectors ran.

        Raises:
            StoreUnavailableError: PostgreSQL does not say what is due.
        """
        for tenant_id in self._work.tenants():
            if tenant_id not in self._known:
                self._welcome(tenant_id)
        self._read_events(stopping)
        due: dict[str, list[int]] = {}
        for tenant_id, detector_id in self._work.due(self._now()):
            due.setdefault(tenant_id, []).append(detector_id)
        if not due:
            return 0
        with ThreadPoolExecutor(PLACES, thread_name_prefix="detector") as places:
            return sum(places.map(lambda turn: self._run_some(turn[0], turn[1], stopping), due.items()))

    def _run_some(self, tenant_id: str, detector_ids: Sequence[int], stopping: threading.Event) -> int:
        """Run detectors of a tenant, one after the other, and return how many ran; the rest waits for the next turn."""
        began, ran = self._monotonic(), 0
        for detector_id in detector_ids:
            if stopping.is_set() or self._monotonic() - began >= TURN_SECONDS:
                break
            ran += self._run(tenant_id, detector_id, stopping)
            self._beat()
        return ran

    def _welcome(self, tenant_id: str) -> None:
        try:
            self._work.add_builtins(tenant_id, self._builtins, self._now())
        except Exception as error:
            _log_failure(f"tenant {tenant_id} has no built-in detectors yet", error)
        else:
            self._known.add(tenant_id)

    def _read_events(self, stopping: threading.Event) -> None:
        """Read what came since, for detectors that are written as SQL and for those that look back for weeks."""
        for tenant_id in self._work.unread_tenants():
            try:
                for _ in range(BATCHES_PER_TURN):
                    self._beat()
                    if stopping.is_set() or not self._work.read_events(tenant_id):
                        break
            except Exception as error:
                # What is wrong with one tenant's events does not keep those of others.
                _log_failure(f"webhook events of tenant {tenant_id} are not read", error)

    def _run(self, tenant_id: str, detector_id: int, stopping: threading.Event) -> bool:
        try:
            return self._runner.run_due(tenant_id, detector_id, self._now(), stopping=stopping) is not None
        except Exception as error:
            _log_failure(f"detector {detector_id} of tenant {tenant_id} is tried again", error)
            return False


def _log_failure(what: str, error: Exception) -> None:
    if isinstance(error, SentinelError):
        _LOG.warning("%s: %s", what, error.message)
    else:
        _LOG.error("%s: unexpected", what, exc_info=error)
