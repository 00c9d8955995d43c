"""Proposes the fields of a schema from events that somebody pasted."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from sentinel.domain.event_schema import FIELD_NAME, MAX_FIELDS, MAX_TYPE_DEPTH
from sentinel.domain.schema_definition import FieldDefinition
from sentinel.errors import InvalidError

MAX_CHARACTERS = 500_000
MAX_EVENTS = 1000
# As docs/dead-letters.md says what a timestamp and a date take.
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}:?\d{2})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_IDS = ("event_id", "transaction_id", "tx_id", "txn_id", "order_id", "payment_id", "id", "uuid")
_TIMES = ("event_time", "created", "created_at", "occurred_at", "timestamp_utc", "time", "ts")
_ENTITIES = ("user_id", "customer_id", "account_id", "card_id", "device_id", "merchant_id", "ip", "email")
_LARGEST = 2**63 - 1
# Which type holds values of these; the first that fits.
_WIDER = (
    *((frozenset({kind}), kind) for kind in ("boolean", "integer", "float", "decimal(38,0)", "timestamp", "date")),
    (frozenset({"integer", "float"}), "float"),
    (frozenset({"integer", "decimal(38,0)"}), "decimal(38,0)"),
    (frozenset({"timestamp", "date"}), "timestamp"),
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Fields that hold all the events of a sample, and what was left out of them."""

    fields: list[FieldDefinition]
    remarks: list[str]


def propose(text: str) -> Proposal:
    """Return fields for one event, an array of events, or one per line.

    A field that an event lacks, or has null in, is nullable; one whose values are of several types is a string, which
    takes any value as its JSON text.

    Raises:
        InvalidError: It is not JSON, or holds no object.
    """
    events = _events(text)
    remarks: list[str] = []
    names = list(dict.fromkeys(name for event in events for name in event))
    usable = [name for name in names if FIELD_NAME.fullmatch(name)]
    if len(usable) < len(names):
        left = sorted(set(names) - set(usable))
        remarks.append(f"{len(left)} names cannot be fields and are left out, as {left[0][:60]!r}")
    if len(usable) > MAX_FIELDS:
        remarks.append(f"{len(usable)} fields are too many; the first {MAX_FIELDS} are proposed")
    types = {name: _merged([event[name] for event in events if name in event]) for name in usable[:MAX_FIELDS]}
    roles = _roles(types)
    fields = [
        FieldDefinition(
            name,
            kind,
            roles.get(name) != "event_id" and any(event.get(name) is None for event in events),
            frozenset({roles[name]}) if name in roles else frozenset(),
        )
        for name, kind in types.items()
    ]
    if not fields:
        raise InvalidError("the sample has no field")
    return Proposal(fields, remarks)


def _events(text: str) -> list[dict[str, Any]]:
    if len(text) > MAX_CHARACTERS:
        raise InvalidError(f"the sample has {len(text):,} characters; paste at most {MAX_CHARACTERS:,}")
    try:
        try:
            found = json.loads(text, parse_constant=_refuse)
        except json.JSONDecodeError:
            lines = [line for line in text.splitlines() if line.strip()]
            if len(lines) < 2:
                raise
            found = [json.loads(line, parse_constant=_refuse) for line in lines]
    except json.JSONDecodeError as error:
        raise InvalidError(f"this is no JSON: {error.msg}, line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise InvalidError("the sample is nested too deeply") from error
    except ValueError as error:
        raise InvalidError(f"this is no JSON that a pipeline takes: {error}") from error
    events = found if isinstance(found, list) else [found]
    if not events or not all(isinstance(event, dict) for event in events):
        raise InvalidError("an event is a JSON object; paste one, an array of them, or one per line")
    return events[:MAX_EVENTS]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _merged(values: list[Any], depth: int = 1) -> str:
    """Return the narrowest type that holds all values."""
    present = [value for value in values if value is not None]
    if not present:
        return "string"
    if all(isinstance(value, dict) for value in present):
        return _struct(present, depth)
    if all(isinstance(value, list) for value in present):
        inner = _merged([item for value in present for item in value], depth + 1) if depth < MAX_TYPE_DEPTH else ""
        return f"array<{inner}>" if inner else "string"
    kinds = frozenset(_scalar(value) for value in present)
    return next((wide for narrow, wide in _WIDER if kinds <= narrow), "string")


def _struct(values: list[dict[str, Any]], depth: int) -> str:
    names = [name for name in dict.fromkeys(key for value in values for key in value) if FIELD_NAME.fullmatch(name)]
    if not names or depth >= MAX_TYPE_DEPTH:
        return "string"
    inner = (f"{name}: {_merged([value.get(name) for value in values], depth + 1)}" for name in names)
    return f"struct<{', '.join(inner)}>"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        if -_LARGEST - 1 <= value <= _LARGEST:
            return "integer"
        return "decimal(38,0)" if len(str(abs(value))) <= 38 else "string"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "timestamp" if _TIMESTAMP.fullmatch(value) else "date" if _DATE.fullmatch(value) else "string"
    return "string"


def _roles(types: dict[str, str]) -> dict[str, str]:
    """Guess what the engine may use fields for, by what they are usually called."""
    roles: dict[str, str] = {}
    by_name = {name.lower(): name for name in types}
    for wanted, role, kinds in ((_IDS, "event_id", {"string", "integer"}), (_TIMES, "event_time", {"timestamp"})):
        found = next((by_name[name] for name in wanted if name in by_name and types[by_name[name]] in kinds), None)
        if found is not None:
            roles[found] = role
    for name in _ENTITIES:
        if name in by_name and by_name[name] not in roles and "<" not in types[by_name[name]]:
            roles[by_name[name]] = "entity"
    return roles
