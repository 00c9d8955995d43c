"""Read a pipeline's lake back as events.

A rule of today meets a record of any time: the event holds the fields of one chosen schema, each from the column that
this schema's type of it has; a field that the record's own schema did not have, or had in another type, is null.
What a record *is* does not change with the schema: its identity and its time are those of the schema it was archived
under, so it has the identity that live detection gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.history import Clock, LakeEnds, TimeRange
from sentinel.domain.lake_table import column_names
from sentinel.streaming.query.parse import identity_of, source_name

History = tuple[tuple[int, EventSchema], ...]


@dataclass(frozen=True, slots=True)
class LakeForm:
    """How the rows of a lake are read.

    Attributes:
        history: (version, schema) of every version up to the one whose fields the events get, oldest first.
        epochs: Generation -> source epoch.
    """

    kafka_topic: str
    history: History
    epochs: Mapping[int, int]

    @property
    def schema(self) -> EventSchema:
        """The schema whose fields the events get."""
        return self.history[-1][1]


def lake_events(table: DataFrame, form: LakeForm, fields: Collection[str] | None = None) -> DataFrame:
    """Turn rows of the lake back into parsed events.

    Args:
        fields: Only these are read into the event; None: all.

    Columns out: event struct, event_id string, event_time timestamp, cause string (null), timestamp, partition int,
    offset bigint, generation_id bigint.
    """
    names = set(table.columns)
    columns = column_names(form.history)
    wanted = [field for field in form.schema if fields is None or field.name in fields]
    values = [_value(columns[field.name], field.type.spark(), names).alias(field.name) for field in wanted]
    placed = table.select(
        "*",
        (F.struct(*values) if values else F.struct(F.lit(None).cast("string").alias("_none"))).alias("event"),
        F.col("_partition").alias("partition"),
        F.col("_offset").alias("offset"),
        F.col("_timestamp").alias("timestamp"),
    )
    return placed.select(
        "event",
        _event_id(form, names).alias("event_id"),
        event_time(form, names).alias("event_time"),
        F.lit(None).cast("string").alias("cause"),
        "timestamp",
        "partition",
        "offset",
        F.col("_generation_id").alias("generation_id"),
    )


def in_range(table: DataFrame, form: LakeForm, wanted: TimeRange) -> DataFrame:
    """Keep the rows of a lake whose time lies in a range; reads the partitions that can hold some.

    The lake's partition is the day of the event time. A record's timestamp says little of it, since a producer may
    send late: by that clock every partition is read.
    """
    if wanted.clock is Clock.EVENT_TIME:
        time = event_time(form, set(table.columns), timestamp="_timestamp")
        days = (F.col("date") >= F.lit(wanted.start.date())) & (F.col("date") <= F.lit(wanted.end.date()))
        table = table.where(days)
    else:
        time = F.col("_timestamp")
    return table.where((time >= F.lit(wanted.start)) & (time < F.lit(wanted.end)))


def below(table: DataFrame, ends: LakeEnds, epochs: Mapping[int, int]) -> DataFrame:
    """Keep the rows below these ends: source epoch -> partition -> first offset that does not count."""
    parts = []
    for epoch, partitions in ends.items():
        generations = sorted(generation for generation, of in epochs.items() if of == epoch)
        for partition, end in partitions.items():
            parts.append(
                F.col("_generation_id").isin(generations)
                & (F.col("_partition") == partition)
                & (F.col("_offset") < end)
            )
    return table.where(reduce(lambda a, b: a | b, parts, F.lit(False)))


def event_time(form: LakeForm, names: Collection[str], *, timestamp: str = "timestamp") -> Column:
    """Return the event time under the schema of each row, or the record's timestamp."""
    record = F.col(timestamp)

    def of(history: History) -> tuple[str | None, Column]:
        field = history[-1][1].event_time
        if field is None:
            return None, record
        column = column_names(history)[field.name]
        return column, F.coalesce(_value(column, field.type.spark(), names).cast("timestamp"), record)

    return _by_version(form.history, of)


def _event_id(form: LakeForm, names: Collection[str]) -> Column:
    source = _source(form)

    def of(history: History) -> tuple[str | None, Column]:
        field = history[-1][1].event_id
        if field is None:
            return None, identity_of(None, source)
        column = column_names(history)[field.name]
        return column, identity_of(_value(column, field.type.spark(), names), source)

    return _by_version(form.history, of)


def _source(form: LakeForm) -> Column:
    source = F.lit(source_name(form.kafka_topic, 0))
    for epoch in sorted(set(form.epochs.values()) - {0}):
        generations = sorted(generation for generation, of in form.epochs.items() if of == epoch)
        named = F.lit(source_name(form.kafka_topic, epoch))
        source = F.when(F.col("_generation_id").isin(generations), named).otherwise(source)
    return source


def _by_version(history: History, of: Callable[[History], tuple[str | None, Column]]) -> Column:
    """Return what `of` says for the schema version of each row; one expression where all versions say the same."""
    groups: dict[str | None, tuple[list[int], Column]] = {}
    for index, (version, _) in enumerate(history):
        key, column = of(history[: index + 1])
        groups.setdefault(key, ([], column))[0].append(version)
    *earlier, (_, chosen) = groups.values()
    for versions, column in earlier:
        chosen = F.when(F.col("_schema_version").isin(versions), column).otherwise(chosen)
    return chosen


def _value(column: str, kind: str, names: Collection[str]) -> Column:
    return F.col(f"`{column}`") if column in names else F.lit(None).cast(kind)
