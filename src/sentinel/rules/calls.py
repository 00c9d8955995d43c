"""Bind function calls: only those of the registry, with arguments that fit."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

from sentinel.domain.event_schema import ArrayType, DecimalType, EventSchema
from sentinel.rules import operators
from sentinel.rules.arguments import check_argument, checked_regex, handed_over, shortened
from sentinel.rules.bound import Bound, unknown
from sentinel.rules.coercion import SMALLEST_INTEGER, coerce, without_nan
from sentinel.rules.functions import FUNCTIONS, RuleFunction
from sentinel.rules.functions.base import Accepts
from sentinel.rules.functions.trying import OPERATOR_OF
from sentinel.rules.limits import MAX_TEXT_GROWTH
from sentinel.rules.report import Report
from sentinel.rules.syntax import Call
from sentinel.rules.types import FLOAT, INTEGER, NULL, UNKNOWN, Kind, NullType, UnknownType, is_moment

_CLOCK = "A rule sees the event and no clock, so that it gives the same verdict for ever."
_AGGREGATE = "A rule sees one event, so it has no aggregates and no windows."
_RANDOM = "A rule gives the same verdict for the same event, so nothing in it is random."
_REASONS = {
    **dict.fromkeys(
        ("now", "current_timestamp", "current_date", "curdate", "localtimestamp", "current_time", "getdate", "sysdate"),
        _CLOCK,
    ),
    **dict.fromkeys(
        [
            "avg",
            "sum",
            "count",
            "min",
            "max",
            "first",
            "last",
            "any_value",
            "stddev",
            "variance",
            "collect_list",
            "collect_set",
            "approx_count_distinct",
            "count_if",
            "bool_or",
            "bool_and",
            "every",
            "some",
            "any",
            "mean",
            "median",
            "percentile",
            "row_number",
            "rank",
            "dense_rank",
            "lag",
            "lead",
            "ntile",
            "first_value",
            "last_value",
        ],
        _AGGREGATE,
    ),
    **dict.fromkeys(("rand", "random", "randn", "uuid", "shuffle", "randstr", "uniform"), _RANDOM),
}
_FROM_LISTS = "Counts and averages over other events come from a list: docs/lists.md."
_SUGGESTIONS = {
    _AGGREGATE: _FROM_LISTS,
    "max": f"For the larger of several values use greatest(a, b), for an array array_max(a). {_FROM_LISTS}",
    "min": f"For the smaller of several values use least(a, b), for an array array_min(a). {_FROM_LISTS}",
}


def report_clock(name: str, start: int, end: int, schema: EventSchema, report: Report) -> bool:
    """Report a name that stands for the clock elsewhere; tell whether it is one."""
    if _REASONS.get(name.lower()) is not _CLOCK:
        return False
    _report_unknown(name, start, end, schema, report)
    return True


def _report_unknown(name: str, start: int, end: int, schema: EventSchema, report: Report) -> None:
    lowered = name.lower()
    reason = _REASONS.get(lowered)
    suggestion = _instead_of_clock(schema) if reason is _CLOCK else None
    suggestion = suggestion or _SUGGESTIONS.get(lowered) or _SUGGESTIONS.get(reason or "")
    if reason is None:
        near = difflib.get_close_matches(lowered, FUNCTIONS, n=2, cutoff=0.75)
        suggestion = f"Did you mean {' or '.join(near)}?" if near else "docs/rules.md lists the functions."
    message = f"The function {name[:60]} is not available in rules." + (f" {reason}" if reason else "")
    report.error("function-not-allowed", start, end, message, suggestion)


def _instead_of_clock(schema: EventSchema) -> str:
    moments = [field.name for field in schema if is_moment(field.type)]
    if len(moments) > 1:
        return f"Compare two fields of the event, as in {moments[0]} - {moments[1]} > INTERVAL '5' MINUTE."
    if moments:
        return f"Compare with a moment written out, as in {moments[0]} > TIMESTAMP '2024-01-31 10:00:00'."
    return "Compare two timestamp fields of the event; this schema has none."


def find_function(name: str, start: int, end: int, schema: EventSchema, report: Report) -> RuleFunction | None:
    """Return the function of that name, in any case; reports what is not in the registry."""
    function = FUNCTIONS.get(name.lower())
    if function is None:
        _report_unknown(name, start, end, schema, report)
    return function


def bind_call(function: RuleFunction, arguments: Sequence[Bound], node: Call, report: Report) -> Bound:
    """Bind a call whose arguments are bound."""
    start, name_end, end = node.start, node.name_end, node.end
    if not _counted(function, arguments, start, name_end, report):
        return unknown(start, end)
    if function.name in OPERATOR_OF:
        made = operators.arithmetic(OPERATOR_OF[function.name], arguments[0], arguments[1], report)
        return replace(made, start=start, end=end)
    checked = [
        check_argument(function.argument(position), argument, function.name, report)
        for position, argument in enumerate(arguments)
    ]
    if not all(checked):
        return unknown(start, end)
    settled, kind = _aligned(function, list(arguments), report)
    if isinstance(kind, UnknownType) and any(not isinstance(a.kind, UnknownType) for a in arguments):
        return unknown(start, end)
    made = replace(_made(function, settled, kind, report), start=start, end=end)
    if made.growth > MAX_TEXT_GROWTH:
        message = f"The text that {function.name} makes may be {made.growth:.0f} times as large as the event."
        report.error("grows-too-large", start, end, message, f"At most {MAX_TEXT_GROWTH:.0f} times are allowed.")
    if function.name == "isnan":
        report.warning("never-nan", start, end, "isnan is always false: what cannot be computed is null.", "IS NULL")
    return made


def _counted(function: RuleFunction, arguments: Sequence[Bound], start: int, name_end: int, report: Report) -> bool:
    given, fewest, most = len(arguments), function.fewest, function.most
    if given >= fewest and (most is None or given <= most):
        return True
    wanted = f"{fewest} or more" if most is None else str(fewest) if fewest == most else f"{fewest} to {most}"
    message = f"{function.name} takes {wanted} arguments, not {given}."
    report.error("argument-count", start, name_end, message, f"Write {function.signature}.")
    return False


def _aligned(function: RuleFunction, arguments: list[Bound], report: Report) -> tuple[list[Bound], Kind]:
    """Bring the arguments that share a type to it; the type is null where no arguments do."""
    accepts = [function.argument(position).accepts for position in range(len(arguments))]
    if Accepts.ELEMENT in accepts:
        array = arguments[0].kind
        element = array.element if isinstance(array, ArrayType) else NULL
        place = accepts.index(Accepts.ELEMENT)
        probe = Bound(element, "", arguments[0].start, arguments[0].end)
        (_, value), kind = operators.aligned((probe, arguments[place]), report, function.name)
        if kind not in (element, NULL) and not isinstance(kind, UnknownType):
            message = f"{function.name} looks for {element} values, not {value.kind}."
            report.error("type-mismatch", value.start, value.end, message, f"try_cast(... AS {element})")
            return arguments, UNKNOWN
        arguments[place] = value
        return arguments, kind
    if Accepts.SAME_ARRAY in accepts and arguments[0].kind != arguments[1].kind:
        message = f"{function.name} takes arrays of one type, not {arguments[0].kind} and {arguments[1].kind}."
        report.error("type-mismatch", arguments[1].start, arguments[1].end, message)
        return arguments, UNKNOWN
    together = [position for position, accept in enumerate(accepts) if accept is Accepts.SAME]
    if not together:
        return arguments, NULL
    settled, kind = operators.aligned([arguments[position] for position in together], report, function.name)
    for position, value in zip(together, settled, strict=True):
        arguments[position] = value
    return arguments, kind


def _made(function: RuleFunction, arguments: Sequence[Bound], kind: Kind, report: Report) -> Bound:
    sql = [handed_over(function.argument(i), argument, kind) for i, argument in enumerate(arguments)]
    for position, argument in enumerate(arguments):
        if function.argument(position).accepts is Accepts.REGEX:
            pattern = checked_regex(argument, Report())
            assert pattern is not None, "was checked with the arguments"  # noqa: S101 - an invariant, not input
            sql[0] = shortened(arguments[0], pattern)
            _check_group(function, arguments, pattern.groups, report)
    if function.name == "abs":
        return _absolute(arguments[0])
    result = function.result(arguments) if callable(function.result) else function.result
    numbers = function.name in ("ceil", "ceiling", "floor", "round", "bround", "sign")
    if function.name in ("coalesce", "nvl", "ifnull", "if", "nvl2", "greatest", "least", "nullif"):
        result = kind
    expanded = function.expand(arguments, sql)
    if function.may_be_nan:
        expanded = without_nan(expanded)
    return Bound(
        result,
        expanded,
        0,
        0,
        constant=all(argument.constant for argument in arguments),
        narrow=function.narrow or (result == INTEGER and not numbers and _all_narrow(arguments)),
        infinite=result == FLOAT,
        growth=function.growth(arguments),
        in_calendar=function.name in ("date_trunc", "last_day"),
    )


def _absolute(number: Bound) -> Bound:
    """Bind abs: of the smallest integer null, and exact for decimals of more than 34 digits."""
    kind = number.kind
    if kind == INTEGER:
        sql = f"abs(nullif(CAST({number.sql} AS BIGINT), {SMALLEST_INTEGER}))"
    elif isinstance(kind, DecimalType) and kind.precision > operators.EXACT_NEGATION_DIGITS:
        sql = f"when({number.sql} >= 0BD, {number.sql}, {operators.negated(number)})"
    else:
        sql = f"abs({coerce(number, INTEGER).sql if isinstance(kind, NullType) else number.sql})"
    kind = INTEGER if isinstance(kind, NullType) else kind
    return Bound(kind, sql, number.start, number.end, constant=number.constant, infinite=number.infinite)


def _all_narrow(arguments: Sequence[Bound]) -> bool:
    return bool(arguments) and all(argument.narrow or argument.kind != INTEGER for argument in arguments)


def _check_group(function: RuleFunction, arguments: Sequence[Bound], groups: int, report: Report) -> None:
    if function.name != "regexp_extract":
        return
    wanted = arguments[2].literal if len(arguments) > 2 else 1
    if isinstance(wanted, int) and wanted > groups:
        place = arguments[2] if len(arguments) > 2 else arguments[1]
        message = f"The pattern has {groups} groups, so there is no group {wanted}."
        report.error("regex", place.start, place.end, message, "Put ( ) around the part that is wanted, or ask for 0.")
