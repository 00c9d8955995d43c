"""Rollout: the bucket of an entity is the same everywhere, and each event has exactly one arm."""

from __future__ import annotations

import duckdb
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.rule import Arms, RolloutPlan, RuleSet, RuleVersion, Severity
from sentinel.rules.rollout import bucket, bucket_sql
from sentinel.stores.postgres.database import Database
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.gate import refused_conditions
from sentinel.streaming.query.layout import rules_of_masks
from sentinel.streaming.query.session import evaluation_session

pytestmark = pytest.mark.spark

KEYS = ["", "u1", "u2", "a:b", "ß", "日本", "'; --", "x" * 5000, "\\", "\n", " ", "\U0001f600", *map(str, range(2000))]
SCHEMA = EventSchema.from_json(
    [{"name": "user", "type": "string", "role": "entity"}, {"name": "amount", "type": "float"}]
)
USERS = [f"u{number}" for number in range(400)]


def version(number: int, condition: str) -> RuleVersion:
    """Return a version of rule 1."""
    return RuleVersion(1, number, number, condition, Severity.INFO, "")


def decided(
    spark: SparkSession, rule_set: RuleSet, rows: list[tuple[str | None, float | None]]
) -> list[tuple[int, ...]]:
    """Return the ids of the versions that alert, per row."""
    events = spark.createDataFrame(rows, "user string, amount double").select(
        F.struct("user", "amount").alias("event"), F.lit(None).cast("string").alias("cause")
    )
    compiled = compile_rule_set(rule_set, SCHEMA)
    assert refused_conditions(spark, compiled.conditions) == {}
    found = compiled.evaluate(events).select(*compiled.mask_names).collect()
    return [
        tuple(rule_set.rules[index].rule_version_id for index in rules_of_masks(list(row), compiled.masks))
        for row in found
    ]


def trial(share: int, candidate: str, control: str | None = "amount > 10", salt: str = "s") -> RuleSet:
    """Return a rule set in which version 2 is in rollout beside version 1."""
    versions = [version(2, candidate)] if control is None else [version(1, control), version(2, candidate)]
    arms = Arms(1, 2, None if control is None else 1, RolloutPlan("user", share, salt))
    return RuleSet(1, tuple(versions), arms=(arms,))


def test_spark_duckdb_and_python_agree_on_the_bucket(spark: SparkSession) -> None:
    for salt in ("rule-1-v2", "it's", ""):
        expected = [bucket(salt, key) for key in KEYS]
        frame = spark.createDataFrame([(number, key) for number, key in enumerate(KEYS)], "n int, k string")
        found = frame.selectExpr("n", f"{bucket_sql(salt, 'k')} AS bucket").orderBy("n").collect()
        assert [row.bucket for row in found] == expected
        in_duckdb = [
            duckdb.execute("SELECT ('0x' || substr(md5(? || ':' || ?), 1, 8))::BIGINT % 10000", [salt, key]).fetchone()
            for key in KEYS
        ]
        assert [row[0] for row in in_duckdb if row] == expected
    assert spark.sql(f"SELECT {bucket_sql('s', 'CAST(NULL AS STRING)')} AS bucket").first() == (None,)


@pytest.mark.integration
def test_postgresql_agrees(database: Database, tenant: str) -> None:
    with database.transaction(tenant) as connection:
        for key in KEYS:
            row = connection.execute(
                "SELECT ('x' || lpad(left(md5(%s || ':' || %s), 8), 16, '0'))::bit(64)::bigint %% 10000 AS bucket",
                ("rule-1-v2", key),
            ).fetchone()
            assert row == {"bucket": bucket("rule-1-v2", key)}


def test_the_buckets_are_even() -> None:
    counts = [0] * 10
    for number in range(20_000):
        counts[bucket("rule-7-v3", f"user-{number}") // 1000] += 1
    assert min(counts) > 1800
    assert max(counts) < 2200


def test_each_event_has_one_arm(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    rows: list[tuple[str | None, float | None]] = [(user, 50.0) for user in USERS]
    found = decided(session, trial(3000, "amount > 20"), rows)
    assert found == [(2,) if bucket("s", user) < 3000 else (1,) for user in USERS]
    assert 80 < found.count((2,)) < 160


def test_a_larger_share_keeps_everyone_who_was_in(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    rows: list[tuple[str | None, float | None]] = [(user, 50.0) for user in USERS]
    ten = decided(session, trial(1000, "amount > 20"), rows)
    twenty = decided(session, trial(2000, "amount > 20"), rows)
    assert all(after == (2,) for before, after in zip(ten, twenty, strict=True) if before == (2,))
    assert twenty.count((2,)) > ten.count((2,))


def test_the_arms_decide_for_themselves(spark: SparkSession) -> None:
    """In the share the candidate alone decides, also where only the control is true; and the other way round."""
    session = evaluation_session(spark)
    inside = next(user for user in USERS if bucket("s", user) < 5000)
    outside = next(user for user in USERS if bucket("s", user) >= 5000)
    rows: list[tuple[str | None, float | None]] = [(inside, 15.0), (outside, 15.0), (inside, 50.0), (outside, 5.0)]
    assert decided(session, trial(5000, "amount > 20"), rows) == [(), (1,), (2,), ()]
    assert decided(session, trial(5000, "amount > 1"), rows) == [(2,), (1,), (2,), ()]


def test_where_the_candidate_is_unknown_or_there_is_no_entity_the_control_decides(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    inside = next(user for user in USERS if bucket("s", user) < 5000)
    rule_set = trial(5000, "100 / (amount - 15) > 0")
    rows: list[tuple[str | None, float | None]] = [(inside, 15.0), (inside, 16.0), (inside, None), (None, 50.0)]
    assert decided(session, rule_set, rows) == [(1,), (2,), (), (1,)]


def test_a_new_rule_alerts_inside_the_share_only(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    rows: list[tuple[str | None, float | None]] = [(user, 50.0) for user in USERS] + [(None, 50.0)]
    found = decided(session, trial(5000, "amount > 20", control=None), rows)
    assert found == [(2,) if bucket("s", user) < 5000 else () for user in USERS] + [()]


def test_everybody_and_nobody(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    rows: list[tuple[str | None, float | None]] = [(user, 50.0) for user in USERS]
    assert set(decided(session, trial(10_000, "amount > 20"), rows)) == {(2,)}
    assert set(decided(session, trial(0, "amount > 20"), rows)) == {(1,)}


def test_a_composite_rule_follows_what_it_refers_to(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    references = {"large": version(9, "amount > 40")}
    rule_set = RuleSet(1, (version(1, "rule('large') AND user = 'u1'"),), references=references)
    rows: list[tuple[str | None, float | None]] = [("u1", 50.0), ("u1", 30.0), ("u2", 50.0), ("u1", None), (None, 50.0)]
    assert decided(session, rule_set, rows) == [(1,), (), (), (), ()]
