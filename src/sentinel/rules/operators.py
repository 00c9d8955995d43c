"""Bind operators: types checked, and the total expression each becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from sentinel.domain.event_schema import ArrayType, DecimalType, StructType
from sentinel.rules.bound import Bound, unknown
from sentinel.rules.coercion import SMALLEST_INTEGER, as_moment_literal, as_text, coerce, spark_type, without_nan
from sentinel.rules.literals import is_number
from sentinel.rules.report import Report
from sentinel.rules.types import (
    BOOLEAN,
    DATE,
    DAY_TIME,
    FLOAT,
    INTEGER,
    INTEGER_AS_DECIMAL,
    NULL,
    STRING,
    TIMESTAMP,
    UNKNOWN,
    IntervalType,
    Kind,
    NullType,
    UnknownType,
    arithmetic_decimal,
    as_decimal,
    common,
    is_lenient,
    is_moment,
    is_numeric,
    is_scalar,
)

_FUNCTION_OF = {"+": "try_add", "-": "try_subtract", "*": "try_multiply", "/": "try_divide", "%": "try_mod"}
EXACT_NEGATION_DIGITS = 34
_EQUALITY = ("=", "<>", "<=>")


def _made(kind: Kind, sql: str, *parts: Bound, start: int | None = None, end: int | None = None) -> Bound:
    return Bound(
        kind,
        sql,
        parts[0].start if start is None else start,
        parts[-1].end if end is None else end,
        constant=all(part.constant for part in parts),
    )


def require_boolean(bound: Bound, where: str, report: Report) -> None:
    """Report a value that is not a condition."""
    if bound.kind == BOOLEAN or is_lenient(bound.kind):
        return
    shown = report.quoted(bound)
    way_out = f"Compare it, as in {shown} IS NOT NULL."
    if bound.kind == STRING and "||" in shown:
        way_out = "|| joins texts; between conditions stands OR."
    elif bound.kind == STRING:
        way_out = f"Compare it, as in {shown} = 'true'."
    elif is_numeric(bound.kind):
        way_out = f"Compare it, as in {shown} <> 0."
    message = f"{where} must be a condition (true or false), not {_described(bound.kind)}."
    report.error("not-boolean", bound.start, bound.end, message, way_out)


def as_condition(bound: Bound) -> Bound:
    """Return a condition; of NULL an unknown one, since Spark takes no NULL without a type for a condition."""
    return coerce(bound, BOOLEAN) if bound.kind == NULL else bound


def _described(kind: Kind) -> str:
    text = str(kind)
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def aligned(bounds: Sequence[Bound], report: Report, where: str) -> tuple[list[Bound], Kind]:
    """Bring values to their common type, text literals beside dates and timestamps included.

    Reports the first value that does not fit; the type is then unknown.
    """
    moments = [bound.kind for bound in bounds if is_moment(bound.kind)]
    wanted = (TIMESTAMP if TIMESTAMP in moments else DATE) if moments else None
    kind: Kind = NULL
    settled: list[Bound] = []
    for bound in bounds:
        value = bound
        if wanted is not None and bound.kind == STRING and bound.is_literal:
            literal = as_moment_literal(bound, wanted)
            if literal is None:
                form = "'2024-01-31'" if wanted == DATE else "'2024-01-31 10:00:00'"
                message = f"The text {bound.literal!r:.60} is not a {wanted}."
                report.error("not-a-moment", bound.start, bound.end, message, f"Write it as {form}.")
                return list(bounds), UNKNOWN
            value = literal
        joined = common(kind, value.kind)
        if joined is None:
            _report_mixed(kind, value, report, where)
            return list(bounds), UNKNOWN
        kind = joined
        settled.append(value)
    if kind == TIMESTAMP:
        settled = [coerce(value, kind) if value.kind == DATE else value for value in settled]
    return settled, kind


def _report_mixed(kind: Kind, value: Bound, report: Report, where: str) -> None:
    message = f"{where} mixes {_described(kind)} and {_described(value.kind)}."
    suggestion = None
    if value.kind == STRING and isinstance(kind, DecimalType) | (kind in (INTEGER, FLOAT, BOOLEAN)):
        if value.is_literal:
            suggestion = f"Write {value.literal}." if is_number(str(value.literal)) else None
        else:
            suggestion = f"try_cast({report.quoted(value)} AS {spark_type(kind)})"
    elif kind == STRING and is_scalar(value.kind):
        suggestion = (
            f"Write '{value.literal}'." if value.is_literal else f"Write cast({report.quoted(value)} AS string)."
        )
    report.error("type-mismatch", value.start, value.end, message, suggestion)


def compare(operator: str, left: Bound, right: Bound, report: Report) -> Bound:
    """Bind a comparison."""
    if operator != "<=>":
        for side in (left, right):
            if isinstance(side.kind, NullType):
                report.warning(
                    "null-comparison",
                    side.start,
                    side.end,
                    f"Comparing with NULL by {operator} is never true.",
                    "Use IS NULL or IS NOT NULL.",
                )
    if STRING in (left.kind, right.kind) and (is_numeric(left.kind) or is_numeric(right.kind)):
        _report_text_and_number(left, right, report)
        return _made(BOOLEAN, "NULL", left, right)
    (left, right), kind = aligned((left, right), report, f"The comparison {operator}")
    if (isinstance(kind, ArrayType | StructType) or kind == BOOLEAN) and operator not in _EQUALITY:
        message = f"{_described(kind).capitalize()} has no order, so {operator} means nothing here."
        report.error("not-ordered", left.start, right.end, message, "Use = or <>, or compare single values.")
    if _beyond_integers(right):
        left = _as_whole_decimal(left)
    if _beyond_integers(left):
        right = _as_whole_decimal(right)
    return _made(BOOLEAN, f"({left.sql} {operator} {right.sql})", left, right)


def _beyond_integers(bound: Bound) -> bool:
    """Tell whether it is a number written out that no 64-bit integer reaches."""
    value = bound.literal
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and not -(2**63) <= value <= 2**63 - 1


def _as_whole_decimal(bound: Bound) -> Bound:
    """Return an integer as decimal: beside such a number Spark takes `<` for true (or false) even of null.

    Its rule for an integer and a decimal literal (DecimalPrecisionTypeCoercion.integralAndDecimalLiteral) forgets null.
    """
    return coerce(bound, INTEGER_AS_DECIMAL) if bound.kind == INTEGER else bound


def _report_text_and_number(left: Bound, right: Bound, report: Report) -> None:
    text, number = (left, right) if left.kind == STRING else (right, left)
    message = f"A text and {_described(number.kind)} cannot be compared: the text may not be a number."
    way_out = None
    if text.is_literal and is_number(str(text.literal)):
        way_out = f"Write {str(text.literal)[:40]}."
    elif text.is_literal:
        way_out = f"Compare with a number, or a text with cast({report.quoted(number)} AS string)."
    else:
        way_out = f"try_cast({report.quoted(text)} AS {spark_type(number.kind)}), which is null where it is none."
    report.error("type-mismatch", text.start, text.end, message, way_out)


def arithmetic(operator: str, left: Bound, right: Bound, report: Report) -> Bound:
    """Bind + - * / % DIV, on numbers and, for + and -, on dates and timestamps."""
    if isinstance(left.kind, UnknownType) or isinstance(right.kind, UnknownType):
        return unknown(left.start, right.end)
    if is_moment(left.kind) or is_moment(right.kind):
        return _moment_arithmetic(operator, left, right, report)
    for side in (left, right):
        if not is_numeric(side.kind) and not isinstance(side.kind, NullType):
            way_out = f"try_cast({report.quoted(side)} AS double)" if side.kind == STRING else None
            if side.kind == STRING and operator == "+":
                way_out = f"{way_out}, or join texts with ||"
            message = f"{operator} needs numbers, not {_described(side.kind)}."
            report.error("arithmetic", side.start, side.end, message, way_out)
            return unknown(left.start, right.end)
    if isinstance(left.kind, NullType) or isinstance(right.kind, NullType):
        kind: Kind = right.kind if isinstance(left.kind, NullType) else left.kind
        return _made(kind, coerce(replace(left, kind=NULL), kind).sql, left, right)
    if operator == "DIV":
        return _whole_division(left, right, report)
    return _number_arithmetic(operator, left, right)


def _number_arithmetic(operator: str, left: Bound, right: Bound) -> Bound:
    name = _FUNCTION_OF[operator]
    if FLOAT in (left.kind, right.kind):
        first, second = coerce(left, FLOAT), coerce(right, FLOAT)
        return _float_result(operator, name, first, second)
    if left.kind == INTEGER and right.kind == INTEGER:
        wide = f"CAST({left.sql} AS BIGINT)" if left.narrow and right.narrow else left.sql
        return _made(FLOAT if operator == "/" else INTEGER, f"{name}({wide}, {right.sql})", left, right)
    kind = arithmetic_decimal(operator, as_decimal(left.kind), as_decimal(right.kind))
    return _made(kind, f"{name}({left.sql}, {right.sql})", left, right)


def _float_result(operator: str, name: str, left: Bound, right: Bound) -> Bound:
    """Finite values give NaN nowhere here: division by zero is null. Infinite ones may, and then are guarded."""
    sql = f"{name}({left.sql}, {right.sql})"
    both, either = left.infinite and right.infinite, left.infinite or right.infinite
    may_be_nan = {"+": both, "-": both, "*": either, "/": both, "%": left.infinite}[operator]
    made = _made(FLOAT, without_nan(sql) if may_be_nan else sql, left, right)
    return replace(made, infinite=operator != "%")


def _whole_division(left: Bound, right: Bound, report: Report) -> Bound:
    for side in (left, right):
        if side.kind != INTEGER:
            message = f"DIV divides integers, not {_described(side.kind)}."
            report.error("arithmetic", side.start, side.end, message, "Use floor(a / b).")
            return unknown(left.start, right.end)
    return _made(INTEGER, f"(nullif({left.sql}, {SMALLEST_INTEGER}) DIV nullif({right.sql}, 0L))", left, right)


def _moment_arithmetic(operator: str, left: Bound, right: Bound, report: Report) -> Bound:
    name = _FUNCTION_OF.get(operator, "")
    if operator == "+" and is_moment(right.kind) and isinstance(left.kind, IntervalType):
        moment, span = right, left
        return _shifted(name, moment, span, left, right)
    if operator in ("+", "-") and isinstance(right.kind, IntervalType):
        return _shifted(name, left, right, left, right)
    if operator == "-" and right.kind != INTEGER:
        (first, second), kind = aligned((left, right), report, "The difference")
        if kind in (DATE, TIMESTAMP):
            first, second = coerce(first, TIMESTAMP), coerce(second, TIMESTAMP)
            return _made(DAY_TIME, f"try_subtract({first.sql}, {second.sql})", left, right)
        if isinstance(kind, UnknownType):
            return unknown(left.start, right.end)
    _report_shift(operator, left, right, report)
    return unknown(left.start, right.end)


def _report_shift(operator: str, left: Bound, right: Bound, report: Report) -> None:
    moment, other = (left, right) if is_moment(left.kind) else (right, left)
    suggestion = f"Add an interval, as in {report.quoted(moment)} + INTERVAL '15' MINUTE."
    if moment.kind == DATE and other.kind == INTEGER and operator in ("+", "-") and (moment is left or operator == "+"):
        name = "date_add" if operator == "+" else "date_sub"
        suggestion = f"Write {name}({report.quoted(moment)}, {report.quoted(other)})."
    message = f"{operator} does not apply to {_described(left.kind)} and {_described(right.kind)}."
    report.error("arithmetic", left.start, right.end, message, suggestion)


def _shifted(name: str, moment: Bound, span: Bound, left: Bound, right: Bound) -> Bound:
    if moment.kind == DATE and span.kind == DAY_TIME:
        moment = coerce(moment, TIMESTAMP)
    return _made(moment.kind, f"{name}({moment.sql}, {span.sql})", left, right)


def bitwise(operator: str, left: Bound, right: Bound, report: Report) -> Bound:
    """Bind & | ^ on integers."""
    for side in (left, right):
        if side.kind != INTEGER and not is_lenient(side.kind):
            message = f"{operator} works on the bits of integers, not on {_described(side.kind)}."
            report.error("arithmetic", side.start, side.end, message, "For conditions write AND, OR.")
            return unknown(left.start, right.end)
    left, right = coerce(left, INTEGER), coerce(right, INTEGER)
    return _made(INTEGER, f"({left.sql} {operator} {right.sql})", left, right)


def joined_text(left: Bound, right: Bound, report: Report) -> Bound:
    """Bind `||`."""
    for side in (left, right):
        if not is_scalar(side.kind) and not is_lenient(side.kind):
            message = f"|| joins texts, not {_described(side.kind)}."
            report.error("argument-type", side.start, side.end, message, None)
            return unknown(left.start, right.end)
    made = _made(STRING, f"concat({as_text(left)}, {as_text(right)})", left, right)
    return replace(made, growth=left.growth + right.growth)


def negated(bound: Bound) -> str:
    """Return the SQL of a number with the other sign.

    The negation of a decimal goes through 34 digits in Spark (scala.math.BigDecimal), so longer ones are subtracted.
    """
    if bound.kind == INTEGER:
        return f"try_subtract(0L, {bound.sql})"
    if isinstance(bound.kind, DecimalType) and bound.kind.precision > EXACT_NEGATION_DIGITS:
        return f"try_subtract(0BD, {bound.sql})"
    return f"(- {bound.sql})"


def signed(operator: str, operand: Bound, start: int, report: Report) -> Bound:
    """Bind unary - + ~."""
    if isinstance(operand.kind, UnknownType):
        return operand
    bits = operator == "~"
    if (operand.kind != INTEGER if bits else not is_numeric(operand.kind)) and not isinstance(operand.kind, NullType):
        message = f"{operator} needs {'an integer' if bits else 'a number'}, not {_described(operand.kind)}."
        way_out = f"try_cast({report.quoted(operand)} AS double)" if operand.kind == STRING else None
        report.error("arithmetic", operand.start, operand.end, message, way_out)
        return unknown(start, operand.end)
    if operator == "+" or isinstance(operand.kind, NullType):
        return replace(operand, start=start)
    sql = f"(~ {operand.sql})" if bits else negated(operand)
    made = _made(operand.kind, sql, operand, start=start)
    return replace(made, infinite=operand.infinite, narrow=bits and operand.narrow)
