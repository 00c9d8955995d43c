"""Outcomes counted by masks and groups, against each rule asked about each event."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.outcome import NOT_COMPUTABLE
from sentinel.domain.rule import RuleSet, RuleVersion, Severity
from sentinel.rules.compiler import compile_condition
from sentinel.rules.known import KnownNames
from sentinel.streaming.query.lookups import LookupTables
from sentinel.streaming.query.outcomes import count_outcomes, unknown_masks, used_fields
from sentinel.streaming.query.session import evaluation_session
from tests.support.reference_lists import ListsInMemory, list_of

pytestmark = pytest.mark.spark

SCHEMA = EventSchema.from_json(
    [
        {"name": "name", "type": "string"},
        {"name": "count", "type": "integer"},
        {"name": "amount", "type": "float"},
        {"name": "tags", "type": "array<string>"},
        {"name": "unused", "type": "string"},
    ]
)
CONDITIONS = [
    "amount > 10",
    "amount > 10 AND name = 'a'",
    "amount > 10 OR name = 'a'",
    "name IN ('a', 'b') AND NOT count = 3",
    "name IS NULL",
    "coalesce(amount, 0) > 1",
    "cast(name as int) > 5",
    "100 / (count - 1) > 3",
    "tags[3] = 'x'",
    "count * 9223372036854775807 > 1",
    "name LIKE 'a%' AND amount BETWEEN 1 AND 20",
    "true",
    *[f"amount > {limit}" for limit in range(70)],
]
RULES = RuleSet(1, tuple(RuleVersion(n, 1000 + n, 1, text, Severity.INFO, "") for n, text in enumerate(CONDITIONS)))


@pytest.mark.parametrize("lacking", [{"name", "count", "amount", "tags"}, {"name"}, set()], ids=len)
def test_every_outcome_is_counted(spark: SparkSession, lacking: set[str]) -> None:
    session = evaluation_session(spark)
    known: dict[str, tuple[Any, ...]] = {
        "name": ("a", "7"), "count": (1, 3, 2**40), "amount": (5.0, 15.0), "tags": ([], ["w", "v", "u", "x"]),
    }  # fmt: skip
    names, counts, amounts, tags = ((*([None] if name in lacking else []), *known[name]) for name in known)
    rows = [
        ((*values, None), datetime(2024, 1, 1, number % 2, tzinfo=UTC))
        for number, values in enumerate(itertools.product(names, counts, amounts, tags))
    ]
    events = session.createDataFrame(
        rows,
        "event struct<name string, count bigint, amount double, tags array<string>, unused string>,"
        " timestamp timestamp",
    )
    found = count_outcomes(events, RULES, SCHEMA)

    compiled = [compile_condition(text, SCHEMA) for text in CONDITIONS]
    verdicts = events.select(
        "event", "timestamp", *[F.expr(c.sql).alias(f"v{n}") for n, c in enumerate(compiled)]
    ).collect()
    for n, condition in enumerate(compiled):
        for hour in (0, 1):
            of_hour = [row for row in verdicts if row["timestamp"].hour == hour]
            unknown = [row for row in of_hour if row[f"v{n}"] is None]
            missing: Counter[str] = Counter()
            for row in unknown:
                missing.update({c for c in condition.columns if row["event"][c] is None} or {NOT_COMPUTABLE})
            place = (1000 + n, int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) // 3600 + hour)
            count = found[place]
            assert (count.evaluated, count.unknown) == (len(of_hour), len(unknown)), CONDITIONS[n]
            assert count.missing == missing, CONDITIONS[n]
    assert any(count.missing[NOT_COMPUTABLE] for count in found.values())


def test_a_rule_that_only_compares_is_asked_only_where_a_field_is_missing() -> None:
    masks = unknown_masks(RULES, SCHEMA, frozenset(used_fields(RULES, SCHEMA)))
    gated = {
        index
        for members, sql in zip(masks.rules, masks.columns, strict=True)
        if sql.startswith("CASE WHEN event.")
        for index in members
    }
    assert {CONDITIONS[index] for index in gated} >= {"amount > 10", "amount > 10 OR name = 'a'", "amount > 69"}
    assert not {CONDITIONS[index] for index in gated} & {
        "name IS NULL",
        "cast(name as int) > 5",
        "100 / (count - 1) > 3",
        "tags[3] = 'x'",
        "count * 9223372036854775807 > 1",
    }
    # `true` uses no field.
    asked = set(itertools.chain.from_iterable(masks.rules))
    assert {CONDITIONS[index] for index in set(range(len(CONDITIONS))) - asked} == {"true"}
    assert "unused" not in masks.fields


def test_a_rule_that_only_compares_is_not_asked_where_every_event_has_its_fields() -> None:
    masks = unknown_masks(RULES, SCHEMA, frozenset(("name", "unused")))
    asked = {CONDITIONS[index] for index in itertools.chain.from_iterable(masks.rules)}
    assert {"amount > 10 AND name = 'a'", "cast(name as int) > 5", "tags[3] = 'x'"} <= asked
    assert not {"amount > 10", "amount > 69", "true"} & asked
    assert masks.fields == ("name",)


def test_what_is_looked_up_may_be_unknown_where_no_field_is_missing(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    source = ListsInMemory()
    stats = list_of("stats", {"name": "string", "mean": "float"}, "name")
    pinned = source.put(1, stats, [{"name": "a", "mean": 3.0}, {"name": "b", "mean": None}])
    referred = RuleVersion(9, 9, 1, "amount > (SELECT mean FROM stats WHERE name = event.name)", Severity.INFO, "")
    texts = [referred.condition, "rule('above_mean')", "name NOT IN (SELECT name FROM stats)"]
    rules = RuleSet(
        1,
        tuple(RuleVersion(n, 1000 + n, 1, text, Severity.INFO, "") for n, text in enumerate(texts)),
        references={"above_mean": referred},
        lists=(pinned,),
    )
    rows = [(("a", 5.0),), (("b", 5.0),), (("c", 5.0),), ((None, 5.0),), (("a", None),), ((None, None),)]
    events = session.createDataFrame(rows, "event struct<name string, amount double>").withColumn(
        "timestamp", F.lit(datetime(2024, 1, 1, tzinfo=UTC))
    )
    hour = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) // 3600
    found = count_outcomes(events, rules, SCHEMA, LookupTables(source))
    for version_id in (1000, 1001):
        count = found[version_id, hour]
        assert (count.evaluated, count.unknown) == (6, 5)
        assert count.missing == {"name": 2, "amount": 2, NOT_COMPUTABLE: 2}
    assert (found[1002, hour].unknown, found[1002, hour].missing) == (2, {"name": 2})
    assert compile_condition("rule('above_mean')", SCHEMA, KnownNames.of(rules)).lookups
