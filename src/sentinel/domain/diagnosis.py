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
from typing import Any

from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.domain.event_schema import ArrayType, DecimalType, EventSchema, Field, FieldType, ScalarType, StructType
from sentinel.domain.json_document import JsonObject, Number, RefusedError, read_document
from sentinel.domain.spark_values import decimal_fits, epoch_fits, is_date, is_time

# Stands where a cause will be: Spark has refused the record and does not say why.
UNSOUND = "unsound"
SHOWN_CHARACTERS = 120
_BLANK = " \t\r\n"
_NAN_TOKEN = re.compile(r"[:\[,]\s*[-+]?(NaN|Infinity|INF)\s*[,\]}]")
_NAN_TEXT = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
_LONG = range(-(2**63), 2**63)


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

    Nothing is told of what only Spark knows (whether there is a time zone of some name): that may still become a dead
    letter.
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
    return faults + _faults_of_overridden(document, schema) if document.overridden else faults


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
    if overridden := _faults_of_overridden(document, schema):
        return overridden[0]
    for field in doubtful:
        return Verdict(wrong, field.name, _cannot_hold(field, document.values[field.name]))
    return Verdict(wrong, None, "it cannot be read as an event of this schema")


def _faults_of_overridden(document: JsonObject, schema: EventSchema) -> list[Verdict]:
    known = {field.name: field for field in schema}
    return [
        Verdict(
            DeadLetterCause.WRONG_TYPE,
            name,
            f"`{name}` appears twice, once with a value of the wrong type: {_show(value)}",
        )
        for name, value in document.overridden
        if name in known and _cannot_be_read(value, known[name].type)
    ]


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
    if isinstance(kind, ScalarType):
        return _FAULT_OF_SCALAR[kind.name](value)
    match kind:
        case ArrayType(element) if isinstance(value, list):
            return _fault_inside((item, element) for item in value)
        case StructType(fields) if isinstance(value, JsonObject):
            kinds = dict(fields)
            if any(name in kinds and _cannot_be_read(of, kinds[name]) for name, of in value.overridden):
                return DeadLetterCause.WRONG_TYPE
            return _fault_inside((value.values.get(name), inner) for name, inner in fields)
        case DecimalType():
            return _fault_of_decimal(value, kind)
    return DeadLetterCause.WRONG_TYPE


def _cannot_be_read(value: Any, kind: FieldType) -> bool:
    """Return whether Spark's reader refuses a value, even one that another of the same key comes after.

    What it reads as text or variant (times, decimals) is only looked at where it counts.
    """
    if value is None:
        return False
    match kind:
        case ArrayType(element):
            return not isinstance(value, list) or any(_cannot_be_read(item, element) for item in value)
        case StructType(fields):
            kinds = dict(fields)
            return not isinstance(value, JsonObject) or any(
                name in kinds and _cannot_be_read(of, kinds[name])
                for name, of in itertools.chain(value.values.items(), value.overridden)
            )
        case DecimalType():
            return not _is_variant(value)
    if kind.name == "float":
        return not isinstance(value, Number)
    return kind.name in {"integer", "boolean"} and _FAULT_OF_SCALAR[kind.name](value) is not None


def _is_variant(value: Any) -> bool:
    """Return whether Spark's reader makes a variant of a value: not of half a surrogate pair, nor of a key twice."""
    rest = [value]
    while rest:
        match rest.pop():
            case str() as text:
                if not text.isascii() and text != text.encode(errors="replace").decode():
                    return False
            case list() as items:
                rest += items
            case JsonObject(values, overridden):
                if overridden:
                    return False
                rest += [*values, *values.values()]
    return True


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
    good = isinstance(value, str) and len(value) == len("2000-01-01") and is_date(value)
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
    fits = decimal_fits(value, kind) if isinstance(value, str) else None
    if fits is None:
        return DeadLetterCause.WRONG_TYPE
    return None if fits else DeadLetterCause.OUT_OF_RANGE


def _fault_of_timestamp(value: Any) -> DeadLetterCause | None:
    if not isinstance(value, str):
        return DeadLetterCause.WRONG_TYPE
    fits = epoch_fits(value)
    if fits is None:
        return DeadLetterCause.WRONG_TYPE if is_time(value) is False else None
    return None if fits else DeadLetterCause.OUT_OF_RANGE


def _is_doubtful(value: Any, kind: FieldType) -> bool:
    """Whether Spark may refuse the value although `fault_of` finds nothing: it knows the names of all time zones."""
    match kind:
        case ArrayType(element):
            return any(_is_doubtful(item, element) for item in value if item is not None)
        case StructType(fields):
            return any(
                _is_doubtful(value.values[name], inner) for name, inner in fields if value.values.get(name) is not None
            )
        case DecimalType():
            return False
    return kind.name == "timestamp" and epoch_fits(value) is None and is_time(value) is None


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
