"""Run the tests of a rule: the task of kind `test`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import SparkSession

from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.domain.rule_test import Outcome, RuleTest, RuleTestKey, RuleTestOutcome
from sentinel.errors import ConfigurationError, InvalidError
from sentinel.rules.compiler import compile_condition
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.explanation.report import explain_parts, outcome_of
from sentinel.rules.explanation.tree import rule_tree
from sentinel.rules.meaning import around
from sentinel.stores.postgres.explain_reader import ExplainReader
from sentinel.stores.postgres.rule_tests import PostgresRuleTests
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.engine_task import TaskContext
from sentinel.streaming.explain.event import ParsingForm, RawRecord, parsed_records
from sentinel.streaming.explain.handler import dead_letter_of
from sentinel.streaming.explain.surroundings import Surroundings, surroundings_of
from sentinel.streaming.explain.values import part_values
from sentinel.streaming.query.gate import refused_conditions

# Saying why costs as much as all tests together.
MOST_EXPLAINED = 3


def run_rule_tests(context: TaskContext) -> dict[str, Any]:
    """Run the tests of a rule and keep what they gave, so that the gate of publishing finds it.

    The request has `rule` (an id) with or without `rule_expression`, a text that may become its next version. They are
    run as they are now, with the schema of now; a test added meanwhile makes another run necessary.

    Raises:
        NotFoundError: There is no such rule.
        InvalidError: The expression does not fit the schema.
    """
    request = context.request
    snapshot = SnapshotStore(context.database, context.tenant_id).current(context.pipeline_id)
    rule_id: int = request["rule"]
    reader = ExplainReader(context.database, context.tenant_id, context.pipeline_id)
    rule = reader.rule(rule_id, None)
    surroundings = surroundings_of(context, reader, None)
    text = request.get("rule_expression") or rule.rule_expression
    checked = check_rule(text, snapshot.schema, surroundings.known, is_stored=True)
    if not checked.result.valid:
        raise InvalidError(f"the expression does not fit the schema: {checked.result.errors[0].message}")
    condition = checked.rule_expression
    with context.database.transaction(context.tenant_id) as tx:
        tests = PostgresRuleTests(tx).list(rule_id)
    outcomes = outcomes_of(context.spark, condition, snapshot, tests, surroundings) if tests else []
    with context.database.transaction(context.tenant_id) as tx:
        meaning = around(condition, surroundings.known.conditions, surroundings.versions_of)
        key = RuleTestKey.of(rule_id, condition, snapshot.schema_version, tests, meaning)
        PostgresRuleTests(tx).keep_run(key, outcomes)
    return {
        "rule_id": rule_id,
        "rule_expression": condition,
        "schema_version": snapshot.schema_version,
        "passed": all(outcome.passed for outcome in outcomes),
        "tests": [outcome.as_json() for outcome in outcomes],
    }


def outcomes_of(
    spark: SparkSession,
    condition: str,
    snapshot: PipelineSnapshot,
    tests: Sequence[RuleTest],
    surroundings: Surroundings,
) -> list[RuleTestOutcome]:
    """Evaluate a condition over the events of tests, all in one pass.

    Args:
        surroundings: What it may name.

    Raises:
        ConfigurationError: The job's own gate refuses the condition.
    """
    compiled = compile_condition(condition, snapshot.schema, surroundings.known)
    sql = compiled.sql
    refused = refused_conditions(spark, [sql])
    if refused:
        raise ConfigurationError(f"the rule is refused by the job: {'; '.join(refused[0])}")
    form = ParsingForm(snapshot.schema, snapshot.config, snapshot.kafka_topic, snapshot.source_epoch)
    records = [RawRecord(test.event.encode(), 0, place, test.created_at) for place, test in enumerate(tests)]
    rows = (
        surroundings.looked_up(parsed_records(spark, records, form), compiled.lookups)
        .selectExpr("offset", f"{sql} AS _v", "cause AS _c", "field AS _f", "detail AS _d")
        .collect()
    )
    found = []
    explained = 0
    for test, row in zip(tests, sorted((row.asDict() for row in rows), key=lambda row: row["offset"]), strict=True):
        record = records[row["offset"]]
        dead = dead_letter_of(record, row, form)
        outcome = Outcome.DEAD_LETTER if dead else Outcome(outcome_of(row["_v"]))
        detail = ""
        if dead:
            where = f" at {dead['field']}" if dead["field"] else ""
            detail = f"it is no event: {dead['cause']}{where}: {dead['detail']}"
        elif outcome is not test.expected:
            detail = (
                _why(spark, condition, record, form, surroundings)
                if explained < MOST_EXPLAINED
                else "explain it to see why"
            )
            explained += 1
        found.append(RuleTestOutcome(test.id, test.name, test.expected, outcome, detail[:1000]))
    return found


def _why(spark: SparkSession, condition: str, record: RawRecord, form: ParsingForm, surroundings: Surroundings) -> str:
    root = rule_tree(condition, form.schema, surroundings.known)
    computed = part_values(spark, surroundings.looked_up(parsed_records(spark, [record], form), root), root)
    explained = explain_parts(root, computed.values, computed.shown)
    reasons = [
        f"{each['text']} is {each['verdict']}"
        + (
            f" ({', '.join(f'{name} = {_short(value)}' for name, value in each['values'].items())})"
            if each["values"]
            else ""
        )
        for each in explained["decided_by"][:5]
    ]
    return "; ".join(reasons)


def _short(value: Any) -> str:
    text = "null" if value is None else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
