"""Calls that other databases know: recognized by name and arguments, and written as a rule has them."""

from __future__ import annotations

import re

from sentinel.domain.event_schema import EventSchema
from sentinel.rules import syntax
from sentinel.rules.casts import type_called
from sentinel.rules.dialects import Counterpart, counterparts_of
from sentinel.rules.functions import FUNCTIONS
from sentinel.rules.functions.dates import UNITS
from sentinel.rules.literals import text_literal
from sentinel.rules.report import Report
from sentinel.rules.syntax import Node

_ARRAY = "ARRAY"
_SIMPLE = syntax.Name | syntax.Member | syntax.Index | syntax.Literal | syntax.Call | syntax.Cast


def report_habit(node: syntax.Call, schema: EventSchema, report: Report) -> bool:
    """Report a call that another database knows, with what to write; tell whether it is one."""
    known = node.name.lower() in FUNCTIONS
    found = list(counterparts_of(node.name))
    written = next(((each, text) for each in found if (text := _rewritten(each, node, schema, report))), None)
    if not found or (known and written is None):
        return False
    counterpart = written[0] if written else found[0]
    message = f"The function {node.name} is not available in rules."
    if known:
        message = f"{node.name} is not called as {counterpart.call} in rules."
    message += f" {counterpart.note}" if counterpart.note and written else ""
    way_out = f"Write {written[1]}." if written else f"Instead of {counterpart.call} there is {counterpart.write}."
    report.error("argument-type" if known else "function-not-allowed", node.start, node.end, message, way_out)
    return True


def is_unit(node: Node, schema: EventSchema) -> bool:
    """Tell whether it is a unit of time and no field."""
    return isinstance(node, syntax.Name) and schema.field(node.name) is None and _unit(node) is not None


def _unit(node: Node) -> str | None:
    written = node.name if isinstance(node, syntax.Name) else node.value if isinstance(node, syntax.Literal) else None
    unit = str(written).upper().removesuffix("S")
    return unit if unit in UNITS else None


def _rewritten(counterpart: Counterpart, node: syntax.Call, schema: EventSchema, report: Report) -> str | None:
    """Return the call as a rule has it; None: its arguments are others."""
    if counterpart.name == _ARRAY:
        return _as_split(node)
    if len(node.arguments) != len(counterpart.arguments):
        return None
    texts = {}
    for name, argument in zip(counterpart.arguments, node.arguments, strict=True):
        text = _argument(name, argument, schema, report, enclosed=counterpart.write.startswith("("))
        if text is None:
            return None
        texts[name.removeprefix("'$.").removesuffix("'")] = text
    words = "|".join(map(re.escape, texts))
    return re.sub(rf"\b(?:{words})\b", lambda found: texts[found.group()], counterpart.write)


def _argument(name: str, node: Node, schema: EventSchema, report: Report, *, enclosed: bool) -> str | None:
    if name == "type":
        return type_called(node.name) if isinstance(node, syntax.Name) and schema.field(node.name) is None else None
    if name == "unit":
        return _unit(node) if not isinstance(node, syntax.Name) or is_unit(node, schema) else None
    if name.startswith("'$."):
        path = node.value if isinstance(node, syntax.Literal) else None
        return path[2:] if isinstance(path, str) and re.fullmatch(r"\$(\.[A-Za-z_]\w*)+", path) else None
    if name == "count" and not (isinstance(node, syntax.Literal) and isinstance(node.value, int)):
        return None
    if (name == "interval") != isinstance(node, syntax.IntervalLiteral):
        return None
    text = report.quoted(node)
    return f"({text})" if enclosed and not isinstance(node, _SIMPLE | syntax.IntervalLiteral) else text


def _as_split(node: syntax.Call) -> str | None:
    values = [each.value for each in node.arguments if isinstance(each, syntax.Literal)]
    if (
        not values
        or len(values) < len(node.arguments)
        or any(not isinstance(each, str) or "," in each for each in values)
    ):
        return None
    return f"split({text_literal(','.join(map(str, values)))}, ',')"
