"""docs/sigma.md: the example and every row of the table are converted as told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sentinel.cli.sigma import import_rules
from sentinel.documents import read_text
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.rule import Severity
from sentinel.errors import InvalidError
from sentinel.files.sigma_rules import name_of
from sentinel.settings import PROJECT_ROOT
from sentinel.sigma.backend import SentinelBackend
from sentinel.sigma.convert import ConvertedRule, SigmaSource, convert
from sentinel.sigma.mapping import Mapping, load_mapping

GUIDE = (PROJECT_ROOT / "docs" / "sigma.md").read_text()
BLOCKS = dict(re.findall(r"^```\w+ (\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
ROWS = re.findall(r"^\| `(.*)` \| `(.*)` \|$", GUIDE.partition("## What becomes what")[2], re.MULTILINE)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> SentinelBackend:
    path: Path = tmp_path_factory.mktemp("guide") / "mapping.yaml"
    path.write_text(BLOCKS["mapping"])
    mapping: Mapping = load_mapping(str(path))
    return SentinelBackend(EventSchema.from_json(json.loads(BLOCKS["schema"])), mapping)


def converted(text: str, backend: SentinelBackend) -> ConvertedRule:
    (document,) = read_text(text, "rule.yml")
    return convert(SigmaSource("rule.yml:1", document.value), backend)


def test_the_example(backend: SentinelBackend) -> None:
    rule = converted(BLOCKS["sigma"], backend)
    assert rule.condition == BLOCKS["becomes"].strip()
    assert rule.severity is Severity.CRITICAL
    assert f"`{name_of(rule.sigma_id, rule.title)}`" in GUIDE


@pytest.mark.parametrize(("detection", "condition"), ROWS)
def test_every_row_of_the_table(detection: str, condition: str, backend: SentinelBackend) -> None:
    text = "title: x\nlogsource: {product: windows}\ndetection:\n  s:\n    "
    text += detection.replace("\\|", "|") + "\n  condition: s\n"
    if condition == "TRUE":
        with pytest.raises(InvalidError, match="always true"):
            converted(text, backend)
        return
    found = converted(text, backend).condition
    assert found in (condition, f"coalesce({condition}, FALSE)")


def test_the_table_is_there() -> None:
    assert len(ROWS) == 30


def test_every_option_is_named() -> None:
    options = {f"--{name.replace('_', '-')}" for name in import_rules.__annotations__} - {"--source", "--return"}
    assert options == set(re.findall(r"^\| `(--[a-z-]+)` \|", GUIDE, re.MULTILINE))
