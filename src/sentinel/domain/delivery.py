"""Deliveries: one notification to one target, and the attempts at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sentinel.domain.notification_decision import Outcome


class DeliveryState(StrEnum):
    """Where a delivery stands. `sending`: a worker has taken it; it is due again when that worker falls silent."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery to be sent.

    Attributes:
        content: As `content_of` made it.
        thread: Of its group.
        attempt: Number of the attempt to come, from 1 on, over all redrives.
        round_attempt: The same since it was last redriven.
        round_began_at: When it was first due, or redriven.
    """

    id: str
    channel_id: int
    target: str
    group_id: int | None
    content: Mapping[str, Any]
    thread: str | None
    attempt: int
    round_attempt: int
    round_began_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What became of one attempt.

    Attributes:
        outcome: sent, retried, dead_lettered or disabled.
        reason: A short constant for counting; empty when it was sent.
        detail: For people, without secrets.
        status: Of the receiver's answer; None: there was none, or the protocol has none.
        next_attempt_at: When it is retried; None: it is not.
        thread: As in `Receipt`.
        is_failure: The receiver was not there, or could not take anything: it counts for the channel's circuit.
        pause_until: The receiver asked that nothing is sent to it until then; None: it did not.
    """

    delivery: ClaimedDelivery
    outcome: Outcome
    reason: str
    detail: str
    status: int | None
    started_at: datetime
    seconds: float
    next_attempt_at: datetime | None = None
    thread: str | None = None
    is_failure: bool = False
    pause_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChannelQueue:
    """Where the deliveries of one channel stand.

    Attributes:
        failure_count: Attempts in a row that failed.
        open_until: The circuit is open until then, or the receiver asked for patience: nothing is tried. In the past:
            one delivery tries. None: the circuit is closed.
        rate_free_at: The theoretical arrival time of the next delivery at the channel's rate.
    """

    channel_id: int
    failure_count: int
    open_until: datetime | None
    rate_free_at: datetime | None
