"""The guide to rules: every example in it is checked and evaluated, and every function and code is in it."""

from __future__ import annotations

import json
import re

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.score import score_of
from sentinel.rules.dialects import COUNTERPARTS
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.functions import FUNCTIONS
from sentinel.rules.functions.dates import DATE_PARTS
from sentinel.rules.issue import CODES
from sentinel.rules.known import KnownNames
from sentinel.settings import PROJECT_ROOT

GUIDE = (PROJECT_ROOT / "docs" / "rules.md").read_text()
BLOCKS = re.findall(r"^```(\w+) (\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def _json(name: str) -> str:
    return next(text for language, what, text in BLOCKS if (language, what) == ("json", name))


# What the section on composite rules says the names stand for.
KNOWN = KnownNames(dict(re.findall(r"`(\w+)` is `([^`]+)`", GUIDE)))
SCHEMA = EventSchema.from_json(json.loads(_json("schema")))
RULES = [
    (line, what)
    for language, what, text in BLOCKS
    if language in ("sql", "when")
    for line in text.splitlines()
    if line.strip()
]


class TestExamples:
    def test_there_is_no_block_that_is_not_tested(self) -> None:
        assert len(re.findall(r"^```\w+", GUIDE, re.MULTILINE)) == len(BLOCKS)
        assert {what for _, what in RULES} == {"match", "unknown", "refused", "doubtful"}

    @pytest.mark.parametrize(("rule", "what"), RULES)
    def test_it_is_accepted_or_refused_as_told(self, rule: str, what: str) -> None:
        result = check_rule(rule, SCHEMA, KNOWN).result
        assert result.valid == (what != "refused"), result.issues
        assert any(issue.severity == "warning" for issue in result.issues) or what != "doubtful"

    @pytest.mark.spark
    def test_each_gives_the_outcome_that_is_told(self, spark: SparkSession) -> None:
        struct = "struct<" + ",".join(f"`{field.name}`:{field.type.spark()}" for field in SCHEMA) + ">"
        events = spark.createDataFrame([(_json("event"),)], "value string")
        parsed = events.select(F.from_json("value", struct).alias("event"))
        accepted = [(rule, what) for rule, what in RULES if what in ("match", "unknown")]
        compiled = [str(check_rule(rule, SCHEMA, KNOWN).result.compiled) for rule, _ in accepted]
        row = parsed.select(*[F.expr(sql).alias(str(i)) for i, sql in enumerate(compiled)]).collect()[0]
        told = {rule: {"match": True, "unknown": None}[what] for rule, what in accepted}
        assert {rule: row[str(index)] for index, (rule, _) in enumerate(accepted)} == told


class TestCompleteness:
    @pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
    def test_every_function_has_its_row(self, function) -> None:  # type: ignore[no-untyped-def]
        example = function.example.replace("|", "\\|")
        assert f"| `{function.signature}` | {function.summary} | `{example}` |" in GUIDE

    def test_no_other_function_has_one(self) -> None:
        named = re.findall(r"^\| `(\w+)\(.*` \| .* \| `.*` \|$", GUIDE, re.MULTILINE)
        assert sorted(named) == sorted(FUNCTIONS)

    def test_the_table_of_other_databases_is_that_of_the_check(self) -> None:
        section = GUIDE.partition("### Coming from PostgreSQL")[2].partition("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        assert rows == [f"| `{each.call}` | `{each.write}` | {each.note} |" for each in COUNTERPARTS]

    def test_every_part_of_a_date_is_named(self) -> None:
        assert f"Parts of `date_part` and `EXTRACT`: {', '.join(DATE_PARTS)};" in " ".join(GUIDE.split())

    @pytest.mark.parametrize(
        ("severities", "score"), [(["critical"], 80), (["warning"], 40), (["info"], 10), (["critical"] * 2, 96)]
    )
    def test_scores_are_what_is_told(self, severities: list[str], score: int) -> None:
        assert score_of(severities) == score
        assert f" {score}" in GUIDE.partition("comes from the severities")[2].partition("##")[0]

    def test_every_code_has_its_row(self) -> None:
        assert [f"| `{code}` | {about} |" in GUIDE for code, about in CODES.items()] == [True] * len(CODES)
