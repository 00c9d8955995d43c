"""Other values in the place of a number."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sentinel.errors import InvalidError
from sentinel.rules.sweep import replace_number


def swept(condition: str, constant: str, *values: str, position: int | None = None) -> list[str]:
    return replace_number(condition, constant, [Decimal(value) for value in values], position=position)


class TestReplaced:
    def test_each_value_takes_its_place(self) -> None:
        assert swept("amount > 500 AND x = '500'", "500", "1", "2.50", "1e3") == [
            "amount > 1 AND x = '500'",
            "amount > 2.50 AND x = '500'",
            "amount > 1000 AND x = '500'",
        ]

    def test_a_negative_value_stands_in_brackets(self) -> None:
        assert swept("amount -5 > 3", "5", "-7") == ["amount -(-7) > 3"]

    def test_the_place_tells_equal_numbers_apart(self) -> None:
        assert swept("a > 5 OR b > 5", "5", "6", position=13) == ["a > 5 OR b > 6"]

    @pytest.mark.parametrize(
        ("condition", "constant"),
        [
            ("amount BETWEEN 1 AND 20", "20"),
            ("distance_km(lat, long, 1.5, 2) > 100", "100"),
            ("CASE WHEN a > 1 THEN b ELSE 7 END > 2", "7"),
            ("a IN (1, 2, 30)", "30"),
            ("NOT (a > 4)", "4"),
        ],
    )
    def test_a_number_is_found_wherever_it_stands(self, condition: str, constant: str) -> None:
        assert swept(condition, constant, "99") == ["99".join(condition.rsplit(constant, 1))]


class TestRefused:
    def test_a_number_that_is_not_there(self) -> None:
        with pytest.raises(InvalidError, match=r"no number '7'; its numbers are: 500 at character 9"):
            swept("amount > 500 AND x = '7'", "7", "1")

    def test_one_that_is_written_more_than_once(self) -> None:
        with pytest.raises(InvalidError, match="at characters 4 and 13; say which one is meant by `position`"):
            swept("a > 5 OR b > 5", "5", "6")

    @pytest.mark.parametrize("condition", ["", "a >", "a > 'x'", "(" * 500])
    def test_a_text_without_numbers(self, condition: str) -> None:
        with pytest.raises(InvalidError, match="none"):
            swept(condition, "5", "6")
