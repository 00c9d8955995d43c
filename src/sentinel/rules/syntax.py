"""The tree of a parsed rule expression. Every node knows its place in the text and its depth."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

EVENT = "event"
"""What a rule may call the whole event, as in `event.amount`."""


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all nodes.

    Attributes:
        start: Character offset of the first character.
        end: Character offset behind the last one.
        depth: Levels of the tree from here down; a leaf has 1.
    """

    start: int
    end: int
    depth: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, text, TRUE, FALSE or NULL; `double_quoted` as of its token."""

    value: str | int | float | Decimal | bool | None
    double_quoted: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class TypedLiteral(Node):
    """DATE '2024-01-31' or TIMESTAMP '2024-01-31 10:00:00'; `type_name` is DATE or TIMESTAMP."""

    type_name: str
    text: str


@dataclass(frozen=True, slots=True)
class IntervalLiteral(Node):
    """INTERVAL '15' MINUTE; `unit` is singular and upper-case."""

    count: int
    unit: str


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A field of the event."""

    name: str


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`base.name`; the name starts at `name_start`."""

    base: Node
    name: str
    name_start: int


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`base[index]`."""

    base: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(arguments)`; the name ends at `name_end`."""

    name: str
    name_end: int
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`-x`, `+x` or `~x`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Arithmetic, bitwise operators, `||` and comparisons; `operator` upper-case, `!=` and `==` as `<>` and `=`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logical(Node):
    """A whole chain of AND or of OR."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    """NOT x."""

    operand: Node


@dataclass(frozen=True, slots=True)
class IsTest(Node):
    """`x IS [NOT] NULL|TRUE|FALSE|UNKNOWN`."""

    operand: Node
    test: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Between(Node):
    """`x [NOT] BETWEEN low AND high`."""

    operand: Node
    low: Node
    high: Node
    negated: bool


@dataclass(frozen=True, slots=True)
class InList(Node):
    """`x [NOT] IN (a, b, ...)`."""

    operand: Node
    items: tuple[Node, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class PatternMatch(Node):
    """`x [NOT] LIKE|ILIKE|RLIKE pattern`."""

    operator: str
    operand: Node
    pattern: Node
    negated: bool


@dataclass(frozen=True, slots=True)
class Case(Node):
    """`CASE [operand] WHEN a THEN b ... [ELSE c] END`."""

    operand: Node | None
    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


@dataclass(frozen=True, slots=True)
class Cast(Node):
    """`CAST(x AS type)`, TRY_CAST or `x::type`; the type as written, lower-case, without spaces."""

    operand: Node
    type_text: str
    type_start: int
    type_end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Reference(Node):
    """`rule('name')` with the condition that it stands for, whose places are in another text."""

    name: str
    condition: Node


@dataclass(frozen=True, slots=True)
class Query(Node):
    """`(SELECT select FROM table [alias] [WHERE where])`; `select` None is `*`."""

    select: Node | None
    table: str
    table_start: int
    table_end: int
    alias: str | None
    where: Node | None


@dataclass(frozen=True, slots=True)
class InQuery(Node):
    """`x [NOT] IN (SELECT ...)`."""

    operand: Node
    query: Query
    negated: bool


@dataclass(frozen=True, slots=True)
class ScalarQuery(Node):
    """A subquery that stands for a value."""

    query: Query


@dataclass(frozen=True, slots=True)
class ExistsQuery(Node):
    """EXISTS (SELECT ...)."""

    query: Query


@dataclass(frozen=True, slots=True)
class TableColumn(Node):
    """A column of the reference table that the subquery around it reads; no parser makes it, names become it."""

    name: str


@dataclass(frozen=True, slots=True)
class Refused(Node):
    """Something that was already reported as an issue and is skipped."""
