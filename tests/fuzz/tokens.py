"""JSON tokens for fields: good ones, hostile ones, and texts that are none."""

from __future__ import annotations

import json
import random

from sentinel.domain.event_schema import ArrayType, DecimalType, FieldType, StructType

NUMBERS = (
    "0", "-0", "0.0", "-0.0", "1", "-1", "1.5", "1e2", "1E2", "1e+2", "1e-2", "1.0", "100", "7.0", "1e0", "0e0",
    "0e999", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "2147483648", "4294967296", "9007199254740993", "18446744073709551616", "1" + "0" * 40, "1e18", "1e19",
    "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e308", "1e309", "-1e309", "1e400",
    "5e-324", "2.4703282292062327e-324", "1e-400", "4.9e-324", "1e99", "1e100", "1e-99", "1e-100", "1e999",
    "1e1000000000", "1e-1000000000", "99999999.99", "99999999.994", "99999999.995", "100000000", "-99999999.99",
    "0.01", "0.001", "0.010", "1.10000000000000000000000000000000000000000", "0." + "0" * 38 + "1",
    "12345678901234567890123456789012345678.9", "1770091506", "1770091506.25", "1770091506123", "1770091506123456",
    "99999999999", "100000000000", "99999999999999", "100000000000000", "99999999999999999", "100000000000000000",
    "-1770091506", "253402300799", "253402300800", "1e9", "1.770091506e9", "1.7700915061234567e9", "0.0000001",
    "1770091506.1234567", "-1", "-0.000001", "1e16", "1e17", "9.99e16",
)  # fmt: skip
NOT_NUMBERS = (
    "01", "-01", "00", "+1", ".5", "5.", "-", "1e", "1e+", "0x10", "1_000", "1,5", "NaN", "-NaN", "+NaN", "Infinity",
    "+Infinity", "-Infinity", "INF", "-INF", "inf", "nan", "1f", "1d", "1L", "--1", "1 2", "True", "TRUE", "nul",
    "nulll", "undefined", "'x'", '"x', 'x"', '"\\x41"', '"\\u12"', '"\\ud83d\\u"', '"a\nb"', '"\t"', '"\x00"',
    '"\x1f"', "", " ", "[", "]", "{", "}", "[1,]", "[,1]", '{"a":1,}', '{"a"}', '{"a":}', "{a:1}", "{,}", "[1 2]",
    '{"a":1 "b":2}', "/**/1", "1//", "# 1", "\\u0031", "\u0661", "\uff11", '"\\', '"\\"', '"\\a"', '"\\0"', '"\\/',
    "tru", "fals", "\ufeff1", "1\u00a0", "\x0b1", '"a" "b"', "`1`", "<x/>", '"\x7f\n"',
)  # fmt: skip
NUMBER_TEXTS = (
    "1", "1.5", "-1", "+1", "+1.5", " 1", "1 ", "\t1", "\n1\n", "\u00a01", "1\u00a0", ".5", "5.", "1e2", "1E+2",
    "1e-2", "1e99", "1e100", "1e-100", "1e001", "1e0000000001", "0x1F", "1d", "1f", "1.5D", "1L", "1_0", "NaN", "nan",
    "-NaN", "+nan", "Infinity", "-infinity", "inf", "+inf", "1e1000000000", "--1", "", " ", "0", "-0", "00", "007",
    "12.50", "10.999", "99999999.99", "99999999.995", "100000000", "\u0661\u0662", "\uff11", "1,5", "1.5.1", "true",
    "TRUE", "t", "yes", "null", "1" * 41, "1" * 1_001, "1770091506", "1770091506123", "1\x00", "\x001", "\x1f1",
    "1\x1f", "1\u2003", "\u20031", "\x0b1", "1\x0c", "\x851", "\u200b1", "1\ufeff",
    "5.00000000000000000000000000000000000000000000", "  12.5  ", "1e-3", "-.5", "+.5", ".", "-", "+", "e5", ".e5",
    "1e", "1e+", "1e-９９９９９９９９９", "1e９９９９９９９９９",
)  # fmt: skip
ZONES = (
    "", "Z", "z", "+00:00", "-00:00", "+0000", "+00", "+02:00", "-18:00", "+18:00", "+18:01", "+19:00", "+2:00",
    "+02", "+0230", "+02:30:15", " UTC", "UTC", " Europe/Berlin", "Europe/Berlin", "[Europe/Berlin]", " GMT+2", "GMT",
    " UTC+03:00", " EST", " PST", "PST", " CET", "+24:00", " +02:00", "+02:60", "UT", "UT+1", " America/New_York",
    "Z ", "ZZ", " Nowhere/Land", " +1", "+1", "−02:00", "+1:2", "+123456",
)  # fmt: skip
CLOCKS = (
    "", "T", " ", "T00:00:00", "T23:59:59", "T23:59:60", "T24:00:00", "T12:00", "T12", "T1:2:3", " 04:05:06",
    "T04:05:06.1", "T04:05:06.123456", "T04:05:06.1234567", "T04:05:06.123456789012", "T04:05:06.", "T04:05:06,5",
    "t04:05:06", "T040506", "T04:60:00", "T25:00:00", "  04:05:06", "T04:05:06.000000", "T-1:00:00", "T04:05:6",
    "T4:05:06", "T04-05-06", "T04:05:06:07", "_04:05:06", " at noon", "T04:05:06.5.5", "T04:05:061",
)  # fmt: skip
DAYS = (
    "2026-02-03", "2024-02-29", "2023-02-29", "2023-02-30", "1970-01-01", "1969-12-31", "0001-01-01", "0000-01-01",
    "9999-12-31", "10000-01-01", "+2026-02-03", "-0001-01-01", "02026-02-03", "+12026-02-03", "2026-2-3", "2026-02",
    "2026", "2026-13-01", "2026-00-01", "2026-01-00", "20260203", "2026/02/03", "03.02.2026", "2026-W06-2",
    "2026-034", " 2026-02-03", "2026-02-03 ", "\t2026-02-03", "2026-02-3", "2026-2-03", "1582-10-10", "1900-02-29",
    "2100-01-01", "2000-02-30", "\u0662\u0660\u0662\u0666-02-03", "2026-02-03\x00", "2026\u201302\u201303", "today",
    "now", "epoch", "yesterday", "tomorrow", "294247-01-10", "999999-01-01", "2026--2-03", "2026-02-033",
    "\x002026-02-03", "2026-02-03\u00a0", "infinity", "26-02-03", "026-02-03", "9999-12-32", "1234-56-78",
    "2026-02-29", "2026-04-31", "-290308-12-21", "1970-01-01\n", "0999-01-01",
)  # fmt: skip
STRINGS = (
    "", "a", "é", "\U0001f4b3", "\x00", "\u2028", "\ufeff", "\uffff", "a\nb", "'; DROP TABLE x; --",
    "${jndi:ldap://x}", "{{7*7}}", "../../etc/passwd", "a" * 511, "a" * 512, "a" * 513, "\U0001f4b3" * 512,
    "\U0001f4b3" * 513, "e\u0301" * 10, "\u202e", "null", "NULL", "\x7f", "\x1f", "%s%n", "\\", '"',
)  # fmt: skip
RAW_STRINGS = (
    '"\\u0000"', '"\\ud800"', '"\\udc00"', '"\\ud83d\\udcb3"', '"\\udcb3\\ud83d"', '"\\ud800x"', '"\\uFFFF"',
    '"\\u00e9"', '"\\b\\f\\/\\\\"', '"\\ud800\\ud800"', '"x\\u0000y"', '"\\u0001"', '"\\ud83d"', '"\\uDBFF\\uDFFF"',
)  # fmt: skip
COMPOSED = (
    "null", "true", "false", "[]", "{}", "[null]", "[[]]", "[{}]", '{"a":null}', "[1,2,3]", '["x"]',
    '["x",null,1,true,{"a":1},[2]]', '{"":1}', '{"lat":1.5,"lon":2}', '{"lat":null}', '{"lat":"1","lon":2}',
    '{"lat":1e400}', '{"LAT":1}', '{"lat":1,"lat":2}', '{"lat":"x","lat":2}', '{"lat":1,"lat":"x"}',
    '[{"sku":"s","price":0.1,"n":1}]', '[{"price":1.999}]', '[{"n":9223372036854775808}]', '[{"at":"10:15"}]',
    '[{"at":1770091506}]', '[null,{"n":1}]', '[{"n":1},1]', '[{"price":"1.5"},{"price":true}]',
    '[{"price":null,"at":null,"sku":null,"n":null}]', '[{"n":1,"n":"x"}]', '[{"sku":{"deep":[1]}}]',
    '[{"price":"NaN"}]', '{"lat":{"lat":1}}', '{"lat":[1]}', '[[{"n":1}]]', '{"0":{"n":1}}', '[{"n":1.0}]',
    '[{"n":1e2}]', '[{"price":1e2}]', '{"lat":NaN}', '{"lat":1,"lon":-1e400}',
)  # fmt: skip


class Tokens:
    """Makes JSON texts of values."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def valid(self, kind: FieldType) -> str:
        """Return a value that the type holds."""
        match kind:
            case ArrayType(element):
                items = [self._nullable(element) for _ in range(self._chance.choice((0, 1, 2, 5)))]
                return "[" + ",".join(items) + "]"
            case StructType(fields):
                return "{" + ",".join(f'"{name}":{self._nullable(inner)}' for name, inner in fields) + "}"
            case DecimalType():
                number = f"{self._chance.randint(-99_999_999, 99_999_999)}.{self._chance.randrange(100):02d}"
                return self._chance.choice((number, f'"{number}"'))
        return self._valid_scalar(kind.name)

    def _valid_scalar(self, name: str) -> str:
        chance = self._chance
        match name:
            case "string":
                return self.string() if chance.random() < 0.2 else f'"s{chance.randrange(1_000_000)}"'
            case "integer":
                return str(chance.randint(-(2 ** chance.choice((3, 31, 63))), 2 ** chance.choice((3, 31, 63)) - 1))
            case "float":
                return chance.choice((repr(chance.uniform(-1e6, 1e6)), str(chance.randrange(2_000)), "1e300"))
            case "boolean":
                return chance.choice(("true", "false"))
            case "date":
                return f'"{chance.randint(1970, 9999)}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"'
        day = f"20{chance.randint(0, 25):02d}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
        clock = chance.choice(("", "T04:05:06", " 04:05:06.5", "T04:05:06.123456"))
        zone = chance.choice(("", "Z", "+02:00")) if clock else ""
        return chance.choice((f'"{day}{clock}{zone}"', str(chance.randint(0, 1_770_091_506))))

    def _nullable(self, kind: FieldType) -> str:
        return "null" if self._chance.random() < 0.1 else self.valid(kind)

    def hostile_for(self, kind: FieldType) -> str:
        """Return a value that is at the borders of a type, or of another one; JSON, as far as Python knows."""
        match kind:
            case ArrayType() | StructType():
                return self._chance.choice((self._composed, self._composed, self.hostile))()
            case DecimalType():
                return self._chance.choice((self._number, self._number_text, self.hostile))()
        match kind.name:
            case "timestamp" | "date":
                return self._chance.choice((self._time, self._time, self._number, self._number_text, self.hostile))()
            case "float" | "integer":
                return self._chance.choice((self._number, self._number_text, self.hostile))()
        return self.hostile()

    def hostile(self) -> str:
        """Return a value of any kind."""
        makers = (self._number, self._number_text, self._time, self.string, self._composed)
        return self._chance.choice(makers)()

    def broken(self) -> str:
        """Return what is no JSON value."""
        return self._chance.choice(NOT_NUMBERS)

    def name(self) -> str:
        """Return a name that is not a field's."""
        return "x" + self._chance.choice(STRINGS)

    def string(self) -> str:
        """Return a string."""
        if self._chance.random() < 0.3:
            return self._chance.choice(RAW_STRINGS)
        return json.dumps(self._chance.choice(STRINGS), ensure_ascii=self._chance.random() < 0.5)

    def _number(self) -> str:
        if self._chance.random() < 0.5:
            return self._chance.choice(NUMBERS)
        sign = self._chance.choice(("", "", "-"))
        whole = str(self._chance.randrange(10 ** self._chance.choice((1, 3, 8, 11, 17, 19, 30, 38, 45))))
        fraction = self._chance.choice(("", "", f".{self._chance.randrange(10 ** self._chance.choice((1, 3, 7, 30)))}"))
        exponent = self._chance.choice(
            ("", "", f"{self._chance.choice('eE')}{self._chance.choice(('', '+', '-'))}{self._chance.randrange(330)}")
        )
        return sign + whole + fraction + exponent

    def _number_text(self) -> str:
        text = self._chance.choice(NUMBER_TEXTS) if self._chance.random() < 0.6 else self._number()
        return json.dumps(text, ensure_ascii=self._chance.random() < 0.5)

    def _time(self) -> str:
        text = self._chance.choice(DAYS)
        if self._chance.random() < 0.8:
            text += self._chance.choice(CLOCKS)
        if self._chance.random() < 0.7:
            text += self._chance.choice(ZONES)
        if self._chance.random() < 0.1:
            at = self._chance.randint(0, len(text))
            text = text[:at] + self._chance.choice("0123456789-:.TZ+ ") + text[at + self._chance.randint(0, 1) :]
        return json.dumps(text, ensure_ascii=False)

    def _composed(self) -> str:
        return self._chance.choice(COMPOSED)
