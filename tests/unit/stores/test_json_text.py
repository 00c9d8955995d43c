"""JSON that PostgreSQL's JSONB takes."""

from __future__ import annotations

import json

import pytest

from sentinel.stores.postgres.json_text import jsonb_text


class TestJsonbText:
    @pytest.mark.parametrize("raw", [b'{"a": 1.5}', b'{"a":"\xc3\xa9 \\u00e9"}', b'{"a":1,"a":2}', b"[]"])
    def test_leaves_good_json_as_it_came(self, raw: bytes) -> None:
        assert jsonb_text(raw) == raw.decode()

    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            (b'{"a":"x\\u0000y"}', {"a": "x\ufffdy"}),
            (b'{"a":"\\ud800"}', {"a": "\ufffd"}),
            (b'{"a":"\\ud83d\\ude00","b":"\\u0000"}', {"a": "\U0001f600", "b": "\ufffd"}),
            (b'{"a":1e400}', {"a": "1e400"}),
            (b'{"a":' + b"9" * 2000 + b"}", {"a": "9" * 2000}),
            (b'{"k\\u0000":[{"b":"\\u0000"}]}', {"k\ufffd": [{"b": "\ufffd"}]}),
        ],
    )
    def test_replaces_what_jsonb_refuses(self, raw: bytes, expected: object) -> None:
        assert json.loads(jsonb_text(raw)) == expected

    def test_refuses_what_is_not_json(self) -> None:
        with pytest.raises(ValueError, match="Expecting"):
            jsonb_text(b"{nope")
