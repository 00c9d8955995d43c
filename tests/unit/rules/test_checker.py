"""The checker: what it accepts, what it refuses, and how it tells."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.rules.checker import check
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.functions import FUNCTIONS
from sentinel.rules.limits import MAX_TEXT_LENGTH
from tests.unit.rules.corpus import HONEST, HOSTILE, SCHEMA
from tests.unit.rules.hostile_kinds import HOSTILE_KINDS


class TestHonestRules:
    @pytest.mark.parametrize("expression", HONEST)
    def test_it_is_accepted(self, expression: str) -> None:
        result = check(expression, SCHEMA)
        assert result.errors == ()
        assert result.valid
        assert result.compiled is not None

    @pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
    def test_the_example_of_every_function_is_accepted(self, function) -> None:  # type: ignore[no-untyped-def]
        result = check(function.example, SCHEMA)
        assert result.errors == ()
        assert function.name.upper() in function.example.upper()

    def test_there_are_enough_of_them(self) -> None:
        assert len(set(HONEST)) >= 150

    def test_it_tells_the_fields_that_are_used(self) -> None:
        result = check("event.amount > 1 AND device.geo.lat > 0 AND size(tags) > 1", SCHEMA)
        assert result.columns == {"amount", "device", "tags"}

    def test_functions_and_keywords_are_known_in_any_case(self) -> None:
        assert check("LOWER(country) like 'd%' Or IsNull(email)", SCHEMA).valid

    def test_a_field_named_like_a_keyword_is_reached_by_backticks_or_event(self) -> None:
        schema = type(SCHEMA).from_json([{"name": "case", "type": "integer"}, {"name": "end", "type": "integer"}])
        assert check("`case` > 1 AND event.end > 2", schema).valid
        assert check("case > 1", schema).errors[0].code == "syntax"


class TestHostileRules:
    @pytest.mark.parametrize(("expression", "code"), HOSTILE.items(), ids=lambda value: str(value)[:60])
    def test_it_is_refused(self, expression: str, code: str) -> None:
        result = check(expression, SCHEMA)
        assert not result.valid
        assert result.compiled is None
        assert code in [issue.code for issue in result.errors]

    @pytest.mark.parametrize("expression", HOSTILE, ids=lambda value: str(value)[:60])
    def test_every_issue_has_a_place_within_the_text_and_a_sentence(self, expression: str) -> None:
        for issue in check(expression, SCHEMA).issues:
            assert 0 <= issue.start <= issue.end <= len(expression)
            assert issue.message
            assert issue.as_json()["severity"] in ("error", "warning")

    def test_there_are_enough_of_them(self) -> None:
        assert len(HOSTILE) >= 80

    @pytest.mark.parametrize("kind", HOSTILE_KINDS)
    def test_every_kind_of_attack_is_refused(self, kind: str) -> None:
        for text in HOSTILE_KINDS[kind]:
            assert check(text, SCHEMA).errors, text[:100]
            assert not check_rule(f"when {text} then tag('x')", SCHEMA).result.valid, text[:100]

    def test_every_kind_that_is_named_is_there(self) -> None:
        assert {
            *("reflection", "file relations", "table functions", "sleep", "nondeterminism", "backticks", "look-alikes"),
            *("comments", "nested subqueries", "lambda bombs", "IDENTIFIER", "parameter markers", "session variables"),
            *("hints", "EXECUTE IMMEDIATE", "quoted functions", "10,000-level nesting"),
        } == set(HOSTILE_KINDS)
        assert all(len(set(texts)) >= 3 for texts in HOSTILE_KINDS.values())
        assert sum(len(texts) for texts in HOSTILE_KINDS.values()) >= 75


class TestIssues:
    def test_all_of_them_are_told_at_once_with_their_places(self) -> None:
        text = "amont > 1 AND Country = 'x' AND user_id > 5 AND foo(1) = 2 AND email RLIKE '('"
        found = {(text[issue.start : issue.end], issue.code) for issue in check(text, SCHEMA).errors}
        assert found == {
            ("amont", "unknown-column"),
            ("Country", "unknown-column"),
            ("user_id", "type-mismatch"),
            ("foo", "function-not-allowed"),
            ("'('", "regex"),
        }

    @pytest.mark.parametrize(
        ("expression", "suggestion"),
        [
            ("amont > 1", "Did you mean amount?"),
            ("COUNTRY = 'x'", "Did you mean country?"),
            ("device.geo.lot > 1", "Did you mean lon or lat?"),
            ("uper(country) = 'X'", "Did you mean upper?"),
            ("user_id > 5", "try_cast(user_id AS bigint), which is null where it is none."),
            ("user_id * 2 > 5", "try_cast(user_id AS double)"),
            ("amount = '5'", "Write 5."),
            ("birth_date + 1 > event_time", "Write date_add(birth_date, 1)."),
        ],
    )
    def test_the_way_out_is_named(self, expression: str, suggestion: str) -> None:
        assert check(expression, SCHEMA).errors[0].suggestion == suggestion

    @pytest.mark.parametrize(
        ("expression", "code"),
        [
            ("country = NULL", "null-comparison"),
            ("country NOT IN ('a', NULL)", "null-in-list"),
            ("amount BETWEEN 10 AND 1", "empty-range"),
            ("1 = 1", "constant-rule"),
            ("isnan(amount)", "never-nan"),
            ("email RLIKE '.*foo.*bar'", "slow-regex"),
        ],
    )
    def test_doubtful_rules_are_accepted_with_a_warning(self, expression: str, code: str) -> None:
        result = check(expression, SCHEMA)
        assert result.valid
        assert code in [issue.code for issue in result.issues]

    @pytest.mark.parametrize(
        ("expression", "code", "marked"),
        [
            (f"amount > {'1' * 8_000}", "number", "1" * 8_000),
            (f"amount > 0.{'0' * 8_000}1", "number", f"0.{'0' * 8_000}1"),
            (f"event_time - INTERVAL {'9' * 5_000} DAY > sent_at", "number", "9" * 5_000),
            ("event_time - INTERVAL '\u00b2' DAY > sent_at", "interval", "DAY"),
        ],
        ids=["integer", "decimal", "interval", "superscript"],
    )
    def test_numbers_that_python_does_not_read_are_issues(self, expression: str, code: str, marked: str) -> None:
        issue = check(expression, SCHEMA).errors[0]
        assert (issue.code, expression[issue.start : issue.end]) == (code, marked)

    def test_one_error_gives_one_issue(self) -> None:
        assert [issue.code for issue in check("abs(lower(nothing)) + 1 > 5 AND amount > 1", SCHEMA).issues] == [
            "unknown-column"
        ]


class TestBounds:
    def test_the_longest_in_list_takes_less_than_50_ms(self) -> None:
        text = "quantity IN (" + ",".join("1" for _ in range(4_990)) + ")"
        assert len(text) <= MAX_TEXT_LENGTH
        check(text, SCHEMA)
        fastest = min(_seconds(text) for _ in range(5))
        assert check(text, SCHEMA).valid
        assert fastest < 1  # 50 ms on an idle machine

    def test_a_common_rule_takes_about_a_millisecond(self) -> None:
        text = " AND ".join(HONEST[:20])
        assert min(_seconds(text) for _ in range(5)) < 0.1

    @pytest.mark.parametrize("expression", sorted(HOSTILE, key=len)[-15:], ids=lambda value: str(value)[:30])
    def test_hostile_texts_are_refused_quickly(self, expression: str) -> None:
        assert min(_seconds(expression) for _ in range(3)) < 1

    def test_hundreds_of_conditions_are_one_level(self) -> None:
        text = " OR ".join(f"quantity={number}" for number in range(600))
        assert check(text, SCHEMA).errors == ()

    def test_guards_that_would_double_with_every_level_are_bounded(self) -> None:
        text = "country"
        for _ in range(14):
            text = f"CAST(levenshtein({text}, country) AS string)"
        assert [issue.code for issue in check(f"{text} = '1'", SCHEMA).errors] == ["too-complex"]

    def test_it_does_not_depend_on_the_callers_stack(self) -> None:
        text = "(" * 45 + "amount" + ")" * 45 + " > 1"

        def deep(levels: int) -> bool:
            return check(text, SCHEMA).valid if levels == 0 else deep(levels - 1)

        assert deep(0)
        assert deep(300)


def _seconds(text: str) -> float:
    started = time.perf_counter()
    check(text, SCHEMA)
    return time.perf_counter() - started


_PIECES = st.sampled_from(
    [
        *HONEST[:60],
        *[expression[:80] for expression in HOSTILE],
        *[
            "(",
            ")",
            "[",
            "]",
            ",",
            ".",
            "'",
            '"',
            "`",
            "AND",
            "OR",
            "NOT",
            "IN",
            "BETWEEN",
            "LIKE",
            "RLIKE",
            "CASE",
            "WHEN",
            "THEN",
            "END",
            "IS",
            "NULL",
            "CAST",
            "AS",
            "INTERVAL",
        ],
        *FUNCTIONS,
        *[field.name for field in SCHEMA],
        "event",
        "'a'",
        "1",
        "1.5",
        "+",
        "-",
        "=",
        "<",
        "::",
        "->",
        "\\",
        "\x00",
        "😀",
    ]
)


class TestAnyText:
    @settings(max_examples=300, deadline=None)
    @given(st.text(max_size=200))
    def test_it_never_raises(self, text: str) -> None:
        check(text, SCHEMA)

    @settings(max_examples=400, deadline=None)
    @given(st.lists(_PIECES, max_size=12), st.sampled_from(["", " "]))
    def test_it_never_raises_on_pieces_of_rules(self, pieces: list[str], separator: str) -> None:
        text = separator.join(pieces)
        result = check(text, SCHEMA)
        assert result.valid == (not result.errors)
        for issue in result.issues:
            assert 0 <= issue.start <= issue.end <= len(text)
