"""Hostile values for every type of the corpus's schema, as Spark SQL, mixed into events."""

from __future__ import annotations

from sentinel.domain.event_schema import ArrayType, DecimalType, FieldType, ScalarType
from tests.unit.rules.corpus import SCHEMA

_TEXTS = [
    "NULL",
    "''",
    "' '",
    "'now'",
    "'NaN'",
    "'-Infinity'",
    "'1e400'",
    "'1e-999999999'",
    "'1e-９９９９９９９９９'",
    "repeat('9', 100000)",
    "'9223372036854775808'",
    "'-0'",
    "'2024-02-30'",
    "'2024-02-29 25:61:61'",
    "'+999999999-01-01'",
    "'0000-00-00'",
    "'true'",
    "repeat('a', 100000)",
    "repeat('1,', 2000)",
    "repeat('(', 300)",
    "char(0)",
    "'😀'",
    "'İıßﬃ'",
    "decode(x'EFBFBF', 'utf-8')",
    "CAST(x'FFC0AF80' AS STRING)",
    "'%_\\\\$1'",
    "'a@b@c@.com'",
    "repeat('a@', 2000)",
]
_VALUES: dict[FieldType, list[str]] = {
    ScalarType("string"): _TEXTS,
    ScalarType("integer"): [
        "NULL",
        "0L",
        "1L",
        "-1L",
        "9223372036854775807L",
        "-9223372036854775808L",
        "2147483647L",
        "2147483648L",
        "-2147483648L",
        "-2147483649L",
        "253402300800L",
        "3L",
    ],
    ScalarType("float"): [
        "NULL",
        "0D",
        "-0.0D",
        "1D",
        "-1D",
        "1.7976931348623157E308D",
        "-1.7976931348623157E308D",
        "4.9E-324D",
        "1E19D",
        "-2.5D",
    ],
    DecimalType(12, 2): ["NULL", "0BD", "9999999999.99BD", "-9999999999.99BD", "0.01BD"],
    DecimalType(38, 10): ["NULL", "0BD", f"{'9' * 28}.{'9' * 10}BD", f"-{'9' * 28}.{'9' * 10}BD", "0.0000000001BD"],
    ScalarType("boolean"): ["NULL", "true", "false"],
    ScalarType("timestamp"): [
        "NULL",
        "timestamp_micros(9223372036854775807L)",
        "timestamp_micros(-9223372036854775808L)",
        "TIMESTAMP '0001-01-01 00:00:00Z'",
        "TIMESTAMP '9999-12-31 23:59:59.999999Z'",
        "TIMESTAMP '1582-10-10 00:00:00Z'",
        "timestamp_micros(0L)",
    ],
    ScalarType("date"): [
        "NULL",
        "date_from_unix_date(2147483647)",
        "date_from_unix_date(-2147483648)",
        "DATE '0001-01-01'",
        "DATE '9999-12-31'",
        "DATE '2024-02-29'",
    ],
}


def _values(kind: FieldType) -> list[str]:
    if kind in _VALUES:
        return [f"CAST({value} AS {kind.spark()})" for value in _VALUES[kind]]
    if isinstance(kind, ArrayType):
        elements = _values(kind.element)
        short = [element for element in elements if "repeat" not in element]
        null = f"CAST(NULL AS {kind.spark()})"
        huge = f"array_repeat({elements[1]}, 20000)"
        return [null, f"CAST(array() AS {kind.spark()})", f"array({elements[0]})", f"array({', '.join(short)})", huge]
    members = dict(kind.fields)  # type: ignore[union-attr]
    columns = {name: _values(inner) for name, inner in members.items()}
    rows = [
        ", ".join(f"'{name}', {values[index % len(values)]}" for name, values in columns.items()) for index in range(6)
    ]
    return [f"CAST(NULL AS {kind.spark()})", *(f"named_struct({row})" for row in rows)]


def hostile_events(count: int) -> list[str]:
    """Return so many events as Spark SQL structs; each type's values take turns, at a different pace per field."""
    columns = {field.name: _values(field.type) for field in SCHEMA}
    events = []
    for index in range(count):
        members = [
            f"'{name}', {values[(index * (1 + place % 3) + place) % len(values)]}"
            for place, (name, values) in enumerate(columns.items())
        ]
        events.append(f"named_struct({', '.join(members)})")
    return events
