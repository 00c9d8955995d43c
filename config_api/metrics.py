"""What a monitoring system reads: this process's requests, and its tenant's pipelines.

Labels are bounded: route templates instead of paths, pipelines, severities, causes. Counters of a process begin anew
with it, as Prometheus expects; several processes of one server share theirs in `PROMETHEUS_MULTIPROC_DIR`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentinel.domain.figures import PipelineFigures, TenantFigures

# A second series for each, which Prometheus does not need.
disable_created_metrics()  # type: ignore[no-untyped-call]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class ProcessMetrics:
    """What this process counts."""

    registry: CollectorRegistry
    requests: Histogram
    events: Counter

    @classmethod
    def new(cls) -> ProcessMetrics:
        """Build them, all at zero."""
        registry = CollectorRegistry()
        return cls(
            registry,
            Histogram(
                "http_request_seconds",
                "Time to the end of the answer.",
                ["method", "route", "status"],
                buckets=BUCKETS,
                registry=registry,
            ),
            Counter(
                "events_ingested",
                "Events that came by HTTP, by what became of them.",
                ["tenant", "status"],
                registry=registry,
            ),
        )

    def told(self, tenant_id: str, figures: Iterable[PipelineFigures], tenant: TenantFigures) -> bytes:
        """Return everything that one tenant may see, in the Prometheus text format."""
        registry = CollectorRegistry()
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            source = CollectorRegistry()
            MultiProcessCollector(source)  # type: ignore[no-untyped-call]
        else:
            source = self.registry
        registry.register(_Told(lambda: _of_tenant(source.collect(), tenant_id)))
        registry.register(_Told(lambda: _families(figures)))
        registry.register(_Told(lambda: _waiting(tenant)))
        return generate_latest(registry)


@dataclass(frozen=True, slots=True)
class _Told(Collector):
    families: Callable[[], Iterable[Metric]]

    def collect(self) -> Iterable[Metric]:
        return self.families()


def _of_tenant(families: Iterable[Metric], tenant_id: str) -> Iterator[Metric]:
    for family in families:
        family.samples = [each for each in family.samples if each.labels.get("tenant", tenant_id) == tenant_id]
        yield family


def _families(figures: Iterable[PipelineFigures]) -> Iterator[Metric]:
    label = ["pipeline_id"]
    alerts = CounterMetricFamily("rules_triggered", "Alerts raised.", labels=[*label, "severity"])
    dead = CounterMetricFamily("dead_letters", "Records that are no events.", labels=[*label, "cause"])
    decided = CounterMetricFamily("records_decided", "Records that detection has gone through.", labels=label)
    failures = CounterMetricFamily("generation_failures", "Generations that could not start or failed.", labels=label)
    lag = GaugeMetricFamily("lag_records", "Records that wait, as the job says.", labels=label)
    up = GaugeMetricFamily("job_up", "1 where a job holds the pipeline.", labels=[*label, "phase"])
    silent = GaugeMetricFamily("job_heartbeat_age_seconds", "Since the job said anything.", labels=label)
    status = GaugeMetricFamily("pipeline_status", "1 for what the pipeline is set to.", labels=[*label, "status"])
    quarantined = GaugeMetricFamily("rules_quarantined", "Rule versions kept out of the rule set.", labels=label)
    for each in figures:
        name = str(each.pipeline_id)
        for severity, count in sorted(each.alerts.items()):
            alerts.add_metric([name, severity], count)
        for cause, count in sorted(each.dead_letters.items()):
            dead.add_metric([name, cause], count)
        decided.add_metric([name], each.decided)
        failures.add_metric([name], each.generation_failures)
        quarantined.add_metric([name], each.quarantined)
        status.add_metric([name, each.status], 1)
        up.add_metric([name, each.phase or "none"], 1 if each.phase else 0)
        if each.lag is not None:
            lag.add_metric([name], each.lag)
        if each.heartbeat_age_seconds is not None:
            silent.add_metric([name], each.heartbeat_age_seconds)
    yield from (alerts, dead, decided, failures, lag, up, silent, status, quarantined)


def _waiting(tenant: TenantFigures) -> Iterator[Metric]:
    for name, documentation, value in (
        ("outbox_entries", "What happened to alerts and is not decided about.", tenant.outbox_entries),
        ("outbox_age_seconds", "Age of the oldest of them.", tenant.outbox_age_seconds),
        ("webhook_events_waiting", "Verified webhooks that are not in Kafka yet.", tenant.webhook_events_waiting),
        ("webhook_events_waiting_age_seconds", "Age of the oldest of them.", tenant.webhook_age_seconds),
        ("webhook_backfills_open", "Backfills that are not complete.", tenant.backfills_open),
    ):
        yield GaugeMetricFamily(name, documentation, value=float(value))
    label = ["channel_id", "kind"]
    refused = GaugeMetricFamily(
        "webhooks_refused_last_day", "Webhooks refused in the last 24 hours.", labels=["reason"]
    )
    queued = GaugeMetricFamily("deliveries_queued", "Deliveries that wait or are being sent.", labels=label)
    dead = GaugeMetricFamily(
        "deliveries_dead", "Deliveries that were given up, as long as they are kept.", labels=label
    )
    late = GaugeMetricFamily("deliveries_overdue_seconds", "How late the first of them is.", labels=label)
    circuit = GaugeMetricFamily("channel_circuit_open", "1 while nothing is tried.", labels=label)
    disabled = GaugeMetricFamily("channel_disabled", "1 where the channel is disabled.", labels=label)
    for reason, count in sorted(tenant.webhooks_refused.items()):
        refused.add_metric([reason], count)
    for channel in tenant.channels:
        names = [str(channel.channel_id), channel.kind]
        queued.add_metric(names, channel.queued)
        dead.add_metric(names, channel.dead)
        late.add_metric(names, channel.overdue_seconds)
        circuit.add_metric(names, int(channel.is_open))
        disabled.add_metric(names, int(channel.is_disabled))
    yield from (refused, queued, dead, late, circuit, disabled)


class MetricsMiddleware:
    """Times every request."""

    def __init__(self, app: ASGIApp, metrics: ProcessMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).observe(time.perf_counter() - began)
