"""Honest rules, compiled by the product and evaluated by Spark, against DuckDB and Python on the same events.

DuckDB reads the rule as written, not what the product made of it: translated by sqlglot, or by hand where that
translation is not what is meant (`rule_translations`). Verdicts are true, false or unknown; all three must be equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import duckdb
import pytest
import sqlglot
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import ArrayType, FieldType, ScalarType, StructType
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.functions import FUNCTIONS
from sentinel.streaming.query.session import evaluation_session
from tests.spark.rule_translations import BY_HAND, BY_PYTHON, FURTHER, NOT_COMPARED
from tests.unit.rules.corpus import HONEST, SCHEMA
from tests.unit.rules.events import good_events
from tests.unit.rules.test_short_form import SAME

pytestmark = pytest.mark.spark

Verdicts = dict[str, bool | None]

EVENTS = good_events(60)
SQL_RULES = list(dict.fromkeys([*HONEST, *(function.example for function in FUNCTIONS.values()), *FURTHER]))
SHORT_RULES = {f'when {short} then tag("x")': sql for short, sql in SAME}
COMPILED = {rule: check_rule(rule, SCHEMA).result.compiled for rule in [*SQL_RULES, *SHORT_RULES]}
CHUNK = 60
_DUCKDB_TYPES = {"string": "VARCHAR", "integer": "BIGINT", "float": "DOUBLE", "timestamp": "TIMESTAMPTZ"}


@pytest.fixture(scope="module")
def spark_verdicts(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdicts]:
    """What Spark says, by rule and transaction."""
    path = (tmp_path_factory.mktemp("events") / "good").as_uri()
    session = evaluation_session(spark)
    session.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    struct = "struct<" + ",".join(f"`{field.name}`:{field.type.spark()}" for field in SCHEMA) + ">"
    exact = [
        {**event, **{name: float(event[name]) for name in ("price", "total") if name in event}} for event in EVENTS
    ]
    rows = session.createDataFrame([(json.dumps(event),) for event in exact], "value string")
    rows.select(F.from_json("value", struct).alias("event")).coalesce(1).write.parquet(path)
    frame = session.read.parquet(path)  # from a file, so that nothing is folded into constants
    rules = list(COMPILED)
    verdicts: dict[str, Verdicts] = {}
    for start in range(0, len(rules), CHUNK):
        chunk = rules[start : start + CHUNK]
        columns = [F.expr(str(COMPILED[rule])).alias(f"r{at}") for at, rule in enumerate(chunk)]
        collected = frame.select("event.transaction_id", *columns).collect()
        for at, rule in enumerate(chunk):
            verdicts[rule] = {row.transaction_id: row[f"r{at}"] for row in collected}
    return verdicts


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with the same events as a table named `event`."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    types = {field.name: _duckdb_type(field.type) for field in SCHEMA}
    connection.execute(f"CREATE TABLE event ({', '.join(f'{name} {kind}' for name, kind in types.items())})")
    columns = ", ".join(f"read.{name}" for name in types)
    insert = f"INSERT INTO event SELECT {columns} FROM (SELECT from_json(?::JSON, ?) AS read)"
    connection.executemany(insert, [[json.dumps(event), json.dumps(types)] for event in EVENTS])
    yield connection
    connection.close()


def _duckdb_type(kind: FieldType) -> str:
    if isinstance(kind, ArrayType):
        return f"{_duckdb_type(kind.element)}[]"
    if isinstance(kind, StructType):
        return f"STRUCT({', '.join(f'{name} {_duckdb_type(inner)}' for name, inner in kind.fields)})"
    return _DUCKDB_TYPES.get(str(kind), str(kind)) if isinstance(kind, ScalarType) else str(kind)


def translated(rule: str) -> str:
    """Return a rule in DuckDB's SQL."""
    if rule in BY_HAND:
        return BY_HAND[rule]
    level = sqlglot.ErrorLevel.RAISE
    return sqlglot.transpile(rule, read="spark", write="duckdb", unsupported_level=level)[0]


def asked_of_duckdb() -> list[str]:
    """Return the rules in SQL that DuckDB is asked about."""
    return [rule for rule in SQL_RULES if rule not in BY_PYTHON and rule not in NOT_COMPARED]


def differences(expected: Verdicts, found: Verdicts) -> list[str]:
    """Return where two verdicts are not the same."""
    return [
        f"{key}: {value}, Spark says {found.get(key)}" for key, value in expected.items() if found[key] is not value
    ]


def test_every_rule_is_accepted() -> None:
    assert [rule for rule, compiled in COMPILED.items() if compiled is None] == []
    assert len(COMPILED) >= 390


def test_spark_and_duckdb_agree_on_every_event(
    spark_verdicts: dict[str, Verdicts], duck: duckdb.DuckDBPyConnection
) -> None:
    compared, different = 0, {}
    for rule in asked_of_duckdb():
        expected = dict(duck.execute(f"SELECT transaction_id, ({translated(rule)}) FROM event").fetchall())
        assert len(expected) == len(EVENTS)
        if found := differences(expected, spark_verdicts[rule]):
            different[rule] = found
        compared += 1
    assert different == {}
    assert compared >= 360


def test_spark_and_duckdb_agree_on_rules_in_the_short_form(
    spark_verdicts: dict[str, Verdicts], duck: duckdb.DuckDBPyConnection
) -> None:
    different = {}
    for rule, sql in SHORT_RULES.items():
        expected = dict(duck.execute(f"SELECT transaction_id, ({translated(sql)}) FROM event").fetchall())
        if found := differences(expected, spark_verdicts[rule]):
            different[rule] = found
    assert different == {}
    assert len(SHORT_RULES) >= 19


def test_spark_and_python_agree_where_duckdb_has_no_such_function(spark_verdicts: dict[str, Verdicts]) -> None:
    different = {}
    for rule, verdict in BY_PYTHON.items():
        expected = {event["transaction_id"]: verdict(event) for event in EVENTS}
        if found := differences(expected, spark_verdicts[rule]):
            different[rule] = found
    assert different == {}
    assert set(BY_PYTHON) == {function.example for function in FUNCTIONS.values() if function.own}


def test_what_is_not_compared_is_known() -> None:
    compared = {*asked_of_duckdb(), *BY_PYTHON}
    assert {rule for rule in SQL_RULES if rule not in compared} == set(NOT_COMPARED)
    assert set(BY_HAND) <= set(SQL_RULES)
    assert len(NOT_COMPARED) <= 1


def test_the_events_tell_rules_apart(spark_verdicts: dict[str, Verdicts]) -> None:
    seen = {rule: set(verdicts.values()) for rule, verdicts in spark_verdicts.items()}
    assert sum(kinds == {True, False, None} for kinds in seen.values()) >= 200
    assert sum(len(kinds) >= 2 for kinds in seen.values()) >= 340


def test_a_translation_that_means_something_else_is_noticed(
    spark_verdicts: dict[str, Verdicts], duck: duckdb.DuckDBPyConnection
) -> None:
    wrong = dict(duck.execute("SELECT transaction_id, amount >= 100 FROM event").fetchall())
    assert differences(wrong, spark_verdicts["amount > 100"])
    unknown = dict(duck.execute("SELECT transaction_id, coalesce(amount > 100, false) FROM event").fetchall())
    assert differences(unknown, spark_verdicts["amount > 100"])
