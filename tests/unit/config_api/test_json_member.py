"""The text of a member, exactly as it was sent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config_api.json_member import member_text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"event": 1.10}', "1.10"),
        ('{ "a" : [1, {"event": 5}] , "event" :  {"x": 1e400, "x": 2}  }', '{"x": 1e400, "x": 2}'),
        ('{"event": 1, "event": 2}', "2"),
        (r'{"\u0065vent": "\ud800"}', r'"\ud800"'),
        ('{"other": 1}', None),
        ("{}", None),
        ("\n{\t}\r\n", None),
    ],
)
def test_it_is_what_stands_there(body: str, text: str | None) -> None:
    assert member_text(body.encode(), "event") == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_in_every_encoding_that_json_may_have(encoding: str) -> None:
    assert member_text('{"event": "\u2603"}'.encode(encoding), "event") == '"\u2603"'


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text() | st.just("event"), VALUES), st.sampled_from([None, 1]), st.booleans())
def test_it_reads_back_as_the_member(body: dict[str, object], indent: int | None, ascii_only: bool) -> None:
    sent = json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    found = member_text(sent, "event")
    assert (None if found is None else json.loads(found)) == body.get("event")
