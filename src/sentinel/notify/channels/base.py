"""What every channel does: send one notification once, and say truly how that went."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sentinel.domain.notification import Notification
from sentinel.errors import SentinelError


class Fate(StrEnum):
    """What becomes of a delivery whose attempt failed.

    retry: the same again later may succeed. dead: it cannot succeed, whatever the time. gone: neither can any other
    to this channel, which is disabled.
    """

    RETRY = "retry"
    DEAD = "dead"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Receipt:
    """An attempt that succeeded.

    Attributes:
        status: Of the answer, where the protocol has one: an HTTP status or SMTP code.
        answer: The beginning of the receiver's answer, without secrets.
        thread: What later notifications of the same group are given as `Notification.thread`; None: nothing.
    """

    status: int | None = None
    answer: str = ""
    thread: str | None = None


class AttemptFailedError(SentinelError):
    """An attempt failed.

    Attributes:
        reason: A short constant for counting: `timeout`, `refused`, `status_5xx`, `rate_limited`,
            `address_not_allowed`, ...
        status: As in `Receipt`.
        retry_after_seconds: What the receiver asked for (`Retry-After`); None: nothing.
    """

    slug = "attempt-failed"
    title = "The attempt failed"

    def __init__(
        self,
        message: str,
        *,
        fate: Fate,
        reason: str,
        status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.fate = fate
        self.reason = reason
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class Channel(Protocol):
    """One configured target. Used by several threads at once."""

    def send(self, notification: Notification) -> Receipt:
        """Send it once, within the channel's time limit. At-least-once: the same delivery may be sent again.

        Raises:
            AttemptFailedError: It was not taken, or nobody knows; never with a secret in its message.
        """
