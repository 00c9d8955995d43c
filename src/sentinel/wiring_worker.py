"""Settings -> what the worker tells of itself: metrics, health, and the heartbeat to somebody outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sentinel.batch.lake_care.metrics import LakeCareMetrics
from sentinel.clock import monotonic_seconds
from sentinel.domain.figures import QueueFigures
from sentinel.errors import SentinelError
from sentinel.notify.heartbeat import Heartbeat
from sentinel.notify.metrics import NotifyMetrics
from sentinel.notify.reach.addresses import AddressGuard
from sentinel.notify.reach.guarded_http import GuardedHttp
from sentinel.settings import Settings
from sentinel.stores.postgres.notifications.queues import PostgresQueueFigures
from sentinel.telemetry.health import Check, Checks
from sentinel.telemetry.pulse import Pulse
from sentinel.telemetry.traces import NO_TRACES, Traces
from sentinel.wiring import Backend
from sentinel.wiring_telemetry import new_registry, postgres_check, telling
from sentinel.worker_process import LoopState

# A turn takes seconds at most, or waits for so long as a store or a name server may take. Longer: it hangs.
STUCK_SECONDS = 180.0


class WorkerTelemetry:
    """What the worker's loops count, and what is told of them.

    Args:
        names: Of the loops.
    """

    def __init__(
        self, names: Sequence[str], traces: Traces = NO_TRACES, *, clock: Callable[[], float] = monotonic_seconds
    ) -> None:
        self.traces = traces
        self._clock = clock
        self.registry: CollectorRegistry = new_registry()
        self.notify = NotifyMetrics(self.registry)
        self.lake_care = LakeCareMetrics(self.registry)
        self.names = tuple(names)
        self._pulses: dict[str, Pulse] = {}

    def pulse(self, name: str) -> Pulse:
        """Return the pulse of a loop, which it beats at each turn. A loop without one counts as well while it runs."""
        return self._pulses.setdefault(name, Pulse(self._clock))

    def pulses(self) -> dict[str, Pulse]:
        """Return the pulses that were asked for, by loop."""
        return dict(self._pulses)

    def troubles(self, states: Mapping[str, LoopState]) -> list[Check]:
        """Return how each loop fares: whether it runs, and whether it goes round."""
        now = self._clock()
        return [
            Check(f"loop {name}", states[name].trouble(now) or self._stuck(name, states[name], now))
            for name in self.names
        ]

    def stuck(self, states: Mapping[str, LoopState]) -> list[Check]:
        """Return which loops hang: only a new process helps. One that failed is run again by this one."""
        now = self._clock()
        return [Check(f"loop {name}", self._stuck(name, states[name], now)) for name in self.names]

    def _stuck(self, name: str, state: LoopState, now: float) -> str | None:
        pulse = self._pulses.get(name)
        return None if pulse is None else stuck(pulse, state, now)


def stuck(pulse: Pulse, state: LoopState, now: float) -> str | None:
    """Return that a loop hangs; None: it goes round, or began not long ago, or does not run at all."""
    if not state.is_running:
        return None
    age = min(pulse.age_seconds, now - state.since)
    return f"its last turn was {age:.0f} s ago" if age > STUCK_SECONDS else None


@contextmanager
def worker_telling(
    settings: Settings,
    backend: Backend,
    telemetry: WorkerTelemetry,
    states: Callable[[], Mapping[str, LoopState]],
) -> Iterator[None]:
    """Answer for metrics and health, and send the heartbeat, while the context lasts.

    Raises:
        ConfigurationError: The URL of the heartbeat is none, or SENTINEL_NOTIFY__CA_FILE cannot be read.
    """

    def needs() -> list[Check]:
        return [postgres_check(backend.database), *telemetry.troubles(states())]

    heartbeat = build_heartbeat(settings, telemetry, needs)
    telemetry.registry.register(WorkerFigures(PostgresQueueFigures(backend.database).read, telemetry, states))

    def ready() -> list[Check]:
        silent = [Check("heartbeat", heartbeat.trouble, is_vital=False)] if heartbeat else []
        return [*needs(), *silent]

    with telling(settings, "worker", telemetry.registry, alive=lambda: telemetry.stuck(states()), ready=ready):
        if heartbeat:
            heartbeat.start()
        try:
            yield
        finally:
            if heartbeat:
                heartbeat.stop()


def build_heartbeat(settings: Settings, telemetry: WorkerTelemetry, needs: Checks) -> Heartbeat | None:
    """Build the heartbeat; None: there is no URL for it.

    Raises:
        ConfigurationError: The URL is none, or SENTINEL_NOTIFY__CA_FILE cannot be read.
    """
    url = settings.telemetry.heartbeat_url.get_secret_value()
    if not url:
        return None
    guard = AddressGuard(settings.notify.networks)
    return Heartbeat(
        url,
        GuardedHttp(guard, settings.notify, monotonic_seconds),
        needs,
        seconds=settings.telemetry.heartbeat_seconds,
        registry=telemetry.registry,
    )


class WorkerFigures(Collector):
    """The queues, asked for when somebody scrapes, and the loops."""

    def __init__(
        self,
        read: Callable[[], QueueFigures],
        telemetry: WorkerTelemetry,
        states: Callable[[], Mapping[str, LoopState]],
    ) -> None:
        self._read = read
        self._telemetry = telemetry
        self._states = states

    def describe(self) -> Iterable[Metric]:
        """Nothing: else the registry would ask PostgreSQL when it is built."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Tell."""
        running = GaugeMetricFamily("worker_loop_up", "1 where the loop runs and goes round.", labels=["loop"])
        failures = CounterMetricFamily("worker_loop_failures", "How often it failed.", labels=["loop"])
        turns = CounterMetricFamily("worker_loop_turns", "Turns that it made.", labels=["loop"])
        age = GaugeMetricFamily("worker_loop_turn_age_seconds", "Since its last turn.", labels=["loop"])
        states = self._states()
        for check, name in zip(self._telemetry.troubles(states), self._telemetry.names, strict=True):
            running.add_metric([name], int(check.ok))
            failures.add_metric([name], states[name].failures)
        for name, pulse in self._telemetry.pulses().items():
            turns.add_metric([name], pulse.count)
            age.add_metric([name], pulse.age_seconds)
        yield from (running, failures, turns, age)
        yield from self._queues()

    def _queues(self) -> Iterator[Metric]:
        store_up = GaugeMetricFamily("worker_store_up", "1 where the store answers.", labels=["store"])
        try:
            found = self._read()
        except SentinelError:
            store_up.add_metric(["postgresql"], 0)
            yield store_up
            return
        store_up.add_metric(["postgresql"], 1)
        yield store_up
        for name, documentation, value in (
            (
                "outbox_backlog_entries",
                "Outbox entries of all tenants that nobody decided about.",
                found.outbox_entries,
            ),
            ("outbox_backlog_age_seconds", "Age of the oldest of them.", found.outbox_age_seconds),
            ("deliveries_backlog_overdue_seconds", "How late the first delivery is.", found.overdue_seconds),
            ("circuits_open", "Channels of all tenants that are not tried for a while.", found.open_circuits),
        ):
            yield GaugeMetricFamily(name, documentation, value=float(value))
