"""The job's own gate: Catalyst's tree of a compiled rule held against the allowlist."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from sentinel.rules.compiler import compile_condition
from sentinel.rules.functions import FUNCTIONS
from sentinel.streaming.query import gate
from sentinel.streaming.query.gate import refusals, refused_conditions
from tests.unit.rules.corpus import HONEST, HOSTILE, SCHEMA
from tests.unit.rules.hostile_kinds import HOSTILE_KINDS

pytestmark = pytest.mark.spark

COMPILED = [compile_condition(e, SCHEMA).sql for e in [*HONEST, *(f.example for f in FUNCTIONS.values())]]

# Made of allowed parts only; the checker refuses them since their types or fields do not fit.
HARMLESS = {"'true'", "lower() = ''", "lower(1) = '1'", "event.event.amount > 1"}

UNSAFE = {
    "reflect('java.lang.System', 'exit', event.`user_id`) = ''": "function reflect",
    "`reflect`('a', event.`user_id`) = ''": "function reflect",
    "java_method('a', 'b') = ''": "function java_method",
    "raise_error(event.`user_id`) IS NULL": "function raise_error",
    "spark_catalog.default.f(event.`amount`) > 1": "function spark_catalog",
    "system.builtin.lower(event.`country`) = ''": "function system",
    "current_timestamp() > event.`event_time`": "function current_timestamp",
    "rand() < 0.5": "function rand",
    "event.`amount` > (SELECT 1)": "ScalarSubquery",
    "event.`amount` IN (SELECT 1)": "InSubquery",
    "EXISTS (SELECT 1)": "Exists",
    "size(transform(event.`tags`, x -> x)) > 1": "LambdaFunction",
    "sum(event.`amount`) OVER () > 1": "WindowExpression",
    "length(DISTINCT event.`country`) > 1": "aggregate",
    "length(event.`country`) FILTER (WHERE true) > 1": "aggregate",
    "IDENTIFIER('event.amount') > 1": "ExpressionWithUnresolvedIdentifier",
    "event.* IS NULL": "UnresolvedStar",
    "`amount` > 1": "column [amount]",
    "text.`/etc/passwd` IS NULL": "column [text",
    "event IS NULL": "column [event]",
    "CAST(event.`user_id` AS array<int>) IS NULL": "cast to array",
    "CAST(event.`user_id` AS binary) IS NULL": "cast to binary",
    "X'41' = event.`user_id`": "quote that the compiler does not emit: X'",
    "event.`amount` + 1 > 2": "expressions.Add",
    "event.`amount` / 0 > 2": "expressions.Divide",
    "event.`tags`[99] = ''": "array[index]",
    "event.`tags`[event.`quantity`] = ''": "array[index]",
    "event.`country` LIKE ANY ('a', 'b')": "LikeAny",
    "CASE WHEN event.`is_foreign` THEN true END": "CASE",
    "event.`amount` AS x": "Alias",
    "event.`amount` > 1 -- true": "comment",
    "event.`amount` > 1 /* ' */ OR true /* ' */": "comment",
    "event.`country` = r'\\' -- '": "comment",
    'event.`country` = "DE"': "quote",
    "event.`amount` >": "cannot parse",
    "event.`amount` > 1) OR (true": "cannot parse",
    "": "cannot parse",
    "event.`amount` > :x": "",
    "event.`amount` > ?": "",
}


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test parses what it asks about."""
    monkeypatch.setattr(gate, "_passed", set())


class TestHonestRules:
    def test_everything_the_compiler_emits_passes(self, spark: SparkSession) -> None:
        refused = refused_conditions(spark, COMPILED)
        assert {COMPILED[index]: reasons for index, reasons in refused.items()} == {}

    def test_one_by_one_too(self, spark: SparkSession) -> None:
        assert [refusals(spark, condition) for condition in COMPILED[::7]] == [[]] * len(COMPILED[::7])

    def test_what_has_passed_is_not_parsed_again(self, spark: SparkSession) -> None:
        assert refused_conditions(spark, COMPILED[:3]) == {}
        nowhere: Any = None
        assert refused_conditions(nowhere, COMPILED[:3]) == {}


class TestUnsafeRules:
    @pytest.mark.parametrize(("condition", "reason"), UNSAFE.items(), ids=lambda value: value[:50])
    def test_it_is_refused_with_the_reason(self, spark: SparkSession, condition: str, reason: str) -> None:
        reasons = refusals(spark, condition)
        assert any(reason in found for found in reasons)

    def test_the_texts_that_the_checker_refuses_are_refused_as_they_stand(self, spark: SparkSession) -> None:
        passed = [text for text in HOSTILE if not refusals(spark, text)]
        assert set(passed) <= HARMLESS

    @pytest.mark.parametrize("kind", HOSTILE_KINDS)
    def test_every_kind_of_attack_is_refused_for_what_it_is(self, spark: SparkSession, kind: str) -> None:
        for text in HOSTILE_KINDS[kind]:
            assert refusals(spark, text), text[:100]
            assert refused_conditions(spark, [COMPILED[0], text, COMPILED[1]]).keys() == {1}, text[:100]

    def test_in_a_batch_only_the_unsafe_ones_are_refused(self, spark: SparkSession) -> None:
        batch = [COMPILED[0], "reflect('a', 'b') = ''", COMPILED[1], "event.`amount` >", COMPILED[2]]
        assert sorted(refused_conditions(spark, batch)) == [1, 3]

    def test_pieces_that_only_parse_together_are_refused(self, spark: SparkSession) -> None:
        assert sorted(refused_conditions(spark, ["coalesce(true", "false)", "true, true"])) == [0, 1, 2]
        assert sorted(refused_conditions(spark, ["(true", "true)", COMPILED[0]])) == [0, 1]
