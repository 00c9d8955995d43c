"""Parsing: every odd record gets the right verdict, and values arrive as they were sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from sentinel.domain.diagnosis import UNSOUND, diagnose
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import PipelineConfig
from sentinel.errors import ConfigurationError
from sentinel.streaming.query.parse import parse
from sentinel.streaming.query.session import evaluation_session
from tests.support.malformed import ALL, SCHEMA, Record

pytestmark = pytest.mark.spark

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def parsed(
    spark: SparkSession,
    values: Sequence[bytes | None],
    schema: EventSchema = SCHEMA,
    config: PipelineConfig | None = None,
    *,
    source_epoch: int = 0,
) -> list[Row]:
    session = evaluation_session(spark)
    rows = [(value, 3, 100 + index, RECEIVED) for index, value in enumerate(values)]
    columns = "value binary, partition int, offset bigint, timestamp timestamp"
    records = session.createDataFrame(rows, columns).coalesce(1)
    config = config or PipelineConfig()
    found = parse(records, schema, config, topic="payments", source_epoch=source_epoch)
    return [with_cause(row, schema, config) for row in sorted(found.collect(), key=lambda row: row["offset"])]


def with_cause(row: Row, schema: EventSchema, config: PipelineConfig) -> Row:
    """Name the cause, as it is done before a dead letter is kept."""
    if row["cause"] != UNSOUND:
        return row
    assert (row["field"], row["detail"]) == (None, None)
    value = None if row["value"] is None else bytes(row["value"])
    found = diagnose(value, schema, size=len(value or b""), max_record_bytes=config.max_record_bytes)
    return Row(**{**row.asDict(), "cause": str(found.cause), "field": found.field, "detail": found.detail})


def aware(value: Any) -> Any:
    """Timestamps come back naive, in the zone of this process."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def one(spark: SparkSession, more: str, **kwargs: Any) -> Row:
    (row,) = parsed(spark, [('{"id":"a","amount":1.5,' + more + "}").encode()], **kwargs)
    assert row["cause"] is None, row
    event: Row = row["event"]
    return event


@pytest.fixture(scope="module")
def verdicts(spark: SparkSession) -> dict[str, Row]:
    """Every record of the table, parsed in one batch: bad neighbours do no harm."""
    rows = parsed(spark, [record.value for record in ALL])
    return {record.name: row for record, row in zip(ALL, rows, strict=True)}


class TestVerdicts:
    @pytest.mark.parametrize("record", ALL, ids=lambda record: record.name)
    def test_every_odd_record_gets_its_verdict(self, record: Record, verdicts: dict[str, Row]) -> None:
        row = verdicts[record.name]
        assert (row["cause"], row["field"] if record.field else None) == (record.cause, record.field)
        assert (row["event"] is None) == (record.cause is not None)
        assert (row["detail"] is None) == (record.cause is None)
        assert record.detail in (row["detail"] or "")

    def test_the_record_comes_through_untouched(self, verdicts: dict[str, Row]) -> None:
        for record in ALL:
            row = verdicts[record.name]
            assert (None if row["value"] is None else bytes(row["value"])) == record.value
            assert (row["partition"], aware(row["timestamp"])) == (3, RECEIVED)

    def test_the_last_of_two_equal_keys_counts(self, verdicts: dict[str, Row]) -> None:
        assert verdicts["duplicate key"]["event"]["amount"] == 2.5

    def test_a_smaller_limit_is_kept(self, spark: SparkSession) -> None:
        config = PipelineConfig(max_record_bytes=10)
        (row,) = parsed(spark, [b'{"id":"a","amount":1}'], config=config)
        assert (row["cause"], row["detail"]) == ("too_large", "21 bytes; the limit is 10")


# Decimals are exact; timestamps are UTC and numbers count from 1970; a string takes any value as its JSON text.
VALUES: list[tuple[str, str, object]] = [
    ("price", "1e2", Decimal("100.00")),
    ("price", "10.990000", Decimal("10.99")),
    ("price", '"10.99"', Decimal("10.99")),
    ("price", "-0.01", Decimal("-0.01")),
    ("price", "99999999.99", Decimal("99999999.99")),
    ("price", "0", Decimal("0.00")),
    ("at", '"2026-02-03T04:05:06Z"', datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
    ("at", '"2026-02-03 04:05:06"', datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
    ("at", '"2026-02-03T04:05:06.5+02:00"', datetime(2026, 2, 3, 2, 5, 6, 500000, tzinfo=UTC)),
    ("at", '"2026-02-03"', datetime(2026, 2, 3, tzinfo=UTC)),
    ("at", "1770091506", datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
    ("at", "1770091506.25", datetime(2026, 2, 3, 4, 5, 6, 250000, tzinfo=UTC)),
    ("at", "1770091506123", datetime(2026, 2, 3, 4, 5, 6, 123000, tzinfo=UTC)),
    ("at", "1770091506123456", datetime(2026, 2, 3, 4, 5, 6, 123456, tzinfo=UTC)),
    ("user", "12", "12"),
    ("user", "true", "true"),
    ("user", '{"a":[1,"x"]}', '{"a":[1,"x"]}'),
    ("user", '""', ""),
    ("user", '"\\u00e9"', "é"),
]


@pytest.fixture(scope="module")
def values(spark: SparkSession) -> dict[tuple[str, str], object]:
    sent = [f'{{"id":"a","amount":1.5,"{field}":{text}}}'.encode() for field, text, _ in VALUES]
    rows = parsed(spark, sent)
    assert [row["detail"] for row in rows] == [None] * len(rows)
    return {(field, text): aware(row["event"][field]) for (field, text, _), row in zip(VALUES, rows, strict=True)}


class TestValues:
    def test_a_plain_event(self, spark: SparkSession) -> None:
        event = one(
            spark,
            '"user":"u","count":-7,"flag":true,"price":10.50,"at":"2026-02-03T04:05:06.123456Z","day":"2024-02-29",'
            '"tags":["x",null],"place":{"lat":1.5,"lon":2},'
            '"lines":[{"sku":"s","price":0.10,"at":"2026-01-01T00:00:00+01:00","n":3}]',
        )
        found = event.asDict(recursive=True)
        found["at"] = aware(found["at"])
        found["lines"][0]["at"] = aware(found["lines"][0]["at"])
        assert found == {
            "id": "a",
            "user": "u",
            "amount": 1.5,
            "count": -7,
            "flag": True,
            "price": Decimal("10.50"),
            "at": datetime(2026, 2, 3, 4, 5, 6, 123456, tzinfo=UTC),
            "day": date(2024, 2, 29),
            "tags": ["x", None],
            "place": {"lat": 1.5, "lon": 2.0},
            "lines": [
                {"sku": "s", "price": Decimal("0.10"), "at": datetime(2025, 12, 31, 23, 0, tzinfo=UTC), "n": 3},
            ],
        }

    @pytest.mark.parametrize(("field", "text", "expected"), VALUES)
    def test_a_value_arrives_as_it_was_sent(
        self, field: str, text: str, expected: object, values: dict[tuple[str, str], object]
    ) -> None:
        assert values[field, text] == expected

    def test_a_decimal_keeps_all_its_digits(self, spark: SparkSession) -> None:
        schema = EventSchema.from_json([{"name": "amount", "type": "decimal(38,18)"}])
        (row,) = parsed(spark, [b'{"amount":12345678901234567890.123456789012345678}'], schema)
        assert row["event"]["amount"] == Decimal("12345678901234567890.123456789012345678")


class TestIdentityAndTime:
    def test_the_id_field_identifies(self, spark: SparkSession) -> None:
        (row,) = parsed(spark, [b'{"id":"tx-1","amount":1}'])
        assert row["event_id"] == "tx-1"

    def test_an_empty_id_gives_way_to_the_place(self, spark: SparkSession) -> None:
        (row,) = parsed(spark, [b'{"id":"","amount":1}'])
        assert row["event_id"] == "payments/3/100"

    def test_without_an_id_field_the_place_identifies(self, spark: SparkSession) -> None:
        schema = EventSchema.from_json([{"name": "x", "type": "integer"}])
        (row,) = parsed(spark, [b'{"x":1}'], schema)
        assert row["event_id"] == "payments/3/100"

    def test_a_later_source_epoch_is_part_of_the_place(self, spark: SparkSession) -> None:
        schema = EventSchema.from_json([{"name": "x", "type": "integer"}])
        (row,) = parsed(spark, [b'{"x":1}'], schema, source_epoch=2)
        assert row["event_id"] == "payments@2/3/100"

    def test_an_integer_can_identify(self, spark: SparkSession) -> None:
        schema = EventSchema.from_json([{"name": "x", "type": "integer", "role": "event_id"}])
        rows = parsed(spark, [b'{"x":12}', b"{}"], schema)
        assert [row["event_id"] for row in rows] == ["12", "payments/3/101"]

    def test_the_time_is_the_field_s_or_the_record_s(self, spark: SparkSession) -> None:
        rows = parsed(spark, [b'{"id":"a","amount":1,"at":"2026-02-03T00:00:00Z"}', b'{"id":"a","amount":1}'])
        assert [aware(row["event_time"]) for row in rows] == [datetime(2026, 2, 3, tzinfo=UTC), RECEIVED]

    def test_a_date_can_be_the_time(self, spark: SparkSession) -> None:
        schema = EventSchema.from_json([{"name": "day", "type": "date", "role": "event_time"}])
        (row,) = parsed(spark, [b'{"day":"2026-02-03"}'], schema)
        assert aware(row["event_time"]) == datetime(2026, 2, 3, tzinfo=UTC)

    def test_other_types_cannot(self, spark: SparkSession) -> None:
        schema = EventSchema.from_json([{"name": "x", "type": "integer", "role": "event_time"}])
        with pytest.raises(ConfigurationError, match="'x' is of type integer"):
            parsed(spark, [b'{"x":1}'], schema)

    def test_the_tolerance_ends_after_its_last_second(self, spark: SparkSession) -> None:
        times = ["2026-03-01T13:00:00Z", "2026-03-01T13:00:01Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
        rows = parsed(spark, [f'{{"id":"a","amount":1,"at":"{at}"}}'.encode() for at in times])
        assert [row["cause"] for row in rows] == [None, "event_time_in_future", None, "event_time_in_future"]


def test_a_schema_of_300_fields_is_parsed(spark: SparkSession) -> None:
    schema = EventSchema.from_json(
        [{"name": f"f{n}", "type": ["string", "float", "integer", "timestamp"][n % 4]} for n in range(300)]
    )
    rows = parsed(spark, [b'{"f299":"2026-01-01","f1":2.5}', b'{"f298":"x"}', b"["], schema)
    assert [(row["cause"], row["field"]) for row in rows] == [
        (None, None),
        ("wrong_type", "f298"),
        ("not_json", None),
    ]
