"""Find the rules that made a query fail, so that the others can go on.

A compiled condition is total: nothing a record contains makes it throw. Where one throws all the same (a defect of
Spark), the records that the query was at are read again, outside of it, and the rule set is halved until the culprits
are known. Nothing is lost meanwhile: the records are not decided before the next generation decides them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.domain.quarantine import Culprit, culprits_among, first_failing
from sentinel.domain.rule import RuleVersion
from sentinel.errors import SentinelError
from sentinel.streaming.job.context import PipelineContext
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.lookups import LookupTables
from sentinel.streaming.query.parse import parse
from sentinel.streaming.sink.archive import cause_of

log = logging.getLogger(__name__)

# So many records are looked at together, and so many in all: a query fails not far behind what is decided.
WINDOW_RECORDS = 100_000
MAX_WINDOWS = 20

Spans = Mapping[int, tuple[int, int]]


def contain(
    spark: SparkSession,
    context: PipelineContext,
    snapshot: PipelineSnapshot,
    generation_id: int,
    decided: Mapping[int, int],
) -> bool:
    """Quarantine the rules that throw on what is not decided yet; tell whether there are any.

    Never raises: a query that failed for another reason, or a store that is away, is left to the usual restart.
    """
    try:
        culprits = find_culprits(spark, context, snapshot, decided)
        for culprit in culprits:
            log.error(
                "pipeline %s: ALARM: rule %s (version %s) throws on partition %s, offset %s and is quarantined: %s",
                context.pipeline_id,
                culprit.rule.rule_id,
                culprit.rule.version,
                culprit.partition,
                culprit.offset,
                culprit.cause,
            )
        if culprits:
            context.quarantines.quarantine(
                context.lease, generation_id=generation_id, source_epoch=snapshot.source_epoch, culprits=culprits
            )
    except (SentinelError, PySparkException, Py4JError) as error:
        log.warning("pipeline %s: the rules could not be looked at: %s", context.pipeline_id, error)
        return False
    return bool(culprits)


def find_culprits(
    spark: SparkSession, context: PipelineContext, snapshot: PipelineSnapshot, decided: Mapping[int, int]
) -> list[Culprit]:
    """Return the rules that throw on the first undecided record on which any does.

    Args:
        spark: A session of `evaluation_session`.

    Raises:
        TransientError: The broker does not answer.
    """
    ranges = context.topics.ranges(snapshot.kafka_topic)
    highs = {partition: place.high for partition, place in ranges.items() if partition in decided}
    probe = RuleProbe(spark, context.kafka.bootstrap_servers, snapshot, context.tables)
    rules = snapshot.rule_set.rules
    for spans in windows(decided, highs):
        if probe.failure(rules, spans) is None:
            continue
        if probe.failure((), spans) is not None:
            return []  # The records cannot be read or parsed: no rule is the cause.
        return probe.culprits(rules, spans)
    return []


def windows(decided: Mapping[int, int], highs: Mapping[int, int]) -> Iterator[Spans]:
    """Cut what is not decided into windows of so many records, partition -> (start, end)."""
    at = dict(decided)
    for _ in range(MAX_WINDOWS):
        left = {p: (at[p], high) for p, high in highs.items() if at[p] < high}
        if not left:
            return
        share = WINDOW_RECORDS // len(left)
        spans = {p: (start, min(end, start + share)) for p, (start, end) in left.items()}
        yield spans
        at |= {p: end for p, (_, end) in spans.items()}


class RuleProbe:
    """Evaluates rules over records outside of any streaming query."""

    def __init__(
        self, spark: SparkSession, bootstrap_servers: str, snapshot: PipelineSnapshot, tables: LookupTables
    ) -> None:
        self._spark = spark
        self._bootstrap_servers = bootstrap_servers
        self._snapshot = snapshot
        self._tables = tables

    def failure(self, rules: Sequence[RuleVersion], spans: Spans) -> str | None:
        """Evaluate rules over the records of these spans; return what was thrown, None where nothing was."""
        snapshot = self._snapshot
        starts = {str(p): start for p, (start, _) in spans.items()}
        ends = {str(p): end for p, (_, end) in spans.items()}
        topic = snapshot.kafka_topic
        records = (
            self._spark.read.format("kafka")
            .option("kafka.bootstrap.servers", self._bootstrap_servers)
            .option("assign", json.dumps({topic: sorted(spans)}))
            .option("startingOffsets", json.dumps({topic: starts}))
            .option("endingOffsets", json.dumps({topic: ends}))
            .option("kafka.isolation.level", "read_committed")
            .load()
        )
        parsed = parse(records, snapshot.schema, snapshot.config, topic=topic, source_epoch=snapshot.source_epoch)
        some = replace(snapshot.rule_set, rules=tuple(rules), arms=())
        compiled = compile_rule_set(some, snapshot.schema, self._tables)
        try:
            compiled.evaluate(parsed).write.format("noop").mode("overwrite").save()
        except (PySparkException, Py4JError) as error:
            return cause_of(error)
        return None

    def culprits(self, rules: Sequence[RuleVersion], spans: Spans) -> list[Culprit]:
        """Return the rules that throw on the first record of these spans on which any does.

        The record first: its code is compiled already, and halving the rules over one record is quick.
        """
        for partition, (start, end) in sorted(spans.items()):

            def fails(low: int, high: int, partition: int = partition) -> bool:
                return self.failure(rules, {partition: (low, high)}) is not None

            if not fails(start, end):
                continue
            offset = first_failing(start, end, fails)
            place = {partition: (offset, offset + 1)}
            found = culprits_among(rules, lambda some, place=place: self.failure(some, place) is not None)  # type: ignore[misc]
            return [Culprit(rule, partition, offset, self.failure([rule], place) or "") for rule in found]
        return []


def may_be_a_rule(query: StreamingQuery) -> bool:
    """Whether what ended a query can come from a rule: not, where Kafka's client threw."""
    failed = query._jsq.exception()
    if not failed.isDefined():
        return False
    cause = failed.get()
    while cause.getCause() is not None:
        cause = cause.getCause()
    return not cause.getClass().getName().startswith("org.apache.kafka.")


def failure_of(query: StreamingQuery) -> str | None:
    """Return why a query ended, None while it runs."""
    if query.isActive:
        return None
    error = query.exception()
    return short(error) if error else "the query ended by itself"


def short(error: BaseException) -> str:
    """Return the part of an error's text that a person reads: Spark appends plans and stack traces."""
    text = str(error)
    for mark in ("\n'Project", ";\n", "\n\tat ", "\n\nJVM stacktrace", "\n=== Streaming Query"):
        text = text.split(mark, maxsplit=1)[0]
    return f"{type(error).__name__}: {text.strip()}"[:2000]
