r"""A backslash that a text literal drops is refused in a new rule, and changes nothing for a stored one."""

from __future__ import annotations

import pytest

from sentinel.rules.checker import check
from sentinel.rules.compiler import compile_condition
from sentinel.rules.dsl.check import check_rule
from tests.unit.rules.corpus import SCHEMA

# Text -> what is marked.
LOST = {
    r"email RLIKE 'gmail\.com$'": r"\.",
    r"regexp_like(email, '\.ru$')": r"\.",
    r"split(email, '\.')[0] = 'a'": r"\.",
    r"regexp_count(email, '\.') > 1": r"\.",
    r"email RLIKE 'a\+b'": r"\+",
    r"country = 'DE\.'": r"\.",
    r'email RLIKE "gmail\.com$"': r"\.",
    r"email RLIKE 'it''s\.'": r"\.",
    r'when email matches "gmail\.com$" then tag("x")': r"\.",
    r"when email matches '^\w+@' then tag('x')": r"\w",
    r'when regexp_count(email, "\+") > 1 then tag("x")': r"\+",
}
KEPT = [
    r"email RLIKE 'gmail\\.com$'",
    r"email RLIKE r'gmail\.com$'",
    r"country = 'It\'s'",
    r'country = "say \"DE\""',
    r"country = 'a\nb\tc\r'",
    r"country LIKE '100\%' OR country LIKE '\_x'",
    r"country = '\u00e9'",
    r'when email matches "gmail\\.com$" then tag("x")',
    r'when country == "a\n\t\"\u00e9" then tag("x")',
]


class TestNewRules:
    @pytest.mark.parametrize(("text", "marked"), LOST.items())
    def test_a_lost_backslash_is_refused(self, text: str, marked: str) -> None:
        checked = check_rule(text, SCHEMA)
        (issue,) = checked.result.errors
        assert (issue.code, text[issue.start : issue.end]) == ("escape", marked)
        assert marked.replace("\\", "\\\\") in str(issue.suggestion)
        assert not checked.result.valid

    @pytest.mark.parametrize("text", KEPT)
    def test_what_loses_nothing_is_accepted(self, text: str) -> None:
        assert check_rule(text, SCHEMA).result.issues == ()

    def test_the_raw_form_of_the_same_text_is_offered(self) -> None:
        issue = check_rule(r"email RLIKE 'gmail\.com$'", SCHEMA).result.errors[0]
        assert issue.suggestion == r"Write \\., or put r before the quote: r'gmail\.com$'."

    def test_backspace_for_a_word_boundary(self) -> None:
        issue = check_rule(r"email RLIKE '\bbet\b'", SCHEMA).result.errors[0]
        assert (issue.code, issue.suggestion) == ("character", r"Write r'\bbet\b'.")


class TestStoredRules:
    @pytest.mark.parametrize("text", [text for text in LOST if not text.startswith("when")])
    def test_they_compile_to_what_they_always_did(self, text: str) -> None:
        compiled = compile_condition(text, SCHEMA)
        assert "\\" not in compiled.sql.replace("\\'", "")
        assert check(text, SCHEMA).valid
        assert check_rule(text, SCHEMA, is_stored=True).result.valid

    def test_so_do_those_in_the_short_form(self) -> None:
        checked = check_rule(r"""when email matches "gmail\.com$" then tag("x")""", SCHEMA, is_stored=True)
        assert checked.result.valid
        assert checked.rule_expression == "email RLIKE 'gmail.com$'"
