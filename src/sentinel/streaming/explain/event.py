"""One event as a DataFrame, whatever it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import PipelineConfig
from sentinel.streaming.query.parse import parse

_RECORD = pa.schema(
    [
        ("number", pa.int32()),
        ("value", pa.binary()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as it is, or would be, in the topic."""

    value: bytes | None
    partition: int
    offset: int
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class ParsingForm:
    """What a record is parsed with."""

    schema: EventSchema
    config: PipelineConfig
    topic: str
    source_epoch: int


def parsed_records(spark: SparkSession, records: Sequence[RawRecord], form: ParsingForm) -> DataFrame:
    """Parse records as the stream does. Columns out: those of `parse`, in the order of the records.

    The rows stay in the driver (a local relation), so what is computed over a few of them needs no Spark job.
    """
    rows = {
        "number": list(range(len(records))),
        "value": [record.value for record in records],
        "partition": [record.partition for record in records],
        "offset": [record.offset for record in records],
        "timestamp": [record.timestamp for record in records],
    }
    frame = spark.createDataFrame(pa.table(rows, schema=_RECORD))
    return parse(frame, form.schema, form.config, topic=form.topic, source_epoch=form.source_epoch)


def archived_event(spark: SparkSession, row: pa.Table, schema: EventSchema, columns: Mapping[str, str]) -> DataFrame:
    """Turn one row of the lake back into the event.

    Columns out: event struct, partition int, offset bigint, and null for cause, field and detail.

    Args:
        columns: Field -> column of the lake's table; of those that the row lacks the event has null.
    """
    frame = spark.createDataFrame(row)
    present = set(row.column_names)
    fields = [
        (F.col(f"`{columns[field.name]}`") if columns[field.name] in present else F.lit(None))
        .cast(field.type.spark())
        .alias(field.name)
        for field in schema
    ]
    nothing = F.lit(None).cast("string")
    return frame.select(
        F.struct(*fields).alias("event"),
        F.col("_partition").alias("partition"),
        F.col("_offset").alias("offset"),
        *[nothing.alias(name) for name in ("cause", "field", "detail")],
    )
