"""What Spark reads from a text as a number, a date or a time: said in Python, for who must know it before Spark does.

Spark decides (`streaming.query.wire`); this is held against it over hundreds of thousands of odd values
(`tests/fuzz/judges.py`). Source: `SparkDateTimeUtils.stringToDate`, `parseTimestampString` and `getZoneId`,
`VariantBuilder.parseJson` and `Decimal.fromString` of Spark 4.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal

from sentinel.domain.event_schema import DecimalType
from sentinel.domain.json_document import Number

# As in `sentinel.streaming.query.wire`.
LONG_EXPONENT = re.compile(r"[eE][-+]?[0-9]{3}")
MAX_PRECISION = 38
MAX_TIME_CHARACTERS = 40
# Of longer texts it is not asked whether they are a number.
MAX_NUMBER_TEXT = 1_000
# 1e17 is the first number that is no timestamp in seconds, milliseconds or microseconds.
_TIMESTAMP_BEFORE = Decimal(10**17)
_MICROS = Decimal(1).scaleb(-6)
# All that may stand around a number, and around a date; a date's is what `UTF8String.trimAll` drops.
_AROUND_NUMBER = "".join(map(chr, range(0x21)))
_AROUND_TIME = _AROUND_NUMBER + "\x7f"
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-(?:([0-9]{2})|([0-9])[ T\x00-\x20\x7f])")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{1,2})"
    r"(?:[ T]([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2})(?:\.[0-9]*)?([^0-9].*)?)?)?)?",
    re.DOTALL,
)
_OFFSET = re.compile(r"[-+](?:([0-9]{1,2})|([0-9]{2}):?([0-9]{2})|([0-9]{2}):([0-9]{2}):([0-9]{2})|([0-9]{6}))")
_ONE_DIGIT_HOUR = re.compile(r"([-+])([0-9]):")
_ONE_DIGIT_MINUTE = re.compile(r"([-+])([0-9]{2}):([0-9])$")
_UTC = re.compile(r"(?:UTC|GMT|UT)([-+].*)?", re.DOTALL)
_REGION = re.compile(r"[A-Za-z][A-Za-z0-9~/._+-]+")
_EXACT = Context(prec=100)


def number_text(value: str) -> str | None:
    """Return a text without what may stand around a number; None where it is no number."""
    if len(value) > MAX_NUMBER_TEXT:
        return None
    text = value.strip(_AROUND_NUMBER)
    return text if _NUMBER.fullmatch(text) else None


def decimal_fits(value: str, kind: DecimalType) -> bool | None:
    """Return whether a JSON number (`Number`) or text is a decimal that needs no rounding; None: it is no number.

    Digits beyond the 38th significant one of the type are not told from 0.
    """
    text = _kept_by_variant(value) if isinstance(value, Number) else number_text(value)
    if text is None:
        return False if isinstance(value, Number) else None
    if LONG_EXPONENT.search(text):
        return False
    whole = kind.precision - kind.scale
    try:
        wide = _rounded(_java_decimal(text), MAX_PRECISION - whole)
        return not (wide and wide.adjusted() >= whole) and _rounded(wide, kind.scale) == wide
    except ArithmeticError:
        return False


def epoch_fits(value: str) -> bool | None:
    """Return whether a JSON number or text is a time since 1970 that there can be; None: it is no number."""
    text = _kept_by_string(value) if isinstance(value, Number) else value
    number = number_text(text)
    if number is None:
        return False if isinstance(value, Number) else None
    if len(text) > MAX_TIME_CHARACTERS or LONG_EXPONENT.search(number):
        return False
    try:
        return abs(_java_decimal(number).quantize(_MICROS, ROUND_HALF_UP, _EXACT)) < _TIMESTAMP_BEFORE
    except ArithmeticError:
        return False


def is_date(text: str) -> bool:
    """Return whether a text is read as a date."""
    found = _DATE.fullmatch(text)
    return found is not None and _is_day(found[1], found[2], found[3] or found[4])


def is_time(text: str) -> bool | None:
    """Return whether a text is read as a timestamp; None: it names a zone, and only Spark knows them all."""
    found = _TIME.fullmatch(text.rstrip(_AROUND_TIME))
    if found is None or not _is_day(*found.group(1, 2, 3)):
        return False
    hour, minute, second = (int(part or 0) for part in found.group(4, 5, 6))
    if hour > 23 or minute > 59 or second > 59:
        return False
    return found[7] is None or _is_zone(found[7].strip(_AROUND_NUMBER))


def _kept_by_variant(number: Number) -> str | None:
    """Return what a variant keeps of a JSON number: up to 38 digits without exponent exactly, else a double."""
    if "e" not in number.lower():
        digits, exponent = Decimal(number).as_tuple()[1:]
        if len(digits) <= MAX_PRECISION and -int(exponent) <= MAX_PRECISION:
            return number
    return _double(number)


def _kept_by_string(number: Number) -> str:
    """Return what a string keeps of a JSON number: a whole one exactly, else a double."""
    return number if number.lstrip("-").isdecimal() else _double(number) or ""


def _double(number: str) -> str | None:
    value = float(number)
    return None if value in {float("inf"), float("-inf")} else repr(value)


def _java_decimal(text: str) -> Decimal:
    """Return the number; raise ArithmeticError for more than 38 digits before the point, which the 0 of 0e38 has."""
    number = Decimal(text)
    _, digits, exponent = number.as_tuple()
    if len(digits) + int(exponent) > MAX_PRECISION:
        raise ArithmeticError
    return number


def _rounded(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _EXACT)


def _is_day(year: str, month: str, day: str) -> bool:
    try:
        # There is a year 0, which repeats as the year 400 does.
        date(int(year) or 400, int(month), int(day))
    except ValueError:
        return False
    return True


def _is_zone(name: str) -> bool | None:
    name = _ONE_DIGIT_MINUTE.sub(r"\1\2:0\3", _ONE_DIGIT_HOUR.sub(r"\g<1>0\2:", name, count=1), count=1)
    if name == "Z":
        return True
    if name.startswith(("+", "-")):
        return _is_offset(name)
    if prefixed := _UTC.fullmatch(name):
        return prefixed[1] is None or _is_offset(prefixed[1])
    return None if _REGION.fullmatch(name) else False


def _is_offset(text: str) -> bool:
    """Return whether a text is an offset as Java's `ZoneOffset.of` takes it, 18 hours at most."""
    if not _OFFSET.fullmatch(text):
        return False
    digits = text[1:].replace(":", "")
    hours, minutes, seconds = (int(part or 0) for part in (digits[:2], digits[2:4], digits[4:]))
    return minutes < 60 and seconds < 60 and hours * 3600 + minutes * 60 + seconds <= 18 * 3600
