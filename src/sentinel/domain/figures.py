"""Figures of pipelines, as a monitoring system asks for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PipelineFigures:
    """One pipeline, now.

    Attributes:
        alerts: Severity -> alerts so far.
        dead_letters: Cause -> records so far.
        decided: Records that detection has gone through.
        lag: Records that wait, as its job said last; None where none runs.
        phase: What its job said last that it does; empty where none runs.
        heartbeat_age_seconds: Since its job said anything; None where none ever ran.
    """

    pipeline_id: int
    status: str
    alerts: dict[str, int]
    dead_letters: dict[str, int]
    decided: int
    lag: int | None
    phase: str
    heartbeat_age_seconds: float | None
    generation_failures: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    """The deliveries of one channel, now.

    Attributes:
        queued: Deliveries that wait or are being sent.
        dead: Deliveries that were given up, as long as they are kept.
        overdue_seconds: How long the first of them should have been tried by now; 0 where none is late.
        is_open: The circuit is open: nothing is tried for a while.
    """

    channel_id: int
    kind: str
    queued: int
    dead: int
    overdue_seconds: float
    is_open: bool
    is_disabled: bool


@dataclass(frozen=True, slots=True)
class TenantFigures:
    """What waits in a tenant, now.

    Attributes:
        outbox_entries: What happened to alerts and is not decided about.
        outbox_age_seconds: Of the oldest of them; 0 where there is none.
        webhook_events_waiting: Verified events that are not in Kafka yet.
        webhook_age_seconds: Of the oldest of them; 0 where there is none.
        webhooks_refused: Reason -> deliveries that were refused, in the last 24 hours.
        backfills_open: Backfills of webhooks that are not complete.
    """

    outbox_entries: int
    outbox_age_seconds: float
    webhook_events_waiting: int
    webhook_age_seconds: float
    webhooks_refused: dict[str, int]
    backfills_open: int
    channels: tuple[ChannelFigures, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """How far notifying is behind, over all tenants.

    Attributes:
        outbox_entries: Up to a bound.
        outbox_age_seconds: Of the oldest entry; 0 where there is none.
        overdue_seconds: How long the first delivery should have been tried by now; 0 where none is late. One whose
            channel's circuit is open is not late.
        open_circuits: Channels that are not tried for a while.
    """

    outbox_entries: int
    outbox_age_seconds: float
    overdue_seconds: float
    open_circuits: int
