"""Check the arguments of function calls and hand them over in the form the function takes."""

from __future__ import annotations

import re
from collections.abc import Callable

from sentinel.domain.event_schema import ArrayType, StructType
from sentinel.rules.bound import Bound
from sentinel.rules.coercion import (
    as_calendar,
    as_moment_literal,
    as_small,
    as_text,
    castable,
    coerce,
    short_text,
)
from sentinel.rules.functions.base import Accepts, Argument
from sentinel.rules.literals import text_literal
from sentinel.rules.patterns import Pattern, PatternError, check_regex
from sentinel.rules.report import Report
from sentinel.rules.types import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    STRING,
    TIMESTAMP,
    Kind,
    NullType,
    UnknownType,
    holds_struct,
    is_lenient,
    is_moment,
    is_numeric,
    is_scalar,
)

_FITS: dict[Accepts, Callable[[Kind], bool]] = {
    Accepts.TEXT: lambda kind: kind == STRING,
    Accepts.PRINTABLE: is_scalar,
    Accepts.SMALL: lambda kind: kind == INTEGER,
    Accepts.INTEGER: lambda kind: kind == INTEGER,
    Accepts.NUMBER: is_numeric,
    Accepts.DOUBLE: is_numeric,
    Accepts.BOOLEAN: lambda kind: kind == BOOLEAN,
    Accepts.DAY: is_moment,
    Accepts.MOMENT: is_moment,
    Accepts.CALENDAR: is_moment,
    Accepts.ANY: lambda _: True,
    Accepts.SAME: lambda _: True,
    Accepts.ELEMENT: lambda _: True,
    Accepts.ARRAY: lambda kind: isinstance(kind, ArrayType),
    Accepts.SAME_ARRAY: lambda kind: isinstance(kind, ArrayType),
    Accepts.ORDERED_ARRAY: lambda kind: isinstance(kind, ArrayType) and not holds_struct(kind),
    Accepts.TEXT_ARRAY: lambda kind: kind == ArrayType(STRING),
    Accepts.TEXT_OR_ARRAY: lambda kind: kind in (STRING, ArrayType(STRING)),
}
_FORMAT_PART = re.compile(
    r"(?:y{4}|y{2}|M{1,3}|d{1,2}|H{1,2}|h{1,2}|m{1,2}|s{1,2}|S{1,6}|a|D{3}|E{1,3}|X{1,3}|'[^'\\]*'|[-/.:, _T])"
)


def check_argument(argument: Argument, bound: Bound, function: str, report: Report) -> bool:
    """Report an argument that does not fit; tell whether it does."""
    if isinstance(bound.kind, UnknownType):
        return False
    if argument.accepts in _FITS:
        if isinstance(bound.kind, NullType) or _FITS[argument.accepts](bound.kind):
            return True
        if _as_moment(argument, bound) is not None:
            return True
        _report_kind(argument, bound, function, report)
        return False
    return _check_literal(argument, bound, function, report)


def _as_moment(argument: Argument, bound: Bound) -> Bound | None:
    if argument.accepts not in (Accepts.DAY, Accepts.MOMENT, Accepts.CALENDAR):
        return None
    return as_moment_literal(bound, DATE) or as_moment_literal(bound, TIMESTAMP)


def _report_kind(argument: Argument, bound: Bound, function: str, report: Report) -> None:
    message = f"{function} takes {argument.accepts} as its {argument.name}, not {bound.kind}."
    way_out = None
    if argument.accepts is Accepts.TEXT and is_scalar(bound.kind):
        way_out = f"Write cast({report.quoted(bound)} AS string)."
    elif bound.kind == STRING and argument.accepts in (Accepts.NUMBER, Accepts.DOUBLE):
        way_out = f"Write try_cast({report.quoted(bound)} AS double)."
    elif argument.accepts in (Accepts.SMALL, Accepts.INTEGER):
        way_out = way_to_integer(bound, report)
    elif bound.kind == STRING and argument.accepts in (Accepts.DAY, Accepts.MOMENT, Accepts.CALENDAR):
        way_out = f"Write to_timestamp({report.quoted(bound)})."
    elif isinstance(bound.kind, ArrayType | StructType):
        way_out = "Name one value within it, as in tags[0] or device.os."
    report.error("argument-type", bound.start, bound.end, message, way_out)


def way_to_integer(bound: Bound, report: Report) -> str | None:
    """Return what to write for a whole number; None: a value of that type cannot become one."""
    if bound.kind == BOOLEAN or not castable(bound.kind, INTEGER):
        return None
    return f"Write try_cast({report.quoted(bound)} AS bigint)."


def _check_literal(argument: Argument, bound: Bound, function: str, report: Report) -> bool:  # noqa: PLR0911 - one per kind
    value = bound.literal
    wants_text = argument.accepts is not Accepts.LITERAL_SMALL
    fits = isinstance(value, str) if wants_text else isinstance(value, int) and not isinstance(value, bool)
    if not bound.is_literal or not fits:
        message = f"{function} takes {argument.accepts} as its {argument.name}, not a field or computed value."
        report.error("literal-needed", bound.start, bound.end, message, "Write the value itself.")
        return False
    if argument.accepts is Accepts.LITERAL_SMALL and not argument.low <= int(value) <= argument.high:  # type: ignore[arg-type]
        message = f"The {argument.name} of {function} lies within {argument.low} and {argument.high}, not at {value}."
        report.error("out-of-bounds", bound.start, bound.end, message)
        return False
    if argument.accepts is Accepts.LITERAL_TEXT and not argument.low <= len(str(value)) <= argument.high:
        message = f"The {argument.name} of {function} has {argument.low} to {argument.high} characters."
        report.error("out-of-bounds", bound.start, bound.end, message)
        return False
    if argument.problem is not None and (problem := argument.problem(str(value))) is not None:
        report.error("argument-form", bound.start, bound.end, f"The {argument.name} of {function}: {problem}")
        return False
    if argument.accepts is Accepts.CHOICE and str(value).upper() not in argument.choices:
        message = f"{function} does not know the {argument.name} {value!r:.40}."
        way_out = f"Known are {', '.join(argument.choices)}."
        if function == "date_part" and str(value).upper() == "EPOCH":
            way_out = "Instead of EXTRACT(EPOCH FROM moment) there is unix_timestamp(moment)."
        report.error("unknown-unit", bound.start, bound.end, message, way_out)
        return False
    if argument.accepts is Accepts.DATETIME_FORMAT:
        return _check_format(str(value), bound, report)
    if argument.accepts is Accepts.REGEX:
        return checked_regex(bound, report) is not None
    return True


def _check_format(written: str, bound: Bound, report: Report) -> bool:
    if written and len(written) <= 50 and re.fullmatch(f"(?:{_FORMAT_PART.pattern})+", written):
        return True
    message = f"{written!r:.60} is not a date-time format of the language."
    way_out = "Made of yyyy MM dd HH mm ss SSS a XXX, separators and 'quoted text'."
    report.error("datetime-format", bound.start, bound.end, message, way_out)
    return False


def checked_regex(bound: Bound, report: Report) -> Pattern | None:
    """Return what is known of a literal regular expression; None: it was reported."""
    try:
        pattern = check_regex(str(bound.literal))
    except PatternError as refused:
        report.error("regex", bound.start, bound.end, f"{refused} (character {refused.at} of it)", refused.suggestion)
        return None
    if pattern.max_text_length is not None and pattern.max_text_length < 1_000:
        report.warning(
            "slow-regex",
            bound.start,
            bound.end,
            f"This pattern can be slow, so for texts of more than {pattern.max_text_length} characters the outcome is "
            "unknown.",
            "Anchor it with ^, or drop a leading .*: a match may begin anywhere.",
        )
    return pattern


def handed_over(argument: Argument, bound: Bound, common_kind: Kind) -> str:  # noqa: PLR0911 - one per kind
    """Return the SQL of a checked argument in the form the function takes.

    Args:
        argument: What the function declares.
        bound: The value.
        common_kind: The common type of all arguments of Accepts.SAME, or the element type for Accepts.ELEMENT.
    """
    accepts = argument.accepts
    bound = _as_moment(argument, bound) or bound
    if accepts in (Accepts.SMALL, Accepts.LITERAL_SMALL):
        sql = as_small(bound)
        return f"nullif({sql}, 0)" if argument.nonzero else sql
    if accepts is Accepts.CALENDAR:
        return as_calendar(bound)
    if accepts is Accepts.DAY:
        return coerce(bound, DATE).sql
    if accepts is Accepts.PRINTABLE:
        return as_text(bound)
    if accepts is Accepts.CHOICE:
        return text_literal(str(bound.literal).upper())
    target = _TARGETS.get(accepts)
    if accepts in (Accepts.SAME, Accepts.ELEMENT):
        return bound.sql if is_lenient(common_kind) else coerce(bound, common_kind).sql
    if target is not None and (isinstance(bound.kind, NullType) or accepts is Accepts.DOUBLE):
        return coerce(bound, target).sql
    if accepts is Accepts.MOMENT:
        return coerce(bound, TIMESTAMP).sql
    return bound.sql


_TARGETS: dict[Accepts, Kind] = {
    Accepts.TEXT: STRING,
    Accepts.INTEGER: INTEGER,
    Accepts.NUMBER: INTEGER,
    Accepts.DOUBLE: FLOAT,
    Accepts.BOOLEAN: BOOLEAN,
    Accepts.MOMENT: TIMESTAMP,
    Accepts.ARRAY: ArrayType(STRING),
    Accepts.ORDERED_ARRAY: ArrayType(STRING),
    Accepts.SAME_ARRAY: ArrayType(STRING),
    Accepts.TEXT_ARRAY: ArrayType(STRING),
    Accepts.TEXT_OR_ARRAY: STRING,
}
"""The type NULL gets where it is handed over."""


def shortened(bound: Bound, pattern: Pattern) -> str:
    """Return the SQL of a text that a pattern is matched against, null where it is too long for that pattern."""
    return short_text(coerce(bound, STRING), pattern.max_text_length)
