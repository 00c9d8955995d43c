"""JSON that PostgreSQL's JSONB takes."""

from __future__ import annotations

import json

import pytest

from sentinel.stores.postgres.json_text import jsonb_text


class TestJsonbText:
    @pytest.mark.parametrize("raw", [b'{"a": 1.5}', b'{"a":"\xc3\xa9 \\u00e9"}', b'{"a":1,"a":2}', b"[]"])
    def test_leaves_good_json_as_it_came(self, raw: bytes) -> None:
        assert jsonb_text(raw) == raw.decode()

    @pytest.mark.parametrize("identifier", ["4e3501", "a7e999f", "12E+345"])
    def test_an_identifier_is_no_number(self, identifier: str) -> None:
        raw = f'{{"id":"{identifier}","amount":10.10}}'
        assert jsonb_text(raw.encode()) == raw

    @pytest.mark.parametrize("number", ["1e-20000", "-1.5E-20000", "0e99999"])
    @pytest.mark.parametrize("before", ['{"a":', '{"a": ', '{"a":[0,', '{"a":[', '{"a":[0,\n'])
    def test_writes_a_number_anew_that_is_too_small_for_jsonb(self, before: str, number: str) -> None:
        after = "]}" if "[" in before else "}"
        assert number not in jsonb_text(f"{before}{number}{after}".encode())

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
