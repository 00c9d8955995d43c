"""Settings -> logs, metrics and health of a process. Apart from `wiring`: a job needs none of its use cases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from sentinel.errors import SentinelError
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import schema_problem
from sentinel.telemetry.endpoint import TelemetryEndpoint, Told
from sentinel.telemetry.health import Check, Checks
from sentinel.telemetry.logs import install_logs

ProcessName = Literal["api", "worker", "rule-worker", "job"]

# A second series for each, which Prometheus does not need.
disable_created_metrics()  # type: ignore[no-untyped-call]


def begin_logs(settings: Settings, process: ProcessName) -> None:
    """Have this process log as the settings say, without the secrets that they hold."""
    install_logs(process, settings.telemetry.log_format, secrets=settings.secrets)


def new_registry() -> CollectorRegistry:
    """Return a registry that tells of the process itself: processor time, memory, garbage."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


@contextmanager
def telling(
    settings: Settings,
    process: Literal["worker", "rule-worker", "job"],
    registry: CollectorRegistry,
    *,
    alive: Checks,
    ready: Checks,
) -> Iterator[TelemetryEndpoint | None]:
    """Answer for metrics and health while the context lasts; None: the settings name no port."""
    told = settings.telemetry
    port = {"worker": told.worker_port, "rule-worker": told.rule_worker_port, "job": told.job_port}[process]
    if not port:
        yield None
        return
    setting = f"SENTINEL_TELEMETRY__{process.replace('-', '_').upper()}_PORT"
    endpoint = TelemetryEndpoint(told.host, port, Told(registry, alive, ready), setting=setting)
    endpoint.start()
    try:
        yield endpoint
    finally:
        endpoint.stop()


def postgres_check(database: Database) -> Check:
    """Ask PostgreSQL: it answers, and is at the schema revision that this code needs."""
    try:
        with database.transaction("") as connection:
            return Check("postgresql", schema_problem(connection))
    except SentinelError as error:
        return Check("postgresql", error.message)
