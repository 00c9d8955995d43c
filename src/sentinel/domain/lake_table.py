"""The tables of the lake: which columns a pipeline's events have there, and what a query calls their types.

A field is a column of its own. A column of a Delta table cannot change its type, so a field whose type was changed by
a confirmed breaking change goes on under `<name>__v<schema version>`, named after the version that brought the type;
the column under the old type keeps what it holds. A field that comes back to an earlier type comes back to its column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sentinel.domain.event_schema import ArrayType, DecimalType, EventSchema, FieldType, ScalarType

# Every table ends with these; their types as a query names them.
META_COLUMN_TYPES = {
    "_topic": "VARCHAR",
    "_partition": "INTEGER",
    "_offset": "BIGINT",
    "_timestamp": "TIMESTAMP WITH TIME ZONE",
    "_schema_version": "INTEGER",
    "_generation_id": "BIGINT",
    "date": "DATE",
}

_SCALAR_TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
}


@dataclass(frozen=True, slots=True)
class LakeColumn:
    """A column of a lake table; `type` as DuckDB names it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class LakeTable:
    """A pipeline's table.

    Attributes:
        names: What a query may call it, the one that never changes first.
        columns: Fields of all schema versions in the order in which they came, then those that every table has.
        archived_at: When events were last written to it; None: never, and a query that names it is refused.
    """

    pipeline_id: int
    pipeline_name: str
    names: tuple[str, ...]
    columns: tuple[LakeColumn, ...]
    archived_at: datetime | None


def column_names(history: Iterable[tuple[int, EventSchema]]) -> dict[str, str]:
    """Return field -> column of the last schema version in the history.

    It follows from the history alone, which is immutable: every version has the same answer for ever. Names that
    differ only in case share a column, as they do in Delta.

    Args:
        history: (version, schema) of every version from the first on, oldest first.
    """
    return _assigned(history)[0]


def lake_columns(history: Iterable[tuple[int, EventSchema]]) -> tuple[LakeColumn, ...]:
    """Return all columns of a table, also those that only earlier schema versions wrote.

    Args:
        history: As for `column_names`.
    """
    fields = (LakeColumn(name, query_type(kind)) for name, kind in _assigned(history)[1])
    return (*fields, *(LakeColumn(name, kind) for name, kind in META_COLUMN_TYPES.items()))


def query_type(kind: FieldType) -> str:
    """Return what a query in DuckDB's SQL calls the type of a field."""
    match kind:
        case ScalarType(name):
            return _SCALAR_TYPES[name]
        case DecimalType(precision, scale):
            return f"DECIMAL({precision},{scale})"
        case ArrayType(element):
            return f"{query_type(element)}[]"
    members = ", ".join(f'"{name}" {query_type(member)}' for name, member in kind.fields)
    return f"STRUCT({members})"


def _assigned(history: Iterable[tuple[int, EventSchema]]) -> tuple[dict[str, str], list[tuple[str, FieldType]]]:
    """Return field -> column of the last version, and every column that any version has."""
    assigned: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    columns: list[tuple[str, FieldType]] = []
    names: dict[str, str] = {}
    for version, schema in history:
        names = {}
        for field in schema:
            key = (field.name.lower(), field.type.spark())
            if key not in assigned:
                column = field.name
                while column.lower() in taken:
                    column = f"{column}__v{version}"
                assigned[key] = column
                taken.add(column.lower())
                columns.append((column, field.type))
            names[field.name] = assigned[key]
    return names, columns
