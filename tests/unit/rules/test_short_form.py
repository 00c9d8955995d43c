"""The short form of a rule: what it becomes, what it refuses and where."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.domain.rule_action import RuleAction
from sentinel.rules import syntax
from sentinel.rules.checker import check
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.dsl.parser import parse_short
from sentinel.rules.dsl.short_rule import ShortRule, ShortRuleError
from sentinel.rules.dsl.writer import as_short, as_sql
from sentinel.rules.parser import parse
from tests.unit.rules.corpus import SCHEMA

SAME = [
    ("amount > 500", "amount > 500"),
    ('event.country == "DE" and amount > 500', "event.country = 'DE' AND amount > 500"),
    ("country = 'DE' OR country != 'FR'", "country = 'DE' OR country <> 'FR'"),
    ("country in [\"DE\", 'FR']", "country IN ('DE', 'FR')"),
    ("quantity not in (1, 2)", "quantity NOT IN (1, 2)"),
    ("quantity not between 1 and 5 and amount > 1", "quantity NOT BETWEEN 1 AND 5 AND amount > 1"),
    ("user_id is null or user_id is not null", "user_id IS NULL OR user_id IS NOT NULL"),
    ('email contains "@example"', "contains(email, '@example')"),
    ("email not contains 'x'", "NOT contains(email, 'x')"),
    ('tags contains "vip"', "array_contains(tags, 'vip')"),
    (r'email matches "^a\\d+@"', r"email RLIKE r'^a\d+@'"),
    ("event_time - sent_at > 15m", "event_time - sent_at > INTERVAL '15' MINUTE"),
    ("event_time - sent_at < 2w", "event_time - sent_at < INTERVAL '2' WEEK"),
    ("not (country = 'DE' and is_foreign == true)", "NOT (country = 'DE' AND is_foreign = true)"),
    ("device.geo.lat > -5.25 and items[0].price < 1e3", "device.geo.lat > -5.25 AND items[0].price < 1e3"),
    ("(amount - 40) * 2 + 1 > amount - (quantity - 1)", "(amount - 40) * 2 + 1 > amount - (quantity - 1)"),
    ("upper(country) == 'DE' and length(email) % 2 == 1", "upper(country) = 'DE' AND length(email) % 2 = 1"),
    ("`amount` > 1", "`amount` > 1"),
    ("country == 'It\\'s \\u00e9'", "country = 'It\\'s é'"),
]


class TestMeaning:
    @pytest.mark.parametrize(("short", "sql"), SAME)
    def test_it_compiles_to_what_the_sql_compiles_to(self, short: str, sql: str) -> None:
        checked, right = check_rule(f'when {short} then tag("x")', SCHEMA), check(sql, SCHEMA)
        assert right.valid, right.issues
        assert (checked.result.compiled, checked.result.issues) == (right.compiled, ())
        assert checked.result.requirements == right.requirements

    def test_both_texts_and_the_actions_are_kept(self) -> None:
        text = 'WHEN amount > 500 THEN notify("slack:#big-orders"), severity("critical"), tag("a:b"), score(80)'
        checked = check_rule(text, SCHEMA)
        assert (checked.short_form, checked.rule_expression) == (text, "amount > 500")
        assert checked.actions == (
            RuleAction("notify", "slack:#big-orders"),
            RuleAction("severity", "critical"),
            RuleAction("tag", "a:b"),
            RuleAction("score", 80),
        )

    def test_a_condition_in_sql_is_taken_as_it_is(self) -> None:
        checked = check_rule("amount > 500", SCHEMA)
        assert (checked.rule_expression, checked.short_form, checked.actions) == ("amount > 500", None, ())


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "start", "words"),
        [
            ('when amount > then notify("slack:x")', 14, "Line 1, column 15: expected a value, found 'then'"),
            ("when amount > 5", 15, "Line 1, column 16: expected an operator, and, or or then, found the end"),
            ("when amount > 5\n then", 21, "Line 2, column 6: expected an action (notify, severity, tag, score)"),
            ('when amount > 5\n  && quantity > 1 then tag("x")', 18, "Line 2, column 3"),
            ('when 1 < amount < 5 then tag("x")', 16, "found '<'"),
            ('when email contains “x” then tag("x")', 20, "found '“'"),
            ('when amount > 5 then tag("x"),', 30, "expected an action"),
            ('when amount > 5 then tag("x") or', 30, "expected ',' or the end of the rule"),
            ("when then", 5, "found 'then'"),
            ("when", 4, "found the end of the rule"),
        ],
    )
    def test_syntax_names_line_column_and_what_was_expected(self, text: str, start: int, words: str) -> None:
        (issue,) = check_rule(text, SCHEMA).result.issues
        assert (issue.code, issue.start) == ("syntax", start)
        assert words in issue.message

    @pytest.mark.parametrize(
        ("text", "code", "marked"),
        [
            ('when amont > 5 then tag("x")', "unknown-column", "amont"),
            ("when amount > 5 then notifi('slack:x')", "action", "notifi"),
            ("when amount > 5 then score(101)", "action", "score(101)"),
            ("when amount > 5 then score('high')", "action", "score('high')"),
            ("when amount > 5 then severity('bad')", "action", "severity('bad')"),
            ("when amount > 5 then tag('no blanks')", "action", "tag('no blanks')"),
            ("when amount > 5 then notify('nowhere')", "action", "notify('nowhere')"),
            ("when amount > 5 then notify()", "action", "notify()"),
            ("when country > 5 then tag('x')", "type-mismatch", "country"),
            ("when reflect('java.lang.System', 'exit') == 1 then tag('x')", "function-not-allowed", "reflect"),
            ("when email matches '(a+)+$' then tag('x')", "regex", "'(a+)+$'"),
            ("when amount > -true then tag('x')", "arithmetic", "true"),
            ("when amount > 1 -- true then tag('x')", "arithmetic", "true"),
            ("when amount > 1e999 then tag('x')", "number", "1e999"),
            (f"when quantity > {'9' * 5000} then tag('x')", "number", "9" * 5000),
            ("when country == '\\ud800' then tag('x')", "escape", "'\\ud800'"),
            ("when amount > 1 then notify('slack:\\u0000')", "escape", "'slack:\\u0000'"),
        ],
    )
    def test_issues_are_marked_in_the_text_as_written(self, text: str, code: str, marked: str) -> None:
        issue = check_rule(text, SCHEMA).result.errors[0]
        assert (issue.code, text[issue.start : issue.end]) == (code, marked)

    @pytest.mark.parametrize(
        "text",
        [
            "when " + "(" * 4000 + "amount > 1" + ")" * 4000 + " then tag('x')",
            "when " + "not " * 2000 + "amount > 1 then tag('x')",
            "when " + "-" * 5000 + "1 > 1 then tag('x')",
            "when amount" + "[0]" * 3000 + " > 1 then tag('x')",
            "when amount > 1 " + "and amount > 1 " * 600 + "then tag('x')",
            "when amount > 1 then " + ", ".join(["tag('x')"] * 500),
            "when " + "a" * 20_000,
        ],
        ids=["parentheses", "not", "minus", "index", "and", "actions", "length"],
    )
    def test_nothing_is_too_deep_to_be_answered(self, text: str) -> None:
        checked = check_rule(text, SCHEMA)
        assert checked.result.valid or {issue.code for issue in checked.result.errors} <= {
            "too-deep",
            "too-long",
            "action",
            "not-an-array",
        }

    def test_one_severity_is_enough(self) -> None:
        with pytest.raises(ShortRuleError, match="more than one severity"):
            parse_short("when amount > 5 then severity('info'), severity('critical')")


def without_places(value: object) -> object:
    """Return a tree as nested tuples of what it means."""
    if isinstance(value, tuple):
        return tuple(without_places(each) for each in value)
    if isinstance(value, Decimal | bool | int | float):
        return (type(value).__name__, value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        dropped = {"start", "end", "depth", "name_start", "name_end"}
        fields = [field.name for field in dataclasses.fields(value) if field.name not in dropped]
        return (type(value).__name__, *(without_places(getattr(value, field)) for field in fields))
    return value


NAMES = st.sampled_from(["amount", "country", "then", "In", "x_1"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
NUMBERS = (
    st.integers(-(10**30), 10**30)
    | st.decimals(-(10**6), 10**6, places=2).filter(lambda value: value != 0)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: value != 0)
)


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> syntax.Node:  # noqa: PLR0911 - one per kind of node
    """Any value that the short form can say."""
    kinds = ["literal", "name", "interval"]
    kind = draw(st.sampled_from([*kinds, "binary", "member", "index", "call", "sign"] if depth else kinds))
    name = syntax.Name(0, 0, 1, draw(NAMES))
    inner = values(depth - 1)
    match kind:
        case "literal":
            return syntax.Literal(0, 0, 1, draw(TEXTS | NUMBERS | st.booleans() | st.none()))
        case "interval":
            unit = draw(st.sampled_from(["SECOND", "MINUTE", "HOUR", "DAY", "WEEK"]))
            return syntax.IntervalLiteral(0, 0, 1, draw(st.integers(0, 999)), unit)
        case "binary":
            return syntax.Binary(0, 0, 1, draw(st.sampled_from("+-*/%")), draw(inner), draw(inner))
        case "member":
            return syntax.Member(0, 0, 1, name, draw(NAMES), 0)
        case "index":
            return syntax.Index(0, 0, 1, name, draw(inner))
        case "call":
            return syntax.Call(0, 0, 1, "coalesce", 0, tuple(draw(st.lists(inner, max_size=3))))
        case "sign":
            return syntax.Unary(0, 0, 1, "-", name)
        case _:
            return name


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3, within: str = "") -> syntax.Node:  # noqa: PLR0911 - one per kind of node
    """Any condition that the short form can say; a chain within a chain of the same operator is one chain."""
    chains = [kind for kind in ("AND", "OR", "NOT") if kind != within] if depth else []
    kind = draw(st.sampled_from([*chains, "compare", "in", "between", "matches", "null", "contains"]))
    negated = draw(st.booleans())
    match kind:
        case "AND" | "OR":
            operands = draw(st.lists(conditions(depth - 1, kind), min_size=2, max_size=3))
            return syntax.Logical(0, 0, 1, kind, tuple(operands))
        case "NOT":
            return syntax.Not(0, 0, 1, draw(conditions(depth - 1)))
        case "compare":
            operator = draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
            return syntax.Binary(0, 0, 1, operator, draw(values()), draw(values()))
        case "in":
            items = tuple(draw(st.lists(values(), min_size=1, max_size=3)))
            return syntax.InList(0, 0, 1, draw(values()), items, negated)
        case "between":
            return syntax.Between(0, 0, 1, draw(values()), draw(values()), draw(values()), negated)
        case "matches":
            return syntax.PatternMatch(0, 0, 1, "RLIKE", draw(values()), draw(values()), negated)
        case "null":
            return syntax.IsTest(0, 0, 1, draw(values()), "NULL", negated)
        case _:
            return syntax.Call(0, 0, 1, "contains", 0, (draw(values()), draw(values())))


class TestRoundTrip:
    @settings(max_examples=300, deadline=None)
    @given(conditions())
    def test_what_is_written_in_the_short_form_is_read_as_the_same(self, condition: syntax.Node) -> None:
        text = as_short(ShortRule(condition, (RuleAction("tag", "x"),)))
        assert without_places(parse_short(text).condition) == without_places(condition)

    @settings(max_examples=300, deadline=None)
    @given(conditions())
    def test_what_is_written_in_sql_is_read_as_the_same(self, condition: syntax.Node) -> None:
        tree, issues = parse(as_sql(condition))
        assert tree is not None, issues
        assert without_places(tree) == without_places(condition)

    @pytest.mark.parametrize("short", [short for short, _ in SAME])
    def test_a_rule_written_again_is_the_same_rule(self, short: str) -> None:
        rule = parse_short(f'when {short} then notify("slack:#a\\"b"), score(5)')
        again = parse_short(as_short(rule))
        assert without_places(again.condition) == without_places(rule.condition)
        assert again.actions == rule.actions
