"""The tree of a rule as it is explained: every part with its place in the text and the SQL that computes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from sentinel.domain.event_schema import EventSchema
from sentinel.errors import InvalidRuleError
from sentinel.rules import syntax
from sentinel.rules.checker import check
from sentinel.rules.known import NO_NAMES, KnownNames
from sentinel.rules.lookups import LookupColumn
from sentinel.rules.parser import COMPARISONS, parse
from sentinel.rules.references import expand, referred_name
from sentinel.rules.spans import Spans
from sentinel.rules.subqueries import SubqueryBinder
from sentinel.rules.types import BOOLEAN, Kind, is_lenient

# A rule may have thousands of parts. Those nearest to its root are computed; the rest are shown as text.
MAX_COMPUTED = 300
MAX_COMPUTED_SQL = 600_000
MAX_LIST_ITEMS = 20

_KINDS: dict[type[syntax.Node], str] = {
    syntax.Literal: "literal",
    syntax.TypedLiteral: "literal",
    syntax.IntervalLiteral: "literal",
    syntax.Name: "field",
    syntax.Index: "element",
    syntax.Call: "call",
    syntax.Unary: "arithmetic",
    syntax.Not: "not",
    syntax.IsTest: "is",
    syntax.Between: "between",
    syntax.InList: "in",
    syntax.InQuery: "in",
    syntax.ScalarQuery: "lookup",
    syntax.ExistsQuery: "lookup",
    syntax.PatternMatch: "pattern",
    syntax.Case: "case",
    syntax.Cast: "cast",
}
_OF_CONDITIONS = frozenset({"and", "or", "not", "case", "rule"})


@dataclass(slots=True)
class Part:
    """A part of a rule.

    Attributes:
        number: Its place in the order of the tree, level by level; the root is 0.
        kind: and, or, not, comparison, field, literal, call, ...
        type: What it gives; None where that is not known outside of its context.
        sql: Total Spark SQL over a struct column named `event`; None: it is not computed.
        node: What was parsed.
        start: Character offset of the first character, an opening parenthesis that belongs to it included.
        end: Character offset behind the last one.
        left_out: How many items of a long list are not among the children.
        text: What the place is in: the rule, or the condition of a rule that it refers to.
        rule: Name of that rule; None: the rule itself.
        lookups: Of the root: the columns of lists that the whole rule needs beside `event`.
    """

    number: int
    kind: str
    node: syntax.Node
    start: int
    end: int
    type: Kind | None
    sql: str | None
    children: list[Part] = field(default_factory=list)
    left_out: int = 0
    text: str = ""
    rule: str | None = None
    lookups: tuple[LookupColumn, ...] = ()

    @property
    def is_condition(self) -> bool:
        """Whether it is true, false or unknown."""
        return self.type == BOOLEAN

    def walk(self) -> Iterator[Part]:
        """Yield this part and all below, each before its children."""
        yield self
        for child in self.children:
            yield from child.walk()


def rule_tree(text: str, schema: EventSchema, known: KnownNames = NO_NAMES) -> Part:
    """Return the tree of a rule that the gate accepts.

    The SQL of a part is what the same compiler makes of that part; the root's is the compiled rule. Below a reference
    to another rule stands the tree of the condition that it stands for, with places in that text.

    Args:
        known: What it may name beside the fields of the schema.

    Raises:
        InvalidRuleError: The gate refuses the rule for this schema.
    """
    checked = check(text, schema, known)
    parsed, _ = parse(text)
    if checked.compiled is None or parsed is None:
        issues = [issue.as_json() for issue in checked.errors or checked.issues]
        raise InvalidRuleError(f"the rule does not fit this schema: {issues[0]['message']}", issues=issues)
    spans: dict[str, Spans] = {text: Spans(text)}
    root = Part(0, _kind(parsed), parsed, *spans[text].of(parsed), BOOLEAN, checked.compiled, text=text)
    root.lookups = checked.lookups
    waiting = deque([root])
    computed, length, number = 1, len(checked.compiled), 0
    while waiting:
        part = waiting.popleft()
        within, name = part.text, part.rule
        children = [] if part.kind == "field" else children_of(part.node)
        if part.kind == "rule":
            name = referred_name(part.node) or ""
            within = known.conditions.get(name, "")
            tree = parse(within)[0]
            children = [tree] if tree is not None else []
        if part.kind == "in" and len(children) > MAX_LIST_ITEMS + 1:
            part.left_out = len(children) - MAX_LIST_ITEMS - 1
            children = children[: MAX_LIST_ITEMS + 1]
        for child in children:
            number += 1
            kind, sql = None, None
            if computed < MAX_COMPUTED and length < MAX_COMPUTED_SQL:
                kind, sql = _bound(child, schema, known, as_condition=part.kind in _OF_CONDITIONS)
                computed += sql is not None
                length += len(sql or "")
            if within not in spans:
                spans[within] = Spans(within)
            place = spans[within].of(child)
            part.children.append(Part(number, _kind(child), child, *place, kind, sql, text=within, rule=name))
        waiting.extend(part.children)
    return root


def _bound(
    node: syntax.Node, schema: EventSchema, known: KnownNames, *, as_condition: bool
) -> tuple[Kind | None, str | None]:
    """Return type and SQL of a part by itself; nothing where it means something in its context only.

    Args:
        as_condition: Whether TRUE, FALSE and NULL stand for conditions here.
    """
    if isinstance(node, syntax.Literal) and as_condition and (node.value is None or isinstance(node.value, bool)):
        return BOOLEAN, f"CAST({'NULL' if node.value is None else str(node.value).upper()} AS BOOLEAN)"
    if isinstance(node, syntax.Literal | syntax.TypedLiteral | syntax.IntervalLiteral):
        return None, None
    binder = SubqueryBinder(schema, known.tables)
    bound = binder.bind(expand(node, known, binder.report))
    refused = any(issue.severity == "error" for issue in binder.report.issues)
    return (None, None) if refused or is_lenient(bound.kind) else (bound.kind, bound.sql)


def _kind(node: syntax.Node) -> str:
    match node:
        case syntax.Logical(operator=operator):
            return operator.lower()
        case syntax.Binary(operator=operator):
            return "comparison" if operator in COMPARISONS else "arithmetic"
        case syntax.Call() if referred_name(node) is not None:
            return "rule"
        case syntax.Member():
            return "field" if is_field(node) else "member"
        case _:
            return _KINDS.get(type(node), type(node).__name__.lower())


def is_field(node: syntax.Node) -> bool:
    """Tell whether it names a field of the event, or a member of one."""
    while isinstance(node, syntax.Member):
        node = node.base
    return isinstance(node, syntax.Name)


def children_of(node: syntax.Node) -> list[syntax.Node]:
    """Return the parts of a node in the order of the text, whatever kind of node it is.

    A subquery is one part: what it says of its table means nothing for the event.
    """
    if isinstance(node, syntax.InQuery):
        return [node.operand]
    if isinstance(node, syntax.ScalarQuery | syntax.ExistsQuery):
        return []
    found: list[syntax.Node] = []
    for each in fields(node):
        found += _nodes_in(getattr(node, each.name))
    return found


def _nodes_in(value: object) -> Iterator[syntax.Node]:
    if isinstance(value, syntax.Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes_in(item)
