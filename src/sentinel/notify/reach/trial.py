"""A test of a channel: one notification that says so, sent at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sentinel.domain.notification import Notification, NotificationKind
from sentinel.domain.rule import Severity
from sentinel.errors import RateLimitedError
from sentinel.notify.channels.base import AttemptFailedError, Channel, Fate

# Tests that run at the same time: each holds a thread of its process for as long as its receiver takes.
MAX_TRIALS = 8
MAX_TRIALS_OF_TENANT = 4


class TrialPlaces:
    """Bounds the tests that run at the same time, of all tenants and of each. Thread-safe; one per process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()

    @contextmanager
    def taken(self, tenant_id: str) -> Iterator[None]:
        """Hold a place.

        Raises:
            RateLimitedError: There is none.
        """
        with self._lock:
            if self._running.total() >= MAX_TRIALS or self._running[tenant_id] >= MAX_TRIALS_OF_TENANT:
                raise RateLimitedError("too many tests of channels are running; try again", retry_after_seconds=2)
            self._running[tenant_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[tenant_id] -= 1
                self._running += Counter()  # without those at zero


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
