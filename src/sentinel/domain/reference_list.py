"""Lists (reference tables): what a tenant uploads beside its events, in immutable numbered versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sentinel.domain.event_schema import DecimalType, EventSchema, Field, FieldType, ScalarType, parse_type

LIST_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
MAX_COLUMNS = 50
MAX_ROWS = 1_000_000
MAX_BYTES = 64 * 1024 * 1024
MAX_CELL_CHARACTERS = 10_000
MAX_KEY_CHARACTERS = 512
EXPIRES_AT = "expires_at"
"""The column of an upload that says when a row expires; no column of a list itself has that name."""

KEY_TYPES = ("string", "integer", "date", "timestamp", "decimal(p,s)")

CellValue = str | int | float | bool | date | datetime | Decimal | None


def is_key_type(kind: FieldType) -> bool:
    """Tell whether values of a type can be told apart exactly, as keys must be."""
    return isinstance(kind, DecimalType) or kind in tuple(
        ScalarType(name) for name in ("string", "integer", "date", "timestamp")
    )


@dataclass(frozen=True, slots=True)
class ListDefinition:
    """The shape of a list: a rule refers to it by name and knows nothing else of it. Immutable.

    Attributes:
        columns: In order; of single values, no arrays or structs.
        key: Name of the column that is never null and unique.
    """

    name: str
    columns: tuple[Field, ...]
    key: str

    @property
    def schema(self) -> EventSchema:
        """The columns as a schema."""
        return EventSchema(self.columns)

    def index(self, column: str) -> int:
        """Return the place of a column."""
        return next(at for at, known in enumerate(self.columns) if known.name == column)

    @classmethod
    def of(cls, name: str, columns: list[dict[str, Any]], key: str) -> ListDefinition:
        """Build a definition from its stored form."""
        fields = tuple(Field(item["name"], parse_type(item["type"]), item["nullable"]) for item in columns)
        return cls(name, fields, key)

    def stored_columns(self) -> list[dict[str, Any]]:
        """Return the stored form of the columns."""
        return [column.as_json() for column in self.columns]


@dataclass(frozen=True, slots=True)
class PinnedList:
    """The version of a list that a rule set uses."""

    list_id: int
    definition: ListDefinition
    version: int


@dataclass(frozen=True, slots=True)
class ReferenceList:
    """A list as its tenant sees it.

    Attributes:
        version: Of its rows; grows with every upload, edit and expiry that changes something.
        size_bytes: Of all cells, as UTF-8.
    """

    id: int
    definition: ListDefinition
    description: str
    version: int
    row_count: int
    size_bytes: int
    content_hash: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ListVersion:
    """One version of a list's rows and how it came about.

    Attributes:
        cause: created, upload, edit or expiry.
        content_hash: SHA-256 over all rows; equal for equal rows.
    """

    version: int
    cause: str
    comment: str
    created_by: str
    created_at: datetime
    row_count: int
    size_bytes: int
    content_hash: str
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class ListRow:
    """A row as it is kept.

    Attributes:
        key: The canonical text of the key column.
        cells: Canonical texts in the order of the columns; None for null.
        expires_at: From when on it is to be gone; None: it stays.
    """

    key: str
    cells: tuple[str | None, ...]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RowChange:
    """What became of one key between two versions; `before` None: added, `after` None: removed."""

    key: str
    before: ListRow | None
    after: ListRow | None


@dataclass(frozen=True, slots=True)
class RowCounts:
    """What a change of rows came to."""

    added: int
    changed: int
    removed: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not (self.added or self.changed or self.removed)


def cell_text(value: CellValue) -> str | None:  # noqa: PLR0911 - one per type
    """Return the canonical text of a value: equal values of a column's type have equal texts."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value + 0.0)
        case datetime():
            return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)


def cell_value(text: str | None, kind: FieldType) -> CellValue:  # noqa: PLR0911 - one per type
    """Return the value of a canonical text."""
    if text is None or kind == ScalarType("string"):
        return text
    if isinstance(kind, DecimalType):
        return Decimal(text)
    match str(kind):
        case "integer":
            return int(text)
        case "float":
            return float(text)
        case "boolean":
            return text == "true"
        case "date":
            return date.fromisoformat(text)
        case _:
            return datetime.fromisoformat(text)


def row_values(definition: ListDefinition, row: ListRow) -> dict[str, CellValue]:
    """Return a row as column -> value."""
    return {
        column.name: cell_value(text, column.type) for column, text in zip(definition.columns, row.cells, strict=True)
    }


def by_name(lists: tuple[PinnedList, ...]) -> Mapping[str, PinnedList]:
    """Return lists by their names."""
    return {pinned.definition.name: pinned for pinned in lists}


def list_changes(old: tuple[PinnedList, ...], new: tuple[PinnedList, ...]) -> list[str]:
    """Say in words which lists are at another version than before."""
    before = {pinned.list_id: pinned.version for pinned in old}
    return [
        f"list {pinned.definition.name} version {before[pinned.list_id]} -> {pinned.version}"
        for pinned in new
        if before.get(pinned.list_id, pinned.version) != pinned.version
    ]
