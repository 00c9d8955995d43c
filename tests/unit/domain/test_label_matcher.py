"""Matchers of labels."""

from __future__ import annotations

import pytest

from sentinel.domain.label_matcher import all_match, matcher_of, value_of
from sentinel.errors import InvalidError

LABELS = {"rule": ("card_testing",), "severity": ("critical",), "tag": ("large", "night"), "entity.user_id": ("u-1",)}


class TestMatching:
    """What holds of an alert's labels."""

    @pytest.mark.parametrize(
        ("text", "holds"),
        [
            ('severity="critical"', True),
            ("severity = critical", True),
            ('severity="crit"', False),
            ('severity!="critical"', False),
            ('severity!="info"', True),
            ('rule=~"card_.*"', True),
            ('rule=~"card"', False),
            ('rule!~"card_.*"', False),
            ('tag="night"', True),
            ('tag!="night"', False),
            ('tag=~"l.*"', True),
            ('tag!~"l.*"', False),
            ('pipeline=""', True),
            ('pipeline!=""', False),
            ('pipeline=~".*"', True),
            ('entity.user_id="u-1"', True),
            ('entity.country="AT"', False),
            ('rule="say \\"x\\""', False),
        ],
    )
    def test_one_matcher(self, text: str, holds: bool) -> None:
        assert matcher_of(text).matches(LABELS) is holds

    def test_all_must_hold(self) -> None:
        matchers = [matcher_of('severity="critical"'), matcher_of('tag="day"')]
        assert not all_match(matchers, LABELS)
        assert all_match(matchers[:1], LABELS)
        assert all_match([], LABELS)

    def test_several_values_are_one_text(self) -> None:
        assert value_of(LABELS, "tag") == "large,night"
        assert value_of(LABELS, "pipeline") == ""

    def test_a_quoted_value_may_hold_anything(self) -> None:
        matcher = matcher_of('rule="a \\"b\\" \\\\ {c}, d"')
        assert matcher.value == 'a "b" \\ {c}, d'

    def test_a_pattern_takes_time_in_proportion_to_the_text(self) -> None:
        # Exponential for engines that go back, so that one matcher would stop all notifications.
        matcher = matcher_of('rule=~"(a+)+b"')
        assert not matcher.matches({"rule": ("a" * 5000,)})


class TestRefusals:
    """What is no matcher."""

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "is no matcher"),
            ("severity", "is no matcher"),
            ("severity==critical", "is no matcher"),
            ('amount>"5"', "is no matcher"),
            ('colour="red"', "is no label"),
            ('entity="u"', "is no label"),
            ('rule=~"("', "is no pattern"),
            ('rule=~"a(?=b)"', "is no pattern"),
            ('rule=~"(.{900}){900}"', "is no pattern"),
            ('rule="' + "x" * 501 + '"', "at most 500"),
        ],
    )
    def test_it_says_why(self, text: str, said: str) -> None:
        with pytest.raises(InvalidError, match=said):
            matcher_of(text)
