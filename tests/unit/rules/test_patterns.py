"""Regular expressions and LIKE patterns: accepted, refused, bounded."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.rules.like import check_like
from sentinel.rules.patterns import PatternError, check_regex


class TestRegex:
    @pytest.mark.parametrize(
        ("pattern", "limit"),
        [
            ("foo|bar", None),
            (r"^\d{4}-\d{2}$", None),
            (r"^[^@]+@[^@]+\.com$", 4_000),
            (r"\bfree\b", None),
            ("(?i)tor|vpn", None),
            ("https?://", None),
            ("^a.*z$", None),
            (r"\w+@\w+", 4_000),
            ("x*", 4_000),
            (".*foo.*bar", 251),
            (r"(\d+,)*", 1_000),
            (r"^(\w+\.)+com$", 1_000),
            ("(a|b)+", 1_000),
            (r"\.exe\s+foo", None),
            (r"\.exe\s+[^\"]{0,64}w", None),
            (r"\.exe\s+[^\"]{0,64}w\d{2,10} *x", 496),
            ("x?x?x?x", None),
            ("^a{0,100}a{0,100}a{0,100}b", 16_000_000),
            ("[ab]{0,99}a{0,99}c", 804),
            (r"\s+foo", 4_000),
            (r"x(a\s+){0,20}foo", 1_000),
        ],
    )
    def test_it_is_accepted_for_texts_up_to_a_length(self, pattern: str, limit: int | None) -> None:
        assert check_regex(pattern).max_text_length == limit

    @pytest.mark.parametrize(
        "pattern",
        [
            "(a+)+$",
            "(a*)*",
            "([a-z]+)*",
            "(a|a)*",
            "(a|ab)*c",
            "(a*b*)*",
            "(.*a){20}",
            "(a?){30}a{30}",
            "(a{0,9}){0,9}",
            r"(\w+\s?)*$",
            r"^(([a-z])+.)+[A-Z]([a-z])+$",
            "a*a*a*a*b",
            "a?a?a?a?a?a?a?a?a?a?aaaaaaaaaa",
            "(x|)*",
            "(^a|b|^)*",
            r"q\s+\S{0,60}\s{0,60}\S{0,60}x",
            "a{0,1000}a{0,1000}a{0,1000}b",
        ],
    )
    def test_catastrophic_backtracking_is_refused(self, pattern: str) -> None:
        with pytest.raises(PatternError):
            check_regex(pattern)

    @pytest.mark.parametrize(
        ("pattern", "at"),
        [
            ("(ab", 0),
            ("ab)", 2),
            ("[ab", 0),
            ("a[]", 1),
            ("*a", 0),
            ("a**", 2),
            ("a{2", 1),
            ("a{3,2}", 1),
            ("a{1,99999}", 1),
            ("a++", 2),
            (r"a\1", 1),
            (r"\Qa\E", 0),
            (r"\p{L}", 0),
            ("(?<=a)b", 0),
            ("(?P<n>a)", 0),
            ("[[a]]", 1),
            ("[a&&b]", 2),
            ("[z-a]", 0),
            ("a\\", 1),
            ("^*", 0),
            ("x" * 1_001, 0),
        ],
    )
    def test_what_is_outside_of_the_subset_is_refused_with_its_place(self, pattern: str, at: int) -> None:
        with pytest.raises(PatternError) as refused:
            check_regex(pattern)
        assert refused.value.at == at

    def test_groups_are_counted(self) -> None:
        assert check_regex("(a)(?:b)(c(d))").groups == 3

    @settings(max_examples=300, deadline=None)
    @given(st.text(alphabet="ab|()[]*+?{}^$.\\-1,d", max_size=14))
    def test_what_is_accepted_is_a_regular_expression(self, pattern: str) -> None:
        try:
            groups = check_regex(pattern).groups
        except PatternError:
            return
        with warnings.catch_warnings():
            # Python may give `[a||b]` another meaning one day; Java has not.
            warnings.simplefilter("ignore", FutureWarning)
            assert re.compile(pattern).groups == groups


class TestLike:
    @pytest.mark.parametrize("pattern", ["", "a", "a%", "%a", "%a%", "a%b", "%", "%%", r"100\%", "a_c", r"a\\b"])
    def test_cheap_patterns_stay_as_they_are(self, pattern: str) -> None:
        assert check_like(pattern, ignore_case=False).regex is None

    @pytest.mark.parametrize("pattern", ["a\\", r"a\b"])
    def test_an_escape_that_spark_refuses_is_refused(self, pattern: str) -> None:
        with pytest.raises(PatternError):
            check_like(pattern, ignore_case=False)

    def test_several_wildcards_need_plain_ascii_where_case_is_ignored(self) -> None:
        with pytest.raises(PatternError):
            check_like("%ä%ö%", ignore_case=True)

    @settings(max_examples=500, deadline=None)
    @given(st.text(alphabet="ab%_.\n", max_size=8), st.text(alphabet="abA.\n", max_size=10), st.booleans())
    def test_the_regular_expression_means_the_same(self, pattern: str, text: str, ignore_case: bool) -> None:
        regex = check_like(pattern, ignore_case=ignore_case).regex
        if regex is None:
            return
        plain = "".join(
            {"%": "(?:.|\n)*", "_": "(?:.|\n)"}.get(character, re.escape(character)) for character in pattern
        )
        expected = re.fullmatch(plain, text, re.IGNORECASE if ignore_case else 0) is not None
        # Java's \z is Python's \Z.
        assert (re.search(regex.replace("\\z", "\\Z"), text) is not None) == expected
