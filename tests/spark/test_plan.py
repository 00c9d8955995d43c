"""The plan of a generation: what the optimizer must leave as it is."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from sentinel.domain.generation import Generation
from sentinel.domain.pipeline import PipelineConfig, PipelineSnapshot, PipelineStatus
from sentinel.domain.rule import RuleSet, RuleVersion, Severity
from sentinel.streaming.query.detect import findings_of
from sentinel.streaming.query.evaluate import RULES_PER_PROJECTION, compile_rule_set
from sentinel.streaming.query.session import evaluation_session
from tests.support.malformed import SCHEMA

pytestmark = pytest.mark.spark


def optimized(spark: SparkSession, *, rules: int, marker_every: int) -> str:
    versions = (RuleVersion(n, n, 1, f"amount > {n}", Severity.WARNING, f"rule {n}") for n in range(rules))
    snapshot = PipelineSnapshot(
        "t",
        1,
        "p",
        "topic",
        PipelineStatus.ACTIVE,
        PipelineConfig(),
        1,
        SCHEMA,
        RuleSet(1, tuple(versions)),
        "earliest",
        0,
    )
    generation = Generation(1, snapshot, marker_every, {0: 0, 1: 5})
    session = evaluation_session(spark)
    session.conf.set("spark.sql.debug.maxToStringFields", "100000")
    records = session.createDataFrame([], "value binary, partition int, offset bigint, timestamp timestamp")
    findings = findings_of(records, generation, compile_rule_set(snapshot.rule_set, SCHEMA))
    plan: str = findings._jdf.queryExecution().optimizedPlan().toString()
    return plan


@pytest.mark.parametrize("marker_every", [0, 1, 256])
@pytest.mark.parametrize("rules", [0, 1, RULES_PER_PROJECTION + 1])
def test_a_record_is_parsed_once_and_dropped_last(spark: SparkSession, rules: int, marker_every: int) -> None:
    plan = optimized(spark, rules=rules, marker_every=marker_every)
    assert plan.count("from_json(") == 1
    nodes = [line.lstrip(" +-").split(" ")[0] for line in plan.splitlines()]
    # A filter that is moved down brings a copy of all that it needs: parsing and rules would be done again in it.
    assert [at for at, node in enumerate(nodes) if node == "Filter"] == ([] if marker_every == 1 else [1])
