"""Sigma rules, evaluated by Spark: the published matrix, every modifier, and logic with missing fields."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import PipelineConfig
from sentinel.domain.rule import RuleSet, RuleVersion
from sentinel.rules.compiler import compile_condition
from sentinel.sigma.convert import read_sigma
from sentinel.sigma.mapping import Mapping
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.layout import rules_of_masks
from sentinel.streaming.query.parse import parse
from sentinel.streaming.query.session import evaluation_session
from tests.support.sigma import SCHEMA, condition_of, shared_rules, shared_schema, write_shared_rules

pytestmark = pytest.mark.spark

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def parsed(spark: SparkSession, events: list[dict[str, Any]], schema: EventSchema) -> Any:
    rows = [(json.dumps(event).encode(), 0, offset, RECEIVED) for offset, event in enumerate(events)]
    columns = "value binary, partition int, offset bigint, timestamp timestamp"
    records = evaluation_session(spark).createDataFrame(rows, columns).coalesce(1)
    return parse(records, schema, PipelineConfig(), topic="sigma", source_epoch=0)


def test_the_shared_rules_give_exactly_their_matrix(spark: SparkSession, shared_data: Path, tmp_path: Path) -> None:
    write_shared_rules(shared_data, tmp_path)
    sources, problems = read_sigma(tmp_path)
    assert problems == []
    rules = shared_rules(sources, shared_data)
    expected = json.loads((shared_data / "sigma" / "expected.json").read_text())
    schema = EventSchema.from_json(shared_schema(shared_data))
    events = [json.loads(line) for line in (shared_data / "sigma" / "events.jsonl").read_text().splitlines()]
    rule_set = RuleSet(
        1,
        tuple(
            RuleVersion(number, number, 1, rule.condition, rule.severity, rule.description)
            for number, rule in enumerate(rules)
        ),
    )
    compiled = compile_rule_set(rule_set, schema)
    matrix: dict[str, list[str]] = {str(rule.sigma_id): [] for rule in rules}
    pairs = 0
    for row in compiled.evaluate(parsed(spark, events, schema)).collect():
        assert row["cause"] is None, row
        for number in rules_of_masks([row[name] for name in compiled.mask_names], compiled.masks):
            matrix[str(rules[number].sigma_id)].append(row["event"]["event_id"])
            pairs += 1
    assert {rule: sorted(found) for rule, found in matrix.items()} == expected["matrix"]
    assert (len(rules), pairs) == (expected["rules"], expected["pairs"]) == (24, 26)


E: dict[str, dict[str, Any]] = {
    "empty": {},
    "null": {"a": None, "n": None},
    "blank": {"a": ""},
    "lower": {"a": "cmd.exe"},
    "upper": {"a": "CMD.EXE"},
    "path": {"a": "C:\\Windows\\System32\\cmd.exe"},
    "percent": {"a": "100%_off"},
    "lines": {"a": "one\nTWO\nthree"},
    "greek": {"a": "ΟΔΟΣ", "b": "straße"},
    "number": {"a": "42", "n": 42, "x": 4.5, "price": 9.99},
    "big": {"a": "1000", "n": 1000, "x": -1.0},
    "same": {"a": "Ann", "b": "ANN", "n": 7, "x": 7.0},
    "part": {"a": "Annette", "b": "ann"},
    "true": {"ok": True, "a": "True"},
    "false": {"ok": False, "a": "no"},
    "time": {"at": "2024-03-15T02:30:00Z", "day": "2024-03-15"},
    "tags": {"tags": ["VIP", "new"], "counts": [5, 7]},
    "ip4": {"device": {"ip": "10.1.2.3", "os": {"name": "Android"}}},
    "ip6": {"device": {"ip": "2001:DB8::1"}},
    "ip6z": {"device": {"ip": "fe80::1%eth0"}},
    "noip": {"device": {"ip": "localhost"}},
    "base64": {"a": "powershell -enc aABlAGwAbABvAA=="},
    "long": {"a": "x" * 5000 + " evil"},
}
EVERY = set(E)

# A detection in YAML -> the events it hits. Of `UNKNOWN` ones the outcome is unknown: their text is too long.
MODIFIERS: list[tuple[str, set[str]]] = [
    ("selection: {a: cmd.exe}", {"lower", "upper"}),
    ("selection: {a|cased: CMD.EXE}", {"upper"}),
    ("selection: {a|contains: SYSTEM32}", {"path"}),
    ("selection: {a|contains|cased: SYSTEM32}", set()),
    ("selection: {a|startswith: 'c:\\'}", {"path"}),
    ("selection: {a|endswith: '\\CMD.exe'}", {"path"}),
    ("selection: {a: '*\\cmd.???'}", {"path"}),
    ("selection: {a: 'c*d?exe'}", {"lower", "upper", "path"}),
    ("selection: {a: 'c:\\*\\system32\\*'}", set()),
    ("selection: {a: 'c:\\\\*\\\\system32\\\\*'}", {"path"}),
    ("selection: {a|contains: '%_'}", {"percent"}),
    ("selection: {a: '?00?_*'}", {"percent"}),
    ("selection: {a: 'one*three'}", {"lines"}),
    ("selection: {a|contains|all: [ONE, two]}", {"lines"}),
    ("selection: {a|contains: [windows, ann]}", {"path", "same", "part"}),
    ("selection: {a: οδοσ}", {"greek"}),
    ("selection: {a|endswith: ς}", {"greek"}),
    ("selection: {b|contains: RASSE}", set()),
    ("selection: {b|contains: RAß}", {"greek"}),
    ("selection: {a: ''}", {"blank"}),
    ("selection: {a: null}", EVERY - {name for name, event in E.items() if event.get("a") is not None}),
    ("selection: {a: '*'}", {name for name, event in E.items() if event.get("a") is not None}),
    ("selection: {a|exists: true}", {name for name, event in E.items() if event.get("a") is not None}),
    ("selection: {a|exists: false}", {name for name, event in E.items() if event.get("a") is None}),
    ("selection: {device.os.name: android}", {"ip4"}),
    ("selection: {a: 42}", {"number"}),
    ("selection: {n: 42}", {"number"}),
    ("selection: {n: '42'}", {"number"}),
    ("selection: {n: '4*'}", {"number"}),
    ("selection: {n: [7, '1000']}", {"same", "big"}),
    ("selection: {x: 4.5}", {"number"}),
    ("selection: {price: 9.99}", {"number"}),
    ("selection: {n|gt: 42}", {"big"}),
    ("selection: {n|gte: 42}", {"number", "big"}),
    ("selection: {x|lt: 0}", {"big"}),
    ("selection: {x|lte: 4.5}", {"number", "big"}),
    ("selection: {a|gt: 100}", {"big"}),
    ("selection: {n|neq: 42}", EVERY - {"number"}),
    ("selection: {ok: true}", {"true"}),
    ("selection: {ok: 'TRUE'}", {"true"}),
    ("selection: {a: true}", {"true"}),
    ("selection: {at|hour: 2}", {"time"}),
    ("selection: {at|minute: 30, day|day: 15, at|week: 11, at|month: 3, day|year: 2024}", {"time"}),
    ("selection: {tags|cased: VIP}", {"tags"}),
    ("selection: {counts: 7}", {"tags"}),
    ("selection: {a|fieldref: b}", {"same"}),
    ("selection: {a|fieldref|startswith: b}", {"same", "part"}),
    ("selection: {n|fieldref: x}", {"same"}),
    ("selection: {a|fieldref: n}", {"number", "big"}),
    ("selection: {device.ip|cidr: 10.0.0.0/8}", {"ip4"}),
    ("selection: {device.ip|cidr: ['2001:db8::/32', 'fe80::/10']}", {"ip6", "ip6z"}),
    ("{selection: {device.ip|cidr: 10.0.0.0/8}, condition: not selection}", EVERY - {"ip4"}),
    ("selection: {a|re: '^C:.*exe$'}", {"path"}),
    ("selection: {a|re: 'TWO'}", {"lines"}),
    ("selection: {a|re|i: 'two'}", {"lines"}),
    ("selection: {a|re|s: 'one.TWO'}", {"lines"}),
    ("selection: {a|re: '(?i)cmd[.]EXE'}", {"lower", "upper", "path"}),
    ("selection: {a|wide|base64offset|contains: hello}", {"base64"}),
    ("selection: {a|windash|contains: ' /enc'}", {"base64"}),
    ("{s1: {a: cmd.exe}, s2: {n: 42}, condition: 1 of them}", {"lower", "upper", "number"}),
    ("{s1: {a|contains: cmd}, s2: {a|contains: windows}, f: {a: x}, condition: all of s*}", {"path"}),
    ("{s1: {n|exists: true}, f1: {n: 42}, f2: {x: 7}, condition: s1 and not 1 of f*}", {"big"}),
    ("{s: {a: cmd.exe}, condition: not s}", EVERY - {"lower", "upper"}),
    ("{s: {a: null}, condition: not s}", {name for name, event in E.items() if event.get("a") is not None}),
    ("{s: [{a: cmd.exe}, {n: 42, x: 4.5}], condition: s}", {"lower", "upper", "number"}),
    ("{k: [evil, SYSTEM32], condition: k}", {"path", "long"}),
    ("{k: {'|all': [system, cmd]}, condition: k}", {"path"}),
]


@pytest.fixture(scope="module")
def small_events(spark: SparkSession) -> Any:
    found = parsed(spark, [{"id": name, **event} for name, event in E.items()], SCHEMA).cache()
    assert [row["cause"] for row in found.collect()] == [None] * len(E)
    return found


def test_every_modifier_hits_what_it_means(small_events: Any) -> None:
    mapping = Mapping(keywords=("a", "b"))
    conditions = [condition_of(detection, mapping) for detection, _ in MODIFIERS]
    columns = [F.expr(compile_condition(text, SCHEMA).sql).alias(f"_{at}") for at, text in enumerate(conditions)]
    rows = small_events.select("event", *columns).collect()
    wrong = []
    for at, (detection, expected) in enumerate(MODIFIERS):
        verdicts = {row["event"]["id"]: row[f"_{at}"] for row in rows}
        hit = {name for name, verdict in verdicts.items() if verdict}
        if hit != expected or None in verdicts.values():
            wrong.append((detection, conditions[at], hit ^ expected))
    assert wrong == []


def test_a_text_too_long_for_its_expression_is_unknown_and_never_taken_for_a_miss(small_events: Any) -> None:
    detections = [
        "selection: {a|re: '[a-z]+@[a-z]+'}",
        "{s: {a|re: '[a-z]+@[a-z]+'}, condition: not s}",
        "{s: {a|re: '[a-z]+@[a-z]+'}, t: {n: 42}, condition: not s and not t}",
    ]
    columns = [F.expr(compile_condition(condition_of(text), SCHEMA).sql) for text in detections]
    verdicts = {row[0]["id"]: row[1:] for row in small_events.select("event", *columns).collect()}
    assert verdicts["long"] == (None, None, None)
    assert verdicts["empty"] == verdicts["null"] == verdicts["lower"] == (False, True, True)
    assert verdicts["number"] == (False, True, False)


ATOMS: list[tuple[dict[str, Any], Any]] = [
    ({"a": "cmd.exe"}, lambda e: (e.get("a") or "").lower() == "cmd.exe"),
    ({"a|contains": "M"}, lambda e: "m" in (e.get("a") or "").lower()),
    ({"a": None}, lambda e: e.get("a") is None),
    ({"a|exists": True}, lambda e: e.get("a") is not None),
    ({"b": ""}, lambda e: e.get("b") == ""),
    ({"b|startswith": ["c", "x"]}, lambda e: (e.get("b") or "")[:1].lower() in ("c", "x")),
    ({"a|fieldref": "b"}, lambda e: None not in (e.get("a"), e.get("b")) and e["a"].lower() == e["b"].lower()),
    ({"n": [1, 2]}, lambda e: e.get("n") in (1, 2)),
    ({"n|gt": 1}, lambda e: e.get("n") is not None and e["n"] > 1),
    ({"n|neq": 1}, lambda e: e.get("n") != 1),
    ({"a|re": "[a-z]+m[a-z]+x"}, lambda e: False),
    ({"a": "cmd.exe", "n": 1}, lambda e: (e.get("a") or "").lower() == "cmd.exe" and e.get("n") == 1),
]


def logic(chance: random.Random, depth: int) -> tuple[str, Any]:
    """Return a random condition over `s0`, `s1`, ... and what it means."""
    kind = chance.choice(["atom", "and", "or", "not"]) if depth else "atom"
    if kind == "atom":
        at = chance.randrange(len(ATOMS))
        return f"s{at}", ATOMS[at][1]
    if kind == "not":
        text, meaning = logic(chance, depth - 1)
        return f"not ({text})", lambda e: not meaning(e)
    parts = [logic(chance, depth - 1) for _ in range(chance.randint(2, 3))]
    joined = any if kind == "or" else all
    return "(" + f" {kind} ".join(text for text, _ in parts) + ")", lambda e: joined(each(e) for _, each in parts)


def test_random_logic_over_missing_fields_says_what_sigma_says(spark: SparkSession) -> None:
    chance = random.Random(7)
    events: list[dict[str, Any]] = []
    for number in range(120):
        event: dict[str, Any] = {"id": str(number)}
        for name, values in (("a", ["cmd.exe", "CMD.EXE", "", None]), ("b", ["cmd.exe", "", "x", None])):
            if chance.random() < 0.7:
                event[name] = chance.choice(values)
        if chance.random() < 0.7:
            event["n"] = chance.choice([1, 2, 3, None])
        events.append(event)
    rows = parsed(spark, events, SCHEMA).cache()
    seen: set[bool] = set()
    for _ in range(4):
        rules = [logic(chance, 4) for _ in range(25)]
        conditions = []
        for text, _ in rules:
            selections = "".join(f"s{at}: {json.dumps(atom)}\n" for at, (atom, _) in enumerate(ATOMS))
            conditions.append(condition_of(f"{selections}condition: {text}"))
        columns = [F.expr(compile_condition(text, SCHEMA).sql) for text in conditions]
        found = {row[0]["id"]: row[1:] for row in rows.select("event", *columns).collect()}
        for event in events:
            for (text, meaning), condition, verdict in zip(rules, conditions, found[event["id"]], strict=True):
                assert verdict is bool(meaning(event)), (text, condition, event)
                seen.add(verdict)
    assert seen == {True, False}
