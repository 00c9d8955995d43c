"""Naming causes. Whether Spark refuses the same records is tested with Spark (tests/spark/test_parse.py)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain import finding
from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.domain.diagnosis import UNSOUND, Verdict, diagnose
from sentinel.domain.finding import MAX_DEAD_LETTER_BYTES, DeadLetter
from tests.support.malformed import ALL, SCHEMA, Record

BY_SPARK = ("event_time_in_future", "event_time_out_of_range")
UNNAMED = Verdict(DeadLetterCause.WRONG_TYPE, None, "it cannot be read as an event of this schema")


def verdict_on(value: bytes | None) -> Verdict:
    return diagnose(value, SCHEMA, size=len(value or b""), max_record_bytes=1_048_576)


def fields(more: str) -> bytes:
    return ('{"id":"a","amount":1.5,' + more + "}").encode()


@pytest.mark.parametrize(
    "record", [r for r in ALL if r.cause not in (None, *BY_SPARK) and "id of" not in r.name], ids=lambda r: r.name
)
def test_every_bad_record_of_the_table_is_named(record: Record) -> None:
    found = verdict_on(record.value)
    assert (str(found.cause), found.field if record.field else None) == (record.cause, record.field)
    assert record.detail in found.detail
    assert found != UNNAMED


@pytest.mark.parametrize("record", [r for r in ALL if r.cause is None], ids=lambda r: r.name)
def test_nothing_is_found_in_an_event(record: Record) -> None:
    assert verdict_on(record.value) == UNNAMED


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (b'{"id":"a",}', "at character 11"),
        (b'{"id":"a\xff"}', "at byte 9"),
        (b'{"id":"a","amount":1' + b"0" * 1000 + b"}", "a number of 1001 characters"),
        (b'{"id":"a","amount":"x","amount":2.5}', "`amount` appears twice"),
        (fields('"at":"1e-1000"'), "`at` is of type timestamp and cannot hold: 1e-1000"),
        (fields('"price":"1e001"'), "`price` is of type decimal(10,2) and cannot hold: 1e001"),
        (fields('"place":{"lat":"x","lat":1}'), "`place` is of type"),
        (fields('"' + "n" * 50_001 + '":1'), "a name of more than 50000 characters"),
        (fields('"place":{"lat":"north"}'), 'cannot hold: {"lat":"north"}'),
        (fields('"at":"2026-02-03T25:00:00Z"'), "`at` is of type timestamp and cannot hold: 2026-02-03T25:00:00Z"),
        (fields('"count":"\\ud800"'), "cannot hold"),
    ],
)
def test_the_sentence_says_where(value: bytes, detail: str) -> None:
    assert detail in verdict_on(value).detail


def test_a_doubtful_timestamp_is_named_only_if_nothing_else_is_wrong() -> None:
    # Spark knows more forms of a time than ISO 8601.
    assert verdict_on(fields('"at":"2026-02-03 4:5:6","count":"x"')).field == "count"
    assert verdict_on(fields('"at":"2026-02-03 at noon"')).field == "at"


@given(st.one_of(st.binary(max_size=60), st.text('{}[],:"\\ 019.eE-+aNnulltrue', max_size=60).map(str.encode)))
def test_no_bytes_make_it_fail(value: bytes) -> None:
    assert verdict_on(value).detail


# Quadratic work on any of these would take hours.
SIZE = 300_000
HOSTILE_VALUES = {
    "digits and a letter": '"' + "1" * SIZE + 'x"',
    "digits": '"' + "1" * SIZE + '"',
    "a long exponent": "1e" + "9" * 900,
    "a longer number": "1" * SIZE,
    "signs": '"' + "-" * SIZE + '"',
    "dots": '"' + "1." * (SIZE // 2) + '"',
    "a day and more": '"2026-02-03' + " 1" * (SIZE // 2) + '"',
    "lists 400 deep": "[" * 400 + "]" * 400,
    "lists 900 deep": "[" * 900 + "]" * 900,
    "objects 400 deep": '{"a":' * 400 + "1" + "}" * 400,
    "objects 900 deep": '{"a":' * 900 + "1" + "}" * 900,
    "a long list": "[" + "1," * (SIZE // 2) + "1]",
    "empty objects": "[" + "{}," * (SIZE // 3) + "{}]",
    "one name many times": "{" + '"z":1,' * (SIZE // 6) + '"z":1}',
    "many names": "{" + ",".join(f'"n{n}":{n}' for n in range(SIZE // 12)) + "}",
    "quotes": '"' + '\\"' * (SIZE // 2) + '"',
    "NUL and half a pair": '"\\u0000\\ud800"',
}


@pytest.mark.parametrize("value", HOSTILE_VALUES.values(), ids=HOSTILE_VALUES)
def test_a_hostile_value_is_named_in_any_field(value: str) -> None:
    for field in SCHEMA:
        others = "".join(f'"{name}":{good},' for name, good in (("id", '"a"'), ("amount", "1.5")) if name != field.name)
        raw = ("{" + others + f'"{field.name}":{value}' + "}").encode()
        named = DeadLetter(0, 1, 2, UNSOUND, None, "", raw, len(raw)).named(SCHEMA, max_record_bytes=2 * SIZE)
        assert named.cause in {str(cause) for cause in DeadLetterCause}
        assert 0 < len(named.detail) < 1_000
        assert "could not be named" not in named.detail
        named.detail.encode()


@pytest.mark.parametrize("end", ["", "\\", '"', "]"])
def test_a_string_that_never_ends_is_read_once(end: str) -> None:
    value = ("[" * 1_000 + '"' + '\\"' * SIZE + end).encode()
    assert verdict_on(value).cause == "not_json"


def test_what_cannot_be_named_is_kept_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object, **named: object) -> Verdict:
        raise RecursionError

    monkeypatch.setattr(finding, "diagnose", fail)
    named = DeadLetter(0, 1, 2, UNSOUND, None, "", b"{}", 2).named(SCHEMA, max_record_bytes=10)
    assert (named.cause, named.raw) == ("wrong_type", b"{}")


class TestNamed:
    def letter(self, raw: bytes | None, cause: str = UNSOUND, size: int | None = None) -> DeadLetter:
        return DeadLetter(0, 1, 2, cause, None, "", raw, len(raw or b"") if size is None else size)

    def test_an_unnamed_cause_is_named_and_the_bytes_are_cut(self) -> None:
        named = self.letter(b"[" * 300_000).named(SCHEMA, max_record_bytes=1_048_576)
        assert (named.cause, len(named.raw or b""), named.raw_size_bytes) == (
            "not_json",
            MAX_DEAD_LETTER_BYTES,
            300_000,
        )

    def test_of_a_record_that_is_too_large_the_begin_suffices(self) -> None:
        named = self.letter(b"{", size=2_000_000).named(SCHEMA, max_record_bytes=1_048_576)
        assert (named.cause, named.detail) == ("too_large", "2000000 bytes; the limit is 1048576")

    def test_a_cause_that_is_named_stays(self) -> None:
        letter = self.letter(b"{}", cause="event_time_in_future")
        assert letter.named(SCHEMA, max_record_bytes=10) == letter

    def test_half_a_surrogate_pair_is_storable(self) -> None:
        raw = b'{"id":"a","amount":"\\ud800"}'
        assert self.letter(raw).named(SCHEMA, max_record_bytes=100).detail.encode().endswith(b"?")
