"""Alerts = what each generation's rules say of its offsets, computed anew from the lake."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.streaming.history.lake import LakeForm, lake_events
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.layout import rules_of_masks
from sentinel.streaming.reconcile.report import Difference

Pair = tuple[int, str]
PAIR = pa.schema([("rule_id", pa.int64()), ("event_id", pa.string())])
EXAMPLES = 5


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
    events = lake_events(table, LakeForm(snapshot.kafka_topic, history, {generation_id: snapshot.source_epoch}))
    matched = compiled.evaluate(events).where(compiled.matched()).select("event_id", *compiled.mask_names)
    pairs = []
    for row in matched.toLocalIterator():
        for index in rules_of_masks([row[name] for name in compiled.mask_names], compiled.masks):
            # As the writer stores it.
            pairs.append((snapshot.rule_set.rules[index].rule_id, row["event_id"].replace("\x00", "\ufffd")))
    return pairs


def compare_alerts(
    expected: list[Pair], found: list[Pair], elsewhere: list[Pair], *, allowed: Sequence[Pair] = ()
) -> Difference:
    """Compare as sets: an event id that came twice gives one alert per rule.

    Args:
        found: Alerts of records that are in the lake.
        elsewhere: Alerts of records that are not there yet. An event id that came twice may have its alert among them.
        allowed: Alerts that may be there and need not: a refill that did not come to its end wrote some of them.
    """
    connection = duckdb.connect()
    sides = {"expected": expected, "found": found, "elsewhere": elsewhere, "allowed": allowed}
    for name, pairs in sides.items():
        table = pa.table({"rule_id": [r for r, _ in pairs], "event_id": [e for _, e in pairs]}, schema=PAIR)
        connection.register(name, table)
    wanted = connection.execute("SELECT count(*) FROM (SELECT DISTINCT * FROM expected)").fetchone()
    missing = connection.execute(
        "SELECT * FROM expected EXCEPT (SELECT * FROM found UNION ALL SELECT * FROM elsewhere) ORDER BY ALL"
    ).fetchall()
    extra = connection.execute(
        "SELECT * FROM found EXCEPT (SELECT * FROM expected UNION ALL SELECT * FROM allowed) ORDER BY ALL"
    ).fetchall()
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
