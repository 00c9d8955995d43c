"""What every match of a rule fulfils."""

from __future__ import annotations

import pytest

from sentinel.rules.checker import check
from sentinel.rules.requirements import MAX_VALUES
from tests.unit.rules.corpus import SCHEMA


def required(expression: str) -> dict[str, set[str]]:
    result = check(expression, SCHEMA)
    assert result.valid, result.issues
    return {requirement.field: set(requirement.values) for requirement in result.requirements}


class TestRequirements:
    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("country = 'DE'", {"country": {"'DE'"}}),
            ("'DE' = event.country", {"country": {"'DE'"}}),
            ("quantity IN (1, 2) AND amount > 5", {"quantity": {"1L", "2L"}}),
            ("country = 'DE' AND quantity = 3", {"country": {"'DE'"}, "quantity": {"3L"}}),
            ("country IN ('DE', 'FR') AND country IN ('FR', 'IT')", {"country": {"'FR'"}}),
            ("country = 'DE' OR country = 'FR' AND amount > 1", {"country": {"'DE'", "'FR'"}}),
            ("(country = 'DE' OR amount > 1) AND quantity = 1", {"quantity": {"1L"}}),
            ("country = 'It''s'", {"country": {"'It\\'s'"}}),
            ("coalesce(country = 'DE' AND amount > 1, FALSE)", {"country": {"'DE'"}}),
            ("quantity = 1 AND COALESCE(country = 'DE', false)", {"country": {"'DE'"}, "quantity": {"1L"}}),
        ],
    )
    def test_equalities_that_no_match_escapes(self, expression: str, expected: dict[str, set[str]]) -> None:
        assert required(expression) == expected

    @pytest.mark.parametrize(
        "expression",
        [
            "NOT country = 'DE'",
            "NOT (country = 'DE' AND quantity = 1)",
            "country <> 'DE'",
            "country NOT IN ('DE')",
            "country <=> 'DE'",
            "(country = 'DE') IS NULL",
            "(country = 'DE') IS NOT TRUE",
            "country = 'DE' OR amount > 1",
            "country = user_id",
            "upper(country) = 'DE'",
            "country IN ('DE', upper(user_id))",
            "amount = 5",
            "quantity = 1.5",
            "CASE WHEN country = 'DE' THEN FALSE ELSE TRUE END",
            "country = 'DE' AND country = 'FR'",
            "coalesce(country = 'DE', TRUE)",
            "coalesce(country = 'DE', is_foreign)",
            "coalesce(country = 'DE', is_foreign, FALSE)",
            "NOT coalesce(country = 'DE', FALSE)",
        ],
    )
    def test_what_cannot_be_told_is_left_out(self, expression: str) -> None:
        assert required(expression) == {}

    def test_a_long_list_is_no_requirement(self) -> None:
        values = ", ".join(str(number) for number in range(MAX_VALUES + 1))
        assert required(f"quantity IN ({values})") == {}
