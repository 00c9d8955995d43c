"""How query results are printed."""

from __future__ import annotations

import json

import pytest

from sentinel.cli.lake import print_csv, print_json, print_rows
from sentinel.errors import InvalidError
from sentinel.stores.lake.query import QueryResult


def result(columns: list[str], rows: list[list[object]]) -> QueryResult:
    return QueryResult(columns, ["VARCHAR"] * len(columns), rows, is_cut=False, seconds=0.1)


class TestPrintRows:
    def test_markup_and_escape_sequences_are_shown_as_text(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_rows(result(["a"], [["[red]x[/red] \x1b[31m\r\nend"]]))
        assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
            "a",
            "[red]x[/red] \\x1b[31m\\r\\nend",
        ]

    def test_long_values_are_not_cut_in_a_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_rows(result(["a", "b"], [["x" * 300, None]]))
        assert "x" * 300 + "  NULL" in capsys.readouterr().out


class TestPrintJson:
    def test_an_array_of_objects(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_json(result(["a", "b"], [[1, None], ["ü", [True]]]))
        assert json.loads(capsys.readouterr().out) == [{"a": 1, "b": None}, {"a": "ü", "b": [True]}]

    def test_nothing_is_an_empty_array(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_json(result(["a"], []))
        assert json.loads(capsys.readouterr().out) == []

    def test_two_columns_of_one_name_are_refused(self) -> None:
        with pytest.raises(InvalidError, match="two columns are called 'a'"):
            print_json(result(["a", "a"], [[1, 2]]))


class TestPrintCsv:
    def test_values_are_quoted_and_kept(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_csv(result(["a", "b"], [["x,y\nz", None], [{"k": 1}, True]]))
        assert capsys.readouterr().out == 'a,b\n"x,y\nz",\n"{""k"": 1}",true\n'
