"""Settings -> stores -> what runs detectors. Apart from `wiring`: the worker and the API run them, jobs do not."""

from __future__ import annotations

import threading
from datetime import datetime

from sentinel.batch.detectors import DETECTORS, builtins
from sentinel.batch.loop import DetectorLoop
from sentinel.batch.runner import DetectorRunner
from sentinel.clock import monotonic_seconds, utc_now
from sentinel.domain.detector import DetectorDefinition, DetectorRun
from sentinel.errors import RateLimitedError
from sentinel.settings import Settings
from sentinel.stores.postgres.detector_work import PostgresDetectorWork
from sentinel.wiring import Backend
from sentinel.wiring_worker import WorkerTelemetry

REQUESTED_PLACES = 2


def build_runner(settings: Settings, backend: Backend) -> DetectorRunner:
    """Build what runs one detector at a time."""
    return _runner(settings, _work(settings, backend))


def build_loop(settings: Settings, backend: Backend, telemetry: WorkerTelemetry) -> DetectorLoop:
    """Build the loop that runs those of all tenants when they are due."""
    work = _work(settings, backend)
    return DetectorLoop(
        work,
        _runner(settings, work),
        builtins(),
        now=utc_now,
        monotonic=monotonic_seconds,
        poll_seconds=settings.detectors.poll_seconds,
        beat=telemetry.pulse(DetectorLoop.name).beat,
    )


class RequestedRuns:
    """Runs detectors that somebody asks for. Few at a time: each holds two connections and one of the API's threads."""

    def __init__(self, settings: Settings, backend: Backend) -> None:
        self._runner = build_runner(settings, backend)
        self._places = threading.BoundedSemaphore(REQUESTED_PLACES)

    def run(
        self, tenant_id: str, definition: DetectorDefinition, at: datetime | None, *, requested_by: str
    ) -> DetectorRun:
        """Run a detector; one that fails is answered as such.

        Raises:
            InvalidError: The time is in the future.
            RateLimitedError: As many as may run at a time do.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        if not self._places.acquire(blocking=False):
            raise RateLimitedError(
                f"{REQUESTED_PLACES} detectors are being run on request, as many as may be at a time; try again soon",
                retry_after_seconds=5,
            )
        try:
            return self._runner.run_requested(tenant_id, definition, at, requested_by=requested_by)
        finally:
            self._places.release()


def _work(settings: Settings, backend: Backend) -> PostgresDetectorWork:
    return backend.detector_work(run_seconds=settings.detectors.run_seconds)


def _runner(settings: Settings, work: PostgresDetectorWork) -> DetectorRunner:
    return DetectorRunner(
        work, DETECTORS, now=utc_now, monotonic=monotonic_seconds, run_seconds=settings.detectors.run_seconds
    )
