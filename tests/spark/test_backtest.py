"""Backtests over a lake in a directory, against counts made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sentinel.domain.backtest import BacktestRequest, BacktestResult, BacktestRule, Overlap, Sweep
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.history import Clock, TimeRange
from sentinel.errors import InvalidError, InvalidRuleError
from sentinel.rules.sweep import replace_number
from sentinel.streaming.history.backtest import run_backtest
from sentinel.streaming.history.past import Past
from tests.support.lake import DirectoryLake

pytestmark = pytest.mark.spark

SCHEMA = EventSchema.from_json(
    [
        {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
        {"name": "at", "type": "timestamp", "role": "event_time"},
        {"name": "amount", "type": "float"},
        {"name": "country", "type": "string"},
        {"name": "fraud", "type": "boolean"},
    ]
)
DAY = datetime(2025, 3, 1, tzinfo=UTC)
WEEK = TimeRange(DAY, DAY + timedelta(days=7))


def event(number: int, amount: float | None, *, hour: float = 0, **more: Any) -> bytes:
    at = (DAY + timedelta(hours=hour)).isoformat()
    return json.dumps({"id": f"e{number}", "at": at, "amount": amount, "country": "DE", **more}).encode()


def request(*conditions: str, wanted: TimeRange = WEEK, **more: Any) -> BacktestRequest:
    return BacktestRequest(tuple(BacktestRule(text, text) for text in conditions), wanted, **more)


def by_name(result: BacktestResult) -> dict[str, tuple[int, int]]:
    return {outcome.rule.name: (outcome.matches, outcome.unknown) for outcome in result.rules}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DirectoryLake:
    """Ten days of one event per hour: amount is the hour's number, null for every tenth, fraud from 200 on."""
    made = DirectoryLake(spark, tmp_path_factory.mktemp("lake") / "events", SCHEMA)

    def one(hour: int) -> bytes:
        return event(hour, None if hour % 10 == 0 else float(hour), hour=hour, fraud=None if hour == 7 else hour >= 100)

    made.add([one(hour) for hour in range(120)])
    made.add([one(hour) for hour in range(120, 240)], generation=2)
    return made


@pytest.fixture(scope="module")
def past(lake: DirectoryLake) -> Past:
    return lake.past("amount > 150", "country = 'FR'")


class TestCounts:
    def test_matches_unknown_and_curve_are_exact(self, spark: SparkSession, past: Past) -> None:
        result = run_backtest(spark, past, request("amount > 100", "amount IS NULL"))
        # 168 hours are in the range; of 101..167 seven are multiples of ten.
        assert result.event_count == 168
        assert by_name(result) == {"amount > 100": (61, 17), "amount IS NULL": (17, 0)}
        outcome = result.rules[0]
        assert outcome.curve == (0, 0, 0, 0, 18, 21, 22)
        assert (outcome.unknown_curve, outcome.unknown_share) == ((3, 2, 3, 2, 2, 3, 2), 17 / 168)
        assert (result.bucket_seconds, result.events) == (86_400, (24,) * 7)
        assert result.buckets[0] == "2025-03-01T00:00:00+00:00"

    def test_a_short_range_has_a_curve_per_hour_and_ends_before_its_end(self, spark: SparkSession, past: Past) -> None:
        wanted = TimeRange(DAY + timedelta(hours=2, minutes=30), DAY + timedelta(hours=6))
        result = run_backtest(spark, past, request("amount >= 4", wanted=wanted))
        assert (result.bucket_seconds, result.events) == (3600, (0, 1, 1, 1))
        assert result.rules[0].curve == (0, 0, 1, 1)

    def test_an_empty_range_is_no_error(self, spark: SparkSession, past: Past) -> None:
        wanted = TimeRange(datetime(1999, 1, 1, tzinfo=UTC), datetime(1999, 2, 1, tzinfo=UTC))
        result = run_backtest(spark, past, request("amount > 0", wanted=wanted, label_column="fraud"))
        outcome = result.rules[0]
        assert (result.event_count, outcome.matches, outcome.unknown_share, outcome.samples) == (0, 0, 0.0, ())
        assert outcome.quality is not None
        assert (outcome.quality.precision, outcome.quality.recall, outcome.quality.f1) == (None, None, None)

    def test_the_record_clock_counts_when_records_came(self, spark: SparkSession, tmp_path: Path) -> None:
        lake = DirectoryLake(spark, tmp_path / "events", SCHEMA)
        lake.add([event(1, 5), event(2, 5)], at=DAY)
        lake.add([event(3, 5)], at=DAY + timedelta(days=400))
        late = TimeRange(DAY + timedelta(days=399), DAY + timedelta(days=401), Clock.RECORD_TIME)
        assert (
            run_backtest(spark, lake.past(), request("amount = 5", wanted=late)).rules[0].curve
            == (0,) * 24 + (1,) + (0,) * 23
        )
        assert by_name(run_backtest(spark, lake.past(), request("amount = 5"))) == {"amount = 5": (3, 0)}

    def test_overlap_with_the_active_rules(self, spark: SparkSession, past: Past) -> None:
        result = run_backtest(spark, past, request("amount > 100", "amount < 3"))
        assert result.rule_set_version == 3
        assert result.rules[0].overlap == (
            Overlap(1, "amount > 150", 16, 45, 0),
            Overlap(2, "country = 'FR'", 0, 61, 0),
        )
        assert result.rules[1].overlap[0] == Overlap(1, "amount > 150", 0, 2, 16)
        alone = run_backtest(spark, past, request("amount > 100", against_active=False))
        assert (alone.rules[0].overlap, alone.rules[0].matches) == ((), 61)

    def test_many_rules_are_told_apart(self, spark: SparkSession, lake: DirectoryLake) -> None:
        conditions = [f"amount = {number}" for number in range(1, 41)]
        active = [f"amount <= {number} AND country = 'DE'" for number in range(1, 120)]
        result = run_backtest(spark, lake.past(*active), request(*conditions))
        assert [outcome.matches for outcome in result.rules] == [0 if n % 10 == 0 else 1 for n in range(1, 41)]
        for number, outcome in enumerate(result.rules, 1):
            assert len(outcome.overlap) == 100
            both = {other.rule_id: other.both for other in outcome.overlap}
            assert both == {rule_id: int(rule_id >= number and number % 10 != 0) for rule_id in both}
            assert sum(other.both for other in outcome.overlap) == (min(100, 120 - number) if number % 10 else 0)


class TestSamples:
    def test_they_are_bounded_the_same_each_time_and_whole_events(self, spark: SparkSession, past: Past) -> None:
        results = [run_backtest(spark, past, request("amount > 100", samples=4)).rules[0].samples for _ in range(2)]
        assert results[0] == results[1]
        assert len({sample.event_id for sample in results[0]}) == 4
        for sample in results[0]:
            assert sample.event is not None
            assert sample.event["amount"] > 100
            assert (sample.event["id"], sample.event["country"]) == (sample.event_id, "DE")

    def test_few_matches_are_all_shown_and_none_when_none_is_asked_for(self, spark: SparkSession, past: Past) -> None:
        few = run_backtest(spark, past, request("amount < 3", samples=5)).rules[0].samples
        assert {sample.event_id for sample in few} == {"e1", "e2"}
        assert run_backtest(spark, past, request("amount < 3", samples=0)).rules[0].samples == ()

    def test_a_long_event_is_named_and_not_shown(self, spark: SparkSession, tmp_path: Path) -> None:
        lake = DirectoryLake(spark, tmp_path / "events", SCHEMA)
        lake.add([event(1, 5, country="x" * 10_000), event(2, 5, country="\x00ü")])
        samples = run_backtest(spark, lake.past(), request("amount = 5")).rules[0].samples
        shown = {sample.event_id: sample.event for sample in samples}
        assert shown["e1"] is None
        assert (shown["e2"] or {})["country"] == "\ufffdü"


class TestLabels:
    def test_a_column_of_the_event(self, spark: SparkSession, past: Past) -> None:
        result = run_backtest(spark, past, request("amount > 90", label_column="fraud"))
        assert result.labelled == {"true": 68, "false": 99, "none": 1}
        quality = result.rules[0].quality
        assert quality is not None
        # Of 91..99 nine are false; of 100..167 seven are null and cannot match.
        assert quality.as_json() == {
            "true_positives": 61,
            "false_positives": 9,
            "false_negatives": 7,
            "true_negatives": 90,
            "precision": 61 / 70,
            "recall": 61 / 68,
            "f1": 122 / (122 + 9 + 7),
        }

    def test_a_table_of_labels(self, spark: SparkSession, past: Past) -> None:
        labels = pa.table({"event_id": ["e1", "e2", "e3", "elsewhere"], "label": [True, False, True, True]})
        result = run_backtest(spark, past, request("amount <= 2"), labels=labels)
        assert result.labelled == {"true": 2, "false": 1, "none": 165}
        quality = result.rules[0].quality
        assert quality is not None
        assert (quality.true_positives, quality.false_positives, quality.false_negatives) == (1, 1, 1)

    @pytest.mark.parametrize("column", ["country", "nowhere", "a`b"])
    def test_another_column_is_refused_with_those_that_can_be_used(
        self, spark: SparkSession, past: Past, column: str
    ) -> None:
        with pytest.raises(InvalidError, match="'fraud'"):
            run_backtest(spark, past, request("amount > 1", label_column=column))


class TestSweep:
    def test_every_value_in_one_pass_equals_a_rule_of_its_own(self, spark: SparkSession, past: Past) -> None:
        values = tuple(Decimal(value) for value in ("-5", "0", "50.5", "100", "1e3"))
        texts = replace_number("amount > 100 AND country = 'DE'", "100", values, position=None)
        sweep = Sweep(0, "100", values, tuple(texts))
        wanted = request("amount > 100 AND country = 'DE'", label_column="fraud", sweep=sweep)
        result = run_backtest(spark, past, wanted)
        alone = run_backtest(spark, past, request(*texts, label_column="fraud"))
        assert [(point.matches, point.quality) for point in result.sweep] == [
            (outcome.matches, outcome.quality) for outcome in alone.rules
        ]
        assert [point.matches for point in result.sweep] == [151, 151, 106, 61, 0]


class TestRefused:
    def test_a_rule_that_does_not_fit_the_schema_is_named(self, spark: SparkSession, past: Past) -> None:
        with pytest.raises(InvalidRuleError, match=r"nowhere > 1: the rule 'nowhere > 1' is not valid"):
            run_backtest(spark, past, request("amount > 1", "nowhere > 1"))

    def test_it_ends_where_it_is_told_to(self, spark: SparkSession, past: Past) -> None:
        class StoppedError(Exception):
            pass

        def check() -> None:
            raise StoppedError

        with pytest.raises(StoppedError):
            run_backtest(spark, past, request("amount > 1"), check=check)

    def test_it_says_how_far_it_is(self, spark: SparkSession, past: Past) -> None:
        told: list[dict[str, Any]] = []
        run_backtest(spark, past, request("amount > 1"), report=told.append)
        # A phase that takes long is told of again.
        assert [phase for phase, _ in groupby(step["phase"] for step in told)] == ["evaluating", "reading samples"]
        assert all(0.0 <= step["done"] <= 1.0 for step in told)


class TestOtherSchemas:
    def test_a_row_is_read_under_todays_columns_with_its_own_identity_and_time(
        self, spark: SparkSession, tmp_path: Path
    ) -> None:
        fields = SCHEMA.as_json()
        first = EventSchema.from_json([{"name": "amount", "type": "string"}, *fields[3:]])
        lake = DirectoryLake(spark, tmp_path / "events", first)
        lake.add([b'{"amount": "7", "country": "DE", "gone": 1}'], at=DAY)
        lake.add([b'{"amount": "8", "country": "FR"}'], generation=2, epoch=1, at=DAY)
        lake.change_schema(SCHEMA)
        lake.add([event(1, 7.0, hour=1)], generation=3, epoch=1)
        past = lake.past()
        result = run_backtest(spark, past, request("amount = 7", "country IS NOT NULL", "amount IS NULL", samples=9))
        assert by_name(result) == {"amount = 7": (1, 2), "country IS NOT NULL": (3, 0), "amount IS NULL": (2, 0)}
        ids = {sample.event_id for sample in result.rules[1].samples}
        assert ids == {"events/0/0", "events@1/0/1", "e1"}


def test_the_request_survives_being_stored() -> None:
    sweep = Sweep(0, "100", (Decimal("1.50"),), ("amount > 1.50",))
    wanted = request("amount > 100", label_column="fraud", sweep=sweep, samples=3)
    stored: Sequence[Any] = json.loads(json.dumps([wanted.as_json()]))
    assert BacktestRequest.from_json(stored[0]) == wanted
