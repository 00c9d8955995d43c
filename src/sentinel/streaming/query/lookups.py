"""Look up reference tables for each event: literal sets where they are small, else broadcast hash joins.

Real-Time Mode takes broadcast hash joins and refuses every other one, so a look-up is an equality with the rows'
aggregates, which are computed once per version in Python. A set of up to MAX_LITERALS values that is only asked for
membership becomes an IN list, which costs an event no copy of its row.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import DecimalType, FieldType, ScalarType
from sentinel.domain.reference_list import CellValue, PinnedList, by_name, cell_value
from sentinel.errors import ConfigurationError
from sentinel.rules.limits import MAX_LOOKUPS
from sentinel.rules.literals import date_literal, number_literal, text_literal, timestamp_literal
from sentinel.rules.lookups import Lookup, LookupColumn
from sentinel.streaming.query.lookup_values import aggregate

MAX_LITERALS = 10_000
# Rows of look-ups that are kept for the next generation: a change of rules does not read its lists again.
MOST_REMEMBERED_ROWS = 2_000_000
_ARROW = {
    "string": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}
_LITERAL_KINDS = ("string", "integer", "date", "timestamp")


class ListSource(Protocol):
    """Where the rows of a version of a list come from."""

    def cells(self, pinned: PinnedList, columns: Sequence[str]) -> list[list[str | None]]:
        """Return the canonical texts of some columns of all rows."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Columns of one look-up, which are found together."""

    lookup: Lookup
    columns: tuple[LookupColumn, ...]


@dataclass(frozen=True, slots=True)
class _Side:
    """What an event is joined with, ready for Spark. One of them is set.

    Attributes:
        constants: The same values for every event.
        literals: A set that is only asked for membership.
        table: Keys and values.
    """

    constants: tuple[CellValue, ...] | None = None
    literals: tuple[CellValue, ...] | None = None
    table: pa.Table | None = None

    @property
    def row_count(self) -> int:
        """How many rows it keeps in memory."""
        return len(self.literals or ()) if self.table is None else int(self.table.num_rows)


class LookupTables:
    """Reads versions of lists and computes what look-ups give; remembers it, since versions are immutable.

    Safe to share between threads.
    """

    def __init__(self, source: ListSource) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[object, ...], _Side] = OrderedDict()

    def side(self, spark: SparkSession, group: _Group, pinned: PinnedList) -> _Side:
        """Return what a look-up gives.

        Raises:
            StoreUnavailableError: The rows cannot be read now.
        """
        wanted = (pinned.list_id, pinned.version, group)
        with self._lock:
            if wanted not in self._known:
                self._known[wanted] = self._made(spark, group, pinned)
                while len(self._known) > 1 and sum(s.row_count for s in self._known.values()) > MOST_REMEMBERED_ROWS:
                    self._known.popitem(last=False)
            self._known.move_to_end(wanted)
            return self._known[wanted]

    def _made(self, spark: SparkSession, group: _Group, pinned: PinnedList) -> _Side:
        lookup, columns = group.lookup, group.columns
        table, row_count = self._rows(spark, group, pinned)
        found = aggregate(table, row_count, lookup.keys, columns)
        if not lookup.keys:
            # No join has a key for it.
            return _Side(constants=tuple(values[0] for values in found.values))
        kinds = [key.kind for key in lookup.keys]
        only_found = [column.function for column in columns] == ["FOUND"]
        if only_found and len(kinds) == 1 and str(kinds[0]) in _LITERAL_KINDS and len(found.keys) <= MAX_LITERALS:
            return _Side(literals=tuple(key[0] for key in found.keys))
        names = [f"_side_key_{at}" for at in range(len(kinds))] + [f"_side_{column.name}" for column in columns]
        types = [*kinds, *(column.kind for column in columns)]
        cells = [[key[at] for key in found.keys] for at in range(len(kinds))] + found.values
        arrays = [pa.array(column, _arrow(kind)) for column, kind in zip(cells, types, strict=True)]
        return _Side(table=pa.table(arrays, names))

    def _rows(self, spark: SparkSession, group: _Group, pinned: PinnedList) -> tuple[dict[str, list[CellValue]], int]:
        """Return the rows that fulfil the condition, by column, and how many they are."""
        lookup, definition = group.lookup, pinned.definition
        used = {key.column for key in lookup.keys} | {column.column for column in group.columns}
        fields = [column for column in definition.columns if lookup.where is not None or column.name in used]
        cells = self._source.cells(pinned, [field.name for field in fields])
        table = {field.name: [cell_value(row[at], field.type) for row in cells] for at, field in enumerate(fields)}
        if lookup.where is None or not cells:
            return table, len(cells)
        # The condition is Spark's, so Spark says which rows fulfil it: the same semantics as everywhere in a rule.
        arrays = [pa.array(table[field.name], _arrow(field.type)) for field in fields]
        numbered = pa.table([*arrays, pa.array(range(len(cells)), pa.int64())], [*table, "_row"])
        rows = spark.createDataFrame(numbered).select(
            F.struct(*[F.col(f"`{name}`") for name in table]).alias("event"), "_row"
        )
        kept = sorted(row["_row"] for row in rows.where(F.expr(lookup.where)).select("_row").collect())
        return {name: [values[row] for row in kept] for name, values in table.items()}, len(kept)


class Lookups:
    """The look-ups of a rule set, in the versions of its lists. Built once per generation, used for every micro-batch.

    Columns added to an evaluated DataFrame: one per `LookupColumn`, by its name.
    """

    def __init__(
        self, columns: Sequence[LookupColumn], lists: Sequence[PinnedList], tables: LookupTables | None
    ) -> None:
        """Group the columns by what is looked up.

        Raises:
            ConfigurationError: There are too many, one is of a list whose version is not known, or no rows can be read.
        """
        grouped: dict[str, dict[str, LookupColumn]] = {}
        for column in columns:
            grouped.setdefault(column.lookup.name, {})[column.name] = column
        self._groups = [
            _Group(next(iter(found.values())).lookup, tuple(found[name] for name in sorted(found)))
            for _, found in sorted(grouped.items())
        ]
        if len(self._groups) > MAX_LOOKUPS:
            raise ConfigurationError(
                f"the rules need {len(self._groups)} different look-ups in reference tables; {MAX_LOOKUPS} are possible"
            )
        self._pinned: Mapping[str, PinnedList] = by_name(tuple(lists))
        for group in self._groups:
            if group.lookup.table not in self._pinned:
                raise ConfigurationError(f"the rule set names no version of the list {group.lookup.table}")
        if self._groups and tables is None:
            raise ConfigurationError("rules with subqueries need the rows of lists; pass `LookupTables`")
        self._tables = tables
        self._sides: dict[tuple[str, str], DataFrame | list[Column]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is looked up."""
        return not self._groups

    @property
    def texts(self) -> list[str]:
        """The Spark SQL of all conditions and keys, for the gate."""
        return [
            text
            for group in self._groups
            for text in (group.lookup.where, *(key.sql for key in group.lookup.keys))
            if text is not None
        ]

    def add_to(self, events: DataFrame) -> DataFrame:
        """Add the columns to events.

        Columns in: event struct, and any others. Reads the rows when first called.

        Raises:
            StoreUnavailableError: The rows cannot be read now.
        """
        found = events
        for group in self._groups:
            found = self._add(found, group)
        return found

    def _add(self, events: DataFrame, group: _Group) -> DataFrame:
        lookup = group.lookup
        spark = events.sparkSession
        # A micro-batch is of a session of its own, and DataFrames of two sessions cannot be joined.
        place = (lookup.name, str(spark._jsparkSession.sessionUUID()))
        if place not in self._sides:
            self._sides[place] = self._side(spark, group)
        side = self._sides[place]
        if not isinstance(side, DataFrame):
            return events.select("*", *side)
        names = [f"_key_{at}" for at in range(len(lookup.keys))]
        keys = [F.expr(key.sql).alias(name) for name, key in zip(names, lookup.keys, strict=True)]
        keyed = events.select("*", *keys)
        tied = [keyed[name] == side[f"_side{name}"] for name in names]
        joined = keyed.join(F.broadcast(side), on=tied, how="left")
        added = [_found(column, names[0]) for column in group.columns]
        return joined.select(*[keyed[name] for name in events.columns], *added)

    def _side(self, spark: SparkSession, group: _Group) -> DataFrame | list[Column]:
        if self._tables is None:
            raise ConfigurationError("rules with subqueries need the rows of lists")
        side = self._tables.side(spark, group, self._pinned[group.lookup.table])
        if side.constants is not None:
            return [_constant(value, column) for value, column in zip(side.constants, group.columns, strict=True)]
        if side.literals is not None:
            return [_literal_set(group.lookup.keys[0].sql, side.literals).alias(group.columns[0].name)]
        return spark.createDataFrame(side.table)


def _found(column: LookupColumn, first_key: str) -> Column:
    value = F.col(f"_side_{column.name}")
    if column.function == "FOUND":
        value = F.when(F.col(first_key).isNotNull(), value.isNotNull())
    return value.alias(column.name)


def _constant(value: CellValue, column: LookupColumn) -> Column:
    written = "NULL" if value is None else _literal(value)
    return F.expr(f"CAST({written} AS {column.kind.spark()})").alias(column.name)


def _literal_set(sql: str, values: Sequence[CellValue]) -> Column:
    if not values:
        return F.expr(f"when({sql} IS NOT NULL, FALSE)")
    return F.expr(f"({sql} IN ({', '.join(_literal(value) for value in values)}))")


def _literal(value: CellValue) -> str:
    match value:
        case bool():
            return str(value).upper()
        case str():
            return text_literal(value)
        case datetime():
            return timestamp_literal(value)
        case date():
            return date_literal(value)
        case int() | float() | Decimal():
            return number_literal(value)
        case _:
            raise TypeError(f"{value!r} is no literal of a set")


def _arrow(kind: FieldType) -> pa.DataType:
    if isinstance(kind, DecimalType):
        return pa.decimal128(kind.precision, kind.scale)
    if isinstance(kind, ScalarType):
        return _ARROW[kind.name]
    raise TypeError(f"{kind} is no type of a column of a list")
