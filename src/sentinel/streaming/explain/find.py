"""Find the event that is to be explained: pasted, in the lake, among alerts and dead letters, or still in the topic."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaException, TopicPartition

from sentinel.clock import monotonic_seconds, utc_now
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.errors import NotFoundError, StoreUnavailableError
from sentinel.settings import KafkaSettings, LakeSettings
from sentinel.stores.lake.lookup import row_at_place, row_of_event
from sentinel.stores.postgres.explain_reader import ExplainReader
from sentinel.streaming.explain.event import RawRecord

PLACE = re.compile(r"(?:(?P<topic>[A-Za-z0-9._-]+)(?:@\d{1,9})?/)?(?P<partition>\d{1,9})[:/](?P<offset>\d{1,18})")
TOPIC_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event, and what is known of where it is.

    Attributes:
        source: pasted, lake, alert, dead_letter or topic.
        generation_id: The generation that decided it; None: none did.
        record: The record, where it is parsed anew.
        row: Its row of the lake, where it is there.
    """

    source: str
    generation_id: int | None = None
    record: RawRecord | None = None
    row: pa.Table | None = None
    partition: int | None = None
    offset: int | None = None


class EventFinder:
    """Finds events of one pipeline.

    Args:
        snapshot: The pipeline as it is configured now.
        columns: Field of the current schema -> column of the lake's table.
        check: Called during a search; ends it by raising.
    """

    def __init__(
        self,
        lake: LakeSettings,
        kafka: KafkaSettings,
        reader: ExplainReader,
        snapshot: PipelineSnapshot,
        *,
        columns: Mapping[str, str],
        check: Callable[[], None],
    ) -> None:
        self._lake = lake
        self._kafka = kafka
        self._reader = reader
        self._snapshot = snapshot
        self._columns = columns
        self._check = check

    def find(self, wanted: Mapping[str, Any]) -> FoundEvent:
        """Return the event of a request: `event_base64`, the record's bytes, or `event`, an event id or a place.

        Raises:
            NotFoundError: It is nowhere.
            InvalidError: The pipeline's ids cannot be looked for, or not in time.
            StoreUnavailableError: A store does not answer.
        """
        if wanted.get("event_base64") is not None:
            return FoundEvent("pasted", record=RawRecord(base64.b64decode(wanted["event_base64"]), 0, 0, utc_now()))
        name = str(wanted["event"])
        place = PLACE.fullmatch(name)
        by_id = self._by_id(name)
        if by_id is not None:
            return by_id
        if place is not None and place["topic"] in (None, self._snapshot.kafka_topic):
            at_place = self._at_place(int(place["partition"]), int(place["offset"]))
            if at_place is not None:
                return at_place
        raise NotFoundError(
            f"pipeline {self._snapshot.pipeline_id} has no event {name[:200]!r}: neither in the lake, which new events "
            "reach within seconds, nor among the alerts; a dead letter is found by the place of its record only: name "
            "that as partition:offset, or send the event itself"
        )

    def _by_id(self, event_id: str) -> FoundEvent | None:
        alerted = self._reader.alerted_event(event_id)
        if alerted is not None:
            archived = self._archived(alerted.partition, alerted.offset)
            if archived is not None and archived.generation_id == alerted.generation_id:
                return archived
            record = RawRecord(alerted.raw.encode(), alerted.partition, alerted.offset, alerted.timestamp)
            return FoundEvent("alert", alerted.generation_id, record, None, alerted.partition, alerted.offset)
        field = self._snapshot.schema.event_id
        if field is None:
            return None
        row = row_of_event(
            self._lake,
            self._snapshot.tenant_id,
            self._snapshot.pipeline_id,
            event_id,
            column=self._columns[field.name],
            kind=field.type,
            check=self._check,
        )
        return None if row is None else _of_row(row)

    def _at_place(self, partition: int, offset: int) -> FoundEvent | None:
        archived = self._archived(partition, offset)
        if archived is not None:
            return archived
        dead = self._reader.dead_letter(partition, offset)
        if dead is not None and dead.is_whole:
            record = RawRecord(dead.raw, partition, offset, dead.timestamp)
            return FoundEvent("dead_letter", dead.generation_id, record, None, partition, offset)
        kept = record_in_topic(self._kafka, self._snapshot.kafka_topic, partition, offset)
        if kept is None:
            return None
        generation = self._reader.generation_at(partition, offset)
        return FoundEvent("topic", generation, kept, None, partition, offset)

    def _archived(self, partition: int, offset: int) -> FoundEvent | None:
        snapshot = self._snapshot
        place = (partition, offset)
        row = row_at_place(self._lake, snapshot.tenant_id, snapshot.pipeline_id, place, self._check)
        return None if row is None else _of_row(row)


def _of_row(row: pa.Table) -> FoundEvent:
    (found,) = row.select(["_generation_id", "_partition", "_offset"]).to_pylist()
    return FoundEvent("lake", found["_generation_id"], None, row, found["_partition"], found["_offset"])


def record_in_topic(kafka: KafkaSettings, topic: str, partition: int, offset: int) -> RawRecord | None:
    """Return a record that the topic still holds; None: it does not, or does not yet.

    Raises:
        StoreUnavailableError: Kafka does not answer.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": "sentinel-explain",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "log_level": 2,
        }
    )
    try:
        wanted = TopicPartition(topic, partition, offset)
        partitions = consumer.list_topics(topic, timeout=TOPIC_SECONDS).topics[topic].partitions
        if partition not in partitions:
            return None
        low, high = consumer.get_watermark_offsets(wanted, timeout=TOPIC_SECONDS)
        if not low <= offset < high:
            return None
        consumer.assign([wanted])
        deadline = monotonic_seconds() + TOPIC_SECONDS
        while monotonic_seconds() < deadline:
            message = consumer.poll(0.2)
            if message is None or message.error() is not None:
                continue
            if message.offset() != offset:
                return None  # compacted away, or of a transaction that was aborted
            kind, milliseconds = message.timestamp()
            at = utc_now() if kind == TIMESTAMP_NOT_AVAILABLE else datetime.fromtimestamp(milliseconds / 1000, UTC)
            return RawRecord(message.value(), partition, offset, at)
    except KafkaException as error:
        raise StoreUnavailableError("Kafka", str(error.args[0] if error.args else error)) from error
    finally:
        consumer.close()
    return None
