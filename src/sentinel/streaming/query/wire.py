"""How a field's value is read from JSON and turned into its type, where Spark's own reading is too lenient.

`from_json` would take a time of day for a timestamp of today, multiply epoch numbers until they wrap, round decimals
silently, and spend minutes on `1e100000000`. So those types are read as something plain (the wire type) and converted
here; everything else is read as what it is.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from sentinel.domain.event_schema import ArrayType, DecimalType, FieldType, ScalarType, StructType

MAX_PRECISION = 38
LONG_EXPONENT = "[eE][-+]?[0-9]{3}"


def wire_type(kind: FieldType) -> str:
    """Return the Spark type as which a value is read from JSON."""
    match kind:
        case ArrayType(element):
            return f"array<{wire_type(element)}>"
        case StructType(fields):
            return "struct<" + ",".join(f"`{name}`:{wire_type(inner)}" for name, inner in fields) + ">"
        case DecimalType():
            # The only type that keeps the digits of a number as they were written.
            return "variant"
        case ScalarType("timestamp" | "date"):
            return "string"
    return kind.spark()


def convert(value: Column, kind: FieldType) -> Column:
    """Return a wire value as its type; null where it does not fit. Never throws."""
    if plain(kind):
        return value
    match kind:
        case ArrayType(element):
            return F.transform(value, lambda item: convert(item, element))
        case StructType(fields):
            inner = [convert(value[name], of).alias(name) for name, of in fields]
            return F.when(value.isNotNull(), F.struct(*inner))
        case DecimalType():
            return exact_decimal(value, kind)
        case ScalarType("date"):
            return F.when((F.length(value) == 10) & dashed(value), value.try_cast("date"))
    return timestamp(value)


def plain(kind: FieldType) -> bool:
    """Whether the wire type is the type itself."""
    return wire_type(kind) == kind.spark()


def infinite(value: Column, kind: FieldType) -> Column | None:
    """Return the condition that a float in this wire value is infinite (1e400); None where there is no float."""
    match kind:
        case ArrayType(element):
            return F.exists(value, lambda item: never_null(infinite(item, element))) if has_float(element) else None
        case StructType(fields):
            return any_of([infinite(value[name], inner) for name, inner in fields])
        case ScalarType("float"):
            return F.abs(value) == F.lit(float("inf"))
    return None


def unfit(value: Column, kind: FieldType) -> Column | None:
    """Return the condition that a wire value is there and does not convert; None where that cannot happen."""
    match kind:
        case ArrayType(element):
            return None if plain(element) else F.exists(value, lambda item: never_null(unfit(item, element)))
        case StructType(fields):
            return any_of([unfit(value[name], inner) for name, inner in fields])
    return None if plain(kind) else present(value, kind) & convert(value, kind).isNull()


def present(value: Column, kind: FieldType) -> Column:
    """Return the condition that a wire value is there: neither missing nor a JSON null."""
    return value.isNotNull() & ~F.is_variant_null(value) if isinstance(kind, DecimalType) else value.isNotNull()


def never_null(condition: Column | None) -> Column:
    """Return the condition as true or false; a missing one is false."""
    return F.lit(False) if condition is None else F.coalesce(condition, F.lit(False))


def any_of(conditions: list[Column | None]) -> Column | None:
    """Return the disjunction of the conditions that exist, true or false but never null; None for none."""
    found = [never_null(condition) for condition in conditions if condition is not None]
    return reduce(lambda a, b: a | b, found) if found else None


def has_float(kind: FieldType) -> bool:
    """Whether a float is in the type."""
    match kind:
        case ArrayType(element):
            return has_float(element)
        case StructType(fields):
            return any(has_float(inner) for _, inner in fields)
    return kind == ScalarType("float")


def exact_decimal(value: Column, kind: DecimalType) -> Column:
    """Return a variant as decimal, null if it would have to be rounded or is no number.

    Digits beyond the 38th significant one are not told from 0.
    """
    text = F.try_variant_get(value, "$", "string")
    exponent = F.contains(text, F.lit("e")) | F.contains(text, F.lit("E"))
    # An exponent of three digits fits no decimal, and one of ten digits would occupy a core for minutes. The guard is
    # the cast's own input: Spark hoists common expressions out of a condition beside it.
    harmless = F.when(short_ascii(text, 1_000) & (~exponent | ~text.rlike(LONG_EXPONENT)), text)
    wide = harmless.try_cast(f"decimal({MAX_PRECISION},{MAX_PRECISION - (kind.precision - kind.scale)})")
    narrow = wide.try_cast(kind.spark())
    return F.when(narrow == wide, narrow)


def short_ascii(text: Column, most: int) -> Column:
    """Return whether a text has ASCII characters alone, and no more than so many.

    The casts to numbers take the digits of every script, which the guards against long exponents do not know: the nine
    full-width digits of an exponent would occupy a core for hours all the same. Of a million digits they take seconds.
    """
    return (F.octet_length(text) <= most) & (F.octet_length(text) == F.length(text))


def dashed(text: Column) -> Column:
    """Return whether a text begins like a calendar date, `YYYY-MM-DD`."""
    return (F.substring(text, 5, 1) == "-") & (F.substring(text, 8, 1) == "-")


def timestamp(text: Column) -> Column:
    """Return a text as timestamp: ISO 8601 with a date (UTC where it names no zone), or seconds since 1970.

    Numbers of 1e11 and more are milliseconds (1e11 s is the year 5138, 1e11 ms the year 1973), of 1e14 and more
    microseconds.
    """
    digits = F.when(~dashed(text) & short_ascii(text, 40) & ~text.rlike(LONG_EXPONENT), text)
    number = digits.try_cast("decimal(38,6)")
    size = F.abs(number)
    micros = (
        F.when(size < F.lit(100_000_000_000), number * 1_000_000)
        .when(size < F.lit(100_000_000_000_000), number * 1_000)
        .when(size < F.lit(100_000_000_000_000_000), number)
    )
    calendar = F.when(dashed(text), text)
    return F.coalesce(calendar.try_cast("timestamp"), F.timestamp_micros(micros.try_cast("bigint")))
