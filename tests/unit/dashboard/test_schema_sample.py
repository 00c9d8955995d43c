"""Fields proposed from a pasted sample."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboard.components.pipelines.schema_sample import propose
from sentinel.domain.schema_definition import read_schema
from sentinel.errors import InvalidError


def proposed(*events: Any) -> dict[str, tuple[str, bool | None, str | None]]:
    found = propose(json.dumps(list(events)))
    assert read_schema(found.fields)[1] == []
    return {each.name: (each.type, each.nullable, next(iter(each.roles), None)) for each in found.fields}


class TestPropose:
    def test_an_event_with_roles_by_the_usual_names(self) -> None:
        event = {
            "transaction_id": "t-1", "user_id": "u", "amount": 12.5, "count": 3, "ok": True,
            "created": "2026-01-31T12:00:00Z", "day": "2026-01-31", "tags": ["a"], "geo": {"lat": 1.0, "city": "x"},
        }  # fmt: skip
        assert proposed(event) == {
            "transaction_id": ("string", False, "event_id"),
            "user_id": ("string", False, "entity"),
            "amount": ("float", False, None),
            "count": ("integer", False, None),
            "ok": ("boolean", False, None),
            "created": ("timestamp", False, "event_time"),
            "day": ("date", False, None),
            "tags": ("array<string>", False, None),
            "geo": ("struct<lat: float, city: string>", False, None),
        }

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            ([1, 2.5], "float"),
            ([1, "x"], "string"),
            ([True, 1], "string"),
            ([2**63], "decimal(38,0)"),
            ([2**63, 1], "decimal(38,0)"),
            ([10**39], "string"),
            ([-(2**63)], "integer"),
            (["2026-01-31", "2026-01-31T00:00:00+01:00"], "timestamp"),
            (["2026-01-31", "soon"], "string"),
            ([[], [1]], "array<integer>"),
            ([[]], "array<string>"),
            ([{}], "string"),
            ([{"a": 1}, {"b": None}], "struct<a: integer, b: string>"),
            ([{"a": 1}, [1]], "string"),
            ([[[[[[1]]]]]], "array<array<array<array<string>>>>"),
        ],
    )
    def test_a_type_that_holds_all_values(self, values: list[Any], kind: str) -> None:
        assert proposed(*({"x": value} for value in values))["x"][0] == kind

    def test_what_lacks_or_is_null_may_be_missing(self) -> None:
        found = proposed({"a": 1, "b": None, "c": 1}, {"a": 2, "b": 2})
        assert [found[name][1] for name in "abc"] == [False, True, True]

    def test_lines_as_well(self) -> None:
        assert [each.name for each in propose('{"a": 1}\n\n{"b": 2}\n').fields] == ["a", "b"]

    def test_names_that_cannot_be_fields_are_left_out_and_said(self) -> None:
        found = propose('{"a": 1, "x y": 2, "\\ud800": 3, "n": {"ok": 1, "no no": 2}}')
        assert [(each.name, each.type) for each in found.fields] == [("a", "integer"), ("n", "struct<ok: integer>")]
        assert "2 names cannot be fields" in found.remarks[0]

    def test_too_many_fields_are_cut_and_said(self) -> None:
        found = propose(json.dumps({f"f{number}": 1 for number in range(400)}))
        assert len(found.fields) == 300
        assert "400 fields are too many" in found.remarks[0]

    @pytest.mark.parametrize(
        "text",
        ["", "x", "[]", "1", "[1]", "{}", '{"a": NaN}', "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "x" * 600_000],
    )
    def test_what_is_no_sample_is_refused_in_words(self, text: str) -> None:
        with pytest.raises(InvalidError):
            propose(text)
