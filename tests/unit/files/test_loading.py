"""Files that declare pipelines and rules: what is wrong is said with its place, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.errors import ConflictError, InvalidError
from sentinel.files.export import slugs_of, text_of, write
from sentinel.files.kinds.base import Written
from sentinel.files.loading import load

PIPELINE = "kind: pipeline\nname: P\nkafka_topic: t\nschema:\n  - {name: id, type: string}\n"
RULE = "kind: rule\npipeline: P\nname: large\nrule_expression: amount > 1\nseverity: info\n"


def refusal(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(InvalidError) as refused:
        load(tmp_path)
    return refused.value.message.replace(f"{tmp_path}/", "").splitlines()


def test_files_of_a_directory_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(PIPELINE)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.yaml").write_text(RULE + "---\n" + RULE.replace("large", "small"))
    found = load(tmp_path)
    assert set(found["pipeline"]) == {("P",)}
    assert set(found["rule"]) == {("P", "large"), ("P", "small")}
    assert found["rule"][("P", "small")].where == f"{tmp_path}/deep/b.yaml:7"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("- 1\n", ["f.yaml:1: it has no `kind`; kinds are list, pipeline, rule"]),
        ("a: 1\nkind: rules\n", ["f.yaml:2: there is no kind 'rules'; kinds are list, pipeline, rule"]),
        ("kind: [rule]\n", ["f.yaml:1: there is no kind ['rule']; kinds are list, pipeline, rule"]),
        (RULE + "sevrity: x\n", ["f.yaml:6: the key 'sevrity' is not known here"]),
        (RULE.replace("name: large\n", ""), ["f.yaml:1: 'name' is missing"]),
        (RULE.replace("name: large", "name: Large-1"), ["f.yaml:3: name: String should match pattern"]),
        (RULE.replace("name: large", "name: 7"), ["f.yaml:3: name: Input should be a valid string, not 7; put it"]),
        (RULE.replace("name: large", "name: no"), ["f.yaml:3: name: Input should be a valid string, not False; put"]),
        (RULE.replace("severity: info\n", ""), ["f.yaml:1: a rule in Spark SQL needs a severity"]),
        (
            RULE.replace("info", "high"),
            ["f.yaml:5: severity: Input should be 'critical', 'warning' or 'info', not 'hi"],
        ),
        (RULE + "state: gone\n", ["f.yaml:6: state: Input should be"]),
        (RULE + "---\n" + RULE, ["f.yaml:7: rule 'P / large' is there twice, first at f.yaml:1"]),
        (RULE.replace("pipeline: P", 'pipeline: "P\\e[31m"'), ["f.yaml:2: the name 'P\\x1b[31m' holds characters"]),
        (
            PIPELINE.replace("type: string", "tpye: string"),
            ["f.yaml:5: 'schema.0.type' is missing", "f.yaml:5: the key"],
        ),
        (PIPELINE + "config: {mode: fast, max_record_bytes: '1'}\n", ["f.yaml:6: config.mode", "f.yaml:6: config.max"]),
        ("kind: rule\n\tname: x\n", ["f.yaml:2: a tab"]),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, lines: list[str]) -> None:
    said = refusal(tmp_path, text)
    assert len(said) == len(lines), said
    for line, beginning in zip(said, lines, strict=True):
        assert line.startswith(beginning), said


def test_everything_wrong_in_all_files_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [1\n")
    (tmp_path / "b.yaml").write_text(RULE + "x: 1\n---\n" + RULE.replace("info", "low"))
    said = refusal(tmp_path, PIPELINE + "y: 2\n")
    assert [line.partition(": ")[0] for line in said] == ["a.yaml:2", "b.yaml:6", "b.yaml:12", "f.yaml:6"]


def test_an_empty_directory_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="there is no YAML file"):
        load(tmp_path)


def test_directories_get_names_that_differ_without_case() -> None:
    names = ["Card payments", "card-payments", "../etc", "Ü", "ü", "a" * 100]
    assert list(slugs_of(names)) == ["card-payments", "card-payments-2", "etc", "pipeline", "pipeline-2", "a" * 60]


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "no",
        "1",
        "2024-01-01",
        "a: b # c",
        "tab\there",
        "two\nlines",
        " spaced ",
        "x\n\n",
        "é\u2028\x85",
        "- a",
    ],
)
def test_every_text_is_read_back_as_it_was(tmp_path: Path, text: str) -> None:
    value = {"kind": "rule", "pipeline": "P", "name": "large", "rule_expression": "a > 1", "severity": "info"}
    (tmp_path / "f.yaml").write_text(text_of(Written("f.yaml", {**value, "description": text})))
    assert load(tmp_path)["rule"][("P", "large")].spec.description == text


def test_what_is_written_stays_in_its_directory_and_replaces_nothing_unasked(tmp_path: Path) -> None:
    items = [Written("p/pipeline.yaml", {"a": "1"}), Written("p/rules/r.yaml", {"b": "2"})]
    assert write(items, tmp_path / "out", overwrite=False) == 2
    assert write(items, tmp_path / "out", overwrite=False) == 0
    other = [Written("p/rules/new.yaml", {"c": "3"}), Written("p/rules/r.yaml", {"b": "other"})]
    with pytest.raises(ConflictError, match=r"r.yaml is there already with another content"):
        write(other, tmp_path / "out", overwrite=False)
    assert not (tmp_path / "out" / "p" / "rules" / "new.yaml").exists()
    assert write(other, tmp_path / "out", overwrite=True) == 2
    with pytest.raises(InvalidError, match="leads out of"):
        write([Written("../x.yaml", {})], tmp_path / "out", overwrite=True)
