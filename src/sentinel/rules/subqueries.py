"""Bind subqueries on reference tables: names, types, and the look-up each becomes.

Inside a subquery a plain name is a column of the table and a field of the event is written `event.x`, always, so that
adding a column to either never changes what a rule means. Nulls of a selected column are left out of IN and NOT IN:
by SQL's letter one null in a whitelist would make `NOT IN` never true, which nobody who writes it means.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.reference_list import ListDefinition
from sentinel.rules import operators, syntax
from sentinel.rules.binder import UNIT_FIRST, Binder
from sentinel.rules.bound import Bound, unknown
from sentinel.rules.coercion import coerce
from sentinel.rules.lookups import AGGREGATES, Lookup, LookupColumn, LookupKey, is_key_kind, result_kind
from sentinel.rules.syntax import EVENT, Node
from sentinel.rules.types import BOOLEAN, FLOAT, INTEGER, Kind, UnknownType, is_numeric

_TIE = "Tie a column of the table to the event by =, as in WHERE user_id = event.user_id."


class SubqueryBinder(Binder):
    """Binds rules with subqueries on some reference tables.

    Attributes:
        tables: The reference tables that there are, by name.
        lookups: What the rule looks up, by column name.
    """

    def __init__(self, schema: EventSchema, tables: Sequence[ListDefinition] = (), text: str = "") -> None:
        super().__init__(schema, text)
        self.tables = {table.name: table for table in tables}
        self.lookups: dict[str, LookupColumn] = {}

    def subquery(self, node: Node) -> Bound:
        """Bind a subquery."""
        match node:
            case syntax.InQuery():
                return self.in_query(node)
            case syntax.ScalarQuery():
                return self.scalar_query(node)
            case syntax.ExistsQuery():
                return self.exists_query(node)
            case _:
                return super().subquery(node)

    def in_query(self, node: syntax.InQuery) -> Bound:
        """Bind `x [NOT] IN (SELECT column FROM table [WHERE ...])`; null where x is null."""
        operand = self.bind(node.operand)
        scope = self._scope(node.query)
        refused = Bound(BOOLEAN, "NULL", node.start, node.end)
        if scope is None:
            return refused
        select = scope.resolve(node.query.select) if node.query.select else None
        if not isinstance(select, syntax.TableColumn):
            if not scope.failed:
                at = node.query.select or node.query
                message = "IN takes a subquery that selects one column of the table."
                self.report.error("subquery-value", at.start, at.end, message, "SELECT user_id FROM table")
            return refused
        key = scope.key(select, operand)
        lookup = scope.lookup(node.query.where, [key] if key else [])
        if lookup is None or key is None:
            return refused
        sql = self._column(LookupColumn(lookup, "FOUND", None, BOOLEAN)).sql
        return Bound(BOOLEAN, f"(NOT {sql})" if node.negated else sql, node.start, node.end)

    def exists_query(self, node: syntax.ExistsQuery) -> Bound:
        """Bind EXISTS; never null."""
        scope = self._scope(node.query)
        refused = Bound(BOOLEAN, "NULL", node.start, node.end)
        if scope is None:
            return refused
        if node.query.select is not None:
            self._select(scope, node.query.select)
        lookup = scope.lookup(node.query.where, [])
        if lookup is None:
            return refused
        return Bound(BOOLEAN, f"({self._count(lookup)} > 0L)", node.start, node.end)

    def scalar_query(self, node: syntax.ScalarQuery) -> Bound:  # noqa: PLR0911 - one per refusal
        """Bind a subquery that stands for a value; null where there is no row, and 0 for COUNT."""
        query = node.query
        scope = self._scope(query)
        if scope is None:
            return unknown(node.start, node.end)
        lookup = scope.lookup(query.where, [])
        if query.select is None or lookup is None:
            return unknown(node.start, node.end)
        binder = self._select(scope, query.select, lookup)
        if binder is None:
            return unknown(node.start, node.end)
        bound, plain, aggregated = binder
        if plain and aggregated:
            message = "A subquery selects aggregates or plain columns, not both."
            self.report.error("subquery-value", query.select.start, query.select.end, message, "MAX(column)")
            return unknown(node.start, node.end)
        if not plain and not aggregated and not scope.failed:
            message = f"The subquery selects nothing of {query.table}."
            self.report.error("subquery-value", query.select.start, query.select.end, message, "SELECT MAX(column) ...")
            return unknown(node.start, node.end)
        if plain and scope.definition.key not in {key.column for key in lookup.keys}:
            key = scope.definition.key
            message = f"The subquery may find several rows: {key} of {query.table} is not tied to the event."
            way_out = f"WHERE {key} = event.{key}, or an aggregate such as MAX({plain[0]})."
            self.report.error("subquery-value", query.select.start, query.select.end, message, way_out)
            return unknown(node.start, node.end)
        if plain:
            # SELECT coalesce(x, 5) of no row is null, not 5.
            bound = replace(bound, sql=f"when({self._count(lookup)} > 0L, {bound.sql})")
        return replace(bound, start=node.start, end=node.end, is_literal=False, literal=None, constant=False)

    def _scope(self, query: syntax.Query) -> _Scope | None:
        definition = self.tables.get(query.table)
        if definition is None:
            near = difflib.get_close_matches(query.table.lower(), self.tables, n=3, cutoff=0.6)
            suggestion = "Upload it first: POST /api/lists."
            if near:
                suggestion = f"Did you mean {' or '.join(near)}?"
            elif self.tables:
                suggestion = f"Reference tables: {', '.join(sorted(self.tables)[:10])}."
            message = f"There is no reference table {query.table[:128]}."
            self.report.error("unknown-table", query.table_start, query.table_end, message, suggestion)
            return None
        return _Scope(self, query, definition)

    def _select(
        self, scope: _Scope, select: Node, lookup: Lookup | None = None
    ) -> tuple[Bound, list[str], list[str]] | None:
        resolved = scope.resolve(select)
        if scope.failed:
            return None
        binder = _SelectBinder(self, scope.definition, lookup or Lookup(scope.definition.name, None, ()))
        bound = binder.bind(resolved)
        if lookup is not None:
            self.lookups |= binder.lookups
        return bound, binder.plain, binder.aggregated

    def _column(self, column: LookupColumn) -> Bound:
        self.lookups[column.name] = column
        return Bound(column.kind, column.name, 0, 0, growth=1.0)

    def _count(self, lookup: Lookup) -> str:
        return f"coalesce({self._column(LookupColumn(lookup, 'COUNT', None, INTEGER)).sql}, 0L)"


class _Scope:
    """The names of one subquery.

    Attributes:
        failed: Whether something was reported.
    """

    def __init__(self, binder: SubqueryBinder, query: syntax.Query, definition: ListDefinition) -> None:
        self.binder = binder
        self.report = binder.report
        self.query = query
        self.definition = definition
        self.failed = False
        self._known = {column.name for column in definition.columns}
        self._called = query.alias or definition.name

    def resolve(self, node: Node) -> Node:
        """Return the node with the table's columns in place of their names; reports names that mean nothing here."""
        match node:
            case syntax.Name(name=name):
                return self._plain(node, name)
            case syntax.Member(base=syntax.Name(name=base), name=name) if base == self._called and base != EVENT:
                if name in self._known:
                    return syntax.TableColumn(node.start, node.end, 1, name)
                return self._fail(
                    "unknown-column", node, f"{self.definition.name} has no column {name[:128]}.", self._near(name)
                )
            case syntax.Member(base=syntax.Name(name=base)) if base == EVENT:
                return node
            case syntax.Call(name=name, arguments=(syntax.Name(), *_)) if name.lower() in UNIT_FIRST:
                rest = tuple(self.resolve(argument) for argument in node.arguments[1:])
                return replace(node, arguments=(node.arguments[0], *rest))
        changed: dict[str, Any] = {
            field.name: self._resolve_value(getattr(node, field.name))
            for field in fields(node)
            if isinstance(getattr(node, field.name), Node | tuple)
        }
        return replace(node, **changed) if changed else node

    def _resolve_value(self, value: object) -> object:
        if isinstance(value, Node):
            return self.resolve(value)
        if isinstance(value, tuple):
            return tuple(self._resolve_value(item) for item in value)
        return value

    def _plain(self, node: Node, name: str) -> Node:
        if name == EVENT:
            return self._fail(
                "unknown-column", node, "event is the whole event, not a value.", "Name a field: event.amount."
            )
        if name in self._known:
            return syntax.TableColumn(node.start, node.end, 1, name)
        if self.binder.schema.field(name) is not None:
            message = f"In a subquery a plain name is a column of {self.definition.name}, which has no {name}."
            return self._fail("unqualified-column", node, message, f"For the field of the event write event.{name}.")
        message = f"{self.definition.name} has no column {name[:128]}."
        return self._fail("unknown-column", node, message, self._near(name))

    def _near(self, name: str) -> str:
        near = difflib.get_close_matches(name, self._known, n=3, cutoff=0.6)
        known = ", ".join(column.name for column in self.definition.columns[:10])
        return f"Did you mean {' or '.join(near)}?" if near else f"Columns: {known}."

    def _fail(self, code: str, node: Node, message: str, suggestion: str | None = None) -> Node:
        self.failed = True
        self.report.error(code, node.start, node.end, message, suggestion)
        return syntax.Refused(node.start, node.end, 1)

    def key(self, column: syntax.TableColumn, outer: Bound) -> LookupKey | None:
        """Tie a column to a value of the event, in the type that holds both; None: reported."""
        field = next(known for known in self.definition.columns if known.name == column.name)
        inner = Bound(field.type, f"{EVENT}.`{field.name}`", column.start, column.end)
        if isinstance(outer.kind, UnknownType):
            self.failed = True
            return None
        before = len(self.report.issues)
        operators.compare("=", outer, inner, self.report)
        if any(issue.severity == "error" for issue in self.report.issues[before:]):
            self.failed = True
            return None
        (settled, _), kind = operators.aligned((outer, inner), self.report, "The comparison =")
        if not is_key_kind(kind):
            message = f"Values of type {kind} cannot be looked up."
            self._fail("type-mismatch", column, message, "Use a text, number, date or timestamp.")
            return None
        sql = coerce(settled, kind).sql
        if kind == FLOAT:
            sql = f"try_add({sql}, 0.0D)"  # -0.0 and 0.0 are equal and must be found alike
        return LookupKey(field.name, sql, kind)  # type: ignore[arg-type]

    def lookup(self, where: Node | None, keys: list[LookupKey]) -> Lookup | None:
        """Split the condition into ties to the event and conditions on the table; None: reported."""
        inner: list[Node] = []
        for term in _conjuncts(where):
            resolved = self.resolve(term)
            if self.failed:
                continue
            if not _uses_event(resolved):
                inner.append(resolved)
            elif (tie := _tie(resolved)) is not None:
                outer = self.binder.bind(tie[1])
                if (key := self.key(tie[0], outer)) is not None:
                    keys.append(key)
            else:
                self._fail("correlation", resolved, "This mixes the table and the event otherwise than by =.", _TIE)
        condition = self._inner_condition(inner)
        return None if self.failed else Lookup(self.definition.name, condition, tuple(keys))

    def _inner_condition(self, terms: list[Node]) -> str | None:
        if not terms:
            return None
        binder = _WhereBinder(self.definition.schema)
        before = len(self.report.issues)
        binder.report = self.report
        bound = [binder.condition(term, "The condition of a subquery") for term in terms]
        for term, value in zip(terms, bound, strict=True):
            match term:
                case syntax.Binary(left=syntax.TableColumn(name=left), right=syntax.TableColumn(name=right)) if (
                    left == right
                ):
                    message = f"Both sides are the column {left} of {self.definition.name}."
                    self._fail("unqualified-column", term, message, f"For the field of the event write event.{left}.")
                case _ if value.constant:
                    self.report.warning("constant-rule", term.start, term.end, "This condition uses no column.")
        if any(issue.severity == "error" for issue in self.report.issues[before:]):
            self.failed = True
        return " AND ".join(value.sql for value in bound)


class _WhereBinder(Binder):
    """Binds conditions on the rows of a table, which stand in a struct `event` while they are filtered."""

    def subquery(self, node: Node) -> Bound:
        """Bind a column."""
        match node:
            case syntax.TableColumn(name=name):
                return self.field(name, node.start, node.end)
            case _:
                return super().subquery(node)


class _SelectBinder(Binder):
    """Binds what a subquery selects: arithmetic over looked-up columns, which the event side computes.

    Attributes:
        plain: Columns selected as they are.
        aggregated: Aggregates that were met.
    """

    def __init__(self, outer: SubqueryBinder, definition: ListDefinition, lookup: Lookup) -> None:
        super().__init__(outer.schema)
        self.report = outer.report
        self.columns = outer.columns
        self.lookups: dict[str, LookupColumn] = {}
        self.plain: list[str] = []
        self.aggregated: list[str] = []
        self._definition = definition
        self._lookup = lookup

    def subquery(self, node: Node) -> Bound:
        """Bind a column of the one row there can be."""
        match node:
            case syntax.TableColumn(name=name):
                self.plain.append(name)
                return self._leaf("VALUE", name, self._kind(name), node)
            case _:
                return super().subquery(node)

    def call(self, node: syntax.Call) -> Bound:
        """Bind an aggregate, or any other function."""
        function = AGGREGATES.get(node.name.lower())
        if function is None:
            return super().call(node)
        self.aggregated.append(function)
        if function == "COUNT" and not node.arguments:
            return self._leaf("COUNT", None, INTEGER, node)
        match node.arguments:
            case (syntax.TableColumn(name=column),):
                kind = self._kind(column)
            case _:
                message = f"{function} takes one column of {self._definition.name}."
                self.report.error("subquery-value", node.start, node.end, message, f"Write {function}(column) * 3.")
                return unknown(node.start, node.end)
        if function in ("SUM", "AVG") and not is_numeric(kind):
            message = f"{function} needs a column of numbers; {column} is of type {kind}."
            self.report.error("argument-type", node.start, node.end, message)
            return unknown(node.start, node.end)
        return self._leaf(function, column, result_kind(function, kind), node)  # type: ignore[arg-type]

    def _kind(self, column: str) -> Kind:
        return next(known.type for known in self._definition.columns if known.name == column)

    def _leaf(self, function: str, column: str | None, kind: Kind, node: Node) -> Bound:
        looked_up = LookupColumn(self._lookup, function, column, kind)  # type: ignore[arg-type]
        self.lookups[looked_up.name] = looked_up
        sql = f"coalesce({looked_up.name}, 0L)" if function == "COUNT" else looked_up.name
        return Bound(kind, sql, node.start, node.end, growth=1.0)


def _conjuncts(where: Node | None) -> Iterator[Node]:
    if isinstance(where, syntax.Logical) and where.operator == "AND":
        for operand in where.operands:
            yield from _conjuncts(operand)
    elif where is not None:
        yield where


def _uses_event(node: object) -> bool:
    """Tell whether a resolved node holds a field of the event."""
    if isinstance(node, syntax.Member) and isinstance(node.base, syntax.Name):
        return True
    if isinstance(node, tuple):
        return any(_uses_event(item) for item in node)
    return isinstance(node, Node) and any(_uses_event(getattr(node, field.name)) for field in fields(node))


def _uses_table(node: object) -> bool:
    if isinstance(node, syntax.TableColumn):
        return True
    if isinstance(node, tuple):
        return any(_uses_table(item) for item in node)
    return isinstance(node, Node) and any(_uses_table(getattr(node, field.name)) for field in fields(node))


def _tie(node: Node) -> tuple[syntax.TableColumn, Node] | None:
    match node:
        case syntax.Binary(operator="=", left=syntax.TableColumn() as column, right=outer) if not _uses_table(outer):
            return column, outer
        case syntax.Binary(operator="=", left=outer, right=syntax.TableColumn() as column) if not _uses_table(outer):
            return column, outer
        case _:
            return None
