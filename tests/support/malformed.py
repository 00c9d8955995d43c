"""Records that are not events, and records that look odd and are."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel.domain.event_schema import EventSchema

SCHEMA = EventSchema.from_json(
    [
        {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
        {"name": "user", "type": "string", "role": "entity"},
        {"name": "amount", "type": "float", "nullable": False},
        {"name": "count", "type": "integer"},
        {"name": "flag", "type": "boolean"},
        {"name": "price", "type": "decimal(10,2)"},
        {"name": "at", "type": "timestamp", "role": "event_time"},
        {"name": "day", "type": "date"},
        {"name": "tags", "type": "array<string>"},
        {"name": "place", "type": "struct<lat: float, lon: float>"},
        {"name": "lines", "type": "array<struct<sku: string, price: decimal(10,2), at: timestamp, n: integer>>"},
    ]
)


@dataclass(frozen=True)
class Record:
    """A record and what becomes of it; `cause` None: it is an event. `detail` is a part of the sentence."""

    name: str
    value: bytes | None
    cause: str | None = None
    field: str | None = None
    detail: str = ""


def _with(more: str) -> bytes:
    return ('{"id":"a","amount":1.5,' + more + "}").encode()


# The sixteen kinds.
SIXTEEN = [
    Record("not JSON", b"hello", "not_json", None, "begins with: hello"),
    Record("truncated", b'{"id":"a","amount":1.5', "not_json", None, "cut off"),
    Record("an array", b'[{"id":"a","amount":1.5}]', "not_an_object", None, "an array"),
    Record("null", b"null", "not_an_object", None, "null"),
    Record("empty", b"", "empty"),
    Record("wrong type", _with('"count":"seven"'), "wrong_type", "count", "of type integer and cannot hold: seven"),
    Record("missing required field", b'{"id":"a"}', "missing_field", "amount", "`amount` is missing"),
    Record("wrong-case key", b'{"id":"a","Amount":1.5}', "missing_field", "amount", "the record has `Amount`"),
    Record("NaN", b'{"id":"a","amount":NaN}', "not_json", None, "NaN"),
    Record("1e400", b'{"id":"a","amount":1e400}', "not_finite", "amount"),
    Record("duplicate key", b'{"id":"a","amount":1.5,"amount":2.5}'),
    Record("2 MB", b'{"id":"a","amount":1.5,"user":"' + b"x" * 2_000_000 + b'"}', "too_large", None, "2000"),
    Record("bad UTF-8", b'{"id":"a","amount":1.5,"user":"\xff\xfe"}', "invalid_utf8"),
    Record("future-dated", _with('"at":"2099-01-01T00:00:00Z"'), "event_time_in_future", "at", "are tolerated"),
    Record("tombstone", None, "tombstone"),
    Record(
        "deeply nested",
        _with('"user":' + '{"a":' * 5000 + "1" + "}" * 5000),
        "not_json",
        None,
        "nested too deep",
    ),
]

MORE = [
    Record("white space only", b" \r\n\t ", "empty"),
    Record("a string", b'"x"', "not_an_object", None, "a string"),
    Record("a number", b"12.5", "not_an_object", None, "a number"),
    Record("a boolean", b"true", "not_an_object", None, "a boolean"),
    Record("an empty array", b"[]", "not_an_object", None, "an array"),
    Record("a broken array", b"[1,", "not_json"),
    Record("text behind the object", b'{"id":"a","amount":1.5} x', "not_json"),
    Record("two objects", b'{"id":"a","amount":1.5}{"id":"b","amount":1.5}', "not_json"),
    Record("two objects with a comma", b'{"id":"a","amount":1.5},{"id":"b","amount":1.5}', "not_json"),
    Record("two lines", b'{"id":"a","amount":1.5}\n{"id":"b","amount":1.5}', "not_json"),
    Record("one brace too many", b'{"id":"a","amount":1.5}}', "not_json"),
    Record("one bracket too many", b'{"id":"a","amount":1.5}]', "not_json"),
    Record("an end of our own array", b'{"id":"a","amount":1.5}],"x":[1', "not_json"),
    Record("an end of our own object", b'{"id":"a","amount":1.5}]}', "not_json"),
    Record("an array that ends ours", b'{"id":"a","amount":1.5},{"x":true}],"y":[1', "not_json"),
    Record("single quotes", b"{'id':'a','amount':1.5}", "not_json"),
    Record("a comment", b'{"id":"a", /* no */ "amount":1.5}', "not_json"),
    Record("a byte order mark", b'\xef\xbb\xbf{"id":"a","amount":1.5}', "not_json", None, "byte order mark"),
    Record("an infinite token", b'{"id":"a","amount":-Infinity}', "not_json", None, "NaN or Infinity"),
    Record("NaN as a string", b'{"id":"a","amount":"NaN"}', "not_finite", "amount"),
    Record("infinity as a string", b'{"id":"a","amount":"-Infinity"}', "not_finite", "amount"),
    Record("minus 1e400", b'{"id":"a","amount":-1e400}', "not_finite", "amount"),
    Record("1e400 inside a struct", _with('"place":{"lat":1e400,"lon":1}'), "not_finite", "place"),
    Record("a number as a string", b'{"id":"a","amount":"1.5"}', "wrong_type", "amount"),
    Record("an integer as a string", _with('"count":"7"'), "wrong_type", "count"),
    Record("a fraction as integer", _with('"count":7.5'), "wrong_type", "count"),
    Record("an object as number", b'{"id":"a","amount":{"x":1}}', "wrong_type", "amount"),
    Record("an empty string as number", b'{"id":"a","amount":""}', "wrong_type", "amount"),
    Record("a number as boolean", _with('"flag":1'), "wrong_type", "flag"),
    Record("a boolean as decimal", _with('"price":true'), "wrong_type", "price"),
    Record("text as decimal", _with('"price":"cheap"'), "wrong_type", "price"),
    Record("NaN text as decimal", _with('"price":"NaN"'), "not_finite", "price"),
    Record("an object as decimal", _with('"price":{"a":1}'), "wrong_type", "price"),
    Record("a decimal with three places", _with('"price":10.999'), "out_of_range", "price", "cannot hold: 10.999"),
    Record("a decimal that is too large", _with('"price":123456789.01'), "out_of_range", "price"),
    Record("a huge exponent as decimal", _with('"price":1e1000000000'), "out_of_range", "price"),
    Record("a huge exponent as decimal text", _with('"price":"1e1000000000"'), "out_of_range", "price"),
    Record("a tiny exponent as decimal text", _with('"price":"1e-1000000000"'), "out_of_range", "price"),
    Record("a huge exponent as timestamp", _with('"at":"1e1000000000"'), "out_of_range", "at"),
    Record("an integer overflow", _with('"count":9223372036854775808'), "out_of_range", "count"),
    Record("a time of day as timestamp", _with('"at":"10:15"'), "wrong_type", "at"),
    Record("words as timestamp", _with('"at":"yesterday"'), "wrong_type", "at"),
    Record("a day that does not exist", _with('"day":"2023-02-30"'), "wrong_type", "day"),
    Record("a year as date", _with('"day":"2023"'), "wrong_type", "day"),
    Record("a timestamp as date", _with('"day":"2023-01-01T00:00:00Z"'), "wrong_type", "day"),
    Record("an epoch beyond reason", _with('"at":99999999999999999999'), "out_of_range", "at"),
    Record("before 1970", _with('"at":"1969-12-31T23:59:59Z"'), "event_time_out_of_range", "at"),
    Record("an object as array", _with('"tags":{"a":1}'), "wrong_type", "tags"),
    Record("a wrong type inside a struct", _with('"place":{"lat":"north","lon":1}'), "wrong_type", "place"),
    Record("a wrong type inside an array of structs", _with('"lines":[{"n":1},{"n":"x"}]'), "wrong_type", "lines"),
    Record("a decimal that does not fit inside", _with('"lines":[{"price":1.999}]'), "wrong_type", "lines"),
    Record("required and null", b'{"id":"a","amount":null}', "missing_field", "amount", "`amount` is null"),
    Record("no id", b'{"amount":1.5}', "missing_field", "id"),
    Record("an empty object", b"{}", "missing_field", "id"),
    Record("two faults", _with('"price":"x","count":"y"'), "wrong_type", "count"),
    Record("an id of 513 characters", b'{"id":"' + b"x" * 513 + b'","amount":1}', "out_of_range", "id", "513"),
    # The casts to numbers take the digits of every script, and these exponents would occupy a core for hours.
    Record("full-width digits as decimal", _with('"price":"１２"'), "wrong_type", "price"),
    Record("a full-width exponent as decimal", _with('"price":"1e-９９９９９９９９９"'), "wrong_type", "price"),
    Record("a full-width exponent as timestamp", _with('"at":"1e-９９９９９９９９９"'), "wrong_type", "at"),
    Record("half a pair as decimal before a good one", _with('"price":"\\ud800","price":1'), "wrong_type", "price"),
    Record("a minute with a zone as timestamp", _with('"at":"2026-02-03T12:00Z"'), "wrong_type", "at"),
    Record("a duplicate of the wrong type first", b'{"id":"a","amount":"x","amount":2.5}', "wrong_type"),
]

ODD_EVENTS = [
    Record("spaces around", b'  {"id":"a","amount":1.5}\n'),
    Record("unknown fields", _with('"other":{"deep":[1,2,{"x":null}]}')),
    Record("nested 900 levels where nobody looks", _with('"other":' + '{"a":' * 900 + "1" + "}" * 900)),
    Record("an integer as float", b'{"id":"a","amount":2}'),
    Record("optional and null", _with('"user":null,"count":null,"place":null,"tags":null,"lines":null,"price":null')),
    Record("an id of 512 characters", b'{"id":"' + b"x" * 512 + b'","amount":1}'),
    Record("a decimal as text", _with('"price":"12.50"')),
    Record("the largest integer", _with('"count":9223372036854775807')),
    Record("a duplicate that is no decimal first", _with('"price":"cheap","price":1')),
    Record("a duplicate that is no time first", _with('"at":"at noon","at":"2026-02-03T12:00"')),
    Record("a day of one digit", _with('"at":"2026-02-3 4:5:6+1","day":"2026-02-3T"')),
    Record("997 levels of arrays", _with('"other":' + "[" * 997 + "]" * 997)),
    Record("emoji and NUL", _with('"user":"\U0001f4b3\\u0000"')),
]

ALL = [*SIXTEEN, *MORE, *ODD_EVENTS]
