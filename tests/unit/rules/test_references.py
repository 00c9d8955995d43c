"""Rules that refer to rules, without a database."""

from __future__ import annotations

import pytest

from sentinel.domain.event_schema import EventSchema
from sentinel.rules.checker import check
from sentinel.rules.compiler import compile_condition
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.references import KnownRules, closure, may_refer, references_in

SCHEMA = EventSchema.from_json(
    [{"name": "amount", "type": "float"}, {"name": "country", "type": "string"}, {"name": "rule", "type": "string"}]
)
RULES = {"german": "country = 'DE'", "large": "rule('german') AND amount > 3", "odd": "nothing = 1", "broken": "a >"}


def compiled(text: str) -> str | None:
    """Return what a rule compiles to."""
    return check(text, SCHEMA, KnownRules(RULES)).compiled


@pytest.mark.parametrize(
    ("composite", "written_out"),
    [
        ("rule('german')", "country = 'DE'"),
        ("RULE ( 'german' )", "country = 'DE'"),
        ("NOT rule('german') OR amount > 1", "NOT (country = 'DE') OR amount > 1"),
        ("rule('large') IS NULL", "((country = 'DE') AND amount > 3) IS NULL"),
        ("CASE WHEN rule('german') THEN amount ELSE 0 END > 5", "CASE WHEN country = 'DE' THEN amount ELSE 0 END > 5"),
        ("coalesce(rule('german'), false)", "coalesce(country = 'DE', false)"),
        ("(rule('german'), amount > 1) IS NULL", None),
        ("rule('german') IN (true, rule('large'))", "(country = 'DE') IN (true, country = 'DE' AND amount > 3)"),
    ],
)
def test_means_what_it_stands_for(composite: str, written_out: str | None) -> None:
    found = compiled(composite)
    if written_out is None:
        assert found is None
        return
    expected = compiled(written_out)
    assert found is not None
    assert expected is not None
    assert found.replace("(", "").replace(")", "") == expected.replace("(", "").replace(")", "")


def test_it_is_met_by_the_values_that_its_references_require() -> None:
    requirements = compile_condition("rule('large') AND amount > 9", SCHEMA, RULES).requirements
    assert [(required.field, required.values) for required in requirements] == [("country", {"'DE'"})]


def test_its_fields_are_those_of_all() -> None:
    assert check("rule('large')", SCHEMA, KnownRules(RULES)).columns == {"country", "amount"}


def test_a_field_named_rule_is_a_field() -> None:
    assert compiled("rule = 'x' AND event.rule <> 'y'") is not None


def test_an_issue_of_the_other_rule_stands_at_the_reference() -> None:
    (issue,) = check("amount > 1 AND rule('odd')", SCHEMA, KnownRules(RULES)).issues
    assert (issue.code, issue.start, issue.end) == ("rule-reference", 15, 26)
    assert "The rule odd does not fit the schema: There is no field nothing" in issue.message
    (issue,) = check("rule('broken')", SCHEMA, KnownRules(RULES)).issues
    assert issue.code == "rule-reference"


def test_a_warning_about_the_other_rule_is_not_repeated() -> None:
    known = KnownRules({"always": "amount = NULL OR amount > 1"})
    assert check("amount = NULL", SCHEMA).issues
    assert check("rule('always')", SCHEMA, known).issues == ()


def test_the_short_form_marks_the_place_as_written() -> None:
    text = 'when amount > 1 and rule("germn") then tag("x")'
    (issue,) = check_rule(text, SCHEMA, KnownRules(RULES)).result.issues
    assert text[issue.start : issue.end] == 'rule("germn")'
    assert issue.suggestion == "Did you mean german?"


@pytest.mark.parametrize("text", ["rule()", "rule(1)", "rule(null)", "rule('a' || 'b')", "rule(lower('german'))"])
def test_a_name_is_written_out(text: str) -> None:
    assert [issue.code for issue in check(text, SCHEMA, KnownRules(RULES)).issues] == ["rule-reference"]


@pytest.mark.parametrize("name", ["", "x" * 9000, "german ", "GERMAN", "ɡerman", "a''b", "`x`", "\\u0000"])
def test_hostile_names_are_names_of_no_rule(name: str) -> None:
    issues = check(f"rule('{name}')", SCHEMA, KnownRules(RULES)).issues
    assert issues
    assert all(issue.severity == "error" and len(issue.message) < 300 for issue in issues)


def test_references_are_found_in_the_tree_and_not_in_texts() -> None:
    assert references_in("country = 'rule(''x'')' OR rule('large')") == {"large"}
    assert references_in("rule('a") == frozenset()
    assert closure("rule('large')", RULES) == {"large", "german"}
    assert closure("rule('gone')", RULES) == {"gone"}
    assert not may_refer("rules > 1 AND overrule = 2")


def test_a_long_list_beside_a_reference_is_looked_through_quickly() -> None:
    items = ", ".join(str(number) for number in range(1500))
    assert compiled(f"amount IN ({items}) AND rule('german')") is not None


def test_a_circle_among_the_others_ends() -> None:
    rules = {"a": "rule('b')", "b": "rule('a')"}
    assert closure("rule('a')", rules) == {"a", "b"}
    (issue,) = check("rule('a')", SCHEMA, KnownRules(rules)).issues
    assert "a -> b -> a" in issue.message
