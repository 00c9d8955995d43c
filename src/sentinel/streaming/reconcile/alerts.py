"""Alerts = what each generation's rules say of its offsets, computed anew from the lake."""

from __future__ import annotations

from itertools import islice

import duckdb
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.finding import Match
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.stores.postgres.verdicts import judge
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.findings import entity_columns
from sentinel.streaming.query.layout import rules_of_masks
from sentinel.streaming.query.parse import event_id
from sentinel.streaming.reconcile.report import Difference
from sentinel.streaming.sink.lake_table import column_names

Pair = tuple[int, str]
PAIR = pa.schema([("rule_id", pa.int64()), ("event_id", pa.string())])
EXAMPLES = 5
CHUNK = 10_000


def expected_alerts(
    spark: SparkSession,
    uri: str,
    generation_id: int,
    snapshot: PipelineSnapshot,
    history: tuple[tuple[int, EventSchema], ...],
) -> list[Pair]:
    """Evaluate a generation's rules over its rows in the lake; return (rule id, event id), which may repeat.

    Args:
        spark: A session of `evaluation_session`.
        uri: The pipeline's Delta table, as Spark names it.
        history: Every schema version up to the generation's, oldest first.
    """
    if not snapshot.rule_set.rules:
        return []
    table = spark.read.format("delta").load(uri).where(F.col("_generation_id") == generation_id)
    compiled = compile_rule_set(snapshot.rule_set, snapshot.schema)
    events = lake_events(table, snapshot, column_names(history))
    matched = compiled.evaluate(events).where(compiled.matched())
    entities = entity_columns(snapshot.schema)
    wanted = matched.select(
        "event_id",
        *compiled.mask_names,
        F.unix_millis("timestamp").alias("timestamp_ms"),
        F.struct(*entities).alias("entities") if entities else F.lit(None).alias("entities"),
        "partition",
        "offset",
    )
    matches = (
        Match(
            row["partition"],
            row["offset"],
            row["timestamp_ms"],
            row["event_id"],
            rules_of_masks([row[name] for name in compiled.mask_names], compiled.masks),
            {k: v for k, v in (row["entities"].asDict() if entities else {}).items() if v is not None},
            b"",
        )
        for row in wanted.toLocalIterator()
    )
    pairs: list[Pair] = []
    while chunk := list(islice(matches, CHUNK)):
        # As the writer stores it; what is muted or snoozed it does not store.
        judged = judge(snapshot.rule_set, chunk)
        pairs += [(rule.rule_id, each.event_id) for each in judged for rule in each.alerted]
    return pairs


def lake_events(table: DataFrame, snapshot: PipelineSnapshot, columns: dict[str, str]) -> DataFrame:
    """Turn rows of the lake back into parsed events.

    Columns out: event struct, event_id string, cause string (null), partition int, offset bigint, timestamp timestamp.
    """
    names = set(table.columns)

    def value(field_name: str, kind: str) -> Column:
        column = columns[field_name]
        return F.col(f"`{column}`") if column in names else F.lit(None).cast(kind)

    fields = [value(field.name, field.type.spark()).alias(field.name) for field in snapshot.schema]
    events = table.select(
        F.struct(*fields).alias("event"),
        F.col("_partition").alias("partition"),
        F.col("_offset").alias("offset"),
        F.col("_timestamp").alias("timestamp"),
        F.lit(None).cast("string").alias("cause"),
    )
    identity = event_id(F.col("event"), snapshot.schema, snapshot.kafka_topic, snapshot.source_epoch)
    return events.select("*", identity.alias("event_id"))


def compare_alerts(expected: list[Pair], found: list[Pair], elsewhere: list[Pair]) -> Difference:
    """Compare as sets: an event id that came twice gives one alert per rule.

    Args:
        found: Alerts of records that are in the lake.
        elsewhere: Alerts of records that are not there yet. An event id that came twice may have its alert among them.
    """
    connection = duckdb.connect()
    for name, pairs in (("expected", expected), ("found", found), ("elsewhere", elsewhere)):
        table = pa.table({"rule_id": [r for r, _ in pairs], "event_id": [e for _, e in pairs]}, schema=PAIR)
        connection.register(name, table)
    wanted = connection.execute("SELECT count(*) FROM (SELECT DISTINCT * FROM expected)").fetchone()
    missing = connection.execute(
        "SELECT * FROM expected EXCEPT (SELECT * FROM found UNION ALL SELECT * FROM elsewhere) ORDER BY ALL"
    ).fetchall()
    extra = connection.execute("SELECT * FROM found EXCEPT SELECT * FROM expected ORDER BY ALL").fetchall()
    twice = len(found) - len(set(found))
    examples = [f"missing: rule {rule}, event {event}" for rule, event in missing[:EXAMPLES]]
    examples += [f"without reason: rule {rule}, event {event}" for rule, event in extra[:EXAMPLES]]
    return Difference(
        "alerts = rules over the lake",
        expected=wanted[0] if wanted else 0,
        found=len(found),
        lost=len(missing),
        doubled=len(extra) + twice,
        examples=tuple(examples),
    )
