"""What the matches of a rule are to keep as their evidence."""

from __future__ import annotations

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.evidence import EvidencePath, EvidencePlan, shortened
from sentinel.rules import syntax
from sentinel.rules.explanation.tree import children_of
from sentinel.rules.parser import parse
from sentinel.rules.spans import Spans
from sentinel.rules.syntax import EVENT


def evidence_plan(condition: str, schema: EventSchema) -> EvidencePlan:
    """Return the conditions that every match of a rule fulfils, with the fields that they look at.

    These are the operands of AND at the top of the rule, or the whole of it where there is none. Takes a fraction of a
    millisecond; done once per rule version.
    """
    tree, _ = parse(condition)
    if tree is None:
        return ()
    spans = Spans(condition)
    found = []
    for conjunct in _conjuncts(tree):
        start, end = spans.of(conjunct)
        paths = dict.fromkeys(_paths(conjunct, condition, schema))
        found.append((condition[start:end], tuple(paths)))
    return shortened(found)


def _conjuncts(node: syntax.Node) -> list[syntax.Node]:
    if isinstance(node, syntax.Logical) and node.operator == "AND":
        return [conjunct for operand in node.operands for conjunct in _conjuncts(operand)]
    return [node]


def _paths(node: syntax.Node, text: str, schema: EventSchema) -> list[EvidencePath]:
    steps = _steps(node, schema)
    if steps:
        return [EvidencePath(text[node.start : node.end].removeprefix(f"{EVENT}."), steps)]
    return [path for child in children_of(node) for path in _paths(child, text, schema)]


def _steps(node: syntax.Node, schema: EventSchema) -> tuple[str | int, ...]:
    """Return the way to a field; nothing for what is none."""
    match node:
        case syntax.Name(name=name) | syntax.Member(base=syntax.Name(name=syntax.EVENT), name=name):
            return (name,) if schema.field(name) is not None else ()
        case syntax.Member(base=base, name=name):
            steps = _steps(base, schema)
            return (*steps, name) if steps else ()
        case syntax.Index(base=base, index=syntax.Literal(value=int() as index)) if not isinstance(index, bool):
            steps = _steps(base, schema)
            return (*steps, index) if steps else ()
        case _:
            return ()
