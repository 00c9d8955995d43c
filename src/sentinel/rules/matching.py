"""Bind LIKE, ILIKE and RLIKE: literal patterns whose cost on any text is bounded."""

from __future__ import annotations

from sentinel.domain.event_schema import ArrayType
from sentinel.rules.arguments import checked_regex, shortened
from sentinel.rules.bound import Bound
from sentinel.rules.coercion import castable, coerce
from sentinel.rules.like import check_like
from sentinel.rules.literals import text_literal
from sentinel.rules.patterns import PatternError
from sentinel.rules.report import Report
from sentinel.rules.types import BOOLEAN, STRING, is_lenient


def bind_like(operator: str, operand: Bound, pattern: Bound, negated: bool, report: Report) -> Bound:
    """Bind LIKE or ILIKE."""
    nothing = Bound(BOOLEAN, "NULL", operand.start, pattern.end)
    if not _texts(operator, operand, pattern, report):
        return nothing
    try:
        like = check_like(str(pattern.literal), ignore_case=operator == "ILIKE")
    except PatternError as refused:
        report.error("like", pattern.start, pattern.end, str(refused), refused.suggestion)
        return nothing
    text = coerce(operand, STRING)
    if like.regex is not None:
        sql = f"({text.sql} RLIKE {text_literal(like.regex)})"
    else:
        sql = f"({text.sql} {operator} {pattern.sql})"
    return _made(sql, operand, pattern, negated)


def bind_rlike(operator: str, operand: Bound, pattern: Bound, negated: bool, report: Report) -> Bound:
    """Bind RLIKE, which REGEXP is another word for."""
    if not _texts(operator, operand, pattern, report) or (checked := checked_regex(pattern, report)) is None:
        return Bound(BOOLEAN, "NULL", operand.start, pattern.end)
    return _made(f"({shortened(operand, checked)} RLIKE {pattern.sql})", operand, pattern, negated)


def _made(sql: str, operand: Bound, pattern: Bound, negated: bool) -> Bound:
    sql = f"(NOT {sql})" if negated else sql
    return Bound(BOOLEAN, sql, operand.start, pattern.end, constant=operand.constant)


def _texts(operator: str, operand: Bound, pattern: Bound, report: Report) -> bool:
    if operand.kind != STRING and not is_lenient(operand.kind):
        message = f"{operator} needs a text, not {operand.kind}."
        way_out = None
        if operand.kind == ArrayType(STRING):
            way_out = f"Write array_join({report.quoted(operand)}, ',')."
        elif castable(operand.kind, STRING):
            way_out = f"Write cast({report.quoted(operand)} AS string)."
        report.error("argument-type", operand.start, operand.end, message, way_out)
        return False
    if not pattern.is_literal or not isinstance(pattern.literal, str):
        message = f"The pattern of {operator} is a text written out, so that its cost is known."
        report.error("literal-needed", pattern.start, pattern.end, message, "Use contains(text, part) for fields.")
        return False
    return operand.kind == STRING or not isinstance(operand.kind, type(None))
