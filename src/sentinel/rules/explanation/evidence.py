"""What the matches of a rule are to keep as their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.evidence import EvidencePath, EvidencePlan, shortened
from sentinel.rules import syntax
from sentinel.rules.explanation.tree import children_of
from sentinel.rules.limits import MAX_REFERENCE_LEVELS
from sentinel.rules.parser import parse
from sentinel.rules.references import referred_name
from sentinel.rules.spans import Spans
from sentinel.rules.syntax import EVENT

_NONE: Mapping[str, str] = MappingProxyType({})


def evidence_plan(condition: str, schema: EventSchema, conditions: Mapping[str, str] = _NONE) -> EvidencePlan:
    """Return the conditions that every match of a rule fulfils, with the fields that they look at.

    These are the operands of AND at the top of the rule, or the whole of it where there is none; those of a rule that
    it refers to in place of the reference. Takes a fraction of a millisecond; done once per rule version.

    Args:
        conditions: What names of other rules stand for.
    """
    planner = _Planner(schema, conditions)
    found = []
    spans: dict[str, Spans] = {}
    for part in planner.conjuncts(condition, 0):
        if part.text not in spans:
            spans[part.text] = Spans(part.text)
        start, end = spans[part.text].of(part.node)
        paths = dict.fromkeys(planner.paths(part.node, part.text, part.level))
        found.append((part.text[start:end], tuple(paths)))
    return shortened(found)


@dataclass(frozen=True, slots=True)
class _Conjunct:
    node: syntax.Node
    text: str
    level: int


@dataclass(frozen=True, slots=True)
class _Planner:
    schema: EventSchema
    conditions: Mapping[str, str]

    def conjuncts(self, text: str, level: int) -> Iterator[_Conjunct]:
        """Yield the operands of AND at the top of a text."""
        tree, _ = parse(text)
        if tree is not None:
            yield from self._conjuncts(tree, text, level)

    def _conjuncts(self, node: syntax.Node, text: str, level: int) -> Iterator[_Conjunct]:
        if isinstance(node, syntax.Logical) and node.operator == "AND":
            for operand in node.operands:
                yield from self._conjuncts(operand, text, level)
            return
        referred = self._referred(node, level)
        if referred is None:
            yield _Conjunct(node, text, level)
        else:
            yield from self.conjuncts(referred, level + 1)

    def paths(self, node: syntax.Node, text: str, level: int) -> Iterator[EvidencePath]:
        """Yield the fields that a part looks at, be it in the rules that it refers to."""
        referred = self._referred(node, level)
        tree = parse(referred)[0] if referred is not None else None
        if referred is not None and tree is not None:
            yield from self.paths(tree, referred, level + 1)
            return
        steps = _steps(node, self.schema)
        if steps:
            yield EvidencePath(text[node.start : node.end].removeprefix(f"{EVENT}."), steps)
            return
        for child in children_of(node):
            yield from self.paths(child, text, level)

    def _referred(self, node: syntax.Node, level: int) -> str | None:
        name = referred_name(node)
        return self.conditions.get(name) if name is not None and level < MAX_REFERENCE_LEVELS else None


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
