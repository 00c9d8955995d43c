"""Alerts = what each generation's rules say of its offsets, computed anew from the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import duckdb
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.finding import Match
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.domain.storm import RuleHour, hour_of
from sentinel.stores.postgres.verdicts import decision_rows, judge
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.findings import entity_columns
from sentinel.streaming.query.layout import rules_of_masks
from sentinel.streaming.query.lookups import LookupTables
from sentinel.streaming.reconcile.decisions import Decided, decided
from sentinel.streaming.reconcile.report import Difference
from sentinel.streaming.sink.lake_events import LakeForm, lake_events

Pair = tuple[int, str]
Expected = tuple[int, str, int]
"""Rule id, event id, and the hour of the record's timestamp (hours since the epoch)."""
REFILLED = -1
"""Stands for the hour of a match that a refill alerts."""
PAIR = pa.schema([("rule_id", pa.int64()), ("event_id", pa.string())])
EXPECTED = PAIR.append(pa.field("hour", pa.int64()))
EXAMPLES = 5
CHUNK = 10_000


@dataclass(slots=True)
class Expectations:
    """What the generations say of their offsets.

    Attributes:
        alerts: What should alert; an event id that came twice repeats it.
        decisions: What scorecards may have decided: the first record of an event did.
    """

    alerts: list[Expected] = field(default_factory=list)
    decisions: list[Decided] = field(default_factory=list)


def expect(
    spark: SparkSession,
    uri: str,
    generation_id: int,
    snapshot: PipelineSnapshot,
    history: tuple[tuple[int, EventSchema], ...],
    *,
    tables: LookupTables | None = None,
    into: Expectations,
) -> None:
    """Evaluate a generation's rules over its rows in the lake.

    Args:
        spark: A session of `evaluation_session`.
        uri: The pipeline's Delta table, as Spark names it.
        history: Every schema version up to the generation's, oldest first.
        tables: Where the rows of lists come from.
        into: What is found is added to it.
    """
    if not snapshot.rule_set.rules:
        return
    table = spark.read.format("delta").load(uri).where(F.col("_generation_id") == generation_id)
    compiled = compile_rule_set(snapshot.rule_set, snapshot.schema, tables)
    events = lake_events(table, LakeForm(snapshot.kafka_topic, history, {generation_id: snapshot.source_epoch}))
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
    while chunk := list(islice(matches, CHUNK)):
        # As the writer stores it; what is muted or snoozed it does not store.
        judged = judge(snapshot.rule_set, chunk)
        for each in judged:
            hour = hour_of(each.match.timestamp_ms)
            into.alerts += [(rule.rule_id, each.event_id, hour) for rule in each.alerted]
        into.decisions += map(decided, decision_rows(snapshot.rule_set, judged))


def compare_alerts(
    expected: list[Expected],
    found: list[Pair],
    elsewhere: list[Pair],
    *,
    suppressed: Mapping[RuleHour, int],
    allowed: Sequence[Pair] = (),
) -> Difference:
    """Compare as sets: an event id that came twice gives one alert per rule.

    Args:
        found: Alerts of records that are in the lake.
        elsewhere: Alerts of records that are not there yet. An event id that came twice may have its alert among them.
        suppressed: Matches of a rule in an hour that the storm guard only counted: so many may be missing.
        allowed: Alerts that may be there and need not: a refill that did not come to its end wrote some of them.
    """
    connection = duckdb.connect()
    rule_ids, event_ids, hours = zip(*expected, strict=True) if expected else ((), (), ())
    connection.register("expected", pa.table({"rule_id": rule_ids, "event_id": event_ids, "hour": hours}, EXPECTED))
    counted = [(rule_id, hour, count) for (rule_id, hour), count in suppressed.items()]
    connection.execute("CREATE TABLE suppressed (rule_id BIGINT, hour BIGINT, n BIGINT)")
    if counted:
        connection.executemany("INSERT INTO suppressed VALUES (?, ?, ?)", counted)
    for name, pairs in (("found", found), ("elsewhere", elsewhere), ("allowed", allowed)):
        table = pa.table({"rule_id": [r for r, _ in pairs], "event_id": [e for _, e in pairs]}, schema=PAIR)
        connection.register(name, table)
    connection.execute(
        "CREATE VIEW wanted AS SELECT rule_id, event_id, min(hour) AS hour FROM expected GROUP BY rule_id, event_id"
    )
    wanted = connection.execute("SELECT count(*) FROM wanted").fetchone()
    missing = connection.execute(
        """
        SELECT w.rule_id, w.event_id FROM (
            SELECT rule_id, event_id, hour, row_number() OVER (PARTITION BY rule_id, hour ORDER BY event_id) AS place
            FROM wanted ANTI JOIN (FROM found UNION ALL FROM elsewhere) USING (rule_id, event_id)
        ) w LEFT JOIN suppressed s ON s.rule_id = w.rule_id AND s.hour = w.hour
        WHERE w.place > coalesce(s.n, 0) ORDER BY ALL
        """
    ).fetchall()
    extra = connection.execute(
        "SELECT * FROM found EXCEPT (SELECT rule_id, event_id FROM wanted UNION ALL SELECT * FROM allowed) ORDER BY ALL"
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
