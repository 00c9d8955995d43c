"""What findings keep of the headers of records."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.finding import FindingBatch
from sentinel.domain.generation import Generation
from sentinel.domain.origin import UNKNOWN, Origin
from sentinel.domain.pipeline import PipelineConfig, PipelineSnapshot, PipelineStatus
from sentinel.domain.rule import RuleSet, RuleVersion, Severity
from sentinel.streaming.query.detect import findings_of
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.findings import FindingDecoder
from sentinel.streaming.query.session import evaluation_session

pytestmark = pytest.mark.spark

TRACE = f"00-{'a1' * 16}-{'b2' * 8}-01"
SCHEMA = EventSchema.from_json([{"name": "amount", "type": "float"}])
RULES = RuleSet(1, (RuleVersion(1, 1, 1, "amount > 100", Severity.INFO, "large"),))
SNAPSHOT = PipelineSnapshot("t", 1, "p", "t", PipelineStatus.ACTIVE, PipelineConfig(), 1, SCHEMA, RULES, "earliest", 0)
RECORDS = (
    "value binary, partition int, offset bigint, timestamp timestamp, headers array<struct<key:string,value:binary>>"
)
Headers = list[tuple[str, bytes | None]] | None


class Row:
    """A record of the findings topic."""

    def __init__(self, key: str, value: bytes | None, partition: int) -> None:
        self._row = (key, value, partition)

    def key(self) -> bytes:
        return self._row[0].encode()

    def value(self) -> bytes | None:
        return self._row[1]

    def partition(self) -> int:
        return self._row[2]


def detected(
    spark: SparkSession, *records: tuple[bytes, Headers], columns: str = RECORDS
) -> tuple[FindingBatch, list[str]]:
    """Return the findings of records, and their keys."""
    session = evaluation_session(spark)
    rows = [
        (value, 0, offset, datetime(2026, 1, 1, tzinfo=UTC), headers) for offset, (value, headers) in enumerate(records)
    ]
    source = session.createDataFrame(rows, RECORDS).select(*[part.split()[0] for part in columns.split(", ")])
    compiled = compile_rule_set(RULES, SCHEMA)
    found = findings_of(source, Generation(1, SNAPSHOT, 1, {0: 0}), compiled).collect()
    taken = [Row(row.key, None if row.value is None else bytes(row.value), row.partition) for row in found]
    return FindingDecoder({1: compiled.masks}).decode(taken).batches[1], [row.key for row in found]


class TestMatches:
    def test_they_know_their_request_and_trace(self, spark: SparkSession) -> None:
        headers: Headers = [
            ("other", b"\xff" * 1000),
            ("sentinel-request-id", b"shop-17"),
            ("traceparent", TRACE.encode()),
        ]
        batch, _ = detected(spark, (b'{"amount": 500}', headers), (b'{"amount": 600}', None), (b'{"amount": 700}', []))
        assert [match.origin for match in batch.matches] == [Origin("shop-17", TRACE), UNKNOWN, UNKNOWN]

    def test_hostile_headers_neither_throw_nor_make_a_finding_long(self, spark: SparkSession) -> None:
        many: Headers = [("sentinel-request-id", b"r%d" % number) for number in range(10_000)]
        long: Headers = [("traceparent", b"0" * 900_000), ("sentinel-request-id", None), ("", b"x"), ("\x00", b"")]
        bad: Headers = [("sentinel-request-id", b"\xff\n\x00"), ("traceparent", b"00-" + b"0" * 32)]
        batch, keys = detected(spark, *[(b'{"amount": 500}', headers) for headers in (many, long, bad)])
        assert [match.origin for match in batch.matches] == [Origin("r3"), UNKNOWN, UNKNOWN]
        assert max(map(len, keys)) < 2000

    def test_records_of_a_source_without_headers_are_matched_all_the_same(self, spark: SparkSession) -> None:
        plain = "value binary, partition int, offset bigint, timestamp timestamp"
        batch, _ = detected(spark, (b'{"amount": 500}', None), columns=plain)
        assert [match.origin for match in batch.matches] == [UNKNOWN]


def test_what_matches_nothing_keeps_none(spark: SparkSession) -> None:
    headers: Headers = [("sentinel-request-id", b"shop-17")]
    batch, keys = detected(spark, (b'{"amount": 5}', headers), (b"no json", headers))
    assert (batch.matches, len(batch.dead_letters)) == ([], 1)
    assert all("shop-17" not in key and '"h"' not in key for key in keys)
