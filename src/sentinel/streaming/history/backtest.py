"""Say what rules would have said of a pipeline's past: one pass over its lake for all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sentinel.clock import monotonic_seconds
from sentinel.domain.backtest import (
    MAX_OVERLAPS,
    BacktestRequest,
    BacktestResult,
    Overlap,
    Quality,
    RuleOutcome,
    SampleEvent,
    SweepPoint,
    bucket_seconds,
    check_label_column,
)
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.rule import RuleVersion, Severity
from sentinel.errors import InvalidRuleError
from sentinel.streaming.history.outcomes import CompiledOutcomes, compile_outcomes
from sentinel.streaming.history.past import Check, Past, Report, spark_work
from sentinel.streaming.history.tally import Tally, TallyShape
from sentinel.streaming.query.session import evaluation_session
from sentinel.streaming.sink.lake_events import in_range, lake_events

# Longer events are not shown: a result is kept as one row.
MAX_SHOWN_CHARACTERS = 4_000
LABELS = "event_id string, label boolean"

Place = tuple[int, int, int]


def run_backtest(
    spark: SparkSession,
    past: Past,
    request: BacktestRequest,
    *,
    labels: pa.Table | None = None,
    report: Report = lambda _: None,
    check: Check = lambda: None,
) -> BacktestResult:
    """Evaluate rules over the lake, with the expressions that run live.

    Every row of the lake counts, also a record that came twice under one id, of which live detection makes one alert.

    Args:
        labels: event_id string, label boolean; each id once.
        report: Told how far it is: `phase`, and `done` from 0 to 1.
        check: Called between the steps; may raise to end it.

    Raises:
        InvalidRuleError: A rule does not pass the gate for the schema of today; names the rule.
        InvalidError: The label column cannot be used.
        StoreUnavailableError: The lake does not answer.
    """
    started = monotonic_seconds()
    check()
    session = evaluation_session(spark)
    snapshot = past.snapshot
    outcomes, shape = plan(past, request)
    table = in_range(past.table(session), past.form, request.range)
    fields = outcomes.fields(snapshot.schema) | ({request.label_column} if request.label_column else set())
    events = lake_events(table, past.form, fields)
    evaluated = outcomes.evaluate(_labelled(session, events, snapshot.schema, request, labels))
    first = int(request.range.start.timestamp()) // bucket_seconds(request.range)
    narrow = evaluated.select(*_tally_columns(request, outcomes, first))
    total = Tally.empty(shape)
    with spark_work(session, report, check, "evaluating"):
        for row in narrow.mapInArrow(_counter(shape), "tally binary").collect():
            total.merge(Tally.from_bytes(bytes(row.tally)))
    check()
    with spark_work(session, report, check, "reading samples"):
        samples = read_samples(session, past, [place for rule in range(shape.asked) for place in total.places(rule)])
    has_labels = request.label_column is not None or labels is not None
    result = _result(request, past, total, samples, has_labels)
    return replace(result, seconds=round(monotonic_seconds() - started, 3))


def plan(past: Past, request: BacktestRequest) -> tuple[CompiledOutcomes, TallyShape]:
    """Compile the tested rules, the variants of the sweep and the active rules together.

    Raises:
        InvalidRuleError: A condition does not pass the gate for the schema of today; names the rule.
    """
    variants = request.sweep.conditions if request.sweep else ()
    active = past.snapshot.rule_set.rules if request.against_active else ()
    tested = [_version(condition) for condition in (*(rule.condition for rule in request.rules), *variants)]
    names = [*(rule.name for rule in request.rules), *(f"with {value}" for value in _values(request))]
    for name, rule in zip(names, tested, strict=True):
        try:
            compile_outcomes([rule], past.snapshot.schema, asked=0, around=past.around, tables=past.tables)
        except InvalidRuleError as error:
            raise InvalidRuleError(f"{name}: {error.message.removeprefix('rule 0: ')}", issues=error.issues) from error
    outcomes = compile_outcomes(
        [*tested, *active],
        past.snapshot.schema,
        asked=len(request.rules),
        around=past.around,
        tables=past.tables,
    )
    shape = TallyShape(
        asked=len(request.rules),
        variants=len(variants),
        others=len(active),
        buckets=len(bucket_starts(request)),
        samples=request.samples,
        masks=outcomes.compiled.masks,
    )
    return outcomes, shape


def bucket_starts(request: BacktestRequest) -> list[int]:
    """Return when each bucket of the curve begins, in seconds since 1970; the first may begin before the range."""
    length = bucket_seconds(request.range)
    first = int(request.range.start.timestamp()) // length
    last = int(request.range.end.timestamp() - 1e-6) // length
    return [number * length for number in range(first, last + 1)]


def label_of_column(schema: EventSchema, name: str) -> Column:
    """Return the label that a field of the event says: true or false; null where it says neither.

    Raises:
        InvalidError: There is no such field, or it is neither a boolean nor an integer.
    """
    kind = check_label_column(schema, name)
    value = F.col(f"event.`{name}`")
    return value if kind == "boolean" else F.when(value == 1, True).when(value == 0, False)


def read_samples(session: SparkSession, past: Past, places: Sequence[Place]) -> dict[Place, SampleEvent]:
    """Return the events at these places of the lake: (generation, partition, offset)."""
    if not places:
        return {}
    groups: dict[tuple[int, int], set[int]] = {}
    for generation, partition, offset in places:
        groups.setdefault((generation, partition), set()).add(offset)
    parts = [
        (F.col("_generation_id") == generation) & (F.col("_partition") == partition) & F.col("_offset").isin(offsets)
        for (generation, partition), offsets in sorted(groups.items())
    ]
    table = past.table(session).where(reduce(lambda a, b: a | b, parts))
    # Which of today's fields a rule looks at does not matter here: the whole event is shown.
    rows = lake_events(table, past.form).select(
        "event_id",
        F.date_format("event_time", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").alias("event_time"),
        "generation_id",
        "partition",
        "offset",
        F.substring(F.to_json("event", {"ignoreNullFields": "false"}), 1, MAX_SHOWN_CHARACTERS + 1).alias("event"),
    )
    found = {}
    for row in rows.collect():
        event = json.loads(row.event) if len(row.event) <= MAX_SHOWN_CHARACTERS else None
        shown = SampleEvent(_storable(row.event_id), row.event_time, row.partition, row.offset, _storable(event))
        found[row.generation_id, row.partition, row.offset] = shown
    return found


def _storable(value: Any) -> Any:
    """Replace what JSONB cannot keep: NUL in texts."""
    match value:
        case str():
            return value.replace("\x00", "\ufffd")
        case dict():
            return {_storable(key): _storable(item) for key, item in value.items()}
        case list():
            return [_storable(item) for item in value]
        case _:
            return value


def _version(condition: str) -> RuleVersion:
    return RuleVersion(0, 0, 0, condition, Severity.INFO, "")


def _values(request: BacktestRequest) -> list[str]:
    return [f"{value:f} instead of {request.sweep.constant}" for value in request.sweep.values] if request.sweep else []


def _labelled(
    session: SparkSession, events: DataFrame, schema: EventSchema, request: BacktestRequest, labels: pa.Table | None
) -> DataFrame:
    if request.label_column is not None:
        return events.withColumn("label", label_of_column(schema, request.label_column))
    if labels is None:
        return events.withColumn("label", F.lit(None).cast("boolean"))
    known = session.createDataFrame(labels, LABELS)
    return events.join(F.broadcast(known), "event_id", "left")


def _tally_columns(request: BacktestRequest, outcomes: CompiledOutcomes, first: int) -> list[Column]:
    time = "event_time" if request.range.clock == "event_time" else "timestamp"
    bucket = F.floor(F.unix_seconds(time) / F.lit(bucket_seconds(request.range))) - F.lit(first)
    return [
        bucket.cast("int").alias("bucket"),
        F.col("label"),
        # Which events are shown: as good as drawn by lot, and the same each time.
        F.xxhash64("generation_id", "partition", "offset").alias("rank"),
        F.col("generation_id"),
        F.col("partition"),
        F.col("offset"),
        *[F.col(name) for name in (*outcomes.compiled.mask_names, *outcomes.unknown_names)],
    ]


def _counter(shape: TallyShape) -> Any:
    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tally = Tally.empty(shape)
        for batch in batches:
            tally.add(shape, batch)
        yield pa.RecordBatch.from_pydict({"tally": [tally.to_bytes()]})

    return count


def _result(
    request: BacktestRequest, past: Past, total: Tally, samples: dict[Place, SampleEvent], has_labels: bool
) -> BacktestResult:
    asked = len(request.rules)
    event_count = int(total.events.sum())
    unlabelled, false, true = (int(count) for count in total.labelled)

    def quality(rule: int) -> Quality | None:
        if not has_labels:
            return None
        matched_true, matched_false = int(total.true_matches[rule]), int(total.false_matches[rule])
        return Quality(matched_true, matched_false, true - matched_true, false - matched_false)

    def overlap(rule: int) -> tuple[Overlap, ...]:
        matches = int(total.matches[rule].sum())
        active = past.snapshot.rule_set.rules if request.against_active else ()
        both = [int(count) for count in total.both[rule]]
        found = [
            Overlap(other.rule_id, other.description, n, matches - n, int(total.other_matches[index]) - n)
            for index, (other, n) in enumerate(zip(active, both, strict=True))
        ]
        return tuple(sorted(found, key=lambda each: (-each.both, each.rule_id))[:MAX_OVERLAPS])

    rules = []
    for index, rule in enumerate(request.rules):
        unknown = int(total.unknown[index].sum())
        rules.append(
            RuleOutcome(
                rule=rule,
                matches=int(total.matches[index].sum()),
                unknown=unknown,
                unknown_share=unknown / event_count if event_count else 0.0,
                curve=tuple(map(int, total.matches[index])),
                unknown_curve=tuple(map(int, total.unknown[index])),
                overlap=overlap(index),
                quality=quality(index),
                samples=tuple(samples[place] for place in total.places(index) if place in samples),
            )
        )
    values = request.sweep.values if request.sweep else ()
    return BacktestResult(
        schema_version=past.snapshot.schema_version,
        rule_set_version=past.snapshot.rule_set.version,
        range=request.range,
        bucket_seconds=bucket_seconds(request.range),
        buckets=tuple(datetime.fromtimestamp(start, UTC).isoformat() for start in bucket_starts(request)),
        events=tuple(map(int, total.events)),
        event_count=event_count,
        labelled={"true": true, "false": false, "none": unlabelled} if has_labels else None,
        rules=tuple(rules),
        sweep=tuple(
            SweepPoint(value, int(total.matches[asked + index].sum()), quality(asked + index))
            for index, value in enumerate(values)
        ),
        seconds=0.0,
    )
