"""Sigma rules that are converted, and what is said of those that cannot be."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from sentinel.documents import read_text
from sentinel.domain.rule import Severity
from sentinel.errors import InvalidError
from sentinel.rules.checker import check
from sentinel.sigma.backend import SentinelBackend
from sentinel.sigma.convert import MAX_DESCRIPTION, SigmaSource, convert, convert_all, read_sigma
from sentinel.sigma.mapping import LogSource, Mapping, load_mapping
from tests.support.sigma import SCHEMA, condition_of, source_of


def refusal(detection: str, mapping: Mapping | None = None, **more: Any) -> str:
    _, problems = convert_all([source_of(detection, **more)], SCHEMA, mapping or Mapping())
    (problem,) = problems
    assert problem.pointer == "rule.yml:1"
    assert problem.detail.startswith("rule 'A rule': ")
    return problem.detail.removeprefix("rule 'A rule': ")


class TestConditions:
    @pytest.mark.parametrize(
        ("detection", "condition"),
        [
            ("selection: {a: [x, y], n: 1}", "coalesce((lower(a) IN ('x', 'y') AND n = 1), FALSE)"),
            (
                "{s: {a: '7'}, t: {b: z}, condition: s and not t}",
                "coalesce((a = '7' AND NOT coalesce(lower(b) = 'z', FALSE)), FALSE)",
            ),
            ("selection: {a: null}", "a IS NULL"),
            ("{s: {a: null}, condition: not s}", "NOT (a IS NULL)"),
            ('selection: {a|contains: "it\'s 100%\\\\"}', "coalesce(contains(lower(a), 'it\\'s 100%\\\\'), FALSE)"),
            ("selection: {device.os.name: x}", "coalesce(lower(device.os.name) = 'x', FALSE)"),
        ],
    )
    def test_they_are_short_and_say_what_a_missing_field_means(self, detection: str, condition: str) -> None:
        assert condition_of(detection) == condition

    def test_an_equality_lets_a_rule_be_skipped_for_other_events(self) -> None:
        text = condition_of("{s: {n: [1, 2], b|contains: x}, f: {a: y}, condition: s and not f}")
        (requirement,) = check(text, SCHEMA).requirements
        assert (requirement.field, requirement.values) == ("n", frozenset({"1L", "2L"}))

    def test_what_may_be_unknown_is_guarded_one_by_one(self) -> None:
        text = condition_of("selection: {a|re: '[a-z]+@[a-z]+', b: x}")
        assert text == "((a IS NOT NULL AND a RLIKE '[a-z]+@[a-z]+') AND coalesce(lower(b) = 'x', FALSE))"

    def test_conditions_of_a_list_are_alternatives(self) -> None:
        assert condition_of("{s: {n: 1}, t: {n: 2}, condition: [s, t]}") == "coalesce(n IN (1, 2), FALSE)"


class TestRefusals:
    @pytest.mark.parametrize(
        ("detection", "sentence"),
        [
            (
                "selection: {A: x}",
                "field A: the pipeline's schema has no field 'A'; the nearest is 'a'; name the field in",
            ),
            ("selection: {a|fieldref: zz}", "field zz|fieldref: the pipeline's schema has no field 'zz'"),
            (
                "selection: {device.mac: x}",
                "field device.mac: 'device.mac' leads nowhere: device has no member 'mac' (it has",
            ),
            ("selection: {tags.x: x}", "field tags.x: 'tags.x' leads nowhere: tags has no member 'x' (it is an array)"),
            (
                "selection: {a|re: '(?=x)y'}",
                "field a|re: Regular expression '(?=x)y' is invalid: invalid perl operator: (?=",
            ),
            ("selection: {a|re: '(a+)+$'}", "field a|re '(a+)+$': at character 1 of the pattern"),
            ("selection: {a|re|m: '^x'}", "field a|re '^x': with |re|m the anchors"),
            ("selection: {a|re: '('}", "field a|re: Regular expression '(' is invalid: missing )"),
            ("selection: {a|wide: x}", "field a 'x\\x00': the value holds NUL characters"),
            ("selection: {a|expand: '%admins%'}", "field a '%admins%': the placeholder %admins% stands for values"),
            ("selection: {a|sounds: x}", "field a|sounds: Unknown modifier 'sounds'"),
            ("selection: {a|cidr: 10.0.0.1/8}", "field a|cidr: Invalid CIDR expression: 10.0.0.1/8 has host bits set"),
            ("selection: {a|gt: x}", "field a|gt: Modifier SigmaGreaterThanModifier incompatible to value type of 'x'"),
            ("selection: {at|gt: 5}", "field at|lt, |lte, |gt or |gte: a number cannot be compared with timestamp"),
            ("selection: {at: x}", "field at 'x': a text cannot be compared with timestamp"),
            ("selection: {device: x}", "field device 'x': a text cannot be compared with struct"),
            ("selection: {ok: 1}", "field ok: a number cannot be compared with boolean"),
            ("selection: {n: true}", "field n: true cannot be compared with integer"),
            ("selection: {a|hour: 5}", "field a|hour: it needs a timestamp, not string"),
            ("selection: {tags: vip}", "field tags 'vip': of an array of texts only whole elements"),
            ("selection: {x|cidr: 10.0.0.0/8}", "field x|cidr '10.0.0.0/8': it needs a text, not float"),
            ("selection: {a|fieldref: at}", "field a|fieldref: string cannot be compared with timestamp as text"),
            ("{k: [evil], condition: k}", "keyword 'evil': it names no field; say under `keywords`"),
            ("{s: {a: x}, condition: 1 of other*}", "Selector '1 of other*' doesn't match any detection"),
            ("{s: {a: x}, condition: s and}", "Expected {{{'1' | 'any'"),
            ("{s: {a: x}, condition: s | count() > 5}", "The pipe syntax in Sigma conditions has been deprecated"),
            ("{s: {a: x}, condition: [[s]]}", "it has no `condition`, or one that is not a text"),
            ("{s: {a: x}, condition: null}", "it has no `condition`"),
            ("{s: {}, condition: s}", "Detection is empty"),
            ("{s: {a: {b: c}}, condition: s}", "Unsupported type"),
            ("{s: 5, condition: s}", "keyword '5': it names no field"),
        ],
    )
    def test_they_name_rule_field_and_modifier(self, detection: str, sentence: str) -> None:
        assert refusal(detection).startswith(sentence), refusal(detection)

    def test_a_rule_that_is_too_long_for_the_language(self) -> None:
        values = ", ".join(f"value_{number}" for number in range(2_000))
        assert "The rule has" in refusal(f"selection: {{a|contains: [{values}]}}")

    def test_a_condition_that_says_nothing(self) -> None:
        mapping = Mapping(fields={"gone": None})
        assert refusal("selection: {gone: x}", mapping) == "with this mapping its condition is always false"
        assert condition_of("{s: {gone: x}, t: {n: 1}, condition: s or t}", mapping) == "coalesce(n = 1, FALSE)"
        assert condition_of("{s: {gone: x}, t: {n: 1}, condition: t and not s}", mapping)

    @pytest.mark.parametrize(
        "condition",
        ["(" * 5000 + "s" + ")" * 5000, "not " * 1000 + "s", " or ".join(["s"] * 3000), "(" * 30 + "s" + ")" * 30],
    )
    def test_conditions_that_take_long_to_read_are_refused_at_once(self, condition: str) -> None:
        begun = time.thread_time()
        assert refusal(f"s: {{a: x}}\ncondition: {condition}").startswith("its condition is longer than")
        assert time.thread_time() - begun < 2

    @pytest.mark.parametrize(
        "value",
        [
            {"title": "A rule"},
            {"title": "A rule", "logsource": 5, "detection": {"condition": "s", "s": {"a": "x"}}},
            {"title": "A rule", "logsource": {"product": "p"}, "detection": ["x"]},
            {"title": "A rule", "logsource": {"product": "p"}, "detection": {"condition": "s", "s": [[["x"]]]}},
            {
                "title": "A rule",
                "id": 5,
                "logsource": {"product": "p"},
                "detection": {"condition": "s", "s": {"a": "x"}},
            },
            {
                "title": "A rule",
                "level": "urgent",
                "logsource": {"product": "p"},
                "detection": {"condition": "s", "s": {"a": 1}},
            },
            {"title": ["A"], "logsource": {"product": "p"}, "detection": {"condition": "s", "s": {"a": "x"}}},
            {
                "title": "A rule",
                "tags": "x",
                "logsource": {"product": "p"},
                "detection": {"condition": "s", "s": {"a": 1}},
            },
        ],
    )
    def test_what_is_no_sigma_rule_is_said_and_nothing_else_happens(self, value: dict[str, Any]) -> None:
        with pytest.raises(InvalidError):
            convert(SigmaSource("f:1", value), SentinelBackend(SCHEMA, Mapping()))


class TestWhatIsKept:
    @pytest.mark.parametrize(
        ("level", "severity"),
        [
            ("critical", Severity.CRITICAL),
            ("high", Severity.CRITICAL),
            ("medium", Severity.WARNING),
            ("low", Severity.INFO),
            ("informational", Severity.INFO),
        ],
    )
    def test_levels_become_severities(self, level: str, severity: Severity) -> None:
        backend = SentinelBackend(SCHEMA, Mapping())
        assert convert(source_of("selection: {a: x}", level=level), backend).severity is severity
        changed = SentinelBackend(SCHEMA, Mapping(levels={level: Severity.INFO}))
        assert convert(source_of("selection: {a: x}", level=level), changed).severity is Severity.INFO
        assert convert(source_of("selection: {a: x}"), backend).severity is Severity.WARNING

    def test_title_id_author_tags_and_description_are_in_the_description(self) -> None:
        more = {
            "id": "37b437cf-3fc5-4c8e-9c94-1d7c9aff842b",
            "author": "Ann,\n Bob",
            "level": "high",
            "status": "test",
            "tags": ["attack.t1112", "cve.2024-1"],
            "description": "What it finds.\n",
            "references": ["https://example.com/a"],
            "falsepositives": ["Unlikely"],
        }
        rule = convert(source_of("selection: {a: x}", **more), SentinelBackend(SCHEMA, Mapping()))
        assert rule.sigma_id == uuid.UUID(more["id"])
        assert rule.description.splitlines() == [
            "A rule",
            "Sigma rule 37b437cf-3fc5-4c8e-9c94-1d7c9aff842b; by Ann, Bob; level high; status test; "
            "tags attack.t1112 cve.2024-1",
            "What it finds.",
            "False positives: Unlikely",
            "References: https://example.com/a",
        ]
        long = convert(
            source_of("selection: {a: x}", **more | {"description": "x" * 5000}), SentinelBackend(SCHEMA, Mapping())
        )
        assert len(long.description) == MAX_DESCRIPTION
        assert "by Ann, Bob" in long.description

    def test_a_title_cannot_move_the_cursor(self) -> None:
        rule = convert(source_of("selection: {a: x}", title="Go\x1b[2J\n on"), SentinelBackend(SCHEMA, Mapping()))
        assert rule.title == "Go\ufffd[2J on"

    def test_the_same_id_twice_is_a_mistake(self) -> None:
        sources = [source_of("selection: {a: x}", id=str(uuid.UUID(int=5)))] * 1
        again = SigmaSource("other.yml:1", sources[0].value)
        rules, problems = convert_all([*sources, again], SCHEMA, Mapping())
        assert len(rules) == 1
        assert problems[0].pointer == "other.yml:1"
        assert "is that of rule.yml:1, too" in problems[0].detail


class TestMappings:
    def test_the_most_precise_log_source_counts(self) -> None:
        mapping = Mapping(
            logsources=(
                LogSource(product="test", when={"n": 1}),
                LogSource(product="test", category="x", when={"n": [2, 3]}),
                LogSource(product="other", when={"n": 4}),
            )
        )
        assert condition_of("selection: {a: y}", mapping) == "coalesce((n = 1 AND lower(a) = 'y'), FALSE)"
        source = source_of("selection: {a: y}", logsource={"product": "test", "category": "X"})
        found = convert(source, SentinelBackend(SCHEMA, mapping)).condition
        assert found == "coalesce((n IN (2, 3) AND lower(a) = 'y'), FALSE)"
        assert refusal("selection: {a: y}", mapping, logsource={"service": "s"}).startswith(
            "log source (service s) is not in the mapping"
        )

    def test_without_log_sources_each_rule_carries_a_warning(self) -> None:
        rule = convert(source_of("selection: {a: y}"), SentinelBackend(SCHEMA, Mapping()))
        assert rule.warnings == ("its log source (product test) is not checked: the mapping has no `logsources`",)

    def test_a_file_is_read_and_its_mistakes_are_told_with_their_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "m.yaml"
        path.write_text("fields:\n  Image: a\n  Gone: null\nkeywords: [a]\nlevels: {low: critical}\n")
        mapping = load_mapping(str(path))
        assert (mapping.field("Image"), mapping.field("Gone"), mapping.field("b")) == ("a", None, "b")
        path.write_text("fields:\n  Image: 'a; DROP'\n  User: [x]\nfeilds: {}\nlevels:\n  low: urgent\n")
        with pytest.raises(InvalidError) as refused:
            load_mapping(str(path))
        assert [line.replace(f"{tmp_path}/", "")[:8] for line in refused.value.message.splitlines()] == [
            "m.yaml:2",
            "m.yaml:3",
            "m.yaml:6",
            "m.yaml:4",
        ]
        with pytest.raises(InvalidError, match="built in are windows-sysmon"):
            load_mapping("nothing")

    def test_the_built_in_one_is_sound(self) -> None:
        mapping = load_mapping("windows-sysmon")
        found = mapping.log_source("windows", "process_creation", None)
        assert found is not None
        assert found.when == {"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1}
        assert mapping.log_source("linux", "process_creation", None) is None


class TestFiles:
    def test_what_is_no_rule_of_single_events_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "a.yml").write_text("title: x\ncorrelation: {}\n")
        (tmp_path / "b.yml").write_text("- 1\n")
        (tmp_path / "c.yml").write_text("title: [\n")
        (tmp_path / "d.yml").write_text("title: x\ndetection: {}\n")
        rules, problems = read_sigma(tmp_path)
        assert [rule.title for rule in rules] == ["x"]
        assert [problem.pointer.rpartition("/")[2] for problem in problems] == ["a.yml:1", "b.yml:1", "c.yml"]
        assert "correlation rule" in problems[0].detail
        (tmp_path / "nothing").mkdir()
        with pytest.raises(InvalidError, match="there is no YAML file"):
            read_sigma(tmp_path / "nothing")

    def test_aliases_are_refused(self) -> None:
        with pytest.raises(InvalidError, match="anchor"):
            read_text("detection: &x {a: b}\n", "f")
