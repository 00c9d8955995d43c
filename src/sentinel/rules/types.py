"""The types of values inside a rule, and what combining two of them gives (Spark's rules under ANSI)."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel.domain.event_schema import ArrayType, DecimalType, FieldType, ScalarType, StructType


@dataclass(frozen=True, slots=True)
class NullType:
    """The type of NULL: fits everywhere."""

    def __str__(self) -> str:
        return "null"


@dataclass(frozen=True, slots=True)
class IntervalType:
    """A time span: "day-time" (difference of timestamps, seconds to weeks) or "year-month"."""

    kind: str

    def __str__(self) -> str:
        return f"{self.kind} interval"


@dataclass(frozen=True, slots=True)
class UnknownType:
    """The type of something that was already reported; nothing more is said about it."""

    def __str__(self) -> str:
        return "unknown"


Kind = FieldType | NullType | IntervalType | UnknownType

STRING = ScalarType("string")
INTEGER = ScalarType("integer")
FLOAT = ScalarType("float")
BOOLEAN = ScalarType("boolean")
TIMESTAMP = ScalarType("timestamp")
DATE = ScalarType("date")
NULL = NullType()
UNKNOWN = UnknownType()
DAY_TIME = IntervalType("day-time")
YEAR_MONTH = IntervalType("year-month")

INTEGER_AS_DECIMAL = DecimalType(20, 0)
"""What a 64-bit integer becomes beside a decimal."""


def is_numeric(kind: Kind) -> bool:
    """Tell whether arithmetic applies."""
    return kind in (INTEGER, FLOAT) or isinstance(kind, DecimalType)


def is_moment(kind: Kind) -> bool:
    """Tell whether it is a date or timestamp."""
    return kind in (DATE, TIMESTAMP)


def is_scalar(kind: Kind) -> bool:
    """Tell whether it is a single value that has a text form."""
    return isinstance(kind, ScalarType | DecimalType)


def is_lenient(kind: Kind) -> bool:
    """Tell whether it fits everywhere: NULL, or what was already reported."""
    return isinstance(kind, NullType | UnknownType)


def holds_struct(kind: Kind) -> bool:
    """Tell whether a struct lies somewhere within."""
    if isinstance(kind, ArrayType):
        return holds_struct(kind.element)
    return isinstance(kind, StructType)


def as_decimal(kind: Kind) -> DecimalType:
    """Return the decimal type of an integer or decimal."""
    return kind if isinstance(kind, DecimalType) else INTEGER_AS_DECIMAL


def common(left: Kind, right: Kind) -> Kind | None:
    """Return the type in which both can be compared or mixed; None: there is none without losing meaning."""
    if is_lenient(left) or left == right:
        return right
    if is_lenient(right):
        return left
    if is_numeric(left) and is_numeric(right):
        if FLOAT in (left, right):
            return FLOAT
        return wider_decimal(as_decimal(left), as_decimal(right))
    if is_moment(left) and is_moment(right):
        return TIMESTAMP
    return None


def wider_decimal(left: DecimalType, right: DecimalType) -> DecimalType:
    """Return the decimal that holds both where 38 digits suffice, and Spark's choice where they do not.

    DecimalType.boundedPreferIntegralDigits (sql/api, DecimalType.scala): digits before the point are kept first.
    """
    scale = max(left.scale, right.scale)
    whole = max(left.precision - left.scale, right.precision - right.scale)
    if whole + scale <= 38:
        return DecimalType(whole + scale, scale)
    return DecimalType(38, max(0, scale - (whole + scale - 38)))


def arithmetic_decimal(operator: str, left: DecimalType, right: DecimalType) -> DecimalType:
    """Return the result type of decimal arithmetic (Spark's arithmetic.scala, precision loss allowed)."""
    p1, s1, p2, s2 = left.precision, left.scale, right.precision, right.scale
    if operator == "*":
        return _adjusted(p1 + p2 + 1, s1 + s2)
    if operator == "/":
        scale = max(6, s1 + p2 + 1)
        return _adjusted(p1 - s1 + s2 + scale, scale)
    scale = max(s1, s2)
    if operator == "%":
        return _adjusted(min(p1 - s1, p2 - s2) + scale, scale)
    return _adjusted(max(p1 - s1, p2 - s2) + scale + 1, scale)


def _adjusted(precision: int, scale: int) -> DecimalType:
    if precision <= 38:
        return DecimalType(max(precision, 1), scale)
    whole = precision - scale
    return DecimalType(38, max(38 - whole, min(scale, 6)))
