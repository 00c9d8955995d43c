"""Settings -> stores -> what runs detectors. Apart from `wiring`: the worker and the API run them, jobs do not."""

from __future__ import annotations

from sentinel.batch.detectors import DETECTORS, builtins
from sentinel.batch.loop import DetectorLoop
from sentinel.batch.runner import DetectorRunner
from sentinel.clock import monotonic_seconds, utc_now
from sentinel.settings import Settings
from sentinel.stores.postgres.detector_work import PostgresDetectorWork
from sentinel.wiring import Backend


def build_runner(settings: Settings, backend: Backend) -> DetectorRunner:
    """Build what runs one detector at a time."""
    return _runner(settings, _work(settings, backend))


def build_loop(settings: Settings, backend: Backend) -> DetectorLoop:
    """Build the loop that runs those of all tenants when they are due."""
    work = _work(settings, backend)
    poll_seconds = settings.detectors.poll_seconds
    return DetectorLoop(work, _runner(settings, work), builtins(), now=utc_now, poll_seconds=poll_seconds)


def _work(settings: Settings, backend: Backend) -> PostgresDetectorWork:
    return backend.detector_work(run_seconds=settings.detectors.run_seconds)


def _runner(settings: Settings, work: PostgresDetectorWork) -> DetectorRunner:
    return DetectorRunner(
        work, DETECTORS, now=utc_now, monotonic=monotonic_seconds, run_seconds=settings.detectors.run_seconds
    )
