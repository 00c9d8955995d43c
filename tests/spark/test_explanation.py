"""Explanations on Spark: the root says what the engine says, and each verdict follows from what decided it."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sentinel.domain.pipeline import PipelineConfig
from sentinel.domain.rule import RuleSet, RuleVersion, Severity
from sentinel.rules.explanation.decision import decide
from sentinel.rules.explanation.report import explain_parts
from sentinel.rules.explanation.tree import Part, rule_tree
from sentinel.streaming.explain.event import ParsingForm, RawRecord, parsed_records
from sentinel.streaming.explain.values import part_values
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.layout import rules_of_masks
from sentinel.streaming.query.session import evaluation_session
from tests.unit.rules.corpus import GOOD_EVENTS, HONEST, SCHEMA
from tests.unit.rules.hostile_values import hostile_events

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]
FORM = ParsingForm(SCHEMA, PipelineConfig(), "t", 0)
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def record(event: dict[str, Any] | bytes) -> RawRecord:
    value = event if isinstance(event, bytes) else json.dumps(event, default=str).encode()
    return RawRecord(value, 0, 0, NOW)


def composed(count: int, seed: int) -> list[str]:
    """Rules put together from honest ones by AND, OR, NOT, CASE and IS."""
    chance = random.Random(seed)

    def rule(depth: int) -> str:
        if depth == 0:
            return f"({chance.choice(HONEST)})"
        parts = [rule(depth - 1) for _ in range(chance.randint(2, 3))]
        match chance.randint(0, 4):
            case 0 | 1:
                return f"({' AND '.join(parts)})"
            case 2:
                return f"({' OR '.join(parts)})"
            case 3:
                return f"(NOT {parts[0]})"
            case _:
                return f"(CASE WHEN {parts[0]} THEN {parts[1]} ELSE {parts[-1]} END)"

    found = [rule(chance.randint(1, 2)) for _ in range(count)]
    return [each for each in found if len(each) < 4000]


def follows(part: Part, values: dict[int, Any]) -> bool | None:
    """Three-valued logic by hand."""
    if part.kind not in ("and", "or", "not"):
        return values[part.number]  # type: ignore[no-any-return]
    verdicts = [follows(child, values) for child in part.children]
    if part.kind == "not":
        return None if verdicts[0] is None else not verdicts[0]
    decisive = part.kind == "or"
    if decisive in verdicts:
        return decisive
    return None if None in verdicts else not decisive


def test_the_root_says_what_the_engine_says_for_every_rule_and_event(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    texts = [*HONEST, *composed(60, seed=7)]
    rules = tuple(RuleVersion(i + 1, i + 1, 1, text, Severity.INFO, "") for i, text in enumerate(texts))
    compiled = compile_rule_set(RuleSet(1, rules), SCHEMA)
    good = [parsed_records(session, [record(event)], FORM) for event in (*GOOD_EVENTS, {})]
    hostile = [session.sql(f"SELECT {event} AS event, CAST(NULL AS STRING) AS cause") for event in hostile_events(6)]
    seen: set[str] = set()
    for number, event in enumerate([*good, *hostile]):
        # From memory of an executor, as the stream has it: nothing is folded into constants.
        row = compiled.evaluate(event.localCheckpoint()).select("cause", *compiled.mask_names).collect()[0]
        assert row["cause"] is None, number
        matched = set(rules_of_masks([row[name] for name in compiled.mask_names], compiled.masks))
        for index in random.Random(number).sample(range(len(texts)), 40 if number == 0 else 8):
            root = rule_tree(texts[index], SCHEMA)
            computed = part_values(session, event, root)
            assert (computed.values[0] is True) == (index in matched), texts[index]
            assert follows(root, computed.values) is computed.values[0], texts[index]
            explained = explain_parts(root, computed.values, computed.shown)
            json.dumps(explained, allow_nan=False)
            assert explained["decided_by"], texts[index]
            if explained["verdict"] == "unknown":
                assert explained["missing"] or explained["not_computable"], texts[index]
            decision = decide(root, computed.values)
            assert 0 in decision.path
            seen.add(explained["verdict"])
    assert seen == {"match", "no_match", "unknown"}


def test_it_runs_no_spark_job(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    tracker = session.sparkContext.statusTracker()
    session.sparkContext.setJobGroup("explain-counted", "")
    part_values(session, parsed_records(session, [record(GOOD_EVENTS[0])], FORM), rule_tree("amount > 1", SCHEMA))
    assert tracker.getJobIdsForGroup("explain-counted") == []


def test_values_are_shown_as_json_and_cut(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    event = {
        "email": "x" * 5000,
        "amount": 1e300,
        "event_time": "2024-03-15T02:00:00Z",
        "price": 19.90,
        "tags": [f"t{number}" for number in range(200)],
        "items": [{"sku": "a\u0000b", "price": 1.5, "quantity": 2}],
        "birth_date": "1990-05-17",
    }
    rule = (
        "length(email) > 3 AND amount * 1e300 > 1 AND event_time > '2024-01-01' AND price > 1 AND size(tags) > 1 "
        "AND items[0].sku IS NOT NULL AND event_time - birth_date > INTERVAL '1' DAY AND device IS NULL"
    )
    root = rule_tree(rule, SCHEMA)
    computed = part_values(session, parsed_records(session, [record(event)], FORM), root)
    shown = {rule[part.start : part.end]: computed.shown.get(part.number) for part in root.walk()}
    assert shown["email"] == "x" * 1000 + "..."
    assert shown["amount"] == 1e300
    assert shown["amount * 1e300"] == "Infinity"
    assert shown["event_time"] == "2024-03-15 02:00:00"
    assert shown["price"] == "19.90"
    assert shown["tags"] == [f"t{number}" for number in range(50)]
    assert shown["items[0]"] == {"sku": "a\u0000b", "price": 1.5, "quantity": 2}
    assert shown["event_time - birth_date"].startswith("INTERVAL '12356")
    assert shown["device"] is None
    assert computed.values[0] is True


@pytest.mark.parametrize("raw", [b"", b"null", b"[1]", b"{", b'{"amount": "x"}', b'{"amount": 1e400}', b"\xff"])
def test_what_is_no_event_has_a_cause_and_throws_nothing(spark: SparkSession, raw: bytes) -> None:
    session = evaluation_session(spark)
    root = rule_tree("amount > 1", SCHEMA)
    computed = part_values(session, parsed_records(session, [record(raw)], FORM), root, ("cause AS _c",))
    assert computed.row["_c"] is not None
    assert computed.values[0] is None


def test_an_event_of_the_topic_is_read_as_the_stream_reads_it(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    parsed = parsed_records(session, [record(event) for event in GOOD_EVENTS], FORM)
    assert parsed.where(F.col("cause").isNotNull()).count() == 0
    assert parsed.count() == len(GOOD_EVENTS)
