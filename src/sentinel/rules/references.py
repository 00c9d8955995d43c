"""Composite rules: `rule('new_wallet')` stands for the condition of another rule of the pipeline.

A reference is replaced by the tree of what it stands for before anything is bound, so a composite rule is checked,
compiled and arranged as if it had been written out. What it stands for is pinned by the rule set.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from sentinel.rules import syntax
from sentinel.rules.known import KnownNames
from sentinel.rules.limits import MAX_DEPTH, MAX_REFERENCE_LEVELS, MAX_REFERENCES
from sentinel.rules.parser import parse
from sentinel.rules.report import Report
from sentinel.rules.syntax import Node

REFERENCE = "rule"
_MAY_REFER = re.compile(r"\brule\b", re.IGNORECASE)


def may_refer(text: str) -> bool:
    """Tell whether a rule, in either form, can refer to another one: no for most, and at once."""
    return _MAY_REFER.search(text) is not None


def references_in(condition: str) -> frozenset[str]:
    """Return the names that a condition in Spark SQL refers to directly; none for a text that is no condition."""
    if not may_refer(condition):
        return frozenset()
    return _references_in(condition)


@lru_cache(maxsize=2_000)
def _references_in(condition: str) -> frozenset[str]:
    tree = parsed(condition)
    return frozenset() if tree is None else frozenset(_names(tree))


def closure(condition: str, conditions: Mapping[str, str]) -> frozenset[str]:
    """Return the names that a condition refers to, directly or through others; names without a condition as well."""
    found: set[str] = set()
    left = [*references_in(condition)]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += references_in(conditions.get(name, ""))
    return frozenset(found)


def expand(tree: Node, known: KnownNames, report: Report) -> Node:
    """Return the tree with each `rule('name')` replaced by what it stands for; what cannot be is reported."""
    path = () if known.own_name is None else (known.own_name,)
    return _Expansion(known, report).expand(tree, path)


class _Expansion:
    def __init__(self, known: KnownNames, report: Report) -> None:
        self._known = known
        self._report = report
        self._count = 0
        self._in_subquery = False

    def expand(self, node: Node, path: tuple[str, ...]) -> Node:
        if _is_reference(node):
            return self._misplaced(node) if self._in_subquery else self._resolved(node, path)
        outside, self._in_subquery = self._in_subquery, self._in_subquery or isinstance(node, syntax.Query)
        try:
            return self._with_parts(node, path)
        finally:
            self._in_subquery = outside

    def _with_parts(self, node: Node, path: tuple[str, ...]) -> Node:
        changed: dict[str, Any] = {}
        for name, value in _parts(node):
            new = self._expanded(value, path)
            if new is not value:
                changed[name] = new
        if not changed:
            return node
        made = replace(node, **changed)
        made = replace(made, depth=max(node.depth, 1 + max((child.depth for child in _children(made)), default=0)))
        if made.depth > MAX_DEPTH and all(child.depth <= MAX_DEPTH for child in _children(made)):
            message = f"With the rules it refers to the expression is nested more than {MAX_DEPTH} levels deep."
            self._report.error("too-deep", node.start, node.end, message, "Refer to simpler rules.")
        return made

    def _expanded(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, Node):
            return self.expand(value, path)
        if isinstance(value, tuple) and any(not isinstance(item, syntax.Literal) for item in value):
            new = tuple(self._expanded(item, path) for item in value)
            return value if all(a is b for a, b in zip(new, value, strict=True)) else new
        return value

    def _misplaced(self, node: Node) -> Node:
        """Refuse a reference in a subquery, where the names of its condition would become columns of the table."""
        message = "A subquery cannot refer to a rule, which is about the event."
        way_out = f"Combine them outside of the subquery: {REFERENCE}('new_wallet') AND ..."
        self._report.error("rule-reference", node.start, node.end, message, way_out)
        return syntax.Refused(node.start, node.end, 1)

    def _resolved(self, node: Node, path: tuple[str, ...]) -> Node:
        assert isinstance(node, syntax.Call)  # noqa: S101 - what _is_reference found
        name = _name_of(node)
        refused = syntax.Refused(node.start, node.end, 1)
        if name is None:
            message = f"{REFERENCE}(...) takes the name of one rule, written out."
            self._report.error("rule-reference", node.start, node.end, message, f"Write {REFERENCE}('new_wallet').")
            return refused
        if name in path:
            cycle = " -> ".join((*path[path.index(name) :], name))
            self._report.error(
                "rule-cycle", node.start, node.end, f"The rules refer to each other in a circle: {cycle}."
            )
            return refused
        condition = self._known.conditions.get(name)
        if condition is None:
            self._report_unknown(node, name)
            return refused
        self._count += 1
        if self._count > MAX_REFERENCES or len(path) >= MAX_REFERENCE_LEVELS:
            message = (
                f"It refers to more than {MAX_REFERENCES} rules, counted with what those refer to."
                if self._count > MAX_REFERENCES
                else f"Rules refer to rules over more than {MAX_REFERENCE_LEVELS} levels."
            )
            self._report.error("too-complex", node.start, node.end, message, "Write some of them out.")
            return refused
        tree = parsed(condition)
        if tree is None:
            message = f"The rule {name} is not a condition any more."
            self._report.error("rule-reference", node.start, node.end, message)
            return refused
        inner = Report()
        self._report, outer = inner, self._report
        tree = self.expand(tree, (*path, name))
        self._report = outer
        for issue in inner.issues:
            # Its place is in a text that the reader does not see.
            message = issue.message if issue.code == "rule-cycle" else f"In the rule {name}: {issue.message}"
            self._report.error(issue.code, node.start, node.end, message, issue.suggestion)
        return syntax.Reference(node.start, node.end, tree.depth, name, tree)

    def _report_unknown(self, node: Node, name: str) -> None:
        if name in self._known.unpublished:
            message = f"The rule {name} is a draft, which no rule can refer to."
            self._report.error("unknown-rule", node.start, node.end, message, f"Take {name} out of draft first.")
            return
        names = sorted(set(self._known.conditions) - {self._known.own_name})
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
        some = f"Rules: {', '.join(names[:10])}" + (", ..." if len(names) > 10 else ".")
        way_out = f"Did you mean {' or '.join(near)}?" if near else some if names else None
        message = f"The pipeline has no rule named {name[:64]!r}."
        self._report.error("unknown-rule", node.start, node.end, message, way_out)


def referred_name(node: Node) -> str | None:
    """Return the name in `rule('name')`; None for any other node."""
    return _name_of(node) if isinstance(node, syntax.Call) and _is_reference(node) else None


def _is_reference(node: Node) -> bool:
    return isinstance(node, syntax.Call) and node.name.lower() == REFERENCE


def _name_of(node: syntax.Call) -> str | None:
    if len(node.arguments) != 1 or not isinstance(node.arguments[0], syntax.Literal):
        return None
    value = node.arguments[0].value
    return value if isinstance(value, str) else None


@lru_cache(maxsize=200)
def parsed(condition: str) -> Node | None:
    """Return the tree of a condition; None for a text that is none."""
    return parse(condition)[0]


def nodes_of(tree: Node) -> Iterator[Node]:
    """Return a tree's nodes, each before what it holds."""
    left = [tree]
    while left:
        node = left.pop()
        yield node
        left += _children(node)


def _parts(node: Node) -> list[tuple[str, Any]]:
    return [(part.name, value) for part in fields(node) if isinstance(value := getattr(node, part.name), Node | tuple)]


def _children(node: Node) -> list[Node]:
    found: list[Node] = []
    left = [value for _, value in _parts(node)]
    while left:
        value = left.pop()
        if isinstance(value, Node):
            found.append(value)
        elif isinstance(value, tuple):
            left += value
    return found


def _names(tree: Node) -> set[str]:
    calls = (node for node in nodes_of(tree) if isinstance(node, syntax.Call) and _is_reference(node))
    return {name for name in map(_name_of, calls) if name is not None}
