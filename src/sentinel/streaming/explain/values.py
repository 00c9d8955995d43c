"""Compute the parts of a rule over one event, in Spark."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from sentinel.domain.event_schema import ArrayType, DecimalType, StructType
from sentinel.errors import ConfigurationError
from sentinel.rules.explanation.tree import Part
from sentinel.rules.types import BOOLEAN, FLOAT, INTEGER, STRING, Kind
from sentinel.streaming.query.gate import refused_conditions

MAX_TEXT = 1_000
MAX_ITEMS = 50
MAX_JSON = 4_000


@dataclass(frozen=True, slots=True)
class PartValues:
    """What the parts of a rule are for one event, by their numbers.

    Attributes:
        values: True, False or None of conditions; something that is None exactly where there is no value of others.
        shown: The same for people, as JSON: long ones cut, times and decimals as text.
        row: The further columns that were asked for.
    """

    values: dict[int, Any]
    shown: dict[int, Any]
    row: dict[str, Any]


def part_values(spark: SparkSession, event: DataFrame, root: Part, more: tuple[str, ...] = ()) -> PartValues:
    """Compute every part that has SQL.

    Nothing here can throw for any event: the parts are total, as the rule is. A part that the job's own gate refuses
    is left out.

    Args:
        event: One row with the column `event`.
        more: Further columns to return, as SQL with an alias.

    Raises:
        ConfigurationError: The job's own gate refuses the whole rule.
    """
    parts = [part for part in root.walk() if part.sql is not None]
    refused = refused_conditions(spark, [str(part.sql) for part in parts])
    if 0 in refused:
        raise ConfigurationError(f"the rule is refused by the job: {'; '.join(refused[0])}")
    kept = [part for index, part in enumerate(parts) if index not in refused]
    computed = [f"{_shown_sql(part)} AS _p{part.number}" for part in kept]
    row = event.selectExpr(*computed, *more).collect()[0].asDict()
    values = {part.number: row.pop(f"_p{part.number}") for part in kept}
    return PartValues(values, {part.number: _as_json(values[part.number], part.type) for part in kept}, row)


def _shown_sql(part: Part) -> str:
    """Return SQL that gives a part in a form that Python can take, whatever its value."""
    if part.type in (BOOLEAN, INTEGER, FLOAT):
        return str(part.sql)
    if part.type == STRING:
        return f"substring({part.sql}, 1, {MAX_TEXT + 1})"
    if isinstance(part.type, ArrayType):
        return f"to_json(slice({part.sql}, 1, {MAX_ITEMS}))"
    if isinstance(part.type, StructType):
        return f"to_json({part.sql})"
    return f"CAST({part.sql} AS STRING)"


def _as_json(value: Any, kind: Kind | None) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str) and isinstance(kind, ArrayType | StructType):
        return json.loads(value) if len(value) <= MAX_JSON else f"{value[:MAX_JSON]}..."
    if isinstance(value, str) and not isinstance(kind, DecimalType) and len(value) > MAX_TEXT:
        return f"{value[:MAX_TEXT]}..."
    return value
