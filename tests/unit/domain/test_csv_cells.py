"""Cells that no spreadsheet computes."""

from __future__ import annotations

import pytest

from sentinel.domain.csv_cells import safe_cell


class TestSafeCell:
    @pytest.mark.parametrize(
        "text", ["=1+1", "+1", "-1", "@x", "\tx", "\r=1", "\n=1", "  =1", "＝1", "\u00a0=1"], ids=range(10)
    )
    def test_what_begins_a_formula_begins_with_an_apostrophe(self, text: str) -> None:
        assert safe_cell(text) == f"'{text}"

    @pytest.mark.parametrize("text", ["", "a=1", "t-4711", "'x", "5", "a; b", "1;2", "a;b=1"])
    def test_plain_cells_stay(self, text: str) -> None:
        assert safe_cell(text) == text

    @pytest.mark.parametrize(
        ("text", "safe"), [("a;=1", "a;'=1"), ("a; @x;-1", "a; '@x;'-1"), (';"=1', ";\"'=1")], ids=range(3)
    )
    def test_no_cell_begins_behind_a_semicolon_either(self, text: str, safe: str) -> None:
        assert safe_cell(text) == safe

    def test_nulls_are_left_out(self) -> None:
        assert safe_cell("\x00=1\x00") == "'=1"
