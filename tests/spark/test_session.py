"""What the JVM of a Spark session was started with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sentinel.domain.event_schema import EventSchema
from sentinel.rules.compiler import compile_condition
from sentinel.settings import Settings
from sentinel.streaming.query.session import evaluation_session

pytestmark = pytest.mark.spark


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_its_classes_come_from_the_archive(spark: SparkSession, settings: Settings) -> None:
    if not settings.class_archive.exists():
        pytest.skip("this Java could not write an archive of classes (it lacks the one of its own)")
    pid = spark._jvm.java.lang.ProcessHandle.current().pid()
    assert str(settings.class_archive) in Path(f"/proc/{pid}/maps").read_text()


QUERY = "SELECT 1 + 2 * id, CASE WHEN id IN (1, 2) OR id IS NULL THEN 'a' ELSE upper('b') END FROM range(3)"
KEPT = "spark.sql.parser.parserDfaCacheFlush"


def states(spark: SparkSession) -> int:
    """How many states the parser keeps; each takes about 10 kB."""
    module = getattr(spark._jvm.org.apache.spark.sql.catalyst.parser, "AbstractParser$")
    return int(module.__getattr__("MODULE$").getDFACacheNumStates())


def test_what_the_parser_keeps_is_bounded(spark: SparkSession) -> None:
    session = evaluation_session(spark)
    session.conf.set(f"{KEPT}Threshold", "50")
    session.sql(QUERY)
    assert states(spark) == 0
    session.conf.unset(f"{KEPT}Threshold")
    session.sql(QUERY)
    assert states(spark) > 50
    assert 0 < float(session.conf.get(f"{KEPT}Ratio") or -1) < 25


def nested(levels: int) -> str:
    return "amount > 1.5" if levels == 0 else f"({nested(levels - 1)} OR NOT {nested(levels - 1)})"


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (" OR ".join(f"amount > {number}.5" for number in range(550)), 2_000),
        ("(" * 40 + " AND ".join(f"amount <> {number}.5" for number in range(500)) + ")" * 40, 2_000),
        (nested(8), 30_000),
        ("in_polygon(amount, amount, '" + ", ".join(f"{n % 9} {n % 7}.{n}" for n in range(99)) + "')", 5_000),
        (" OR ".join(f"ip_in(name, '2001:db8:{number}::/48')" for number in range(8)), 5_000),
    ],
    ids=["or", "parentheses", "nested", "polygon", "networks"],
)
def test_a_large_rule_is_parsed_in_bounded_memory(spark: SparkSession, text: str, most: int) -> None:
    schema = EventSchema.from_json([{"name": "amount", "type": "float"}, {"name": "name", "type": "string"}])
    session = evaluation_session(spark)
    session.conf.set(f"{KEPT}Threshold", "1")
    session.sql("SELECT 1")
    session.conf.unset(f"{KEPT}Threshold")
    session.conf.set(f"{KEPT}Ratio", "-1")
    compiled = compile_condition(text, schema).sql
    session.range(1).selectExpr("named_struct('amount', 1D, 'name', 'a') AS event").where(compiled)
    assert states(spark) <= most
