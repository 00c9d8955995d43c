"""What a subquery of a rule becomes: columns that are looked up for each event in a version of a reference table.

A compiled rule holds no relation. It refers to columns such as `lookup_1f0e...`, whose names depend on what is looked
up and not on the version of the list, so the compiled text stays the same when a list changes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from sentinel.domain.event_schema import DecimalType, FieldType
from sentinel.rules.types import FLOAT, INTEGER, Kind

AGGREGATES = {"count": "COUNT", "sum": "SUM", "avg": "AVG", "mean": "AVG", "min": "MIN", "max": "MAX"}
"""Aggregates of a subquery, by the name a rule may call them."""


@dataclass(frozen=True, slots=True)
class LookupKey:
    """One equality between a column of the table and the event.

    Attributes:
        sql: Total Spark SQL over the event, of type `kind`; null finds nothing.
        kind: The type in which both are compared.
    """

    column: str
    sql: str
    kind: FieldType


@dataclass(frozen=True, slots=True)
class Lookup:
    """Rows of a table that belong to an event.

    Attributes:
        where: Spark SQL over a row of the table as a struct named `event`; None: all rows.
        keys: What ties a row to an event; none: the same rows for every event.
    """

    table: str
    where: str | None
    keys: tuple[LookupKey, ...]

    @property
    def name(self) -> str:
        """A name of 16 hex digits that depends on nothing but what is looked up."""
        return _digest([self.table, self.where, [[key.column, key.sql, str(key.kind)] for key in self.keys]])


@dataclass(frozen=True, slots=True)
class LookupColumn:
    """One value of the rows that belong to an event.

    Attributes:
        function: FOUND (whether the first key's value is among the rows; null where that value is null), VALUE (of
            the one row that there can be), COUNT, SUM, AVG, MIN or MAX, which leave nulls out.
        column: What it is of; None for FOUND and COUNT(*).
        kind: Its type.
    """

    lookup: Lookup
    function: str
    column: str | None
    kind: FieldType

    @property
    def name(self) -> str:
        """Name of the column in an evaluated DataFrame."""
        return f"lookup_{_digest([self.lookup.name, self.function, self.column])}"


def result_kind(function: str, kind: FieldType) -> FieldType:
    """Return the type an aggregate gives for a column of a type (Spark's Average.scala and Sum.scala)."""
    if function == "COUNT":
        return INTEGER
    if function == "AVG":
        return (
            DecimalType(min(38, kind.precision + 4), min(38, kind.scale + 4))
            if isinstance(kind, DecimalType)
            else FLOAT
        )
    if function == "SUM" and isinstance(kind, DecimalType):
        return DecimalType(min(38, kind.precision + 10), kind.scale)
    return kind


def is_key_kind(kind: Kind) -> bool:
    """Tell whether equality in a type means what it says: every single value but a boolean."""
    return isinstance(kind, DecimalType) or str(kind) in ("string", "integer", "float", "date", "timestamp")


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
