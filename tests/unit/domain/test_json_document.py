"""JSON that is read with nothing of it changed, however deep it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sentinel.domain.json_document import JsonObject, RefusedError, raw_items, raw_members, read_document

BRACKETS = [("[", "]"), ('{"a":', "}")]


def called_deep(calls: int, act: Callable[[], Any]) -> Any:
    """Act below so many calls: Python's limit of recursion counts them too."""
    return called_deep(calls - 1, act) if calls else act()


@pytest.mark.parametrize(("opened", "closed"), BRACKETS)
class TestDeep:
    @pytest.mark.parametrize("calls", [0, 400])
    def test_998_levels_are_read_whoever_asks(self, opened: str, closed: str, calls: int) -> None:
        text = opened * 998 + "1" + closed * 998
        assert called_deep(calls, lambda: read_document(text)) is not None

    @pytest.mark.parametrize("calls", [0, 400])
    def test_999_levels_are_not(self, opened: str, closed: str, calls: int) -> None:
        text = opened * 999 + "1" + closed * 999
        with pytest.raises(RecursionError):
            called_deep(calls, lambda: read_document(text))

    def test_what_is_broken_far_inside_is_found_and_its_place_told(self, opened: str, closed: str) -> None:
        text = opened * 950 + "1 2" + closed * 950
        with pytest.raises(json.JSONDecodeError) as failed:
            called_deep(400, lambda: read_document(text))
        assert failed.value.pos == len(opened) * 950 + 2

    @pytest.mark.parametrize("end", ["", "x", "]", "}", ","])
    def test_what_is_broken_behind_it_is_found(self, opened: str, closed: str, end: str) -> None:
        text = opened * 950 + "1" + closed * 949 + (end or "")
        with pytest.raises(ValueError, match=r"Expecting|Extra"):
            called_deep(400, lambda: read_document(text if end != closed else text + end * 2))

    def test_elements_and_members_are_as_they_stand(self, opened: str, closed: str) -> None:
        deep = opened * 950 + "1.50" + closed * 950
        items = called_deep(400, lambda: list(raw_items(f"[{deep}, {deep} ,1.50]")))
        assert [text for text, _ in items] == [deep, deep, "1.50"]
        members = called_deep(400, lambda: raw_members(f'{{"x": {deep} , "y": 1.50}}'))
        assert {name: text for name, (text, _) in members.items()} == {"x": deep, "y": "1.50"}


class TestNumbers:
    @pytest.mark.parametrize(
        "text", ["5" * 1_000, "-" + "5" * 1_000, "0." + "5" * 1_000, "5." + "5" * 999, "0e" + "1" * 1_000]
    )
    def test_a_thousand_digits_are_read(self, text: str) -> None:
        assert read_document(text) == text

    @pytest.mark.parametrize(
        "text", ["5" * 1_001, "0." + "5" * 1_001, "5." + "5" * 1_000, "0.5e" + "1" * 999, "1e" + "1" * 1_000]
    )
    def test_more_are_not(self, text: str) -> None:
        with pytest.raises(RefusedError, match="1000 digits are read"):
            read_document(text)


def test_of_equal_keys_all_values_are_known() -> None:
    found = read_document('{"a":1,"b":2,"a":3}')
    assert isinstance(found, JsonObject)
    assert (found.values, found.overridden) == ({"a": "3", "b": "2"}, (("a", "1"),))
