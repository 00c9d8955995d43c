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
from sentinel.streaming.query.lookup_values import Key, aggregate

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

Values = dict[Key, tuple[CellValue, ...]]


class ListSource(Protocol):
    """Where the rows of a version of a list come from."""

    def cells(self, pinned: PinnedList, columns: Sequence[str]) -> list[list[str | None]]:
        """Return the canonical texts of some columns of all rows."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Columns of one look-up, which are found together."""

    lookup: Lookup
    columns: tuple[LookupColumn, ...]


class LookupTables:
    """Reads versions of lists and computes what look-ups give; remembers it, since versions are immutable.

    Safe to share between threads.
    """

    def __init__(self, source: ListSource) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[object, ...], Values] = OrderedDict()

    def values(
        self, spark: SparkSession, lookup: Lookup, columns: Sequence[LookupColumn], pinned: PinnedList
    ) -> Values:
        """Return key -> values of the columns.

        Raises:
            StoreUnavailableError: The rows cannot be read now.
        """
        wanted = (pinned.list_id, pinned.version, lookup, *columns)
        with self._lock:
            if wanted not in self._known:
                rows = self._rows(spark, lookup, columns, pinned)
                self._known[wanted] = aggregate(rows, lookup.keys, columns)
                while len(self._known) > 1 and sum(map(len, self._known.values())) > MOST_REMEMBERED_ROWS:
                    self._known.popitem(last=False)
            self._known.move_to_end(wanted)
            return self._known[wanted]

    def _rows(
        self, spark: SparkSession, lookup: Lookup, columns: Sequence[LookupColumn], pinned: PinnedList
    ) -> list[dict[str, CellValue]]:
        definition = pinned.definition
        if lookup.where is None:
            used = {key.column for key in lookup.keys} | {column.column for column in columns if column.column}
            fields = [column for column in definition.columns if column.name in used]
        else:
            fields = list(definition.columns)
        cells = self._source.cells(pinned, [field.name for field in fields])
        values = [[cell_value(row[at], field.type) for row in cells] for at, field in enumerate(fields)]
        rows = [dict(zip([field.name for field in fields], row, strict=True)) for row in zip(*values, strict=True)]
        if not fields:
            rows = [{} for _ in cells]
        if lookup.where is None or not rows:
            return rows
        # The condition is Spark's, so Spark says which rows fulfil it: the same semantics as everywhere in a rule.
        table = pa.table(
            [pa.array(column, _arrow(field.type)) for column, field in zip(values, fields, strict=True)]
            + [pa.array(range(len(rows)), pa.int64())],
            [*(field.name for field in fields), "_row"],
        )
        events = spark.createDataFrame(table).select(
            F.struct(*[F.col(f"`{field.name}`") for field in fields]).alias("event"), "_row"
        )
        return [rows[row["_row"]] for row in events.where(F.expr(lookup.where)).select("_row").collect()]


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
        lookup, columns = group.lookup, group.columns
        values = self._tables.values(spark, lookup, columns, self._pinned[lookup.table])
        if not lookup.keys:
            # The same for every event, and no join has a key for it.
            found = values.get((), tuple(None for _ in columns))
            return [_constant(value, column) for value, column in zip(found, columns, strict=True)]
        kinds = [key.kind for key in lookup.keys]
        only_found = [column.function for column in columns] == ["FOUND"]
        if only_found and len(kinds) == 1 and str(kinds[0]) in _LITERAL_KINDS and len(values) <= MAX_LITERALS:
            return [_literal_set(lookup.keys[0].sql, [key[0] for key in values]).alias(columns[0].name)]
        names = [f"_side_key_{at}" for at in range(len(kinds))] + [f"_side_{column.name}" for column in columns]
        types = [*kinds, *(column.kind for column in columns)]
        cells = list(zip(*((*key, *found) for key, found in values.items()), strict=True)) or [() for _ in types]
        table = pa.table([pa.array(column, _arrow(kind)) for column, kind in zip(cells, types, strict=True)], names)
        return spark.createDataFrame(table)


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
