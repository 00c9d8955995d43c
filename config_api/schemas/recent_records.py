"""Records as they lie in Kafka, as they are answered."""

from __future__ import annotations

from pydantic import Field

from config_api.schemas.base import AnswerModel, Timestamp
from sentinel.stores.kafka.topic_tail import TailRecord


class RecentRecordAnswer(AnswerModel):
    """A record."""

    partition: int
    offset: int
    kafka_timestamp: Timestamp
    text: str | None = Field(description="Its value; what is no UTF-8 shows as U+FFFD. Null: it has none.")
    size_bytes: int = Field(description="Of the whole value.")
    is_cut: bool = Field(description="The text is only the beginning.")

    @classmethod
    def of(cls, record: TailRecord) -> RecentRecordAnswer:
        """Build the answer."""
        return cls(
            partition=record.partition,
            offset=record.offset,
            kafka_timestamp=record.kafka_timestamp,
            text=None if record.value is None else record.value.decode("utf-8", "replace"),
            size_bytes=record.size_bytes,
            is_cut=record.value is not None and len(record.value) < record.size_bytes,
        )
