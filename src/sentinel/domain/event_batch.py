"""What a request to the ingestor holds: one event, an array, lines, or CloudEvents.

Event texts are passed on exactly as they came: nothing is read and written again, so no number loses a digit.
CloudEvents: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and its HTTP binding.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import unquote

from sentinel.domain.diagnosis import what_is_wrong
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.json_document import JsonObject, Number, RefusedError, raw_items, raw_members, read_document
from sentinel.errors import InvalidError

MAX_EVENTS = 10_000
_LINES = {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
_CLOUD_EVENT = "application/cloudevents+json"
_CLOUD_EVENTS = "application/cloudevents-batch+json"
_REQUIRED = ("id", "source", "type")
# Of the envelope alone; the other attributes become fields of the event.
_ENVELOPE = {"specversion", "datacontenttype", "dataschema", "data", "data_base64"}
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,100}")
_HEADER_PREFIX = "ce-"
_LINE = re.compile(r"[^\n]+")
T = TypeVar("T")
_UNREADABLE = (ValueError, RecursionError, RefusedError)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event of a request.

    Attributes:
        text: JSON, as it will be written.
        document: What it holds; None where it is not an object, or not JSON.
        fault: Why it is none.
        pointer: Where the fault is, in the event.
    """

    text: str
    document: JsonObject | None
    fault: str = ""
    pointer: str = ""


def text_of(document: JsonObject, name: str) -> str | None:
    """Return a member's text, or its digits; None where there is none, or it is neither a text nor a number."""
    found = document.values.get(name)
    return str(found) if isinstance(found, str) and found else None


def record_key(document: JsonObject, schema: EventSchema) -> bytes | None:
    """Return the key of an event's record, so that records of an entity lie in one partition; None: any will do."""
    entity = next((found for field in schema.entities if (found := text_of(document, field.name))), None)
    together = entity or (text_of(document, schema.event_id.name) if schema.event_id else None)
    return together.encode(errors="replace") if together else None


def encodable(text: str) -> str:
    """Return a text as it can be written: half a pair of surrogates, which JSON can name, becomes a question mark."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def with_member(text: str, document: JsonObject, name: str, value: str) -> tuple[str, JsonObject]:
    """Return an object, as text and as what it holds, with one more member, which it does not have."""
    rest = text.lstrip()[1:].lstrip()
    comma = "" if rest.startswith("}") else ","
    more = f"{{{json.dumps(name)}:{json.dumps(value)}{comma}{rest}"
    return more, JsonObject({name: value, **document.values}, document.overridden)


def read_batch(body: bytes, headers: Mapping[str, str]) -> tuple[list[Incoming], bool]:
    """Read a body; return its events, and whether it is one event by itself (no array, no lines).

    Args:
        headers: With lower-case names.

    Raises:
        InvalidError: The body as a whole cannot be read, or holds too many events.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _CLOUD_EVENT and f"{_HEADER_PREFIX}id" in headers and not body.strip():
        body = b"{}"  # data is optional
    try:
        text = body.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InvalidError(f"the body is not UTF-8 text: {error.reason} at byte {error.start + 1}") from error
    if not text.strip():
        raise InvalidError('the body is empty; send an event, such as {"type": "order", "amount": 750}')
    if f"{_HEADER_PREFIX}specversion" in headers or f"{_HEADER_PREFIX}id" in headers:
        return [_binary(text, headers)], True
    if kind == _CLOUD_EVENT:
        return [_structured(text)], True
    if kind == _CLOUD_EVENTS:
        return [_structured(item) for item, _ in _items(text)], False
    if kind not in _LINES and text.lstrip()[:1] == "[":
        return [_event(item, document) for item, document in _items(text)], False
    first_two = list(islice(_lines(text), 2))
    if kind in _LINES or (len(first_two) > 1 and _is_object(first_two[0])):
        return [_plain(line) for line in _bounded(_lines(text))], False
    return [_plain(text.strip())], True


def _bounded(found: Iterator[T]) -> list[T]:
    """Return everything found, and look no further than is allowed.

    Raises:
        InvalidError: It is too much.
    """
    events = list(islice(found, MAX_EVENTS + 1))
    if len(events) > MAX_EVENTS:
        raise InvalidError(f"the body holds more than {MAX_EVENTS} events; send at most {MAX_EVENTS} at once")
    return events


def _lines(text: str) -> Iterator[str]:
    # Not splitlines: strings may hold U+2028 and the like as they are.
    return (line for found in _LINE.finditer(text) if (line := found[0].strip(" \t\r")))


def _is_object(text: str) -> bool:
    return text.startswith("{") and _plain(text).document is not None


def _items(text: str) -> list[tuple[str, Any]]:
    try:
        return _bounded(raw_items(text))
    except _UNREADABLE as error:
        raise InvalidError(f"the body is not an array of events: {what_is_wrong(text, error)}") from error


def _plain(text: str) -> Incoming:
    try:
        return _event(text, read_document(text))
    except _UNREADABLE as error:
        return Incoming(text, None, what_is_wrong(text, error))


def _event(text: str, document: Any) -> Incoming:
    if isinstance(document, JsonObject):
        return Incoming(text, document)
    return Incoming(text, None, "an event is a JSON object")


def _structured(text: str) -> Incoming:
    try:
        members = raw_members(text)
    except _UNREADABLE as error:
        return Incoming(text, None, what_is_wrong(text, error))
    attributes = {name: value for name, (_, value) in members.items()}
    if fault := _fault_of(attributes):
        return Incoming(text, None, fault[1], fault[0])
    data = members.get("data", ("", None))[0]
    if "data_base64" in members:
        try:
            data = base64.b64decode(str(attributes["data_base64"]), validate=True).decode("utf-8").strip()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return Incoming(text, None, "it is not base 64 of UTF-8 text", "/data_base64")
    named = {name: raw for name, (raw, _) in members.items() if name not in _ENVELOPE}
    return _merged(named, data)


def _binary(text: str, headers: Mapping[str, str]) -> Incoming:
    attributes: dict[str, str] = {
        name.removeprefix(_HEADER_PREFIX): unquote(value)
        for name, value in headers.items()
        if name.startswith(_HEADER_PREFIX)
    }
    if fault := _fault_of(attributes):
        return Incoming(text, None, f"{fault[1]} (header ce-{fault[0].removeprefix('/')})")
    named = {name: json.dumps(value) for name, value in attributes.items() if name not in _ENVELOPE}
    return _merged(named, text.strip())


def _fault_of(attributes: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (pointer, sentence) of the first thing that is wrong with a CloudEvent's attributes."""
    if attributes.get("specversion") != "1.0":
        return "/specversion", 'a CloudEvent has specversion "1.0"'
    for name in _REQUIRED:
        value = attributes.get(name)
        if not isinstance(value, str) or isinstance(value, Number) or not value:
            return f"/{name}", f"a CloudEvent has {name}, a text that is not empty"
    for name in attributes:
        if name not in _ENVELOPE and not _ATTRIBUTE.fullmatch(name):
            return f"/{name}", f"attributes of CloudEvents have lower-case letters and digits, not {name[:40]!r}"
    return None


def _merged(named: Mapping[str, str], data: str) -> Incoming:
    """Return the event: the members of data, and those attributes that data does not have itself.

    Args:
        named: Attribute -> JSON text.
        data: JSON text; empty where there is none.
    """
    try:
        members = raw_members(data) if data.startswith("{") else {"data": (data, read_document(data))} if data else {}
    except _UNREADABLE as error:
        return Incoming(data, None, f"data is not JSON: {what_is_wrong(data, error)}", "/data")
    parts = {name: raw for name, raw in named.items() if name not in members}
    parts |= {name: raw for name, (raw, _) in members.items()}
    return _plain("{" + ",".join(f"{json.dumps(name)}:{raw}" for name, raw in parts.items()) + "}")
