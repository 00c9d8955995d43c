"""What became of notifications, as people ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sentinel.domain.delivery import DeliveryState


@dataclass(frozen=True, slots=True)
class WhyStep:
    """One step of what was decided and happened about an alert.

    Attributes:
        outcome: As in `Outcome`.
        delivery_id: The delivery that it is about; None: it is about the alert.
        attempt: Number of the attempt that it tells of; None: it is a decision.
        details: What it went by.
    """

    at: datetime
    outcome: str
    reason: str
    route: str
    channel: str
    delivery_id: str | None
    attempt: int | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FireCount:
    """Alerts of the same rule about the same entities, or of the same detector about the same subject.

    Attributes:
        fire_count: How many there were since the first; forgotten after a week without any.
    """

    fire_count: int
    first_alert_id: int
    first_fired_at: datetime
    last_alert_id: int
    last_fired_at: datetime


@dataclass(frozen=True, slots=True)
class Why:
    """Why somebody was told of an alert, or nobody.

    Attributes:
        summary: One sentence.
        is_waiting: It was not decided yet: it waits in the outbox.
        fired: None: nothing is known (any more).
    """

    alert_id: int
    summary: str
    is_waiting: bool
    steps: Sequence[WhyStep]
    fired: FireCount | None = None


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    """A delivery.

    Attributes:
        channel: Its name.
        target: What a rule named instead of the channel's own target; empty: nothing.
        next_attempt_at: Of one that is not over; in the past by more than moments: something is wrong.
        last_reason: Of the last attempt that failed; empty: none did.
    """

    id: str
    channel: str
    channel_kind: str
    target: str
    kind: str
    severity: str
    state: DeliveryState
    alert_count: int
    attempt_count: int
    redrive_count: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    last_reason: str


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One try."""

    attempt: int
    outcome: str
    reason: str
    detail: str
    status: int | None
    started_at: datetime
    seconds: float
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryDetail:
    """A delivery with what it says and its attempts."""

    summary: DeliverySummary
    content: Mapping[str, Any]
    alert_ids: Sequence[int]
    attempts: Sequence[DeliveryAttempt]


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries; None: any.

    Attributes:
        reason: Of the last attempt.
        since, until: Of their creation; `until` is not included.
    """

    channel: str | None = None
    state: DeliveryState | None = None
    alert_id: int | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Redriven:
    """What a redrive did, or would do.

    Attributes:
        delivery_ids: Those that are sent again, in their order.
        looped: Of those that fit, how many were redriven so often already that it was not done again.
        left: How many more fit.
        ends_at: When the last of them is due, at the rate asked for.
    """

    delivery_ids: Sequence[str]
    looped: int
    left: int
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class OverdueDelivery:
    """A delivery whose next attempt lies in the past.

    Attributes:
        cause: Why nobody made it: `circuit_open`, `channel_disabled`, `rate_limited`, or `no_worker`.
    """

    id: str
    channel: str
    next_attempt_at: datetime
    cause: str
