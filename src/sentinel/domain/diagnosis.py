"""Name the cause of a record that is not an event, for people.

Whether a record is an event is decided by `streaming.query.parse`, in Spark. What it refuses is looked at again
here, one record at a time, where a precise answer costs nothing that the events have to pay for.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Context, Decimal
from typing import Any

from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.domain.event_schema import ArrayType, DecimalType, EventSchema, Field, FieldType, StructType
from sentinel.domain.json_document import JsonObject, Number, RefusedError, read_document

# Stands where a cause will be: Spark has refused the record and does not say why.
UNSOUND = "unsound"
SHOWN_CHARACTERS = 120
# Of longer texts it is not asked whether they are a number or a time.
MAX_VALUE_CHARACTERS = 1_000
_BLANK = " \t\r\n"
_NAN_TOKEN = re.compile(r"[:\[,]\s*[-+]?(NaN|Infinity|INF)\s*[,\]}]")
_NAN_TEXT = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
_NUMBER_TEXT = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_LONG = range(-(2**63), 2**63)
# As in `sentinel.streaming.query.wire`.
_LONG_EXPONENT = re.compile(r"[eE][-+]?[0-9]{3}")
MAX_TIME_CHARACTERS = 40
# 1e17 is the first number that is no timestamp in seconds, milliseconds or microseconds.
_TIMESTAMP_BEFORE = Decimal(10**17)
_DECIMALS = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a record is not an event.

    Attributes:
        field: The first offending field, in the schema's order; None if the cause is not about a field.
        detail: A sentence for people.
    """

    cause: DeadLetterCause
    field: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class _Mark:
    """Punctuation of a text that is being made."""

    text: str


def diagnose(value: bytes | None, schema: EventSchema, *, size: int, max_record_bytes: int) -> Verdict:
    """Say why a record, which `parse` has refused, is not an event of this schema.

    Args:
        value: The record's value; any part of it where it is larger than allowed.
        size: Its size, bytes.
    """
    cause = DeadLetterCause
    if value is None:
        return _plain(cause.TOMBSTONE)
    if size > max_record_bytes:
        return Verdict(cause.TOO_LARGE, None, f"{size} bytes; the limit is {max_record_bytes}")
    try:
        return _diagnose_text(value.decode(), schema)
    except UnicodeDecodeError as error:
        found = f"The record's value is not UTF-8 text: {error.reason} at byte {error.start + 1}."
        return Verdict(cause.INVALID_UTF8, None, found)


def _diagnose_text(text: str, schema: EventSchema) -> Verdict:
    head = text.lstrip(_BLANK)
    if not head:
        return _plain(DeadLetterCause.EMPTY)
    try:
        document = read_document(text)
    except (ValueError, RecursionError, RefusedError) as error:
        return Verdict(DeadLetterCause.NOT_JSON, None, _what_is_wrong(text, head, error))
    if not isinstance(document, JsonObject):
        return Verdict(DeadLetterCause.NOT_AN_OBJECT, None, f"it is {_kind_of_root(document)}")
    return _first_fault(document, schema)


def certain_faults(document: JsonObject, schema: EventSchema) -> list[Verdict]:
    """Return what is wrong with each field of a document that nobody has refused yet.

    Nothing is told of what only Spark knows (its own forms of timestamps): that may still become a dead letter.
    """
    faults = []
    for field in schema:
        value = document.values.get(field.name)
        if value is None:
            if not field.nullable:
                detail = _missing(field.name, document.values)
                faults.append(Verdict(DeadLetterCause.MISSING_FIELD, field.name, detail))
        elif cause := fault_of(value, field.type):
            faults.append(Verdict(cause, field.name, _cannot_hold(field, value)))
    return faults


def what_is_wrong(text: str, error: Exception) -> str:
    """Say why a text could not be read by `read_document`."""
    return _what_is_wrong(text, text.lstrip(_BLANK), error)


def _plain(cause: DeadLetterCause) -> Verdict:
    return Verdict(cause, None, cause.explanation)


# -- the document


def _what_is_wrong(text: str, head: str, error: Exception) -> str:
    if head.startswith("\ufeff"):
        return "it begins with a byte order mark"
    if isinstance(error, RefusedError):
        return str(error)
    if _NAN_TOKEN.search(text):
        return "it contains NaN or Infinity, which JSON does not know"
    if isinstance(error, RecursionError):
        return "it is nested too deep: about 1000 levels are read"
    if head.startswith("{") and not text.rstrip(_BLANK).endswith("}"):
        return "it is cut off, or has text after the object"
    where = f"{error.msg} at character {error.pos + 1}; " if isinstance(error, json.JSONDecodeError) else ""
    return f"it is not one well-formed document: {where}it begins with: {head[:SHOWN_CHARACTERS]}"


def _kind_of_root(document: Any) -> str:
    match document:
        case list():
            return "an array"
        case None:
            return "null"
        case bool():
            return "a boolean"
        case Number():
            return "a number"
    return "a string"


# -- its fields


def _first_fault(document: JsonObject, schema: EventSchema) -> Verdict:
    wrong = DeadLetterCause.WRONG_TYPE
    doubtful: list[Field] = []
    for field in schema:
        value = document.values.get(field.name)
        if value is None:
            if not field.nullable:
                return Verdict(DeadLetterCause.MISSING_FIELD, field.name, _missing(field.name, document.values))
            continue
        cause = fault_of(value, field.type)
        if cause is not None:
            return Verdict(cause, field.name, _cannot_hold(field, value))
        if _is_doubtful(value, field.type):
            doubtful.append(field)
    known = {field.name: field for field in schema}
    for name, value in document.overridden:
        if name in known and value is not None and fault_of(value, known[name].type) is not None:
            return Verdict(wrong, name, f"`{name}` appears twice, once with a value of the wrong type: {_show(value)}")
    for field in doubtful:
        return Verdict(wrong, field.name, _cannot_hold(field, document.values[field.name]))
    return Verdict(wrong, None, "it cannot be read as an event of this schema")


def _missing(name: str, values: Iterable[str]) -> str:
    if name in values:
        return f"`{name}` is null"
    near = next((key for key in values if key.lower() == name.lower()), None)
    if near is not None:
        return f"`{name}` is missing; the record has `{near}`, and upper and lower case count"
    return f"`{name}` is missing"


def _cannot_hold(field: Field, value: Any) -> str:
    return f"`{field.name}` is of type {field.type} and cannot hold: {_show(value)}"


def _show(value: Any) -> str:
    """Return the begin of a value as text; of what is nested deep nothing beyond that is looked at."""
    if isinstance(value, str):
        return value[:SHOWN_CHARACTERS]
    shown, rest = "", [value]
    while rest and len(shown) < SHOWN_CHARACTERS:
        match rest.pop():
            case _Mark(text):
                shown += text
            case JsonObject(values):
                members = list(itertools.islice(values.items(), SHOWN_CHARACTERS))
                rest.append(_Mark("}"))
                for at, (name, of) in reversed(list(enumerate(members))):
                    rest += [of, _Mark(("," if at else "") + json.dumps(name[:SHOWN_CHARACTERS]) + ":")]
                rest.append(_Mark("{"))
            case list() as items:
                rest.append(_Mark("]"))
                for at, item in reversed(list(enumerate(items[:SHOWN_CHARACTERS]))):
                    rest += [item, _Mark("," if at else "")]
                rest.append(_Mark("["))
            case Number() as number:
                shown += number
            case str() as text:
                shown += json.dumps(text[:SHOWN_CHARACTERS], ensure_ascii=False)
            case constant:
                shown += json.dumps(constant)
    return shown[:SHOWN_CHARACTERS]


def fault_of(value: Any, kind: FieldType) -> DeadLetterCause | None:
    """Return why a JSON value, which is not null, cannot be held by a type; None if it can, or if that is not sure.

    Numbers come as `Number`, objects as they are read here.
    """
    match kind:
        case ArrayType(element):
            if not isinstance(value, list):
                return DeadLetterCause.WRONG_TYPE
            return _fault_inside((item, element) for item in value)
        case StructType(fields):
            if not isinstance(value, JsonObject):
                return DeadLetterCause.WRONG_TYPE
            kinds = dict(fields)
            twice = ((of, kinds[name]) for name, of in value.overridden if name in kinds)
            return _fault_inside(itertools.chain(((value.values.get(n), inner) for n, inner in fields), twice))
        case DecimalType():
            return _fault_of_decimal(value, kind)
    return _FAULT_OF_SCALAR[kind.name](value)


def _fault_of_integer(value: Any) -> DeadLetterCause | None:
    if not isinstance(value, Number) or not value.lstrip("-").isdecimal():
        return DeadLetterCause.WRONG_TYPE
    return None if int(value) in _LONG else DeadLetterCause.OUT_OF_RANGE


def _fault_of_float(value: Any) -> DeadLetterCause | None:
    if isinstance(value, Number):
        return DeadLetterCause.NOT_FINITE if math.isinf(float(value)) else None
    return DeadLetterCause.NOT_FINITE if _is_nan_text(value) else DeadLetterCause.WRONG_TYPE


def _fault_of_boolean(value: Any) -> DeadLetterCause | None:
    return None if isinstance(value, bool) else DeadLetterCause.WRONG_TYPE


def _fault_of_date(value: Any) -> DeadLetterCause | None:
    good = isinstance(value, str) and len(value) == len("2000-01-01") and _day(value) is not None
    return None if good else DeadLetterCause.WRONG_TYPE


def _fault_inside(values: Iterable[tuple[Any, FieldType]]) -> DeadLetterCause | None:
    faults = {fault_of(value, kind) for value, kind in values if value is not None} - {None}
    if not faults:
        return None
    # Inside an array or an object the field as a whole is of the wrong type, unless all that is wrong is an infinity.
    return DeadLetterCause.NOT_FINITE if faults == {DeadLetterCause.NOT_FINITE} else DeadLetterCause.WRONG_TYPE


def _fault_of_decimal(value: Any, kind: DecimalType) -> DeadLetterCause | None:
    if _is_nan_text(value):
        return DeadLetterCause.NOT_FINITE
    text = _number_text(value)
    if text is None:
        return DeadLetterCause.WRONG_TYPE
    try:
        number = Decimal(text)
        rounded = number.quantize(Decimal(1).scaleb(-kind.scale), context=_DECIMALS)
    except ArithmeticError:
        return DeadLetterCause.OUT_OF_RANGE
    fits = rounded == number and (not number or number.adjusted() < kind.precision - kind.scale)
    return None if fits and not _LONG_EXPONENT.search(text) else DeadLetterCause.OUT_OF_RANGE


def _fault_of_timestamp(value: Any) -> DeadLetterCause | None:
    if not isinstance(value, str):
        return DeadLetterCause.WRONG_TYPE
    text = _number_text(value)
    if text is None:
        return None if _day(value) else DeadLetterCause.WRONG_TYPE
    if len(value) > MAX_TIME_CHARACTERS or _LONG_EXPONENT.search(text):
        return DeadLetterCause.OUT_OF_RANGE
    try:
        return None if abs(Decimal(text)) < _TIMESTAMP_BEFORE else DeadLetterCause.OUT_OF_RANGE
    except ArithmeticError:
        return DeadLetterCause.OUT_OF_RANGE


def _number_text(value: Any) -> str | None:
    """Return a number, or a text that is one, without the blanks around it."""
    if not isinstance(value, str) or len(value) > MAX_VALUE_CHARACTERS:
        return None
    text = value.strip(_BLANK)
    return text if _NUMBER_TEXT.fullmatch(text) else None


def _is_doubtful(value: Any, kind: FieldType) -> bool:
    """Whether Spark may refuse the value although `fault_of` finds nothing: it knows its own forms of timestamps."""
    match kind:
        case ArrayType(element):
            return any(_is_doubtful(item, element) for item in value if item is not None)
        case StructType(fields):
            return any(
                _is_doubtful(value.values[name], inner) for name, inner in fields if value.values.get(name) is not None
            )
        case DecimalType():
            return False
    if kind.name != "timestamp" or _number_text(value) is not None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return True
    return False


def _day(text: str) -> date | None:
    found = _DAY.match(text)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _is_nan_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number) and _NAN_TEXT.fullmatch(value) is not None


_FAULT_OF_SCALAR: dict[str, Callable[[Any], DeadLetterCause | None]] = {
    # A string takes any value as its JSON text.
    "string": lambda value: None,
    "integer": _fault_of_integer,
    "float": _fault_of_float,
    "boolean": _fault_of_boolean,
    "timestamp": _fault_of_timestamp,
    "date": _fault_of_date,
}
