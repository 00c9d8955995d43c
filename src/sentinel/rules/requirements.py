"""What must hold of a field for a rule to be true: the equalities that every one of its matches passes.

Many rules are about one merchant, one type of event, one country. A rule that says so need not be looked at for any
other event, and hundreds of such rules cost little more than the few that an event can match.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from sentinel.domain.event_schema import EventSchema, ScalarType
from sentinel.rules import syntax
from sentinel.rules.literals import number_literal, text_literal
from sentinel.rules.syntax import EVENT

MAX_VALUES = 64
_INTEGER = re.compile(r"\(?(-?\d+)L\)?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """A rule is true only where a field has one of these values.

    Attributes:
        field: Name of a top-level field.
        values: Spark SQL literals of its type; none of them null.
    """

    field: str
    values: frozenset[str]

    @property
    def sql(self) -> str:
        """The condition over a struct column named `event`; null where the field is."""
        return membership(self.field, self.values)


def membership(field: str, values: frozenset[str]) -> str:
    """Return the condition that a field of the event has one of these values, which are Spark SQL literals."""
    return f"({EVENT}.`{field}` IN ({', '.join(sorted(values))}))"


def bucket_of(literal: str, count: int) -> int | None:
    """Return the bucket of a value, 0 to `count` - 1, as `bucket_sql` computes it; None where that is not known here.

    Args:
        literal: One of a requirement's values.
        count: A power of two.
    """
    if found := _INTEGER.fullmatch(literal):
        text = found[1]
    elif literal.startswith("'"):
        text = _ESCAPED.sub(lambda escaped: _MEANT.get(escaped[1], escaped[1]), literal[1:-1])
    else:
        return None
    try:
        return zlib.crc32(text.encode()) & (count - 1)
    except UnicodeEncodeError:
        return None


def bucket_sql(field: str, count: int) -> str:
    """Return the bucket of a text or integer field of the event, by CRC-32 of its text; null where the field is."""
    return f"(crc32(CAST(CAST({EVENT}.`{field}` AS STRING) AS BINARY)) & {count - 1}L)"


def requirements(node: syntax.Node, schema: EventSchema) -> tuple[Requirement, ...]:
    """Return what every match of a rule fulfils, by field; what cannot be told is left out.

    Only text, integer and boolean fields compared with literals of their own type count: their equality is the same
    wherever it is computed.
    """
    found = {field: values for field, values in _required(node, schema).items() if len(values) <= MAX_VALUES}
    return tuple(Requirement(field, values) for field, values in sorted(found.items()))


def _required(  # noqa: PLR0911 - one per kind of node
    node: syntax.Node, schema: EventSchema
) -> dict[str, frozenset[str]]:
    match node:
        case syntax.Binary(operator="=", left=left, right=right):
            return _equality(left, (right,), schema) or _equality(right, (left,), schema)
        case syntax.InList(operand=operand, items=items, negated=False):
            return _equality(operand, items, schema)
        case syntax.Logical(operator="AND", operands=operands):
            joined: dict[str, frozenset[str]] = {}
            for each in (_required(operand, schema) for operand in operands):
                joined |= {field: joined.get(field, values) & values for field, values in each.items()}
            # Values that exclude each other: the rule is never true, and a list must not be empty.
            return {field: values for field, values in joined.items() if values}
        case syntax.Logical(operator="OR", operands=operands):
            either = [_required(operand, schema) for operand in operands]
            fields = set(either[0]).intersection(*either[1:])
            return {field: frozenset().union(*(each[field] for each in either)) for field in fields}
        case syntax.Call(name=name, arguments=(inner, syntax.Literal(value=False))) if name.lower() == "coalesce":
            return _required(inner, schema)
        case syntax.Reference(condition=condition):
            return _required(condition, schema)
        case _:
            return {}


def _equality(operand: syntax.Node, items: tuple[syntax.Node, ...], schema: EventSchema) -> dict[str, frozenset[str]]:
    if len(items) > MAX_VALUES:
        return {}
    match operand:
        case syntax.Name(name=name) | syntax.Member(base=syntax.Name(name=syntax.EVENT), name=name):
            field = schema.field(name)
        case _:
            return {}
    if field is None:
        return {}
    values = [_literal(item, field.type) for item in items]
    return {} if None in values else {name: frozenset(value for value in values if value)}


def _literal(node: syntax.Node, kind: object) -> str | None:
    if not isinstance(node, syntax.Literal):
        return None
    value = node.value
    if isinstance(value, bool):
        return str(value).upper() if kind == ScalarType("boolean") else None
    if isinstance(value, str):
        return text_literal(value) if kind == ScalarType("string") else None
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return number_literal(value) if kind == ScalarType("integer") else None
    return None
