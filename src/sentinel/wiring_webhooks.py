"""Settings -> stores -> what takes in webhooks and hands them on. Apart from `wiring`: only the API receives."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Sequence

from sentinel.clock import monotonic_seconds, utc_now
from sentinel.ingest.webhooks.backfill import StripeBackfill
from sentinel.ingest.webhooks.publisher import OutgoingRecord, WebhookPublisher, WriteFailure
from sentinel.ingest.webhooks.receiver import WebhookReceiver
from sentinel.ingest.webhooks.stripe_events import StripeEvents
from sentinel.settings import IngestSettings, KafkaSettings, Settings
from sentinel.stores.kafka.event_log import EventLog, EventRecord
from sentinel.stores.postgres.webhook_backfills import PostgresBackfillInbox
from sentinel.stores.postgres.webhook_inbox import PostgresWebhookInbox


class Webhooks:
    """What takes in webhooks in this process. Connects when first used."""

    def __init__(self, settings: Settings, inbox: PostgresWebhookInbox, backfill_inbox: PostgresBackfillInbox) -> None:
        self._topics = _EventLogTopics(settings.kafka, settings.ingest)
        self.publisher = WebhookPublisher(inbox, self._topics, sweep_seconds=settings.webhooks.sweep_seconds)
        self.receiver = WebhookReceiver(inbox, self.publisher.wake, utc_now)
        self._stripe = StripeEvents(settings.webhooks.stripe_api_base)
        self.backfill = StripeBackfill(
            backfill_inbox,
            self._stripe,
            self.publisher.wake,
            now=utc_now,
            monotonic=monotonic_seconds,
            sleep=time.sleep,
            chance=random.random,
            new_holder=lambda: uuid.uuid4().hex,
        )

    def open(self) -> None:
        """Begin to hand events on. Does not wait."""
        self.publisher.start()

    def close(self) -> None:
        """End; what waits is handed on by the next process."""
        self.publisher.close()
        self._topics.close()
        self._stripe.close()


class _EventLogTopics:
    """Topics of the event log, as the publisher sees them."""

    def __init__(self, kafka: KafkaSettings, settings: IngestSettings) -> None:
        self._settings = settings
        self._log = EventLog(kafka, timeout_seconds=settings.timeout_seconds)

    def write(self, records: Sequence[OutgoingRecord]) -> list[WriteFailure | None]:
        """Return, for each record, None when the broker holds it."""
        found = self._log.append([EventRecord(record.topic, record.value, record.key) for record in records])
        return [None if failure is None else WriteFailure(failure.reason, failure.is_permanent) for failure in found]

    def ensure(self, topic: str) -> None:
        """Create a topic where there is none.

        Raises:
            StoreUnavailableError: The broker does not answer.
        """
        self._log.ensure_topic(
            topic, partitions=self._settings.default_partitions, replication=self._settings.replication
        )

    def close(self) -> None:
        """Leave the broker."""
        self._log.close()
