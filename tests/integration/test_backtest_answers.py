"""Backtests of the shared card transactions: exactly the expected counts, which live detection gives, too."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sentinel.domain.backtest import BacktestRequest, BacktestResult, BacktestRule, Sweep
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.history import TimeRange
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.sweep import replace_number
from sentinel.streaming.history.backtest import run_backtest
from tests.support.card_rules import FIELDS, RULES
from tests.support.lake import DirectoryLake

pytestmark = [pytest.mark.integration, pytest.mark.spark, pytest.mark.timeout(600)]

HANDBOOK = EventSchema.from_json(
    [
        {"name": "transaction_id", "type": "integer", "nullable": False, "role": "event_id"},
        {"name": "tx_datetime", "type": "timestamp", "role": "event_time"},
        {"name": "customer_id", "type": "integer", "role": "entity"},
        {"name": "terminal_id", "type": "integer", "role": "entity"},
        {"name": "tx_amount", "type": "decimal(10,2)"},
    ]
)


def archive(spark: SparkSession, directory: Path, schema: EventSchema, file: Path) -> DirectoryLake:
    lake = DirectoryLake(spark, directory / "events", schema)
    with gzip.open(file) as lines:
        lake.add([line.rstrip(b"\n") for line in lines])
    return lake


def read_labels(file: Path, label: str) -> pa.Table:
    with gzip.open(file, "rt", newline="") as text:
        rows = list(csv.DictReader(text))
    ids = [next(iter(row.values())) for row in rows]
    return pa.table({"event_id": ids, "label": [row[label] == "1" for row in rows]})


def quality_of(result: BacktestResult) -> dict[str, tuple[int, int]]:
    """Rule -> matches, and how many of them are fraud."""
    return {
        outcome.rule.name: (outcome.matches, outcome.quality.true_positives)
        for outcome in result.rules
        if outcome.quality
    }


def test_sparkov(spark: SparkSession, shared_data: Path, tmp_path: Path) -> None:
    data = shared_data / "sparkov"
    expected: dict[str, Any] = json.loads((data / "expected.json").read_text())
    schema = EventSchema.from_json(FIELDS)
    lake = archive(spark, tmp_path, schema, data / "transactions.jsonl.gz")
    rules = tuple(BacktestRule(name, check_rule(text, schema).rule_expression) for name, text in RULES.items())
    values = tuple(Decimal(value) for value in (500, 1000))
    sweep = Sweep(0, "500", values, tuple(replace_number(rules[0].condition, "500", values, position=None)))
    wanted = TimeRange(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 15, tzinfo=UTC))
    labels = read_labels(data / "labels.csv.gz", "is_fraud")
    result = run_backtest(spark, lake.past(), BacktestRequest(rules, wanted, sweep=sweep), labels=labels)
    answers = {name: expected["rules"][name] for name in RULES}
    assert quality_of(result) == {name: (each["alerts"], each["true_frauds"]) for name, each in answers.items()}
    assert (result.event_count, result.labelled) == (42_013, {"true": 3_807, "false": 38_206, "none": 0})
    assert [sum(outcome.curve) for outcome in result.rules] == [outcome.matches for outcome in result.rules]
    assert [(point.matches, point.quality) for point in result.sweep] == [
        (outcome.matches, outcome.quality) for outcome in result.rules[:2]
    ]
    assert quality_of(result)["amt > 500"] == (2_294, 1_919)
    assert result.rules[6].matches == 9_921


def test_the_fraud_handbook(spark: SparkSession, shared_data: Path, tmp_path: Path) -> None:
    data = shared_data / "fraud_handbook"
    expected: dict[str, Any] = json.loads((data / "expected.json").read_text())
    answers = {
        name: each
        for name, each in expected["row_rules"].items()
        if check_rule(each["condition"], HANDBOOK).result.valid
    }
    assert len(answers) >= 5
    lake = archive(spark, tmp_path, HANDBOOK, data / "transactions.jsonl.gz")
    rules = tuple(BacktestRule(name, each["condition"]) for name, each in answers.items())
    wanted = TimeRange(datetime(2018, 6, 11, tzinfo=UTC), datetime(2018, 6, 25, tzinfo=UTC))
    labels = read_labels(data / "labels.csv.gz", "tx_fraud")
    result = run_backtest(spark, lake.past(), BacktestRequest(rules, wanted), labels=labels)
    assert result.event_count == expected["rows"]
    assert quality_of(result) == {name: (each["alerts"], each["true_frauds"]) for name, each in answers.items()}
    for outcome in result.rules:
        if "precision" in answers[outcome.rule.name] and outcome.quality:
            told = answers[outcome.rule.name]
            assert outcome.quality.precision == pytest.approx(told["precision"], abs=1e-6)
            assert outcome.quality.recall == pytest.approx(told["recall"], abs=1e-6)
