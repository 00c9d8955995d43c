"""What look-ups give for the rows of a list."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from sentinel.domain.event_schema import FieldType, parse_type
from sentinel.domain.reference_list import CellValue
from sentinel.rules.lookups import Lookup, LookupColumn, LookupKey, result_kind
from sentinel.streaming.query.lookup_values import aggregate, as_key

INTEGER, FLOAT = parse_type("integer"), parse_type("float")


def of_all(function: str, values: list[CellValue], kind: FieldType) -> CellValue:
    """Return an aggregate over all rows."""
    column = LookupColumn(Lookup("t", None, ()), function, "x", result_kind(function, kind))
    return aggregate({"x": values}, len(values), (), (column,)).values[0][0]


class TestAggregates:
    @pytest.mark.parametrize(
        ("function", "values", "kind", "expected"),
        [
            ("SUM", [1, None, 2], "integer", 3),
            ("SUM", [2**62, 2**62], "integer", None),
            ("SUM", [2**62, 2**62, -(2**62)], "integer", 2**62),
            ("AVG", [1, 2], "integer", 1.5),
            ("AVG", [2**62, 2**62], "integer", float(2**62)),
            ("SUM", [0.1] * 10, "float", 1.0),
            ("SUM", [1e308, 1e308], "float", None),
            ("AVG", [1e308, 1e308, -1e308], "float", 1e308 / 3),
            ("SUM", [Decimal("0.10"), Decimal("0.20")], "decimal(4,2)", Decimal("0.30")),
            ("SUM", [Decimal(10) ** 38 - 1, Decimal(1)], "decimal(38,0)", None),
            ("AVG", [Decimal("0.01"), Decimal("0.02"), Decimal("0.02")], "decimal(4,2)", Decimal("0.016667")),
            ("AVG", [Decimal("0.05"), Decimal("0.10")], "decimal(4,2)", Decimal("0.075000")),
            ("MIN", ["b", None, "a"], "string", "a"),
            ("MAX", [date(2026, 1, 1), date(2026, 2, 1)], "date", date(2026, 2, 1)),
            ("COUNT", [1, None], "integer", 1),
            ("COUNT", [], "integer", 0),
            ("SUM", [None], "integer", None),
            ("AVG", [], "float", None),
            ("MIN", [], "float", None),
        ],
    )
    def test_of_all_rows(self, function: str, values: list[CellValue], kind: str, expected: CellValue) -> None:
        found = of_all(function, values, parse_type(kind))
        assert found == expected
        assert type(found) is type(expected)

    def test_the_order_of_rows_means_nothing(self) -> None:
        chance = random.Random(3)
        values: list[CellValue] = [chance.random() * 10 ** chance.randrange(-300, 300) for _ in range(500)]
        sums = set()
        for _ in range(20):
            chance.shuffle(values)
            sums.add(of_all("SUM", values, FLOAT))
        assert len(sums) == 1


class TestKeys:
    def test_rows_are_grouped_and_nulls_belong_to_nobody(self) -> None:
        keys = (LookupKey("a", "", INTEGER), LookupKey("b", "", INTEGER))
        lookup = Lookup("t", None, keys)
        columns = (LookupColumn(lookup, "COUNT", None, INTEGER), LookupColumn(lookup, "MAX", "c", INTEGER))
        table: dict[str, list[CellValue]] = {"a": [1, 1, None, 1], "b": [2, 2, 2, None], "c": [5, 9, 11, 12]}
        found = aggregate(table, 4, keys, columns)
        assert (found.keys, found.values) == ([(1, 2)], [[2], [9]])

    @pytest.mark.parametrize(
        ("value", "kind", "expected"),
        [
            (5, "float", 5.0),
            (-0.0, "float", 0.0),
            (Decimal("0.10"), "float", 0.1),
            (5, "decimal(20,2)", Decimal("5.00")),
            (Decimal("5.1"), "decimal(12,4)", Decimal("5.1000")),
            (date(2026, 1, 2), "timestamp", datetime(2026, 1, 2, tzinfo=UTC)),
            (datetime(2026, 1, 2, 3, tzinfo=UTC), "timestamp", datetime(2026, 1, 2, 3, tzinfo=UTC)),
            ("a", "string", "a"),
            (None, "string", None),
        ],
    )
    def test_a_key_has_the_type_in_which_it_is_compared(self, value: CellValue, kind: str, expected: CellValue) -> None:
        found = as_key(value, parse_type(kind))
        assert str(found) == str(expected)
