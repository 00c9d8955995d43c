"""Bind the literals of a rule."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sentinel.domain.event_schema import DecimalType
from sentinel.rules import syntax
from sentinel.rules.bound import Bound, unknown
from sentinel.rules.literals import (
    date_literal,
    number_literal,
    parse_date,
    parse_timestamp,
    text_literal,
    timestamp_literal,
)
from sentinel.rules.report import Report
from sentinel.rules.types import BOOLEAN, DATE, DAY_TIME, FLOAT, INTEGER, NULL, STRING, TIMESTAMP, YEAR_MONTH


def literal(node: syntax.Literal) -> Bound:  # noqa: PLR0911 - one per kind
    """Bind a literal; integers beyond 64 bits are decimals, as in Spark."""
    value = node.value
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return Bound(INTEGER, number_literal(value), node.start, node.end, value, is_literal=True, constant=True)
    made = Bound(NULL, "NULL", node.start, node.end, value, is_literal=True, constant=True)
    if value is None:
        return made
    if isinstance(value, bool):
        return replace(made, kind=BOOLEAN, sql="TRUE" if value else "FALSE")
    if isinstance(value, str):
        return replace(made, kind=STRING, sql=text_literal(value))
    if isinstance(value, int):
        return replace(made, kind=DecimalType(len(str(abs(value))), 0), sql=number_literal(value))
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        scale = max(0, -int(exponent))
        kind = DecimalType(min(38, max(len(digits) + max(0, int(exponent)), scale)), min(38, scale))
        return replace(made, kind=kind, sql=number_literal(value))
    return replace(made, kind=FLOAT, sql=number_literal(value))


def typed_literal(node: syntax.TypedLiteral, report: Report) -> Bound:
    """Bind DATE '...' or TIMESTAMP '...'; words such as 'now' are not dates here."""
    made = Bound(DATE, "", node.start, node.end, is_literal=True, constant=True, in_calendar=True)
    if node.type_name == "DATE" and (day := parse_date(node.text)):
        return replace(made, sql=date_literal(day))
    if node.type_name == "TIMESTAMP" and (moment := parse_timestamp(node.text)):
        return replace(made, kind=TIMESTAMP, sql=timestamp_literal(moment))
    form = "DATE '2024-01-31'" if node.type_name == "DATE" else "TIMESTAMP '2024-01-31 10:00:00'"
    message = f"{node.text!r:.60} is not a {node.type_name.lower()}."
    report.error("not-a-moment", node.start, node.end, message, f"Write it as {form}.")
    return unknown(node.start, node.end)


def interval(node: syntax.IntervalLiteral) -> Bound:
    """Bind an interval; weeks become days."""
    count, unit = (node.count * 7, "DAY") if node.unit == "WEEK" else (node.count, node.unit)
    kind = YEAR_MONTH if unit in ("MONTH", "YEAR") else DAY_TIME
    maximum = {"SECOND": 10**9, "MINUTE": 10**9, "HOUR": 10**8, "DAY": 10**7, "MONTH": 10**8, "YEAR": 10**7}
    written = min(abs(count), maximum[unit])
    sign = "-" if count < 0 else ""
    return Bound(kind, f"INTERVAL '{sign}{written}' {unit}", node.start, node.end, constant=True)
