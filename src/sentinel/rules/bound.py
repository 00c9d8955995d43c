"""What is known of a part of a rule once its names and types are resolved, and the total Spark SQL it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sentinel.rules.types import UNKNOWN, Kind


@dataclass(frozen=True, slots=True)
class Bound:
    """A resolved part of a rule.

    Attributes:
        kind: Its type.
        sql: Spark SQL that computes it and cannot throw, whatever an event contains; null where it has no value.
        start: Character offset in the rule.
        end: Character offset behind it.
        literal: The value of a literal; None for everything else (and for NULL).
        is_literal: Whether it is a literal.
        constant: Whether no field of the event is involved.
        narrow: For integers: whether Spark computes it with 32 bits.
        infinite: For floats: whether it may be infinite. No value of a rule is ever NaN.
        in_calendar: For dates and timestamps: whether it surely lies in the years 1 to 9999.
        growth: How many times larger than the event it may be, at most (texts and arrays).
    """

    kind: Kind
    sql: str
    start: int
    end: int
    literal: str | int | float | Decimal | bool | None = None
    is_literal: bool = False
    constant: bool = False
    narrow: bool = False
    infinite: bool = False
    in_calendar: bool = False
    growth: float = 0.0


def unknown(start: int, end: int) -> Bound:
    """Return what stands for something already reported."""
    return Bound(UNKNOWN, "NULL", start, end)
