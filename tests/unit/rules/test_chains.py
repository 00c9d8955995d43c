"""Chains of one operator."""

from __future__ import annotations

import pytest

from sentinel.rules.chains import GROUP, chain, effort


@pytest.mark.parametrize("operator", ["|", "^", "AND"])
def test_a_short_chain_has_no_parentheses(operator: str) -> None:
    assert chain(["a"], operator) == "a"
    assert chain(["a", "b", "c"], operator) == f"a {operator} b {operator} c"


def test_a_long_one_is_in_groups() -> None:
    terms = [f"t{number}" for number in range(GROUP**2 + 1)]
    text = chain(terms, "|")
    assert text.replace("(", "").replace(")", "") == " | ".join(terms)
    assert text.count("(") == GROUP + 1 + 2
    assert max(len(group.split(" | ")) for group in text.split("(")) <= GROUP + 1


def test_spark_balances_and_and_or() -> None:
    terms = [f"t{number}" for number in range(1000)]
    assert chain(terms, "OR") == " OR ".join(terms)


def test_what_is_cheap_comes_first() -> None:
    dear_first = ["e.a RLIKE 'x'", "when(e.a > 1L, TRUE)", "e.a = 'x'", "e.n IN (1L, 2L)", "e.n > 1.5D"]
    assert sorted(dear_first, key=effort) == dear_first[::-1]
    assert sorted(["e.n > 1L", "e.m < 2L"], key=effort) == ["e.n > 1L", "e.m < 2L"]
