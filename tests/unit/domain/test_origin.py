"""Where an event came from, as the headers of its record say."""

from __future__ import annotations

import pytest

from sentinel.domain.origin import UNKNOWN, Origin, origin_of

TRACE = f"00-{'a1' * 16}-{'b2' * 8}-01"


class TestOrigin:
    def test_both_headers_are_read_among_others(self) -> None:
        headers = [("x", b"\xff"), ("sentinel-request-id", b"shop-17"), ("traceparent", TRACE.encode())]
        origin = origin_of(headers)
        assert origin == Origin("shop-17", TRACE)
        assert origin.trace_id == "a1" * 16

    def test_a_record_without_them_says_nothing(self) -> None:
        assert origin_of([]) == UNKNOWN
        assert UNKNOWN.trace_id == ""

    def test_of_a_name_that_is_there_twice_the_last_counts(self) -> None:
        assert origin_of([("sentinel-request-id", b"a"), ("sentinel-request-id", b"b")]).request_id == "b"

    @pytest.mark.parametrize(
        "value",
        [b"", b"a b", b"a\n", b"\xff\xfe", "schrö".encode(), b"x" * 101, b"a\x00"],
        ids=lambda each: repr(each)[:20],
    )
    def test_what_no_request_is_called_is_none(self, value: bytes) -> None:
        assert origin_of([("sentinel-request-id", value)]) == UNKNOWN

    @pytest.mark.parametrize(
        "value",
        [
            f"00-{'0' * 32}-{'b2' * 8}-01",
            f"00-{'a1' * 16}-{'0' * 16}-01",
            f"01-{'a1' * 16}-{'b2' * 8}-01",
            TRACE + "\n",
            "x",
        ],
        ids=["no trace", "no span", "another version", "a line more", "text"],
    )
    def test_what_is_no_trace_context_is_none(self, value: str) -> None:
        assert origin_of([("traceparent", value.encode())]) == UNKNOWN
