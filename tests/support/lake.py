"""A lake in a directory, written by the code that archives, without Kafka and PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.lake_table import column_names
from sentinel.domain.pipeline import PipelineConfig, PipelineSnapshot, PipelineStatus
from sentinel.domain.rule import RuleSet, RuleVersion, Severity
from sentinel.streaming.history.past import Past
from sentinel.streaming.query.parse import parse
from sentinel.streaming.query.session import evaluation_session
from sentinel.streaming.sink.lake_events import LakeForm
from sentinel.streaming.sink.lake_table import TableTransaction, append, lake_rows

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORDS = T.StructType(
    [
        T.StructField("value", T.BinaryType()),
        T.StructField("partition", T.IntegerType()),
        T.StructField("offset", T.LongType()),
        T.StructField("timestamp", T.TimestampType()),
    ]
)
CONFIG = PipelineConfig(future_tolerance_seconds=10**9)


class DirectoryLake:
    """One pipeline's lake. Records go to partition 0, one offset after the other."""

    def __init__(self, spark: SparkSession, directory: Path, schema: EventSchema, topic: str = "events") -> None:
        self.spark = evaluation_session(spark)
        self.uri = directory.as_uri()
        self.topic = topic
        self.history: list[tuple[int, EventSchema]] = [(1, schema)]
        self.epochs: dict[int, int] = {}
        self._next = 0
        self._commits = 0

    @property
    def schema(self) -> EventSchema:
        """The newest schema."""
        return self.history[-1][1]

    def change_schema(self, schema: EventSchema) -> None:
        """From now on records are archived under this schema."""
        self.history.append((len(self.history) + 1, schema))

    def records(self, values: Sequence[bytes], at: datetime = NOW) -> DataFrame:
        """Return the next records as Kafka's source gives them."""
        rows = [(value, 0, self._next + index, at) for index, value in enumerate(values)]
        self._next += len(values)
        return self.spark.createDataFrame(rows, RECORDS)

    def add(self, values: Sequence[bytes], *, generation: int = 1, epoch: int = 0, at: datetime = NOW) -> None:
        """Archive records."""
        self.archive(self.records(values, at), generation=generation, epoch=epoch)

    def archive(self, records: DataFrame, *, generation: int = 1, epoch: int = 0) -> None:
        """Archive records as they come from `records`."""
        version, schema = self.history[-1]
        self.epochs[generation] = epoch
        self._commits += 1
        parsed = parse(records, schema, CONFIG, topic=self.topic, source_epoch=epoch)
        rows = lake_rows(
            parsed,
            column_names(self.history),
            schema,
            topic=self.topic,
            schema_version=version,
            generation_id=generation,
        )
        append(rows, self.uri, TableTransaction("test", self._commits))

    def past(self, *active: str) -> Past:
        """Return how it is read, with these conditions as active rules; their ids are 1, 2, ..."""
        rules = tuple(
            RuleVersion(number, 100 + number, 1, condition, Severity.WARNING, condition)
            for number, condition in enumerate(active, 1)
        )
        snapshot = PipelineSnapshot(
            tenant_id="default",
            pipeline_id=1,
            name="p",
            kafka_topic=self.topic,
            status=PipelineStatus.ACTIVE,
            config=CONFIG,
            schema_version=self.history[-1][0],
            schema=self.schema,
            rule_set=RuleSet(3, rules),
            start_at="earliest",
            source_epoch=max(self.epochs.values(), default=0),
        )
        return Past(self.uri, snapshot, LakeForm(self.topic, tuple(self.history), dict(self.epochs)))
