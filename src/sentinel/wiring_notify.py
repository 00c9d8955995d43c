"""Settings -> stores -> what notifies. Apart from `wiring`: the worker sends, the API asks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sentinel.clock import monotonic_seconds, utc_now
from sentinel.domain.notification_group import ChannelRef, Target
from sentinel.domain.notification_policy import NotificationPolicy
from sentinel.notify.channels.kinds import tells
from sentinel.notify.deciding.preview import ImaginedAlert, Preview, preview
from sentinel.notify.deciding.router import Router
from sentinel.notify.metrics import NotifyMetrics
from sentinel.notify.reach.targets import Resolved, resolve_target
from sentinel.notify.sending.dispatcher import Dispatcher
from sentinel.notify.sending.loops import DeliveryLoop, Ear, RoutingLoop
from sentinel.notify.sending.ordered_ids import OrderedIds
from sentinel.settings import PostgresSettings, Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.listener import PostgresListener
from sentinel.stores.postgres.notifications.deliveries import PostgresDeliveries
from sentinel.stores.postgres.notifications.routing import PostgresRouting
from sentinel.telemetry.traces import NO_TRACES, Traces
from sentinel.wiring import Backend
from sentinel.wiring_channels import Channels
from sentinel.wiring_worker import WorkerTelemetry

OUTBOX_CHANNEL = "sentinel_alert_outbox"
DELIVERIES_CHANNEL = "sentinel_deliveries"


def resolved(text: str, channels: Sequence[ChannelRef]) -> Target | str:
    """Return where a target that a rule names leads, or a sentence why it leads nowhere."""
    found = resolve_target(text, channels)
    return Target(found.channel, found.override or "") if isinstance(found, Resolved) else found.reason


def build_router(
    settings: Settings,
    database: Database,
    *,
    metrics: NotifyMetrics | None = None,
    beat: Callable[[], None] = lambda: None,
    traces: Traces = NO_TRACES,
) -> Router:
    """Build what decides about alerts."""
    return Router(
        PostgresRouting(database),
        now=utc_now,
        new_id=OrderedIds("dlv_", utc_now),
        resolve=resolved,
        tells=tells,
        keep_days=settings.notify.keep_days,
        metrics=metrics,
        beat=beat,
        traces=traces,
    )


def routing_loop(settings: Settings, backend: Backend, telemetry: WorkerTelemetry) -> RoutingLoop:
    """Build the loop that decides about alerts."""
    beat = telemetry.pulse(RoutingLoop.name).beat
    return RoutingLoop(
        build_router(settings, backend.database, metrics=telemetry.notify, beat=beat, traces=telemetry.traces),
        ear(settings.postgres, OUTBOX_CHANNEL, "outbox-listener"),
        beat=beat,
    )


def delivery_loop(settings: Settings, backend: Backend, telemetry: WorkerTelemetry) -> DeliveryLoop:
    """Build the loop that sends deliveries.

    Raises:
        ConfigurationError: SENTINEL_NOTIFY__CA_FILE cannot be read.
    """
    channels = Channels(settings, backend.channel_reader())

    def make() -> Dispatcher:
        return Dispatcher(
            PostgresDeliveries(backend.database),
            channels.opener.open_channel,
            now=utc_now,
            clock=monotonic_seconds,
            jitter=random.random,
            workers=settings.notify.workers,
            per_channel=settings.notify.workers_per_channel,
            metrics=telemetry.notify,
            traces=telemetry.traces,
        )

    return DeliveryLoop(
        make,
        ear(settings.postgres, DELIVERIES_CHANNEL, "deliveries-listener"),
        beat=telemetry.pulse(DeliveryLoop.name).beat,
    )


def dry_route(
    backend: Backend,
    tenant_id: str,
    wanted: int | ImaginedAlert,
    at: datetime | None,
    policy: NotificationPolicy | None,
) -> Preview:
    """Return what would happen to an alert; sends and writes nothing.

    Raises:
        NotFoundError: There is no such alert.
        StoreUnavailableError: PostgreSQL does not answer.
    """
    with PostgresRouting(backend.database).reading(tenant_id) as tx:
        return preview(tx, wanted, at=at or utc_now(), resolve=resolved, policy=policy)


def ear(settings: PostgresSettings, channel: str, name: str) -> Ear:
    """Return what hears notifications of PostgreSQL."""

    @contextmanager
    def listening(wake: Callable[[], None]) -> Iterator[object]:
        listener = PostgresListener(settings, {channel: wake}, name=name)
        listener.start()
        try:
            yield listener
        finally:
            listener.stop()

    return listening
