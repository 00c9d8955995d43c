"""What a request to the ingestor holds, and that nothing of it is changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.event_batch import read_batch, text_of, with_member
from sentinel.domain.json_document import JsonObject, RefusedError, raw_items, raw_members, read_document
from sentinel.errors import InvalidError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
INDENT = st.sampled_from([None, 0, 2])


@given(st.lists(JSON), INDENT)
def test_elements_of_an_array_are_cut_out_as_they_stand(values: list[object], indent: int | None) -> None:
    text = json.dumps(values, indent=indent)
    found = [raw for raw, _ in raw_items(text)]
    assert [json.loads(raw) for raw in found] == values
    assert all(raw in text for raw in found)


@given(st.dictionaries(st.text(), JSON), INDENT)
def test_members_of_an_object_are_cut_out_as_they_stand(values: dict[str, object], indent: int | None) -> None:
    text = json.dumps(values, indent=indent)
    found = {name: raw for name, (raw, _) in raw_members(text).items()}
    assert {name: json.loads(raw) for name, raw in found.items()} == values
    assert all(raw in text for raw in found.values())


@given(st.text())
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    for read in (lambda given: list(raw_items(given)), raw_members, read_document):
        try:
            read(text)
        except (ValueError, RefusedError):
            continue
    try:
        events, is_single = read_batch(text.encode(errors="replace"), {})
    except InvalidError:
        return
    assert is_single == (len(events) == 1 and not text.lstrip("\ufeff \t\r\n").startswith("["))
    assert all((event.document is None) == bool(event.fault) for event in events)


@given(st.dictionaries(st.text(), JSON), INDENT, st.text())
def test_a_member_is_added_in_front(values: dict[str, object], indent: int | None, value: str) -> None:
    values.pop("id", None)
    text = json.dumps(values, indent=indent)
    document = read_document(text)
    assert isinstance(document, JsonObject)
    more, changed = with_member(text, document, "id", value)
    assert json.loads(more) == {"id": value, **values}
    assert read_document(more).values.keys() == changed.values.keys()


@pytest.mark.parametrize("text", ["", "[", "[1", "[1,", "[1,]", "[1]x", "[1] 2", "{}", "[,]", "[1 2]"])
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        list(raw_items(text))


@pytest.mark.parametrize(
    "text", ["", "{", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', "{}x", "{a:1}", "{1:2}", "[]"]
)
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        raw_members(text)


def test_of_equal_names_the_last_one_counts() -> None:
    assert raw_members('{"a":1,"a": 2 }')["a"][0] == "2"


def test_texts_and_digits_can_be_told_from_what_has_neither() -> None:
    document = read_document('{"a":"x","b":1.50,"c":true,"d":null,"e":"","f":[1],"g":{}}')
    assert [text_of(document, name) for name in "abcdefgh"] == ["x", "1.50", None, None, None, None, None, None]


def test_lines_may_hold_characters_that_other_readers_break_at() -> None:
    body = '{"a":"x\u2028y"}\n{"a":"z\u0085"}'.encode()
    events, is_single = read_batch(body, {"content-type": "application/x-ndjson"})
    assert not is_single
    assert [text_of(event.document, "a") for event in events if event.document] == ["x\u2028y", "z\x85"]


def test_one_line_that_is_wrong_does_not_take_the_others_with_it() -> None:
    events, _ = read_batch(b'{"a":1}\n{"a":\n{"a":3}', {"content-type": "application/x-ndjson"})
    assert [event.document is None for event in events] == [False, True, False]
    assert "cut off" in events[1].fault


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"specversion": "0.3"}, "/specversion"),
        ({"specversion": None}, "/specversion"),
        ({"id": ""}, "/id"),
        ({"id": 5}, "/id"),
        ({"source": None}, "/source"),
        ({"type": ["a"]}, "/type"),
        ({"Custom": "x"}, "/Custom"),
        ({"data_base64": "%%%"}, "/data_base64"),
        ({"data_base64": "/w=="}, "/data_base64"),
    ],
)
def test_a_wrong_cloud_event_is_told_by_its_place(change: dict[str, object], pointer: str) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", **change}
    ((found,), _) = read_batch(json.dumps(event).encode(), {"content-type": "application/cloudevents+json"})
    assert found.document is None
    assert found.pointer == pointer


def test_a_cloud_event_keeps_its_data_to_the_digit() -> None:
    body = b'{"specversion":"1.0","id":"1","source":"s","type":"t","trace":"x","data": {"amount": 1.10, "id": 7} }'
    ((found,), _) = read_batch(body, {"content-type": "application/cloudevents+json"})
    assert found.text == '{"source":"s","type":"t","trace":"x","amount":1.10,"id":7}'
