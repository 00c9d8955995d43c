"""Compute, from the rows of one version of a list, what look-ups give per key. No Spark, no clock, no order of rows.

Sums and averages of floats are rounded once (`math.fsum`), so the same version gives the same values wherever and
whenever it is computed: live, in a micro-batch, and when the alerts are proven.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from sentinel.domain.event_schema import DecimalType, FieldType
from sentinel.domain.reference_list import CellValue
from sentinel.rules.lookups import LookupColumn, LookupKey

Key = tuple[CellValue, ...]
_EXACT = Context(prec=120, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class KeyedValues:
    """What look-ups give.

    Attributes:
        keys: Distinct keys, none with a null in it.
        values: Per column that is looked up, its values in the order of the keys.
    """

    keys: list[Key]
    values: list[list[CellValue]]


def aggregate(
    table: Mapping[str, Sequence[CellValue]], row_count: int, keys: Sequence[LookupKey], columns: Sequence[LookupColumn]
) -> KeyedValues:
    """Return, per key of the rows, the value of each column. Rows with a null among their keys belong to no event.

    Without keys all rows belong to the key ().

    Args:
        table: Column of the list -> its values, in the order of the rows.
    """
    grouped: dict[Key, list[int]] = {}
    if keys:
        ties = [[as_key(value, tie.kind) for value in table[tie.column]] for tie in keys]
        for row, key in enumerate(zip(*ties, strict=True)):
            if None not in key:
                grouped.setdefault(key, []).append(row)
    else:
        grouped[()] = list(range(row_count))
    values = [[_value(column, table, rows) for rows in grouped.values()] for column in columns]
    return KeyedValues(list(grouped), values)


def as_key(value: CellValue, kind: FieldType) -> CellValue:
    """Return a value in the type in which it is compared with the event."""
    match value:
        case Decimal() if str(kind) == "float":
            return float(value) + 0.0
        case int() | Decimal() if isinstance(kind, DecimalType):
            return _fitted(Decimal(value), kind)
        case int() | float() if str(kind) == "float":
            return float(value) + 0.0
        case date() if str(kind) == "timestamp" and not isinstance(value, datetime):
            return datetime.combine(value, time(), UTC)
        case _:
            return value


def _value(  # noqa: PLR0911 - one per function
    column: LookupColumn, table: Mapping[str, Sequence[CellValue]], rows: Sequence[int]
) -> CellValue:
    if column.function == "FOUND":
        return True
    if column.column is None:
        return len(rows)
    cells = table[column.column]
    values = [cells[row] for row in rows if cells[row] is not None]
    match column.function:
        case "COUNT":
            return len(values)
        case "VALUE":
            return values[0] if values else None
        case "MIN":
            return min(values, default=None)  # type: ignore[type-var]
        case "MAX":
            return max(values, default=None)  # type: ignore[type-var]
    return _total(column.function, values, column.kind) if values else None


def _total(function: str, values: list[CellValue], kind: FieldType) -> CellValue:
    """Return a sum or an average; null where its type does not hold it."""
    if isinstance(values[0], Decimal):
        exact = Decimal(0)
        for value in values:
            exact = _EXACT.add(exact, value)  # type: ignore[arg-type]
        if function == "AVG":
            exact = _EXACT.divide(exact, Decimal(len(values)))
        return _fitted(exact, kind)  # type: ignore[arg-type]
    if isinstance(values[0], int):
        whole = sum(values)  # type: ignore[arg-type]
        if function == "AVG":
            return whole / len(values)
        return whole if -(2**63) <= whole < 2**63 else None
    total = _float_sum(values)  # type: ignore[arg-type]
    return total if total is None or function == "SUM" else total / len(values)


def _float_sum(values: Sequence[float]) -> float | None:
    """Return the exact sum, rounded once; null where it is larger than any float."""
    try:
        return math.fsum(values)
    except OverflowError:
        # On the way, which depends on the order of rows, or in the end, which does not.
        try:
            return float(sum(map(Fraction, values)))
        except OverflowError:
            return None


def _fitted(value: Decimal, kind: DecimalType) -> Decimal | None:
    rounded = value.quantize(Decimal(1).scaleb(-kind.scale), context=_EXACT)
    return rounded if abs(rounded) < Decimal(10) ** (kind.precision - kind.scale) else None
