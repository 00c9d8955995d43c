"""The guide to lists: its rules are checked and evaluated, its requests run."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime

import pytest
from httpx import Client
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from config_api.app import create_app
from sentinel.catalog.list_upload import UploadReader
from sentinel.domain.reference_list import row_values
from sentinel.domain.rule import RuleSet, RuleVersion, Severity
from sentinel.rules.checker import check
from sentinel.rules.known import KnownNames
from sentinel.settings import PROJECT_ROOT, Settings
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.lookups import LookupTables
from sentinel.testing.http import serve
from tests.docs.test_rules_guide import SCHEMA, _json
from tests.support.reference_lists import ListsInMemory, list_of

GUIDE = (PROJECT_ROOT / "docs" / "lists.md").read_text()
BLOCKS = re.findall(r"^```(\w+) (\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
TYPES = {"user_id": "string", "mean_amount": "float", "level": "integer", "country": "string"}
CSV = {name: text for language, name, text in BLOCKS if language == "csv"}
TABLES = {
    name: list_of(name, {column: TYPES[column] for column in text.splitlines()[0].split(",")}, "user_id")
    for name, text in CSV.items()
}
RULES = [(line, what) for language, what, text in BLOCKS if language == "sql" for line in text.splitlines()]


class TestRules:
    def test_there_is_no_block_that_is_not_tested(self) -> None:
        assert len(re.findall(r"^```\w+", GUIDE, re.MULTILINE)) == len(BLOCKS) + 1
        assert {what for _, what in RULES} == {"match", "unknown", "refused"}
        assert len(RULES) > 15

    @pytest.mark.parametrize(("rule", "what"), RULES)
    def test_it_is_accepted_or_refused_as_told(self, rule: str, what: str) -> None:
        result = check(rule, SCHEMA, KnownNames(tables=tuple(TABLES.values())))
        assert result.valid == (what != "refused"), result.issues
        assert result.valid or all(issue.suggestion for issue in result.errors)

    @pytest.mark.spark
    def test_each_gives_the_outcome_that_is_told(self, spark: SparkSession) -> None:
        source = ListsInMemory()
        pinned = []
        for number, (name, text) in enumerate(CSV.items()):
            rows = UploadReader(TABLES[name], datetime.now(UTC)).read_csv(text.encode())
            pinned.append(source.put(number, TABLES[name], [row_values(TABLES[name], row) for row in rows]))
        told = {rule: {"match": True, "unknown": None}[what] for rule, what in RULES if what != "refused"}
        versions = tuple(RuleVersion(number, number, 1, rule, Severity.INFO, "") for number, rule in enumerate(told))
        compiled = compile_rule_set(RuleSet(1, versions, lists=tuple(pinned)), SCHEMA, LookupTables(source))
        struct = "struct<" + ",".join(f"`{field.name}`:{field.type.spark()}" for field in SCHEMA) + ">"
        events = spark.createDataFrame([(_json("event"),)], "value string").select(
            F.from_json("value", struct).alias("event")
        )
        looked_up = compiled.lookups.add_to(events)
        row = looked_up.select(*[F.expr(sql).alias(str(at)) for at, sql in enumerate(compiled.conditions)]).collect()[0]
        assert dict(zip(told, row, strict=True)) == told


@pytest.mark.integration
def test_the_requests_run(settings: Settings, tenant: str) -> None:
    found = re.search(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    commands = [shlex.split(f"curl{part}") for part in found[1].split("curl")[1:]]
    assert len(commands) == 5
    answers = []
    with (
        serve(create_app(settings.model_copy(update={"tenant": tenant}))) as url,
        Client(base_url=url, timeout=60) as client,
    ):
        for command in commands:
            path = next(word for word in command if word.startswith("localhost:8000")).removeprefix("localhost:8000")
            given = {word: command[at + 1] for at, word in enumerate(command[:-1]) if word.startswith("-")}
            body = given.get("-d") or given.get("--data-binary")
            kind = given.get("-H", "").partition(": ")[2]
            method = given.get("-X", "POST" if body else "GET")
            answer = client.request(method, path, content=body, headers={"Content-Type": kind} if kind else {})
            assert answer.status_code in (200, 201), answer.text
            answers.append(answer.json())
    preview = answers.pop(1)
    assert (preview["version"], preview["added_count"], preview["row_count"]) == (1, 1, 1)
    assert [answer["version"] for answer in answers[:3]] == [1, 2, 3]
    assert json.dumps([(change["key"], change["change"]) for change in answers[3]]) == json.dumps(
        [("u008", "changed"), ("u009", "removed")]
    )
