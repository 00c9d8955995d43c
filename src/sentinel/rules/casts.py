"""Bind casts: what a type is called, and what fits into it."""

from __future__ import annotations

import re

from sentinel.domain.event_schema import parse_type
from sentinel.rules import syntax
from sentinel.rules.bound import Bound, unknown
from sentinel.rules.coercion import CAST_TARGETS, cast_sql, castable, without_nan
from sentinel.rules.report import Report
from sentinel.rules.types import FLOAT, INTEGER, STRING, Kind, UnknownType

TYPES_ELSEWHERE = {
    **dict.fromkeys(("varchar", "char", "text", "nvarchar", "nchar", "character", "str"), "string"),
    **dict.fromkeys(("float", "real", "float64", "float8", "float4", "money"), "double"),
    **dict.fromkeys(
        ("int64", "int8", "int4", "int2", "int32", "smallint", "tinyint", "byte", "short", "signed", "unsigned"),
        "bigint",
    ),
    **dict.fromkeys(("bignumeric", "number"), "decimal(38,9)"),
    **dict.fromkeys(("bool", "bit"), "boolean"),
    **dict.fromkeys(("datetime", "timestamptz", "timestamp_ntz", "timestamp_ltz"), "timestamp"),
}
"""What types are called in other databases, and here."""


def type_called(name: str) -> str | None:
    """Return what a type of any database is called here; None: it is none."""
    lowered = name.lower()
    return lowered if lowered in CAST_TARGETS else TYPES_ELSEWHERE.get(lowered)


def cast_target(node: syntax.Cast, report: Report) -> Kind | None:
    """Return the type that a cast names; None: it was reported."""
    written = node.type_text
    target = CAST_TARGETS.get(written)
    if target is None and written.startswith(("decimal", "numeric", "dec(")):
        target = _decimal(node, report)
    if target is not None:
        return target
    known = ", ".join([*CAST_TARGETS, "decimal(p,s)"])
    same = TYPES_ELSEWHERE.get(written.partition("(")[0])
    way_out = f"Write {same}." if same else f"Known types: {known}."
    message = f"A cast to {written:.40} is not part of the language."
    report.error("cast-type", node.type_start, _end_of_type(node), message, way_out)
    return None


def _end_of_type(node: syntax.Cast) -> int:
    """Return where the type ends: before the parenthesis of CAST, or with `::type`."""
    return node.type_end or node.type_start + len(node.type_text)


def _decimal(node: syntax.Cast, report: Report) -> Kind | None:
    """Return the decimal type a cast names, or None."""
    written = re.sub(r"^(numeric|dec)(?=\(|$)", "decimal", node.type_text)
    if written == "decimal":
        # A stored rule keeps what it means; `dsl.check` refuses a new one.
        message = f"{node.type_text} without digits has none behind the point: 42.5 would become 43."
        report.warning("cast-type", node.type_start, _end_of_type(node), message, "Write decimal(18,2).")
        written = "decimal(10,0)"
    try:
        return parse_type(written)
    except ValueError:
        return None


def bind_cast(node: syntax.Cast, operand: Bound, target: Kind, report: Report) -> Bound:
    """Bind a cast; what does not fit becomes null."""
    if isinstance(operand.kind, UnknownType) or not castable(operand.kind, target):
        if not isinstance(operand.kind, UnknownType):
            message = f"{operand.kind} cannot be cast to {target}."
            report.error("cast-type", operand.start, operand.end, message)
        return unknown(node.start, node.end)
    narrow = target == INTEGER and node.type_text in ("int", "integer")
    sql = cast_sql(operand, target, narrow=narrow)
    from_text = operand.kind == STRING and target == FLOAT
    return Bound(
        target,
        without_nan(sql) if from_text else sql,
        node.start,
        node.end,
        constant=operand.constant,
        narrow=narrow,
        infinite=from_text or (operand.infinite and target == FLOAT),
        growth=operand.growth if target == STRING else 0.0,
    )
