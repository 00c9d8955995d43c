"""Hands stored events on to their topics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from sentinel.clock import monotonic_seconds
from sentinel.domain.stripe_event import stripe_record
from sentinel.domain.webhook import PublishFailure, WaitingEvent, WebhookKind
from sentinel.errors import ConfigurationError, SentinelError
from sentinel.stores.webhooks import WebhookOutbox

_LOG = logging.getLogger(__name__)

BATCH = 100
# A record that cannot be written as it is waits for somebody to change the topic.
POSTPONE_SECONDS = 300.0
MAX_BACKOFF_SECONDS = 30.0
# Between two passes: at 200 events a second a pass for each of them would take the processor from those who receive.
REST_SECONDS = 0.05
STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record to be written."""

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class WriteFailure:
    """Why a record was not written.

    Attributes:
        is_permanent: It cannot be written later either, unless somebody changes the topic.
    """

    reason: str
    is_permanent: bool


class Topics(Protocol):
    """Where records are written to."""

    def write(self, records: Sequence[OutgoingRecord]) -> Sequence[WriteFailure | None]:
        """Return, for each record, None when the broker holds it."""

    def ensure(self, topic: str) -> None:
        """Create a topic where there is none. Called again when a record could not be written to it.

        Raises:
            ConfigurationError: The broker refuses such a topic.
            StoreUnavailableError: The broker does not answer.
        """


class WebhookPublisher:
    """Hands events on, in a thread of its own: at once when one was stored, and every few seconds whatever waits.

    At least once: 1. events are held, by row locks that other publishers pass over; 2. they are written; 3. those that
    the broker confirmed are marked; 4. that is committed. A crash between 2 and 4 writes them again, under the same
    event id, which a pipeline takes for the same event. Those of a tenant are written in the order in which they were
    stored, but for those that had to be tried again.
    """

    def __init__(self, outbox: WebhookOutbox, topics: Topics, *, sweep_seconds: float) -> None:
        self._outbox = outbox
        self._topics = topics
        self._sweep_seconds = sweep_seconds
        self._changed = threading.Condition()
        self._woken: set[str] = set()
        self._wanted: set[str] = set()
        self._ensured: set[str] = set()
        self._is_closing = False
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._swept_at = monotonic_seconds()

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="webhook-publisher", daemon=True)
        self._thread.start()

    def wake(self, tenant_id: str) -> None:
        """Hand a tenant's events on now. Does not wait."""
        with self._changed:
            self._woken.add(tenant_id)
            self._changed.notify()

    def prepare(self, topic: str) -> None:
        """Have a topic created where there is none, so that a job may begin before the first event. Does not wait."""
        with self._changed:
            self._wanted.add(topic)
            self._changed.notify()

    def close(self) -> None:
        """End after the batch that is on its way."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def sweep(self) -> int:
        """Hand on whatever waits, of every tenant, and return how many events the broker confirmed.

        Raises:
            StoreUnavailableError: PostgreSQL does not say who waits.
        """
        confirmed = 0
        for tenant_id in self._outbox.waiting_tenants():
            try:
                confirmed += self.publish(tenant_id)
            except SentinelError as error:
                # What keeps one tenant's events waiting does not keep those of others.
                _LOG.warning("events of webhooks of tenant %s wait: %s", tenant_id, error.message)
                self._failures += 1
        return confirmed

    def publish(self, tenant_id: str) -> int:
        """Hand on whatever waits of a tenant, batch by batch, and return how many events the broker confirmed.

        Stops at a batch in which one was not confirmed for a passing reason: the broker is away, or slow.

        Raises:
            StoreUnavailableError: PostgreSQL or Kafka does not answer.
        """
        confirmed = 0
        while not self._is_closing:
            with self._outbox.claimed(tenant_id, BATCH) as claimed:
                events = claimed.events
                failures = self._written(events) if events else []
                settled = zip(events, failures, strict=True)
                outcomes = [(event, failure) for event, failure in settled]
                published = [event.id for event, failure in outcomes if failure is None]
                postponed = [
                    PublishFailure(event.id, failure.reason)
                    for event, failure in outcomes
                    if failure is not None and failure.is_permanent
                ]
                claimed.settle(published, postponed, seconds=POSTPONE_SECONDS)
            confirmed += len(published)
            for failure in postponed:
                _LOG.error("webhook event %d of tenant %s: %s", failure.event_id, tenant_id, failure.reason)
            if len(published) + len(postponed) < len(events):
                reason = next(found.reason for found in failures if found is not None and not found.is_permanent)
                _LOG.warning("events of webhooks wait for Kafka: %s", reason)
                self._failures += 1
                break
            if len(events) < BATCH:
                break
        return confirmed

    def _written(self, events: Sequence[WaitingEvent]) -> list[WriteFailure | None]:
        """Write events; once more those that a topic did not take, after a look whether it is still there."""
        failures: list[WriteFailure | None] = [None] * len(events)
        records: dict[int, OutgoingRecord] = {}
        for index, event in enumerate(events):
            try:
                records[index] = _record(event)
            except Exception as error:
                failures[index] = WriteFailure(f"no record could be made of it: {error!r}", True)
        for topic in {record.topic for record in records.values()} - self._ensured:
            self._ensure(topic, records, failures)
        self._write(records, failures)
        again = {
            index: record for index, record in records.items() if (found := failures[index]) and found.is_permanent
        }
        for topic in {record.topic for record in again.values()}:
            self._ensure(topic, again, failures)
        self._write(again, failures)
        return failures

    def _ensure(self, topic: str, records: dict[int, OutgoingRecord], failures: list[WriteFailure | None]) -> None:
        """Have a topic created; where that can never be, its events fail, and those of other topics go on."""
        try:
            self._topics.ensure(topic)
            self._ensured.add(topic)
        except ConfigurationError as error:
            for index in [index for index, record in records.items() if record.topic == topic]:
                del records[index]
                failures[index] = WriteFailure(error.message, True)

    def _write(self, records: Mapping[int, OutgoingRecord], failures: list[WriteFailure | None]) -> None:
        for index, failure in zip(records, self._topics.write(list(records.values())), strict=True):
            failures[index] = failure

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work(), timeout=self._pause())
                if self._is_closing:
                    return
                woken, self._woken = self._woken, set()
            before = self._failures
            try:
                self._create_wanted()
                is_due = monotonic_seconds() - self._swept_at >= self._sweep_seconds
                if woken and not before and not is_due:
                    for tenant_id in woken:
                        self.publish(tenant_id)
                else:
                    self._swept_at = monotonic_seconds()
                    if self.sweep():
                        # The broker takes events: what fails is a tenant's or a topic's own, and is tried next time.
                        self._failures = before = 0
            except SentinelError as error:
                _LOG.warning("events of webhooks wait: %s", error.message)
                self._failures += 1
            except Exception:
                # The thread is the only one that hands events on in this process.
                _LOG.exception("handing on events of webhooks failed")
                self._failures += 1
            if self._failures == before:
                self._failures = 0
            with self._changed:
                self._changed.wait_for(lambda: self._is_closing, timeout=REST_SECONDS)

    def _create_wanted(self) -> None:
        for topic in list(self._wanted):
            # Tried once: the first event for it has it created as well.
            self._wanted.discard(topic)
            if topic not in self._ensured:
                try:
                    self._topics.ensure(topic)
                    self._ensured.add(topic)
                except SentinelError as error:
                    _LOG.warning("the topic %r of webhooks is not there yet: %s", topic, error.message)

    def _has_work(self) -> Callable[[], bool]:
        # While the broker or the database is away, an event that comes in is no reason to try earlier.
        is_failing = self._failures > 0
        return lambda: self._is_closing or (bool(self._woken or self._wanted) and not is_failing)

    def _pause(self) -> float:
        if not self._failures:
            return self._sweep_seconds
        return float(min(MAX_BACKOFF_SECONDS, 0.5 * 2 ** min(self._failures, 10)))


def _record(event: WaitingEvent) -> OutgoingRecord:
    """Return what is written: Stripe's events as records of the built-in pipeline, all others as they came."""
    if event.kind is not WebhookKind.STRIPE:
        return OutgoingRecord(event.topic, event.provider_event_id.encode(), event.raw)
    value = orjson.dumps(stripe_record(orjson.loads(event.raw)))
    return OutgoingRecord(event.topic, event.provider_event_id.encode(), value)
