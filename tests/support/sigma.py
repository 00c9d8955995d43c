"""Sigma rules for tests: the shared data set, and single detections over a small schema."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from sentinel.documents import read_text
from sentinel.domain.event_schema import EventSchema
from sentinel.sigma.backend import SentinelBackend
from sentinel.sigma.convert import ConvertedRule, SigmaSource, convert, convert_all
from sentinel.sigma.mapping import Mapping, load_mapping

TYPES = {
    "id": "string",
    "a": "string",
    "b": "string",
    "n": "integer",
    "x": "float",
    "price": "decimal(10,2)",
    "ok": "boolean",
    "at": "timestamp",
    "day": "date",
    "tags": "array<string>",
    "counts": "array<integer>",
    "device": "struct<ip: string, os: struct<name: string>>",
}
SCHEMA = EventSchema.from_json([{"name": name, "type": kind} for name, kind in TYPES.items()])


def source_of(detection: str, **more: Any) -> SigmaSource:
    """Return a Sigma rule of a detection in YAML; without a condition it is `selection`."""
    if "condition:" not in detection:
        detection += "\ncondition: selection"
    (document,) = read_text(detection, "rule.yml")
    rule = {"title": "A rule", "logsource": {"product": "test"}, "detection": document.value, **more}
    return SigmaSource("rule.yml:1", rule)


def condition_of(detection: str, mapping: Mapping | None = None) -> str:
    """Return what a detection becomes over `SCHEMA`."""
    return convert(source_of(detection), SentinelBackend(SCHEMA, mapping or Mapping())).condition


def shared_schema(shared_data: Path) -> list[dict[str, Any]]:
    """Return the fields of the shared Windows events."""
    expected = json.loads((shared_data / "sigma" / "expected.json").read_text())
    return [
        {"name": name, "type": "string", **({"role": "event_id", "nullable": False} if name == "event_id" else {})}
        for name in expected["fields_in_schema"]
    ]


def write_shared_rules(shared_data: Path, directory: Path) -> None:
    """Write the shared rules as they were published, one file each."""
    with gzip.open(shared_data / "sigma" / "rules.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            rule = json.loads(line)
            path = directory / rule["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(rule["yaml"], encoding="utf-8")


def shared_rules(sources: list[SigmaSource], shared_data: Path) -> list[ConvertedRule]:
    """Convert the shared rules; none may be refused."""
    schema = EventSchema.from_json(shared_schema(shared_data))
    rules, problems = convert_all(sources, schema, load_mapping("windows-sysmon"))
    assert problems == []
    return rules
