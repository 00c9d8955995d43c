"""docs/rules-as-files.md: its files are read, its tables name every key and option."""

from __future__ import annotations

import re
from pathlib import Path

from sentinel.cli import files
from sentinel.documents import MAX_DEPTH, MAX_FILE_BYTES, MAX_VALUES
from sentinel.domain.event_schema import EventSchema
from sentinel.files.kinds import KINDS
from sentinel.files.kinds.pipelines import schema_of
from sentinel.files.loading import load
from sentinel.rules.dsl.check import check_rule
from sentinel.settings import PROJECT_ROOT

GUIDE = (PROJECT_ROOT / "docs" / "rules-as-files.md").read_text()
FILES = re.findall(r"^```yaml file\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_the_files_declare_a_pipeline_and_rules_that_fit_it(tmp_path: Path) -> None:
    for number, text in enumerate(FILES):
        (tmp_path / f"{number}.yaml").write_text(text)
    found = load(tmp_path)
    assert [key for kind in KINDS for key in found[kind]] == [
        ("whitelist",),
        ("fed_elsewhere",),
        ("Card payments",),
        ("Card payments", "large"),
        ("Card payments", "large_and_foreign"),
        ("Card payments", "sanctioned"),
        ("Card payments", "very_large"),
    ]
    problems: list = []
    schema = schema_of(found["pipeline"][("Card payments",)], problems)
    assert problems == []
    assert isinstance(schema, EventSchema)
    for name in ("large", "sanctioned", "very_large"):
        assert check_rule(found["rule"][("Card payments", name)].spec.expression, schema).result.valid


def test_every_key_is_named() -> None:
    for kind, heading in (
        ("list", "| key of a list | |"),
        ("pipeline", "| key of a pipeline | |"),
        ("rule", "| key of a rule | |"),
    ):
        table = GUIDE.partition(heading)[2].partition("\n\n")[0]
        named = {
            key for row in re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)
        }
        keys = {field.alias or name for name, field in KINDS[kind].model.model_fields.items()} - {"kind"}
        assert named == keys


def test_every_option_is_named() -> None:
    for command in (files.plan, files.apply, files.export):
        options = set(command.__annotations__) - {"source", "directory", "return", "as_json_text", "url"}
        for option in options:
            assert f"--{option.replace('_', '-')}" in GUIDE, option


def test_the_bounds_are_those_that_are_told() -> None:
    assert (MAX_FILE_BYTES, MAX_VALUES, MAX_DEPTH) == (5_000_000, 200_000, 30)
    assert "at most 5 MB and 200,000 values, nested 30 deep" in GUIDE
