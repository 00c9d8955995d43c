"""Event schemas: the typed field list of a tenant's events, in immutable versions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
MAX_FIELDS = 300
MAX_TYPE_DEPTH = 5
MAX_DECIMAL_PRECISION = 38

# What the engine itself adds to an event in rules and in the lake. Compared without case.
RESERVED_FIELDS = frozenset(
    {"event", "date", "value", "key", "topic", "partition", "offset", "timestamp", "headers", "schema_version"}
)

SCALARS = {
    "string": "string",
    "integer": "bigint",
    "float": "double",
    "boolean": "boolean",
    "timestamp": "timestamp",
    "date": "date",
}


@dataclass(frozen=True, slots=True)
class ScalarType:
    """string, integer (64-bit), float (double), boolean, timestamp (UTC, microseconds) or date."""

    name: str

    def spark(self) -> str:
        """Return the Spark SQL type."""
        return SCALARS[self.name]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class DecimalType:
    """decimal(precision, scale)."""

    precision: int
    scale: int

    def spark(self) -> str:
        """Return the Spark SQL type."""
        return f"decimal({self.precision},{self.scale})"

    def __str__(self) -> str:
        return self.spark()


@dataclass(frozen=True, slots=True)
class ArrayType:
    """array<element>."""

    element: FieldType

    def spark(self) -> str:
        """Return the Spark SQL type."""
        return f"array<{self.element.spark()}>"

    def __str__(self) -> str:
        return f"array<{self.element}>"


@dataclass(frozen=True, slots=True)
class StructType:
    """struct<name: type, ...>."""

    fields: tuple[tuple[str, FieldType], ...]

    def spark(self) -> str:
        """Return the Spark SQL type."""
        return "struct<" + ",".join(f"`{name}`:{kind.spark()}" for name, kind in self.fields) + ">"

    def __str__(self) -> str:
        return "struct<" + ", ".join(f"{name}: {kind}" for name, kind in self.fields) + ">"


FieldType = ScalarType | DecimalType | ArrayType | StructType


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event schema.

    Attributes:
        name: ASCII letters, digits and underscores, starting with a letter; unique without case.
        type: Its type.
        nullable: Whether an event without it (or with null) is valid.
        role: "event_id", "event_time", "entity" or None.
    """

    name: str
    type: FieldType
    nullable: bool = True
    role: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        stored: dict[str, Any] = {"name": self.name, "type": str(self.type), "nullable": self.nullable}
        if self.role:
            stored["role"] = self.role
        return stored


@dataclass(frozen=True, slots=True)
class EventSchema:
    """The fields of one schema version, in order."""

    fields: tuple[Field, ...]

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def field(self, name: str) -> Field | None:
        """Return the field of that exact name."""
        return next((field for field in self.fields if field.name == name), None)

    @property
    def event_id(self) -> Field | None:
        """The field that identifies an event; None: its place in the topic does."""
        return next((field for field in self.fields if field.role == "event_id"), None)

    @property
    def event_time(self) -> Field | None:
        """The field of the producer's clock; None: the record's timestamp is used."""
        return next((field for field in self.fields if field.role == "event_time"), None)

    @property
    def entities(self) -> tuple[Field, ...]:
        """The fields that scores are about."""
        return tuple(field for field in self.fields if field.role == "entity")

    def as_json(self) -> list[dict[str, Any]]:
        """Return the stored form."""
        return [field.as_json() for field in self.fields]

    @property
    def content_hash(self) -> str:
        """SHA-256 of the stored form: equal schemas have equal hashes."""
        return hashlib.sha256(json.dumps(self.as_json(), separators=(",", ":")).encode()).hexdigest()

    @classmethod
    def from_json(cls, stored: list[dict[str, Any]]) -> EventSchema:
        """Build a schema from its stored form.

        Raises:
            ValueError: A type text cannot be parsed.
        """
        return cls(
            tuple(
                Field(
                    name=item["name"],
                    type=parse_type(item["type"]),
                    nullable=item.get("nullable", True),
                    role=item.get("role"),
                )
                for item in stored
            )
        )


_TOKEN = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*|\d+|[<>(),:])")
_ALIASES = {
    "int": "integer",
    "long": "integer",
    "bigint": "integer",
    "double": "float",
    "bool": "boolean",
    "text": "string",
    "datetime": "timestamp",
}


def parse_type(text: str) -> FieldType:
    """Parse the text of a type: `integer`, `decimal(10,2)`, `array<string>`, `struct<lat: float, lon: float>`.

    Raises:
        ValueError: With a sentence that names the place and what was expected.
    """
    if len(text) > 10_000:
        raise ValueError("the type is longer than 10000 characters")
    tokens: list[str] = []
    position = 0
    while position < len(text.rstrip()):
        found = _TOKEN.match(text, position)
        if not found:
            raise ValueError(f"unexpected character {text[position:].strip()[:1]!r} in type {text[:100]!r}")
        tokens.append(found.group(1))
        position = found.end()
    reader = _TypeReader(text, tokens)
    parsed = reader.type(depth=1)
    if reader.tokens:
        raise ValueError(f"unexpected {reader.tokens[0]!r} after the type in {text[:100]!r}")
    return parsed


class _TypeReader:
    def __init__(self, text: str, tokens: list[str]) -> None:
        self.text = text[:100]
        self.tokens = tokens

    def take(self, expected: str | None = None) -> str:
        if not self.tokens:
            raise ValueError(
                f"the type {self.text!r} ends too early" + (f", expected {expected!r}" if expected else "")
            )
        token = self.tokens.pop(0)
        if expected and token != expected:
            raise ValueError(f"expected {expected!r} instead of {token!r} in type {self.text!r}")
        return token

    def type(self, depth: int) -> FieldType:
        if depth > MAX_TYPE_DEPTH:
            raise ValueError(f"type {self.text!r} is nested deeper than {MAX_TYPE_DEPTH}")
        name = self.take().lower()
        name = _ALIASES.get(name, name)
        if name in SCALARS:
            return ScalarType(name)
        if name == "decimal":
            return self.decimal()
        if name == "array":
            self.take("<")
            element = self.type(depth + 1)
            self.take(">")
            return ArrayType(element)
        if name == "struct":
            return self.struct(depth)
        known = ", ".join([*SCALARS, "decimal(p,s)", "array<...>", "struct<name: type>"])
        raise ValueError(f"unknown type {name!r}; known types are {known}")

    def decimal(self) -> DecimalType:
        self.take("(")
        precision = self.number()
        scale = 0
        if self.tokens and self.tokens[0] == ",":
            self.take(",")
            scale = self.number()
        self.take(")")
        if not 1 <= precision <= MAX_DECIMAL_PRECISION or not 0 <= scale <= precision:
            raise ValueError(f"decimal({precision},{scale}) needs 1 <= precision <= 38 and 0 <= scale <= precision")
        return DecimalType(precision, scale)

    def number(self) -> int:
        token = self.take()
        if not token.isdigit():
            raise ValueError(f"expected a number instead of {token!r} in type {self.text!r}")
        return int(token)

    def struct(self, depth: int) -> StructType:
        self.take("<")
        fields: list[tuple[str, FieldType]] = []
        while True:
            name = self.take()
            if not FIELD_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a field name in type {self.text!r}")
            if name.lower() in {known.lower() for known, _ in fields}:
                raise ValueError(f"field {name!r} appears twice in type {self.text!r}")
            self.take(":")
            fields.append((name, self.type(depth + 1)))
            separator = self.take()
            if separator == ">":
                return StructType(tuple(fields))
            if separator != ",":
                raise ValueError(f"expected ',' or '>' instead of {separator!r} in type {self.text!r}")
