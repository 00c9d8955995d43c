"""Conditions that say something else than was meant: what to write instead, as an error or as a warning."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sentinel.domain.event_schema import ArrayType, EventSchema, StructType
from sentinel.rules import syntax
from sentinel.rules.bound import Bound
from sentinel.rules.coercion import as_moment_literal
from sentinel.rules.literals import text_literal
from sentinel.rules.operators import require_boolean
from sentinel.rules.report import Report
from sentinel.rules.types import BOOLEAN, DAY_TIME, STRING, Kind, common, is_moment, is_numeric

_SIZES = frozenset(("<", "<=", ">", ">="))
_COMPARISONS = _SIZES | {"=", "<>", "<=>"}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REGEX_SIGNS = frozenset(".|^$")
_MINUTES_AFTER_YEAR = re.compile(r"(yy(?:yy)?[-/. ]?)mm")


def warn_quoted_name(node: syntax.Literal, schema: EventSchema, report: Report) -> None:
    """Warn of a field's name in double quotes, which other databases take for the field."""
    name = node.value
    if node.double_quoted and isinstance(name, str) and schema.field(name) is not None:
        message = f"In double quotes this is a text, not the field {name[:128]}."
        written = name if _PLAIN.fullmatch(name) else f"`{name}`"
        report.warning("quoted-name", node.start, node.end, message, f"For the field write {written}.")


def varying(comparison: Bound, report: Report) -> Bound:
    """Return a comparison, with a warning where no field is involved in it."""
    told = report.has_within("quoted-name", comparison)
    if comparison.constant and comparison.sql != "NULL" and not told:
        message = "No field of the event is used here, so this is the same for every event."
        report.warning("constant-rule", comparison.start, comparison.end, message, "Name a field of the event.")
    return comparison


def chained(node: syntax.Binary, report: Report) -> str | None:
    """Return what `1 < x < 5` and `a = 1 || b = 2` are meant to say; None for what is neither."""
    left = node.left
    if node.operator not in _COMPARISONS or not isinstance(left, syntax.Binary) or report.is_enclosed(left):
        return None
    joined = left.right if left.operator in _COMPARISONS else left
    if isinstance(joined, syntax.Binary) and joined.operator == "||" and not report.is_enclosed(joined):
        first = report.quoted(joined.left)
        if joined is not left:
            first = f"{report.quoted(left.left)} {left.operator} {first}"
        return f"{first} OR {report.quoted(joined.right)} {node.operator} {report.quoted(node.right)}"
    if left.operator in _SIZES and node.operator in _SIZES:
        low, middle, high = report.quoted(left.left), report.quoted(left.right), report.quoted(node.right)
        if (left.operator, node.operator) == ("<=", "<="):
            return f"{middle} BETWEEN {low} AND {high}"
        return f"{low} {left.operator} {middle} AND {middle} {node.operator} {high}"
    return None


def report_comparison(node: syntax.Binary, left: Bound, right: Bound, report: Report) -> bool:
    """Report a comparison of an array, a condition or an interval with a single value; tell whether it is one."""
    for one, other in ((left, right), (right, left)):
        written = _for_array(node, one, other, report) or _for_condition(node, one, other, report)
        written = written or _for_interval(node, one, other, report)
        if written is not None:
            message = f"A value of type {one.kind} cannot be compared with one of type {other.kind}."
            report.error("type-mismatch", node.start, node.end, message, f"Write {written}.")
            return True
    return False


def _for_array(node: syntax.Binary, one: Bound, other: Bound, report: Report) -> str | None:
    if not isinstance(one.kind, ArrayType) or isinstance(other.kind, ArrayType) or node.operator not in ("=", "<>"):
        return None
    if not is_single(other.kind) or common(one.kind.element, other.kind) is None:
        return None
    call = f"array_contains({report.quoted(one)}, {report.quoted(other)})"
    return call if node.operator == "=" else f"NOT {call}"


def is_single(kind: Kind) -> bool:
    """Tell whether it is a text, number, condition, date or timestamp."""
    return kind in (STRING, BOOLEAN) or is_numeric(kind) or is_moment(kind)


def _for_condition(node: syntax.Binary, one: Bound, other: Bound, report: Report) -> str | None:
    if (
        one.kind != BOOLEAN
        or not other.is_literal
        or isinstance(other.literal, bool)
        or node.operator not in ("=", "<>")
    ):
        return None
    meant = {"1": "true", "0": "false", "true": "true", "false": "false"}.get(str(other.literal).lower())
    return f"{report.quoted(one)} {node.operator} {meant}" if meant else None


def _for_interval(node: syntax.Binary, one: Bound, other: Bound, report: Report) -> str | None:
    difference = node.left
    if one.kind != DAY_TIME or not isinstance(other.literal, int) or isinstance(other.literal, bool):
        return None
    if not isinstance(difference, syntax.Binary) or difference.operator != "-" or other.literal < 0:
        return None
    sides = (difference.left, difference.right)
    if any(isinstance(side, syntax.Cast) and side.type_text == "date" for side in sides):
        return f"datediff({', '.join(map(report.quoted, sides))}) {node.operator} {other.literal}"
    return f"{report.quoted(difference)} {node.operator} INTERVAL '{other.literal}' DAY"


def require_conditions(node: syntax.Logical, bound: Sequence[Bound], report: Report) -> None:
    """Report operands of AND and OR that are no conditions, and what was meant by values such as `x = 1 OR 2`."""
    bare = [is_value(each) for each in node.operands]
    if node.operator == "OR" and bare[1:] == [True] * (len(bare) - 1) and (every := _in_list(node, report)):
        message = "Every operand of OR is a condition of its own."
        report.error("not-boolean", node.start, node.end, message, f"Write {every}.")
        return
    for number, (operand, is_bare) in enumerate(zip(node.operands, bare, strict=True)):
        before = node.operands[number - 1] if number else None
        while isinstance(before, syntax.Logical):
            before = before.operands[-1]
        again = _again(before, operand, report) if is_bare else None
        if again is None:
            require_boolean(bound[number], f"An operand of {node.operator}", report)
            continue
        message = f"Every operand of {node.operator} is a condition of its own."
        report.error("not-boolean", operand.start, operand.end, message, f"Write {again}.")


def is_value(node: syntax.Node) -> bool:
    """Tell whether it is a text or number written out."""
    return isinstance(node, syntax.Literal) and node.value is not None and not isinstance(node.value, bool)


def _in_list(node: syntax.Logical, report: Report) -> str | None:
    match node.operands[0]:
        case syntax.Binary(operator="=", left=syntax.Name() | syntax.Member() as field, right=first) if is_value(first):
            values = [first, *node.operands[1:]]
            same = len({isinstance(value.value, str) for value in values if isinstance(value, syntax.Literal)}) == 1
            written = f"{report.quoted(field)} IN ({', '.join(map(report.quoted, values))})"
            return written if same else None
    return None


def _again(before: syntax.Node | None, value: syntax.Node, report: Report) -> str | None:
    match before:
        case syntax.Binary(operator=operator, left=left) if operator in _COMPARISONS:
            return f"{report.quoted(left)} {operator} {report.quoted(value)}"
        case syntax.Between(operand=left) | syntax.InList(operand=left):
            return f"{report.quoted(left)} = {report.quoted(value)}"
    return None


def report_key(base: Bound, index: Bound, node: syntax.Index, report: Report) -> bool:
    """Report `struct['member']`; tell whether it is that."""
    name = index.literal
    if not isinstance(base.kind, StructType) or not isinstance(name, str) or not _PLAIN.fullmatch(name):
        return False
    message = "A member of a struct is named behind a point."
    report.error("not-an-array", node.start, node.end, message, f"Write {report.quoted(base)}.{name}.")
    return True


def warn_index(base: Bound, index: Bound, node: syntax.Index, report: Report) -> None:
    """Warn of `array[-1]`, which is null."""
    if isinstance(index.literal, int) and index.literal < 0:
        message = "An index counts from 0, so this is always null."
        report.warning(
            "doubtful", node.start, node.end, message, f"Write element_at({report.quoted(base)}, {index.literal})."
        )


def warn_call(name: str, arguments: Sequence[Bound], report: Report) -> None:
    """Warn of arguments that a function takes for something else."""
    second = arguments[1] if len(arguments) > 1 else None
    if second is None or not second.is_literal:
        return
    if name == "split" and second.literal in _REGEX_SIGNS:
        message = f"The separator of split is a regular expression, in which {second.literal} has a meaning of its own."
        report.warning("doubtful", second.start, second.end, message, f"Write r'\\{second.literal}'.")
    if name in ("element_at", "try_element_at") and second.literal == 0:
        message = f"{name} counts from 1, so this is always null."
        report.warning("doubtful", second.start, second.end, message, "For the first element write 1.")
    if name in ("mod", "try_mod", "try_divide"):
        warn_zero(second, report)
    if name in ("date_format", "to_date", "to_timestamp", "try_to_timestamp") and isinstance(second.literal, str):
        meant = _MINUTES_AFTER_YEAR.sub(r"\1MM", second.literal)
        if meant != second.literal:
            message = "In a date-time format mm are minutes, months are MM."
            report.warning("doubtful", second.start, second.end, message, f"Write {text_literal(meant)}.")


def warn_zero(divisor: Bound, report: Report) -> None:
    """Warn of a division by 0 written out."""
    if divisor.is_literal and divisor.literal == 0 and not isinstance(divisor.literal, bool):
        message = "A division by 0 is always null."
        report.warning("doubtful", divisor.start, divisor.end, message, "Divide by something else.")


def warn_power(node: syntax.Binary, left: Bound, right: Bound, report: Report) -> None:
    """Warn of `x ^ 2`, which is no power."""
    if node.operator == "^" and (left.is_literal or right.is_literal):
        message = "^ is the exclusive OR of bits, not a power."
        way_out = f"For a power write power({report.quoted(node.left)}, {report.quoted(node.right)})."
        report.warning("doubtful", node.start, node.end, message, way_out)


def warn_like_in_regex(node: syntax.PatternMatch, pattern: Bound, report: Report) -> None:
    """Warn of % at an end of a regular expression, where it is only itself."""
    text = pattern.literal
    if node.operator == "RLIKE" and isinstance(text, str) and len(text) > 1 and "%" in (text[0], text[-1]):
        word = "NOT LIKE" if node.negated else "LIKE"
        message = "In a regular expression % is the sign itself."
        way_out = f"For any text write {report.quoted(node.operand)} {word} {report.quoted(node.pattern)}."
        report.warning("doubtful", node.start, node.end, message, way_out)


def is_reversed(low: Bound, high: Bound, kind: Kind) -> bool:
    """Tell whether the first of two bounds written out is above the second."""
    if is_moment(kind):
        low, high = (as_moment_literal(bound, kind) or bound for bound in (low, high))
        return (
            low.is_literal and high.is_literal and low.kind == high.kind and is_moment(low.kind) and low.sql > high.sql
        )
    if not (low.is_literal and high.is_literal) or isinstance(low.literal, str | bool | None):
        return False
    return not isinstance(high.literal, str | bool | None) and low.literal > high.literal
