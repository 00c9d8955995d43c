"""Parse records into events; what is not an event gets a cause."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import lru_cache, reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentinel.domain.dead_letter import MAX_EVENT_ID_CHARACTERS, DeadLetterCause
from sentinel.domain.diagnosis import UNSOUND
from sentinel.domain.event_schema import EventSchema, ScalarType
from sentinel.domain.pipeline import PipelineConfig
from sentinel.errors import ConfigurationError
from sentinel.streaming.query.wire import any_of, convert, infinite, present, unfit, wire_type

JSON_OPTIONS = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": "_bad",
    # Both are on by default and neither is JSON.
    "allowNonNumericNumbers": "false",
    "allowSingleQuotes": "false",
}

# A key that no record can know.
SEAL = f"_seal_{secrets.token_hex(8)}"
HEADERS = "headers"
"""The column of a record's headers, as Spark's Kafka source gives it: array<struct<key string, value binary>>."""
# Seconds since 1970 of the first moments that are out of range.
EVENT_TIME_FROM = 0
EVENT_TIME_BEFORE = 253_402_300_800


def parse(
    records: DataFrame, schema: EventSchema, config: PipelineConfig, *, topic: str, source_epoch: int
) -> DataFrame:
    """Parse records into events, with the same verdict in Real-Time Mode, micro-batches and batches.

    Nothing in it can throw for any content of a record, nothing reads a clock, and a record is parsed once: the
    result is only fast (and the plan only small) in a session of `session.evaluation_session`. What is wrong with a
    record that is not sound is left to `sentinel.domain.diagnosis`: in the plan it would double what has to be analysed
    and compiled for every change.

    Of a key that appears twice the last value counts. Fields that the schema does not name are ignored.

    Columns in: value binary, partition int, offset bigint, timestamp timestamp, and headers where there are any (others
    are dropped).
    Columns out:
        value, partition, offset, timestamp, and headers where they came in: As they came.
        event: Struct of the schema's fields in order; null if the record is not an event.
        event_id: String; the id field's value, or the record's place (`{topic}/{partition}/{offset}`, with
            `@{source_epoch}` after the topic from the first epoch on) where there is none or it is empty.
        event_time: Timestamp; the event time field's value, or the record's timestamp where there is none.
        cause: `UNSOUND`, or the `DeadLetterCause` where it is about the event's time or id; null for an event.
        field: The offending field; null where the cause is not named.
        detail: A sentence for people; null for an event or where the cause is not named.

    Raises:
        ConfigurationError: The event time field is neither a timestamp nor a date.
    """
    columns = _columns(schema, config, topic, source_epoch, HEADERS in records.columns)
    return records.select(*columns.read).select(*columns.judged).select(*columns.parsed)


@dataclass(frozen=True)
class _Columns:
    """What `parse` selects, one projection after the other."""

    read: list[Column]
    judged: list[Column]
    parsed: list[Column]


@lru_cache(maxsize=256)
def _columns(schema: EventSchema, config: PipelineConfig, topic: str, source_epoch: int, has_headers: bool) -> _Columns:
    """Build the columns. Thousands of calls to the JVM, most of a second: a change of rules must not repeat it."""
    place = [F.col(name) for name in ("value", "partition", "offset", "timestamp", *([HEADERS] if has_headers else []))]
    wire, values = F.col("_wire"), F.get(F.col("_wire")["_v"], F.lit(0))
    event = event_struct(values, schema)
    identity, time = event_id(event, schema, topic, source_epoch), event_time(event, schema)
    unnamed = verdict(UNSOUND, field=F.lit(None).cast("string"), detail=F.lit(None).cast("string"))
    fault = F.when(~sound(wire, schema), unnamed).otherwise(late_fault(identity, time, schema, config))
    return _Columns(
        read=[*place, read_wire(schema, config).alias("_wire")],
        judged=[
            *place,
            event.alias("event"),
            identity.alias("event_id"),
            time.alias("event_time"),
            fault.alias("_fault"),
        ],
        parsed=[
            *place,
            F.when(F.col("_fault").isNull(), F.col("event")).alias("event"),
            F.col("event_id"),
            F.col("event_time"),
            F.col("_fault.cause").alias("cause"),
            F.col("_fault.field").alias("field"),
            F.col("_fault.detail").alias("detail"),
        ],
    )


def read_wire(schema: EventSchema, config: PipelineConfig) -> Column:
    """Return struct<_v array<struct of wire values>, _bad string>; null where the value is not even read."""
    value, text = F.col("value"), F.col("value").cast("string")
    readable = (F.octet_length(value) <= config.max_record_bytes) & F.is_valid_utf8(text)
    fields = ",".join(f"`{field.name}`:{wire_type(field.type)}" for field in schema)
    wire = f"_v array<struct<{fields},`{SEAL}`:boolean>>, _bad string"
    return F.when(readable, F.from_json(enclose(text), wire, JSON_OPTIONS))


def sound(wire: Column, schema: EventSchema) -> Column:
    """Return whether what was read is one object with every required field and without a value that does not fit.

    True or false, never null.
    """
    values = F.get(wire["_v"], F.lit(0))
    sealed = F.get(wire["_v"], F.lit(1))[SEAL]
    checks = [wire["_bad"].isNull(), F.size(wire["_v"]) == 2, sealed.isNotNull(), values.isNotNull()]
    checks += [present(values[field.name], field.type) for field in schema if not field.nullable]
    faults = [
        *[infinite(values[field.name], field.type) for field in schema],
        *[unfit(values[field.name], field.type) for field in schema],
    ]
    faulty = any_of(faults)
    if faulty is not None:
        checks.append(~faulty)
    return F.coalesce(wire.isNotNull() & reduce(lambda a, b: a & b, checks), F.lit(False))


def event_struct(values: Column, schema: EventSchema) -> Column:
    """Return the event: the schema's fields, in order, in their types."""
    return F.struct(*[convert(values[field.name], field.type).alias(field.name) for field in schema])


def event_id(event: Column, schema: EventSchema, topic: str, source_epoch: int) -> Column:
    """Return the identity of an event.

    It never depends on a batch, so replays find the same. Needs the columns partition and offset.
    """
    field = schema.event_id
    return identity_of(None if field is None else event[field.name], F.lit(source_name(topic, source_epoch)))


def source_name(topic: str, source_epoch: int) -> str:
    """Return what stands for a topic in the identity of an event that has no other."""
    return f"{topic}@{source_epoch}" if source_epoch else topic


def identity_of(given: Column | None, source: Column) -> Column:
    """Return the id field's value, or the record's place where there is no such field or it is empty.

    Args:
        given: The id field; None: the schema has none.
        source: The source's name, as `source_name` makes it.
    """
    place = F.concat_ws("/", source, F.col("partition").cast("string"), F.col("offset").cast("string"))
    if given is None:
        return place
    text = given.cast("string")
    return F.when(F.length(text) > 0, text).otherwise(place)


def event_time(event: Column, schema: EventSchema) -> Column:
    """Return the event time, or the record's timestamp."""
    field = schema.event_time
    if field is None:
        return F.col("timestamp")
    if field.type not in (ScalarType("timestamp"), ScalarType("date")):
        raise ConfigurationError(
            f"the event time field {field.name!r} is of type {field.type}; it must be a timestamp or a date"
        )
    return F.coalesce(event[field.name].cast("timestamp"), F.col("timestamp"))


def verdict(cause: str, *, field: Column, detail: Column) -> Column:
    """Return struct<cause, field, detail>."""
    return F.struct(F.lit(str(cause)).alias("cause"), field.alias("field"), detail.alias("detail"))


def enclose(text: Column) -> Column:
    """Return the text as the first of two elements of an array in an object; the second one is the seal.

    Spark stops reading after the first document of a text. Enclosed, a second one or garbage behind it is an error,
    and a text that closes the array itself (`1],"x":[2`) loses the seal.
    """
    return F.concat(F.lit('{"_v":['), text, F.lit(f',{{"{SEAL}":true}}]}}'))


def late_fault(identity: Column, time: Column, schema: EventSchema, config: PipelineConfig) -> Column:
    """Return the verdict on what can only be judged once the event is there: its time and its id."""
    field = F.lit(schema.event_time.name if schema.event_time else None).cast("string")
    ahead = F.unix_seconds(time) - F.unix_seconds("timestamp")
    tolerance = config.future_tolerance_seconds
    outside = (time < F.timestamp_seconds(F.lit(EVENT_TIME_FROM))) | (
        time >= F.timestamp_seconds(F.lit(EVENT_TIME_BEFORE))
    )
    fault = F.when(
        outside,
        verdict(
            DeadLetterCause.EVENT_TIME_OUT_OF_RANGE,
            field=field,
            detail=F.concat(F.lit("the event time is "), time.cast("string")),
        ),
    ).when(
        ahead > tolerance,
        verdict(
            DeadLetterCause.EVENT_TIME_IN_FUTURE,
            field=field,
            detail=F.format_string(
                f"the event time is %d s after the record's timestamp; {tolerance} s are tolerated", ahead
            ),
        ),
    )
    if schema.event_id is not None:
        fault = fault.when(
            F.length(identity) > MAX_EVENT_ID_CHARACTERS,
            verdict(
                DeadLetterCause.OUT_OF_RANGE,
                field=F.lit(schema.event_id.name),
                detail=F.format_string(
                    f"the event id has %d characters; {MAX_EVENT_ID_CHARACTERS} are allowed", F.length(identity)
                ),
            ),
        )
    return fault
