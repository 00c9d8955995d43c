"""Rules evaluated together, in masks that are skipped where no rule can match, against each rule alone."""

from __future__ import annotations

import random
from typing import TypeVar

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.rule import RuleSet, RuleVersion, Severity
from sentinel.rules.compiler import compile_condition
from sentinel.rules.literals import text_literal
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.layout import Buckets, rules_of_masks
from sentinel.streaming.query.session import evaluation_session

pytestmark = pytest.mark.spark
T = TypeVar("T")

SCHEMA = EventSchema.from_json(
    [
        {"name": "merchant", "type": "integer"},
        {"name": "country", "type": "string"},
        {"name": "amount", "type": "float"},
        {"name": "online", "type": "boolean"},
    ]
)
FORMS = (
    "merchant = {n} AND amount > {amount}",
    "event.merchant IN ({n}, {m}) OR merchant = {k}",
    "country = '{c}' AND merchant = {n}",
    "country IN ('{c}', '{d}') AND amount < {amount}",
    "(country = '{c}' OR merchant = {n}) AND online",
    "NOT (country = '{c}') AND merchant = {n}",
    "country = '{c}' OR amount > 95",
    "online = TRUE AND country = '{c}' AND NOT merchant = {n}",
    "merchant IS NULL AND country = '{c}'",
    "merchant = {n} AND merchant = {m}",
    "amount BETWEEN {n} AND {m}",
    "country IS NULL",
)


def make_rules(count: int, seed: int) -> list[RuleVersion]:
    chance = random.Random(seed)
    rules = []
    for number in range(count):
        n, m, k = (chance.randrange(40) for _ in range(3))
        c, d = chance.choices(["DE", "FR", "It's", "ß", ""], k=2)
        condition = FORMS[number % len(FORMS)].format(
            n=n, m=m, k=k, c=c.replace("'", "''"), d=d.replace("'", "''"), amount=chance.randrange(100)
        )
        rules.append(RuleVersion(number, number, 1, condition, Severity.INFO, condition))
    return rules


def make_events(count: int, seed: int) -> list[tuple[int | None, str | None, float | None, bool | None, str | None]]:
    chance = random.Random(seed)

    def or_null(value: T) -> T | None:
        return None if chance.random() < 0.1 else value

    return [
        (
            or_null(chance.randrange(40)),
            or_null(chance.choice(["DE", "FR", "It's", "ß", "", "de"])),
            or_null(chance.random() * 100),
            or_null(chance.random() < 0.5),
            "not_json" if chance.random() < 0.05 else None,
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("count", [1, 33, 400])
def test_masks_say_what_each_rule_says_alone(spark: SparkSession, count: int) -> None:
    rules = make_rules(count, seed=count)
    session = evaluation_session(spark)
    rows = make_events(300, seed=7)
    columns = "merchant bigint, country string, amount double, online boolean, cause string"
    events = session.createDataFrame(rows, columns).select(
        F.when(F.col("cause").isNull(), F.struct("merchant", "country", "amount", "online")).alias("event"), "cause"
    )
    compiled = compile_rule_set(RuleSet(1, tuple(rules)), SCHEMA)
    found = [
        rules_of_masks([row[name] for name in compiled.mask_names], compiled.masks)
        for row in compiled.evaluate(events).collect()
    ]
    alone = [F.expr(compile_condition(rule.condition, SCHEMA).sql).alias(f"_{rule.rule_id}") for rule in rules]
    right = [
        tuple(index for index, verdict in enumerate(row[1:]) if verdict and row.cause is None)
        for row in events.select("cause", *alone).collect()
    ]
    assert found == right
    assert count == 1 or len({index for each in found for index in each}) > count / 3


ODD = (
    *["", "It's", "back\\slash", "new\nline", "\ttab\r", "'", "\\'", "a\u0000b", "5", "-5", "null", "DE", "De"],
    *["\u00df", "\u540d\u524d", "\u00e9", "e\u0301", "\U0001f600"],
)


def test_any_value_finds_its_bucket(spark: SparkSession) -> None:
    texts = [*ODD, *(f"u{number}" for number in range(160))]
    numbers = [1 - 2**63, 2**63 - 1, -1, 0, 5, *range(100, 270)]
    conditions = [f"country = {text_literal(text)}" for text in texts if "\u0000" not in text]
    conditions += [f"merchant = {number}" for number in numbers]
    rules = tuple(RuleVersion(n, n, 1, text, Severity.INFO, text) for n, text in enumerate(conditions))
    session = evaluation_session(spark)
    rows = [(None, text) for text in texts] + [(number, None) for number in numbers] + [(None, None)]
    events = session.createDataFrame(rows, "merchant bigint, country string").selectExpr(
        "named_struct('merchant', merchant, 'country', country, 'amount', 1D, 'online', true) AS event",
        "CAST(NULL AS string) AS cause",
    )
    compiled = compile_rule_set(RuleSet(1, rules), SCHEMA)
    assert {mask.buckets for mask in compiled.masks} == {Buckets("country", 16), Buckets("merchant", 16)}
    found = [
        rules_of_masks([row[name] for name in compiled.mask_names], compiled.masks)
        for row in compiled.evaluate(events).collect()
    ]
    with_rule = [text for text in texts if "\u0000" not in text]
    wanted = [(with_rule.index(text),) if text in with_rule else () for text in texts]
    wanted += [(len(with_rule) + place,) for place in range(len(numbers))]
    assert found == [*wanted, ()]
