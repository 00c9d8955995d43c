"""A test of a channel: one notification that says so, sent at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sentinel.domain.notification import Notification, NotificationKind
from sentinel.domain.rule import Severity
from sentinel.notify.channels.base import AttemptFailedError, Channel, Fate


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a test.

    Attributes:
        fate: Of a failure; None: it was sent.
        detail: A sentence about a failure; of a success what the receiver said.
        status: Of the answer, where there was one.
    """

    fate: Fate | None
    reason: str
    detail: str
    status: int | None
    duration_seconds: float


def try_channel(
    channel: Channel, tenant_id: str, *, delivery_id: str, now: datetime, monotonic: Callable[[], float]
) -> Trial:
    """Send a test and say what happened. Takes as long as one attempt may; so not within a transaction.

    Raises:
        ChannelUnusableError: The operator does not allow the channel's kind.
    """
    notification = Notification(
        delivery_id=delivery_id,
        tenant_id=tenant_id,
        kind=NotificationKind.TEST,
        severity=Severity.INFO,
        group_key=delivery_id,
        labels={},
        alerts=(),
        alert_count=0,
        created_at=now,
    )
    began = monotonic()
    try:
        receipt = channel.send(notification)
    except AttemptFailedError as error:
        return Trial(error.fate, error.reason, error.message, error.status, monotonic() - began)
    return Trial(None, "", receipt.answer, receipt.status, monotonic() - began)
