"""What the worker tells of its loops."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from sentinel.domain.figures import QueueFigures
from sentinel.errors import StoreUnavailableError
from sentinel.telemetry.health import status_of
from sentinel.wiring_worker import STUCK_SECONDS, WorkerFigures, WorkerTelemetry
from sentinel.worker_process import STEADY_SECONDS, LoopState


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def telemetry(clock: Clock) -> WorkerTelemetry:
    return WorkerTelemetry(["one", "two"], clock=clock)


def running(since: float = 1_000.0) -> dict[str, LoopState]:
    return {name: LoopState(is_running=True, since=since) for name in ("one", "two")}


class TestWorkerTelemetry:
    def test_loops_that_run_are_well(self, telemetry: WorkerTelemetry) -> None:
        assert status_of(telemetry.troubles(running())) == "ok"

    def test_a_loop_that_does_not_go_round_is_not_ready_and_needs_a_new_process(
        self, telemetry: WorkerTelemetry, clock: Clock
    ) -> None:
        telemetry.pulse("one").beat()
        clock.now += STUCK_SECONDS + 1
        causes = {check.name: check.cause for check in telemetry.troubles(running())}
        assert causes == {"loop one": "its last turn was 181 s ago", "loop two": None}
        assert status_of(telemetry.stuck(running())) == "unavailable"
        telemetry.pulse("one").beat()
        assert status_of(telemetry.stuck(running())) == "ok"

    def test_a_loop_that_waited_long_for_its_first_turn_is_not_stuck(
        self, telemetry: WorkerTelemetry, clock: Clock
    ) -> None:
        telemetry.pulse("one")
        clock.now += 10_000
        assert status_of(telemetry.stuck(running(since=clock.now - 1))) == "ok"

    def test_a_loop_that_failed_is_not_ready_and_needs_no_new_process(
        self, telemetry: WorkerTelemetry, clock: Clock
    ) -> None:
        states = {**running(), "two": LoopState(False, 3, "PostgreSQL does not answer", clock.now, 3)}
        (_, check) = telemetry.troubles(states)
        assert check.cause == "failed 3 times: PostgreSQL does not answer"
        assert status_of(telemetry.stuck(states)) == "ok"

    def test_a_loop_that_runs_again_is_trusted_after_a_while(self, telemetry: WorkerTelemetry, clock: Clock) -> None:
        states = {**running(), "two": LoopState(True, 3, "refused", clock.now, 3)}
        assert status_of(telemetry.troubles(states)) == "unavailable"
        clock.now += STEADY_SECONDS
        assert status_of(telemetry.troubles(states)) == "ok"


class TestWorkerFigures:
    def test_loops_and_queues_are_told(self, telemetry: WorkerTelemetry) -> None:
        telemetry.pulse("one").beat()
        telemetry.registry.register(WorkerFigures(lambda: QueueFigures(7, 12.5, 0.0, 1), telemetry, running))
        told = generate_latest(telemetry.registry).decode()
        assert 'worker_loop_up{loop="two"} 1.0' in told
        assert 'worker_loop_turns_total{loop="one"} 1.0' in told
        assert "outbox_backlog_entries 7.0" in told
        assert "outbox_backlog_age_seconds 12.5" in told
        assert "circuits_open 1.0" in told

    def test_without_postgresql_the_rest_is_told(self, telemetry: WorkerTelemetry) -> None:
        def fail() -> QueueFigures:
            raise StoreUnavailableError("PostgreSQL", "refused")

        telemetry.registry.register(WorkerFigures(fail, telemetry, running))
        told = generate_latest(telemetry.registry).decode()
        assert 'worker_store_up{store="postgresql"} 0.0' in told
        assert 'worker_loop_up{loop="one"} 1.0' in told
        assert "outbox_backlog_entries" not in told
