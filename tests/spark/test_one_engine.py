"""One engine: live micro-batches, backtest and refill find the same matches, however the records are divided."""

from __future__ import annotations

import itertools
import json
import random
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from sentinel.domain.backtest import BacktestRequest, BacktestRule
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.history import TimeRange
from sentinel.domain.refill import Refill
from sentinel.domain.rule import RuleSet, RuleVersion, Severity
from sentinel.streaming.history.backtest import run_backtest
from sentinel.streaming.history.refill import plan_refill
from sentinel.streaming.job.microbatch import collect_findings
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.findings import finding_columns
from sentinel.streaming.query.parse import parse
from tests.spark.test_evaluate import FORMS, make_rules
from tests.support.lake import CONFIG, NOW, DirectoryLake

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]

SCHEMA = EventSchema.from_json(
    [
        {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
        {"name": "merchant", "type": "integer"},
        {"name": "country", "type": "string"},
        {"name": "amount", "type": "float"},
        {"name": "online", "type": "boolean"},
        {"name": "at", "type": "timestamp", "role": "event_time"},
        {"name": "price", "type": "decimal(10,2)"},
        {"name": "tags", "type": "array<string>"},
    ]
)
# What would throw under ANSI, were it not made total, and what depends on exact values.
HARD = (
    "100 / (merchant - 1) > 10",
    "CAST(country AS int) > 5",
    "tags[3] = 'x'",
    "merchant * 9223372036854775807 > 0",
    "price > 10.05",
    "hour(at) BETWEEN 3 AND 9",
    "size(tags) > 1 AND amount > 20",
    "country RLIKE '^[A-Z]+$' OR amount IS NULL",
    "NOT (amount > 50)",
    "price * 3 = 0.3",
)
ALL = TimeRange(NOW - timedelta(days=30), NOW + timedelta(days=30))
Matches = Counter[tuple[int, str]]


def make_record(chance: random.Random, number: int) -> bytes:
    """An event with anything a field may hold; now and then what is no event, or an id that was there before."""
    if chance.random() < 0.03:
        return chance.choice([b"", b"not json", b"[]", b'{"id": null}', b'{"id": "x", "amount": "many"}', b"\xff"])
    value: dict[str, Any] = {
        "id": f"e{number if chance.random() < 0.97 else chance.randrange(number + 1)}",
        "merchant": chance.choice([None, 1, chance.randrange(40), 2**63 - 1, -(2**63)]),
        "country": chance.choice([None, "DE", "FR", "It's", "ß", "", "7", "99999999999", "de\u0000"]),
        "amount": chance.choice([None, chance.random() * 100, 1e308, -0.0, float(chance.randrange(100))]),
        "online": chance.choice([None, True, False]),
        "at": (NOW + timedelta(seconds=chance.randrange(-(10**6), 10**6))).isoformat(),
        "price": chance.choice([None, 10.05, 10.06, 0.1, -99999999.99]),
        "tags": chance.choice([None, [], ["x"], ["a", None, "b", "x"], ["x"] * 9]),
    }
    kept = {key: item for key, item in value.items() if key == "id" or chance.random() > 0.1}
    return json.dumps(kept, ensure_ascii=chance.random() < 0.5).encode()


def rules_of(seed: int, copies: int) -> list[RuleVersion]:
    made = make_rules(copies * len(FORMS), seed)
    hard = [RuleVersion(100 + i, 100 + i, 1, text, Severity.INFO, text) for i, text in enumerate(HARD)]
    return [*made, *hard]


def live(lake: DirectoryLake, rules: Sequence[RuleVersion], batches: Sequence[Sequence[bytes]]) -> Matches:
    """Run the records through what a micro-batch runs, and archive nothing."""
    compiled = compile_rule_set(RuleSet(1, tuple(rules)), SCHEMA)
    found: Matches = Counter()
    for values in batches:
        parsed = parse(lake.records(values), SCHEMA, CONFIG, topic=lake.topic, source_epoch=0)
        findings = finding_columns(
            compiled.evaluate(parsed),
            compiled,
            SCHEMA,
            generation_id=1,
            marker_every=0,
            first_offsets={},
            config=CONFIG,
        )
        for match in collect_findings(findings, compiled.masks).matches:
            found.update((rules[index].rule_id, match.event_id) for index in match.rules)
    return found


def divided(values: Sequence[bytes], cuts: Sequence[int]) -> list[Sequence[bytes]]:
    bounds = sorted({0, len(values), *(cut for cut in cuts if cut < len(values))})
    return [values[start:end] for start, end in itertools.pairwise(bounds)]


def check(
    spark: SparkSession,
    directory: Path,
    values: Sequence[bytes],
    cuts: tuple[Sequence[int], Sequence[int]],
    rules: Sequence[RuleVersion],
) -> Matches:
    expected = live(DirectoryLake(spark, directory, SCHEMA), rules, divided(values, cuts[0]))
    lake = DirectoryLake(spark, directory, SCHEMA)
    for number, part in enumerate(divided(values, cuts[1]), 1):
        lake.add(part, generation=number)
    past = lake.past()
    ends = {0: {0: len(values)}}
    refill = Refill(1, 1, (), 1, 0, ALL, ends, is_complete=False, match_count=0, alert_count=0)
    plan = plan_refill(spark, past.uri, past.form, refill, rules)
    refilled: Matches = Counter(plan.pairs())
    assert refilled == Counter({(r, e.replace("\x00", "\ufffd")): n for (r, e), n in expected.items()})
    asked = tuple(BacktestRule(str(rule.rule_id), rule.condition) for rule in rules)
    result = run_backtest(spark, past, BacktestRequest(asked, ALL, samples=0))
    counted = Counter({int(outcome.rule.name): outcome.matches for outcome in result.rules})
    per_rule: Counter[int] = Counter()
    for (rule_id, _), times in expected.items():
        per_rule[rule_id] += times
    assert +counted == per_rule
    assert all(outcome.matches + outcome.unknown <= result.event_count for outcome in result.rules)
    return expected


cut_points = st.lists(st.integers(1, 299), max_size=3)


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), live_cuts=cut_points, lake_cuts=cut_points)
def test_any_events_in_any_batches(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, seed: int, live_cuts: list[int], lake_cuts: list[int]
) -> None:
    chance = random.Random(seed)
    values = [make_record(chance, number) for number in range(300)]
    check(
        spark, tmp_path_factory.mktemp(uuid.uuid4().hex) / "events", values, (live_cuts, lake_cuts), rules_of(seed, 1)
    )


def test_a_hundred_thousand_events(spark: SparkSession, tmp_path: Path) -> None:
    chance = random.Random(4)
    values = [make_record(chance, number) for number in range(100_000)]
    cuts = ([7, 33_333, 90_000], [50_000])
    found = check(spark, tmp_path / "events", values, cuts, rules_of(4, 2))
    assert len({rule_id for rule_id, _ in found}) > 25
