"""Read the lake as the stream was parsed: rows of the Delta table as events that rules can be evaluated on."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentinel.domain.event_schema import Field
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.streaming.query.parse import event_id


def lake_events(table: DataFrame, snapshot: PipelineSnapshot, columns: dict[str, str]) -> DataFrame:
    """Turn rows of the lake back into parsed events.

    Columns out: event struct, event_id string, cause string (null), partition int, offset bigint, timestamp.
    """
    events = some_fields(table, snapshot.schema, columns)
    identity = event_id(F.col("event"), snapshot.schema, snapshot.kafka_topic, snapshot.source_epoch)
    return events.select("*", identity.alias("event_id"))


def some_fields(table: DataFrame, fields: Iterable[Field], columns: dict[str, str]) -> DataFrame:
    """Turn rows of the lake back into events of which only some fields are known: no others are read.

    Columns out: as of `lake_events`, without the event id.
    """
    names = set(table.columns)

    def value(field_name: str, kind: str) -> Column:
        column = columns[field_name]
        return F.col(f"`{column}`") if column in names else F.lit(None).cast(kind)

    known = [value(field.name, field.type.spark()).alias(field.name) for field in fields]
    return table.select(
        F.struct(*known).alias("event"),
        F.col("_partition").alias("partition"),
        F.col("_offset").alias("offset"),
        F.col("_timestamp").alias("timestamp"),
        F.lit(None).cast("string").alias("cause"),
    )
