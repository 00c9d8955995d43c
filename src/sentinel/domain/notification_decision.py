"""What was decided about notifications. Every decision is kept, so that `why` can be answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What was decided.

    Of an alert and a channel: routed (told at once), grouped (told together with others), deferred (quiet hours),
    deduplicated, silenced, inhibited, disabled (the channel is), unrouted (nobody is to be told), unresolved (a target
    that a rule names is no channel), refilled (made by a refill of the past), failed (by what it holds it cannot be
    decided), amended (a detector changed what it says, and not for the worse). acknowledged, resolved, reopened:
    somebody did that, or a detector found that it is no longer so.

    Of a delivery: sent, retried, dead_lettered, disabled (the receiver is gone for good), rate_limited, escalated,
    repeated, redriven, summarized.
    """

    ROUTED = "routed"
    GROUPED = "grouped"
    DEFERRED = "deferred"
    DEDUPLICATED = "deduplicated"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    DISABLED = "disabled"
    UNROUTED = "unrouted"
    UNRESOLVED = "unresolved"
    REFILLED = "refilled"
    FAILED = "failed"
    AMENDED = "amended"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    SENT = "sent"
    RETRIED = "retried"
    DEAD_LETTERED = "dead_lettered"
    RATE_LIMITED = "rate_limited"
    ESCALATED = "escalated"
    REPEATED = "repeated"
    REDRIVEN = "redriven"
    SUMMARIZED = "summarized"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision, about an alert or a delivery.

    Attributes:
        route: As in `Plan.route`; empty where no route was involved.
        channel: The name of the channel, with the target behind it where a rule names one; may be empty.
        reason: A sentence for people.
        details: What it went by, e.g. {"silence_id": 3}.
    """

    outcome: Outcome
    reason: str
    decided_at: datetime
    alert_id: int | None = None
    delivery_id: str | None = None
    route: str = ""
    channel: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
