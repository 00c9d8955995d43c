"""One attempt at one delivery."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sentinel.domain.channel import ChannelKind
from sentinel.domain.delivery import AttemptResult, ClaimedDelivery
from sentinel.domain.notification_content import notification_of, origins_of
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.origin import Origin
from sentinel.errors import SentinelError, TransientError
from sentinel.notify.channels.base import AttemptFailedError, Channel, Fate
from sentinel.notify.sending.retry import FIRST_OPEN_SECONDS, MAX_RETRY_AFTER_SECONDS, next_attempt
from sentinel.telemetry.context import REQUEST, RequestContext
from sentinel.telemetry.traces import NO_TRACES, Traces

_LOG = logging.getLogger(__name__)

MAX_DETAIL_CHARACTERS = 500
RATE_LIMITED = "rate_limited"
"""The reason of an attempt whose receiver asks for patience: that is no failure of it."""
INTERNAL = "internal"
"""The reason of an attempt that failed by a mistake of ours, or by what the delivery holds: no failure of it, too."""


class OpenedChannel(Protocol):
    """A channel that is ready to send."""

    @property
    def kind(self) -> ChannelKind:
        """Of the channel."""

    @property
    def name(self) -> str:
        """Of the channel."""

    @property
    def rate_per_minute(self) -> int | None:
        """How many deliveries it takes; None: as many as there are."""

    def with_target(self, override: str | None) -> Channel:
        """Return what sends to the target that a rule names besides the channel; None: the channel's own.

        Raises:
            InvalidError: The channel does not go there (any more).
        """


@dataclass(frozen=True, slots=True)
class Attempt:
    """A delivery and the channel that it goes to."""

    tenant_id: str
    channel: OpenedChannel
    delivery: ClaimedDelivery


@dataclass(frozen=True, slots=True)
class Attempter:
    """Makes attempts and decides what follows.

    Attributes:
        clock: Seconds that never step.
        jitter: Draws a number from 0 to 1.
    """

    now: Callable[[], datetime]
    clock: Callable[[], float]
    jitter: Callable[[], float]
    traces: Traces = NO_TRACES

    def attempt(self, attempt: Attempt) -> AttemptResult:
        """Send once and return what became of it; raises nothing."""
        delivery = attempt.delivery
        told = {
            "sentinel.tenant": attempt.tenant_id,
            "sentinel.delivery_id": delivery.id,
            "sentinel.channel_kind": attempt.channel.kind.value,
            "sentinel.attempt": delivery.attempt,
        }
        origins = _origins(delivery)
        traced = list(dict.fromkeys(origin.traceparent for origin in origins if origin.traceparent))
        requests = list(dict.fromkeys(origin.request_id for origin in origins if origin.request_id))
        with (
            _serving(requests[0] if requests else "", attempt.tenant_id),
            self.traces.span("delivery attempt", told, parent=traced[0] if traced else "", kind="client") as span,
        ):
            for other in traced[1:]:
                span.link(other)
            result = self._attempt(attempt, span.traceparent)
            if requests:
                span.note("sentinel.request_ids", requests)
            span.note(
                "sentinel.alert_ids", [str(alert.get("alert_id", "")) for alert in delivery.content.get("alerts", ())]
            )
            span.note("sentinel.outcome", result.outcome.value)
            if result.outcome is not Outcome.SENT:
                span.failed(result.reason)
            _LOG.info(
                "delivery %s to %s, attempt %d: %s%s%s",
                delivery.id,
                attempt.channel.name,
                delivery.attempt,
                result.outcome.value,
                f" ({result.reason})" if result.reason else "",
                f"; of requests {', '.join(requests)}" if requests else "",
            )
        return result

    def _attempt(self, attempt: Attempt, traceparent: str) -> AttemptResult:
        delivery = attempt.delivery
        started_at, began = self.now(), self.clock()
        try:
            notification = notification_of(
                delivery.content, delivery_id=delivery.id, tenant_id=attempt.tenant_id, thread=delivery.thread
            )
            traced = replace(notification, traceparent=traceparent)
            receipt = attempt.channel.with_target(delivery.target or None).send(traced)
        except Exception as error:
            failed = _failure(error, delivery.id)
            outcome, retry_at = self._follows(attempt, failed)
            seconds = self.clock() - began
            reason, detail = failed.reason, _storable(failed.message)
            return AttemptResult(
                delivery,
                outcome,
                reason,
                detail,
                failed.status,
                started_at,
                seconds,
                next_attempt_at=retry_at,
                is_failure=failed.fate is Fate.RETRY and reason not in (RATE_LIMITED, INTERNAL),
                pause_until=self._pause_until(failed),
            )
        seconds = self.clock() - began
        answer, thread = _storable(receipt.answer), receipt.thread
        return AttemptResult(
            delivery,
            Outcome.SENT,
            "",
            answer,
            receipt.status,
            started_at,
            seconds,
            # One that was changed would lead nowhere.
            thread=thread if thread and _storable(thread) == thread else None,
        )

    def _pause_until(self, failed: AttemptFailedError) -> datetime | None:
        if failed.reason != RATE_LIMITED or failed.fate is not Fate.RETRY:
            return None
        asked = FIRST_OPEN_SECONDS if failed.retry_after_seconds is None else failed.retry_after_seconds
        return self.now() + timedelta(seconds=max(0.0, min(asked, MAX_RETRY_AFTER_SECONDS)))

    def _follows(self, attempt: Attempt, failed: AttemptFailedError) -> tuple[Outcome, datetime | None]:
        if failed.fate is Fate.GONE:
            return Outcome.DISABLED, None
        retry_at = None
        if failed.fate is Fate.RETRY:
            retry_at = next_attempt(
                attempt.channel.kind,
                attempt.delivery.round_attempt,
                began=attempt.delivery.round_began_at,
                now=self.now(),
                retry_after_seconds=failed.retry_after_seconds,
                jitter=self.jitter(),
            )
        return (Outcome.DEAD_LETTERED if retry_at is None else Outcome.RETRIED), retry_at


def _origins(delivery: ClaimedDelivery) -> list[Origin]:
    try:
        return origins_of(delivery.content)
    except (TypeError, ValueError, AttributeError, KeyError):
        # What cannot be read fails in the attempt itself, which says so.
        return []


@contextmanager
def _serving(request_id: str, tenant_id: str) -> Iterator[None]:
    """Have log lines name the request that the newest alert goes back to."""
    token = REQUEST.set(RequestContext(request_id, tenant_id))
    try:
        yield
    finally:
        REQUEST.reset(token)


def _failure(error: Exception, delivery_id: str) -> AttemptFailedError:
    if isinstance(error, AttemptFailedError):
        return error
    if isinstance(error, SentinelError):
        fate = Fate.RETRY if isinstance(error, TransientError) else Fate.DEAD
        return AttemptFailedError(error.message, fate=fate, reason=error.slug)
    # A mistake in a channel: what it says may hold a secret, so the log has it and the delivery has not.
    _LOG.error("delivery %s failed", delivery_id, exc_info=error)
    said = f"{type(error).__name__}, see the worker's log"
    return AttemptFailedError(said, fate=Fate.RETRY, reason=INTERNAL)


def _storable(text: str) -> str:
    # PostgreSQL takes neither NUL nor halves of surrogate pairs.
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()[:MAX_DETAIL_CHARACTERS]
