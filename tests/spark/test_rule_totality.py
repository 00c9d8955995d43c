"""Compiled rules on Spark: equal to the rule as written on good events, and never throwing on hostile ones."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sentinel.rules.checker import check
from sentinel.rules.compiler import compile_condition
from sentinel.rules.functions import FUNCTIONS, RuleFunction
from sentinel.rules.functions.base import Accepts
from sentinel.streaming.query.session import evaluation_session
from tests.unit.rules.corpus import GOOD_EVENTS, HONEST, SCHEMA
from tests.unit.rules.hostile_values import hostile_events

pytestmark = pytest.mark.spark

# What plain Spark can run as well.
EXPRESSIONS = [*HONEST, *(function.example for function in FUNCTIONS.values() if not function.own)]
STRUCT = "struct<" + ",".join(f"`{field.name}`:{field.type.spark()}" for field in SCHEMA) + ">"

# Plain Spark throws on these, even for the first event.
BEYOND_SPARK = ["tags[quantity] IS NULL", "to_timestamp(user_id, 'yyyy-MM-dd HH:mm') IS NULL"]
# Plain Spark says true of a missing value here: its coercion forgets the null.
WRONG_IN_SPARK = ["quantity < 99999999999999999999"]

# A field for every kind of argument; several for those where the values differ most.
FIELDS: dict[Accepts, tuple[str, ...]] = {
    Accepts.TEXT: ("user_id", "email"),
    Accepts.PRINTABLE: ("amount", "event_time", "total"),
    Accepts.SMALL: ("quantity", "-2"),
    Accepts.INTEGER: ("quantity",),
    Accepts.NUMBER: ("quantity", "amount", "price", "total"),
    Accepts.DOUBLE: ("amount", "total"),
    Accepts.BOOLEAN: ("is_foreign",),
    Accepts.DAY: ("birth_date", "event_time"),
    Accepts.MOMENT: ("event_time", "birth_date"),
    Accepts.CALENDAR: ("event_time", "birth_date"),
    Accepts.ANY: ("amount", "quantity"),
    Accepts.SAME: ("amount", "quantity"),
    Accepts.ARRAY: ("tags", "readings", "items"),
    Accepts.ORDERED_ARRAY: ("tags", "readings", "limits"),
    Accepts.TEXT_ARRAY: ("tags",),
    Accepts.SAME_ARRAY: ("tags", "readings", "limits"),
    Accepts.TEXT_OR_ARRAY: ("tags", "user_id"),
    Accepts.ELEMENT: ("user_id", "amount"),
    Accepts.LITERAL_TEXT: ("'@'",),
    Accepts.LITERAL_SMALL: ("1",),
    Accepts.REGEX: (r"'(\\w+)@\\w+'", "'(a|b)+'"),
    Accepts.DATETIME_FORMAT: ("'yyyy-MM-dd HH:mm:ss'",),
    Accepts.CHOICE: ("'DAY'", "'WEEK'", "'YEAR'"),
}

# Texts of a form of their own, by the argument's name.
FORMS = {
    "fence": ("'50 5, 55 5, 55 15'",),
    "network": ("'10.0.0.0/8'", "'2001:db8::/32'"),
    "zone": ("'Europe/Berlin'",),
}


def calls_of(function: RuleFunction) -> list[str]:
    """Return rules that call a function with every combination of fields that fits it, with all its arguments."""
    options = [FORMS.get(argument.name, FIELDS[argument.accepts]) for argument in function.arguments]
    if function.arguments and function.arguments[-1].repeated:
        options *= max(1, function.at_least)
        options = options[: max(function.at_least, len(function.arguments))]
    calls = []
    for arguments in product(*options):
        for given in {len(arguments), max(function.fewest, 0)}:
            rule = f"isnotnull({function.name}({', '.join(arguments[:given])}))"
            if check(rule, SCHEMA).valid:
                calls.append(rule)
    return sorted(set(calls))


@pytest.fixture(scope="module")
def good_path(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the good events: read from there, nothing is folded into constants."""
    path = tmp_path_factory.mktemp("events") / "good"
    numbers = [{**event, **{k: float(event[k]) for k in ("price", "total") if k in event}} for event in GOOD_EVENTS]
    rows = spark.createDataFrame([(json.dumps(event),) for event in numbers], "value string")
    rows.select(F.from_json("value", STRUCT).alias("event")).coalesce(1).write.parquet(path.as_uri())
    return path


@pytest.fixture(scope="module")
def interpreted(spark: SparkSession) -> SparkSession:
    """A session that generates no code: quick where many expressions are evaluated once."""
    session = evaluation_session(spark)
    session.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    return session


@pytest.fixture(scope="module")
def hostile_path(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 60 hostile events."""
    path = tmp_path_factory.mktemp("events") / "hostile"
    events = hostile_events(60)
    spark.sql(" UNION ALL ".join(f"SELECT {event} AS event" for event in events)).coalesce(1).write.parquet(
        path.as_uri()
    )
    return path


@pytest.fixture(params=["the job's session", "interpreted"])
def session(spark: SparkSession, interpreted: SparkSession, request: pytest.FixtureRequest) -> SparkSession:
    """A session that evaluates as the job does, by generated code, and one that interprets."""
    return interpreted if request.param == "interpreted" else evaluation_session(spark)


def compare(events: DataFrame, rules: list[str]) -> None:
    """Assert that rules give the same compiled and as written."""
    for start in range(0, len(rules), 60):
        chunk = rules[start : start + 60]
        written = events.select(*[F.expr(rule).alias(str(i)) for i, rule in enumerate(chunk)]).collect()
        compiled = events.select(
            *[F.expr(compile_condition(rule, SCHEMA).sql).alias(str(i)) for i, rule in enumerate(chunk)]
        ).collect()
        for index, rule in enumerate(chunk):
            assert [row[str(index)] for row in compiled] == [row[str(index)] for row in written], rule


class TestGoodEvents:
    def test_compiled_rules_equal_rules_as_written(self, interpreted: SparkSession, good_path: Path) -> None:
        every = interpreted.read.parquet(good_path.as_uri()).select("event", "event.*")
        # Where plain Spark throws (an element that is not there) or takes NaN for a large number (asin of 12), only
        # the first event is a good one.
        first = every.where("event.transaction_id = 't1'")
        rules = [rule for rule in EXPRESSIONS if rule not in (*BEYOND_SPARK, *WRONG_IN_SPARK)]
        everywhere = [rule for rule in HONEST if "[" not in rule and rule not in WRONG_IN_SPARK]
        compare(every, everywhere)
        compare(first, [rule for rule in rules if rule not in everywhere])

    def test_rules_that_plain_spark_throws_on_give_a_verdict(self, interpreted: SparkSession, good_path: Path) -> None:
        first = interpreted.read.parquet(good_path.as_uri()).where("event.transaction_id = 't1'")
        verdicts = [first.select(F.expr(compile_condition(rule, SCHEMA).sql)).collect()[0][0] for rule in BEYOND_SPARK]
        assert verdicts == [True, True]

    def test_the_example_of_every_function_is_true_for_the_first_event(
        self, interpreted: SparkSession, good_path: Path
    ) -> None:
        events = interpreted.read.parquet(good_path.as_uri()).where("event.transaction_id = 't1'")
        columns = [F.expr(compile_condition(f.example, SCHEMA).sql).alias(name) for name, f in FUNCTIONS.items()]
        verdicts = events.select(*columns).collect()[0].asDict()
        assert verdicts == dict.fromkeys(FUNCTIONS, True)


class TestHostileEvents:
    @pytest.mark.parametrize(
        ("text", "verdict"),
        [
            ("12.50", True),
            (" +1e1 ", True),
            ("4.99", False),
            ("x", None),
            ("１２", None),
            ("9" * 100_000, None),
            # Cast by Spark alone, these take a core hours.
            ("1e-999999999", None),
            ("1e999999999", None),
            ("1e-９９９９９９９９９", None),
        ],
        ids=["fits", "exponent", "less", "no number", "other script", "long", "tiny", "huge", "tiny in another script"],
    )
    def test_a_text_that_a_rule_casts_to_a_decimal_costs_little(
        self, interpreted: SparkSession, tmp_path: Path, text: str, verdict: bool | None
    ) -> None:
        rows = interpreted.createDataFrame([(text,)], "user_id string").selectExpr("struct(user_id) AS event")
        rows.write.parquet((tmp_path / "event").as_uri())
        rule = F.expr(compile_condition("cast(user_id AS decimal(10,2)) > 5", SCHEMA).sql)
        read = interpreted.read.parquet((tmp_path / "event").as_uri())
        assert read.select(rule).collect()[0][0] is verdict

    def test_every_function_has_calls(self) -> None:
        assert [name for name, function in FUNCTIONS.items() if not calls_of(function)] == []

    def test_no_function_throws(self, session: SparkSession, hostile_path: Path) -> None:
        rules = sorted({rule for function in FUNCTIONS.values() for rule in calls_of(function)})
        assert len(rules) > 250
        evaluate_all(session, hostile_path, rules)

    def test_no_honest_rule_throws(self, session: SparkSession, hostile_path: Path) -> None:
        evaluate_all(session, hostile_path, EXPRESSIONS)

    @pytest.mark.parametrize("operator", ["+", "-", "*", "/", "%", "DIV", "&", "|", "^", "<", "=", "<=>"])
    def test_no_operator_throws(self, interpreted: SparkSession, hostile_path: Path, operator: str) -> None:
        numbers = (
            "quantity",
            "amount",
            "price",
            "total",
            "length(user_id)",
            "9223372036854775807",
            "1e308",
            "0",
            "0.5",
        )
        rules = [f"({left} {operator} {right}) IS NULL" for left, right in product(numbers, numbers)]
        evaluate_all(interpreted, hostile_path, [rule for rule in rules if check(rule, SCHEMA).valid])

    def test_no_cast_throws(self, spark: SparkSession, hostile_path: Path) -> None:
        types = ("string", "bigint", "int", "double", "boolean", "date", "timestamp", "decimal(5,2)", "decimal(38,38)")
        rules = [f"cast({field.name} AS {kind}) IS NULL" for field in SCHEMA for kind in types]
        accepted = [rule for rule in rules if check(rule, SCHEMA).valid]
        assert len(accepted) > 60
        evaluate_all(spark, hostile_path, accepted)

    def test_moments_shifted_and_subtracted_do_not_throw(self, spark: SparkSession, hostile_path: Path) -> None:
        spans = [
            f"INTERVAL '{count}' {unit}" for count in (1, 99_999_999) for unit in ("SECOND", "DAY", "MONTH", "YEAR")
        ]
        rules = [
            f"({moment} {sign} {span}) IS NULL"
            for moment in ("event_time", "birth_date")
            for sign in "+-"
            for span in spans
        ]
        rules += ["event_time - birth_date > INTERVAL '1' DAY", "birth_date - event_time < INTERVAL '1' SECOND"]
        evaluate_all(spark, hostile_path, rules)


def evaluate_all(spark: SparkSession, events: Path, rules: list[str]) -> None:
    """Evaluate rules over the events; on a failure, name the rule."""
    frame = spark.read.parquet(events.as_uri())
    for start in range(0, len(rules), 40):
        chunk = rules[start : start + 40]
        columns = [F.expr(compile_condition(rule, SCHEMA).sql).alias(str(i)) for i, rule in enumerate(chunk)]
        try:
            frame.select(*columns).collect()
        except Exception:
            for rule, column in zip(chunk, columns, strict=True):
                try:
                    frame.select(column).collect()
                except Exception as failed:
                    pytest.fail(f"{rule} throws: {str(failed)[:500]}")
            raise


class TestNotANumber:
    @pytest.mark.parametrize(
        "expression",
        [
            "sqrt(-amount) > 1",
            "NOT (sqrt(-amount) > 1)",
            "sqrt(-amount) = sqrt(-amount)",
            "ln(-amount) > 1",
            "acos(amount) > 1",
            "power(-amount, 0.5) > 1",
            "exp(1000 * amount) - exp(1000 * amount) > 1",
            "exp(1000 * amount) * 0 > 1",
            "exp(1000 * amount) / exp(1000 * amount) > 1",
            "exp(1000 * amount) % 2 > 1",
            "try_cast(concat('Na', left('N', quantity)) AS double) > 1",
            "greatest(sqrt(-amount), 0) > 1",
            "round(sqrt(-amount)) > 1",
            "coalesce(sqrt(-amount), 0) > 1",
            "sin(exp(1000 * amount)) > -2",
            "array_contains(readings, sqrt(-amount))",
            "sqrt(-amount) IN (1, 2)",
            "sqrt(-amount) BETWEEN 0 AND 1e300",
            "if(is_foreign, sqrt(-amount), 0) > 1",
        ],
    )
    def test_it_never_matches(self, interpreted: SparkSession, good_path: Path, expression: str) -> None:
        good_events = interpreted.read.parquet(good_path.as_uri())
        compiled = compile_condition(expression, SCHEMA).sql
        row = good_events.where("event.transaction_id = 't1'").select(F.expr(compiled).alias("verdict")).collect()[0]
        assert row.verdict is not True
