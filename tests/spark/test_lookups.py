"""Rules with subqueries in Spark, against what DuckDB says of the same SQL on the same rows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.generation import Generation
from sentinel.domain.pipeline import PipelineConfig, PipelineSnapshot, PipelineStatus
from sentinel.domain.reference_list import PinnedList
from sentinel.domain.rule import RuleSet, RuleVersion, Severity
from sentinel.errors import ConfigurationError
from sentinel.rules.checker import check
from sentinel.rules.known import KnownNames
from sentinel.streaming.job.driver import compile_gated
from sentinel.streaming.query import lookups
from sentinel.streaming.query.detect import findings_of
from sentinel.streaming.query.evaluate import compile_rule_set, masks_of
from sentinel.streaming.query.lookups import LookupTables
from sentinel.streaming.query.session import evaluation_session
from tests.support.reference_lists import ListsInMemory, list_of

pytestmark = pytest.mark.spark

SCHEMA = EventSchema.from_json(
    [
        {"name": "user_id", "type": "string"},
        {"name": "terminal", "type": "integer"},
        {"name": "amount", "type": "float"},
        {"name": "price", "type": "decimal(12,4)"},
        {"name": "day", "type": "date"},
        {"name": "seen_at", "type": "timestamp"},
    ]
)
STATS = list_of(
    "stats",
    {
        "id": "integer",
        "user_id": "string",
        "terminal": "integer",
        "amount": "float",
        "price": "decimal(10,2)",
        "day": "date",
        "seen_at": "timestamp",
        "good": "boolean",
    },
    "id",
)
USERS = list_of("users", {"user_id": "string", "mean": "float", "level": "integer", "name": "string"}, "user_id")
NAMES = ["u1", "u2", "U1", "ß", "it's", "a\\b", "", "日本", "x\ny"]
DAYS = [date(2026, 1, day) for day in range(1, 6)]
MOMENTS = [datetime(2026, 1, day, 0, 0, day % 2, tzinfo=UTC) for day in range(1, 6)]

# The rule; what DuckDB is asked, where that differs, and why.
RULES: dict[str, str | None] = {
    "user_id IN (SELECT user_id FROM users)": None,
    "user_id NOT IN (SELECT user_id FROM users)": None,
    "NOT (terminal IN (SELECT level FROM users WHERE level > 3))": (
        "NOT (terminal IN (SELECT level FROM users WHERE level > 3 AND level IS NOT NULL))"
    ),
    # Nulls of the column are left out, and a null of the event is unknown also where the set is empty.
    "terminal NOT IN (SELECT terminal FROM stats)": (
        "terminal NOT IN (SELECT terminal FROM stats WHERE terminal IS NOT NULL)"
    ),
    "terminal NOT IN (SELECT terminal FROM stats WHERE terminal < 0)": "CASE WHEN terminal IS NOT NULL THEN true END",
    "price IN (SELECT price FROM stats)": "price IN (SELECT price FROM stats WHERE price IS NOT NULL)",
    "amount IN (SELECT amount FROM stats)": "amount IN (SELECT amount FROM stats WHERE amount IS NOT NULL)",
    "terminal IN (SELECT price FROM stats)": "terminal IN (SELECT price FROM stats WHERE price IS NOT NULL)",
    "day IN (SELECT day FROM stats WHERE good)": "day IN (SELECT day FROM stats WHERE good AND day IS NOT NULL)",
    "seen_at IN (SELECT seen_at FROM stats)": "seen_at IN (SELECT seen_at FROM stats WHERE seen_at IS NOT NULL)",
    "day IN (SELECT seen_at FROM stats)": "day IN (SELECT seen_at FROM stats WHERE seen_at IS NOT NULL)",
    "user_id IN (SELECT s.user_id FROM stats AS s WHERE s.terminal = event.terminal)": (
        "CASE WHEN user_id IS NOT NULL THEN EXISTS (SELECT 1 FROM stats s WHERE s.user_id = event.user_id"
        " AND s.terminal = event.terminal) END"
    ),
    "lower(user_id) IN (SELECT user_id FROM users)": None,
    "amount > (SELECT mean FROM users WHERE user_id = event.user_id)": None,
    "amount > 2 * (SELECT coalesce(mean, 1) FROM users WHERE event.user_id = user_id) + 1": None,
    "(SELECT name FROM users WHERE user_id = event.user_id) LIKE 'n%'": None,
    "amount > (SELECT AVG(amount) * 1.01 FROM stats WHERE user_id = event.user_id)": None,
    "amount > (SELECT AVG(amount) FROM stats)": None,
    "amount <= (SELECT SUM(amount) FROM stats WHERE day = event.day AND good)": None,
    "price > (SELECT AVG(price) FROM stats WHERE terminal = event.terminal)": None,
    "price > (SELECT SUM(price) / 3 FROM stats WHERE terminal = event.terminal AND NOT good)": None,
    "terminal > (SELECT AVG(terminal) FROM stats WHERE day = event.day)": None,
    "seen_at >= (SELECT MAX(seen_at) FROM stats WHERE terminal = event.terminal)": None,
    "user_id > (SELECT MIN(user_id) FROM stats WHERE day = event.day)": None,
    "(SELECT COUNT(*) FROM stats WHERE terminal = event.terminal) > 2": None,
    "(SELECT COUNT(price) FROM stats WHERE terminal = event.terminal AND user_id = event.user_id) = 0": None,
    "(SELECT COUNT(*) FROM stats WHERE terminal < 0) = 0": None,
    "(SELECT SUM(terminal) FROM stats WHERE terminal < 0) IS NULL": None,
    # A sum that 64 bits do not hold is unknown.
    "(SELECT SUM(terminal) FROM stats WHERE terminal > 1000) IS NULL": "true",
    "EXISTS (SELECT 1 FROM stats WHERE terminal = event.terminal AND price > 50)": None,
    "NOT EXISTS (SELECT * FROM stats WHERE user_id = event.user_id)": None,
    "EXISTS (SELECT id FROM stats WHERE user_id = lower(event.user_id)) OR amount > 90": None,
    "(SELECT MAX(price) FROM stats WHERE terminal = event.terminal) - price > 10": None,
}


def some(chance: random.Random, values: Sequence[Any]) -> Any:
    return None if chance.random() < 0.12 else chance.choice(values)


def make(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    chance = random.Random(seed)
    amounts = [-0.0, 0.0, 1e300, *(float(n) for n in range(20)), *(chance.random() * 100 for _ in range(20))]
    prices = [Decimal(n) / 100 for n in (0, 1, 250, 5000, 700, 999_999)]

    def common(scale: int) -> dict[str, Any]:
        return {
            "user_id": some(chance, NAMES),
            "terminal": some(chance, [*range(8), 2**62]),
            "amount": some(chance, amounts),
            "price": some(chance, [price.quantize(Decimal(1).scaleb(-scale)) for price in prices]),
            "day": some(chance, DAYS),
            "seen_at": some(chance, MOMENTS),
        }

    events = [common(4) for _ in range(400)]
    stats = [{"id": n, **common(2), "good": some(chance, [True, False])} for n in range(60)]
    users = [
        {
            "user_id": name,
            "mean": some(chance, amounts),
            "level": some(chance, range(8)),
            "name": some(chance, ["n1", "m"]),
        }
        for name in NAMES[:6]
    ]
    return events, stats, users


def frame(spark: SparkSession, events: list[dict[str, Any]]) -> DataFrame:
    struct = ",".join(f"`{field.name}` {field.type.spark()}" for field in SCHEMA)
    rows = spark.createDataFrame([tuple(event[field.name] for field in SCHEMA) for event in events], struct)
    fields = [F.col(field.name) for field in SCHEMA]
    return rows.select(F.struct(*fields).alias("event"), F.lit(None).cast("string").alias("cause"))


def rule_set(rules: Sequence[str], lists: Sequence[PinnedList]) -> RuleSet:
    versions = tuple(RuleVersion(number, number, 1, rule, Severity.INFO, rule) for number, rule in enumerate(rules))
    made = RuleSet(1, versions, lists=tuple(lists))
    for rule in rules:
        checked = check(rule, SCHEMA, KnownNames.of(made))
        assert checked.valid, (rule, checked.issues)
    return made


def oracle(events: list[dict[str, Any]], tables: dict[str, list[dict[str, Any]]], conditions: list[str]) -> list[Any]:
    """Return per condition DuckDB's outcomes, in the order of the events."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    kinds = {
        **{field.name: field.type.spark() for field in SCHEMA},
        "id": "bigint", "good": "boolean", "mean": "double", "level": "bigint", "name": "string",
    }  # fmt: skip
    kinds["seen_at"] = "timestamptz"
    for name, rows in {"events": events, **tables}.items():
        kinds["price"] = "decimal(12,4)" if name == "events" else "decimal(10,2)"
        columns = [*rows[0], *(["place"] if name == "events" else [])]
        typed = ", ".join(f"{column} {kinds.get(column, 'bigint')}" for column in columns)
        connection.execute(f"CREATE TABLE {name} ({typed})")
        for place, row in enumerate(rows):
            values = [*row.values(), *([place] if name == "events" else [])]
            connection.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(values))})", values)
    return [
        [row[0] for row in connection.execute(f"SELECT {condition} FROM events AS event ORDER BY place").fetchall()]
        for condition in conditions
    ]


@pytest.mark.parametrize("most_literals", [10_000, 0])
def test_every_subquery_says_what_duckdb_says(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, most_literals: int
) -> None:
    monkeypatch.setattr(lookups, "MAX_LITERALS", most_literals)
    events, stats, users = make(seed=3)
    source = ListsInMemory()
    pinned = [source.put(1, STATS, stats), source.put(2, USERS, users)]
    expected = oracle(events, {"stats": stats, "users": users}, [sql or rule for rule, sql in RULES.items()])
    session = evaluation_session(spark)
    compiled = compile_rule_set(rule_set(list(RULES), pinned), SCHEMA, LookupTables(source))
    looked_up = compiled.lookups.add_to(frame(session, events))
    outcomes = looked_up.select(*[F.expr(sql).alias(str(at)) for at, sql in enumerate(compiled.conditions)]).collect()
    found = {rule: [row[at] for row in outcomes] for at, rule in enumerate(RULES)}
    assert found == dict(zip(RULES, expected, strict=True))
    dull = [
        rule for rule, values in found.items() if len(set(values)) == 1 and "< 0" not in rule and "> 1000" not in rule
    ]
    assert dull == []
    masked = compiled.evaluate(frame(session, events)).collect()
    assert len(masked) == len(events)


class TestVersions:
    def test_each_rule_set_sees_its_own_version_and_reads_it_once(self, spark: SparkSession) -> None:
        source = ListsInMemory()
        first = source.put(1, USERS, [{"user_id": "u1", "mean": 1.0, "level": 1, "name": None}])
        second = source.put(1, USERS, [{"user_id": "u2", "mean": 1.0, "level": 1, "name": None}])
        empty = source.put(1, USERS, [])
        tables = LookupTables(source)
        session = evaluation_session(spark)
        events, _, _ = make(seed=5)
        rules = [
            "user_id IN (SELECT user_id FROM users)",
            "amount > (SELECT mean FROM users WHERE user_id = event.user_id)",
        ]
        found = []
        for pinned in (first, second, empty, first, second):
            compiled = compile_rule_set(rule_set(rules, [pinned]), SCHEMA, tables)
            assert [mask.rules for mask in masks_of(compiled.rule_set, SCHEMA)] == [
                mask.rules for mask in compiled.masks
            ]
            matched = compiled.evaluate(frame(session, events)).where(compiled.matched()).select("event.user_id")
            found.append({row["user_id"] for row in matched.collect()})
        assert found == [{"u1"}, {"u2"}, set(), {"u1"}, {"u2"}]
        # Both subqueries tie the same column, so they are one look-up.
        assert source.reads == [("users", version, ("user_id", "mean")) for version in (1, 2, 3)]

    def test_the_compiled_text_does_not_depend_on_the_version(self) -> None:
        source = ListsInMemory()
        sets = [rule_set(list(RULES), [source.put(1, STATS, []), source.put(2, USERS, [])]) for _ in range(2)]
        first, second = (compile_rule_set(each, SCHEMA, LookupTables(source)).conditions for each in sets)
        assert first == second

    def test_without_a_version_or_rows_it_says_so(self) -> None:
        source = ListsInMemory()
        rules = rule_set(["user_id IN (SELECT user_id FROM users)"], [source.put(1, USERS, [])])
        with pytest.raises(ConfigurationError, match="need the rows of lists"):
            compile_rule_set(rules, SCHEMA)

    def test_more_rows_than_fit_a_literal_set_are_joined(self, spark: SparkSession) -> None:
        source = ListsInMemory()
        count = 200_000
        rows = [{"user_id": f"n{n}", "mean": float(n), "level": None, "name": None} for n in range(count)]
        pinned = source.put(1, USERS, rows)
        rules = [
            "user_id NOT IN (SELECT user_id FROM users)",
            "amount = (SELECT mean FROM users WHERE user_id = event.user_id)",
        ]
        compiled = compile_rule_set(rule_set(rules, [pinned]), SCHEMA, LookupTables(source))
        nothing = dict.fromkeys((field.name for field in SCHEMA), None)
        events = [{**nothing, "user_id": f"n{n}", "amount": float(n)} for n in range(count - 5, count + 5)]
        session = evaluation_session(spark)
        masks = [row["_mask_0"] for row in compiled.evaluate(frame(session, events)).collect()]
        assert masks == [2] * 5 + [1] * 5


def snapshot(rules: RuleSet) -> PipelineSnapshot:
    return PipelineSnapshot(
        "t", 1, "p", "topic", PipelineStatus.ACTIVE, PipelineConfig(), 1, SCHEMA, rules, "earliest", 0
    )


class TestPlan:
    @pytest.mark.parametrize("marker_every", [0, 1])
    def test_a_record_is_parsed_once_and_joins_are_broadcast_hash_joins(
        self, spark: SparkSession, marker_every: int
    ) -> None:
        _, stats, users = make(seed=1)
        source = ListsInMemory()
        rules = rule_set(list(RULES), [source.put(1, STATS, stats), source.put(2, USERS, users)])
        session = evaluation_session(spark)
        session.conf.set("spark.sql.debug.maxToStringFields", "100000")
        records = session.createDataFrame([], "value binary, partition int, offset bigint, timestamp timestamp")
        compiled = compile_gated(session, snapshot(rules), LookupTables(source))
        findings = findings_of(records, Generation(1, snapshot(rules), marker_every, {0: 0}), compiled)
        execution = findings._jdf.queryExecution()
        optimized = execution.optimizedPlan().toString()
        assert optimized.count("from_json(") == 1
        nodes = [line.lstrip(" +-:").split(" ")[0] for line in optimized.splitlines()]
        assert [at for at, node in enumerate(nodes) if node == "Filter"] == ([] if marker_every == 1 else [1])
        physical = execution.sparkPlan().toString()
        assert "BroadcastHashJoin" in physical
        assert not any(
            name in physical for name in ("NestedLoop", "SortMerge", "Cartesian", "Exchange hash", "Aggregate")
        )

    def test_the_gate_refuses_what_the_compiler_does_not_emit(
        self, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = ListsInMemory()
        rules = rule_set(["user_id IN (SELECT user_id FROM users WHERE level > 3)"], [source.put(2, USERS, [])])
        monkeypatch.setattr(lookups.Lookups, "texts", ["reflect('a', event.`level`) = 'b'"])
        with pytest.raises(ConfigurationError, match="a subquery is refused by the job: reflect"):
            compile_gated(spark, snapshot(rules), LookupTables(source))
