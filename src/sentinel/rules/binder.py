"""Resolve a parsed rule against an event schema: names, types, and the total expression it becomes.

Checking and compiling are one pass, so what is accepted is what runs: every node is either reported or turned into
Spark SQL that cannot throw, with an explicit null-giving cast wherever Spark would insert one of its own.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sentinel.domain.event_schema import ArrayType, EventSchema, StructType
from sentinel.rules import mistakes, operators, syntax
from sentinel.rules.arguments import way_to_integer
from sentinel.rules.bound import Bound, unknown
from sentinel.rules.calls import bind_call, find_function, report_clock
from sentinel.rules.casts import bind_cast, cast_target
from sentinel.rules.chains import chain, effort
from sentinel.rules.coercion import as_moment_literal, as_small, coerce
from sentinel.rules.constants import interval, literal, typed_literal
from sentinel.rules.functions import FUNCTIONS
from sentinel.rules.functions.dates import TRUNCATIONS, UNITS
from sentinel.rules.habits import is_unit, report_habit
from sentinel.rules.limits import MAX_COMPILED_LENGTH, MAX_TEXT_GROWTH
from sentinel.rules.matching import bind_like, bind_rlike
from sentinel.rules.names import report_unknown_field, report_unknown_member
from sentinel.rules.report import Report
from sentinel.rules.syntax import EVENT
from sentinel.rules.types import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    NULL,
    STRING,
    Kind,
    UnknownType,
    is_moment,
)

UNIT_FIRST = {"timestampdiff": UNITS, "date_trunc": TRUNCATIONS}


class TooLongError(Exception):
    """The compiled text passes its bound."""


class Binder:
    """Binds the nodes of one rule.

    Args:
        text: Of the rule, for suggestions.

    Attributes:
        report: The issues found.
        columns: Names of the top-level fields the rule uses.
    """

    def __init__(self, schema: EventSchema, text: str = "") -> None:
        self.schema = schema
        self.report = Report(text)
        self.columns: set[str] = set()
        self._beside: Bound | None = None

    def bind(self, node: syntax.Node) -> Bound:
        """Return the node resolved; of kind unknown where something was reported.

        Raises:
            TooLongError: The compiled text becomes too long.
        """
        bound = self._bind(node)
        if len(bound.sql) > MAX_COMPILED_LENGTH:
            raise TooLongError
        if (bound.start, bound.end) == (node.start, node.end):
            return bound
        return replace(bound, start=node.start, end=node.end)

    def _bind(self, node: syntax.Node) -> Bound:  # noqa: PLR0911, PLR0912 - one line per kind of node
        match node:
            case syntax.Literal():
                mistakes.warn_quoted_name(node, self.schema, self.report)
                return literal(node)
            case syntax.TypedLiteral():
                return typed_literal(node, self.report)
            case syntax.IntervalLiteral():
                return interval(node)
            case syntax.Name():
                return self.field(node.name, node.start, node.end)
            case syntax.Member():
                return self.member(node)
            case syntax.Index():
                return self.index(node)
            case syntax.Call():
                return self.call(node)
            case syntax.Unary():
                return operators.signed(node.operator, self.bind(node.operand), node.start, self.report)
            case syntax.Binary():
                return self.binary(node)
            case syntax.Logical():
                return self.logical(node)
            case syntax.Not():
                operand = self.condition(node.operand, "The operand of NOT")
                return replace(operand, kind=BOOLEAN, sql=f"(NOT {operand.sql})", is_literal=False, literal=None)
            case syntax.IsTest():
                return self.is_test(node)
            case syntax.Between():
                return self.between(node)
            case syntax.InList():
                return self.in_list(node)
            case syntax.PatternMatch():
                operand, pattern = self.bind(node.operand), self.bind(node.pattern)
                mistakes.warn_like_in_regex(node, pattern, self.report)
                bind_pattern = bind_rlike if node.operator == "RLIKE" else bind_like
                return mistakes.varying(
                    bind_pattern(node.operator, operand, pattern, node.negated, self.report), self.report
                )
            case syntax.Case():
                return self.case(node)
            case syntax.Cast():
                return self.cast(node)
            case syntax.Reference():
                return self.reference(node)
            case syntax.InQuery() | syntax.ScalarQuery() | syntax.ExistsQuery() | syntax.TableColumn():
                return self.subquery(node)
            case _:
                return unknown(node.start, node.end)

    def condition(self, node: syntax.Node, where: str) -> Bound:
        """Bind something that must be true or false."""
        bound = self.bind(node)
        operators.require_boolean(bound, where, self.report)
        return operators.as_condition(bound)

    def subquery(self, node: syntax.Node) -> Bound:
        """Refuse a subquery; `subqueries.SubqueryBinder` knows them."""
        self.report.error("subquery-form", node.start, node.end, "A subquery has no place here.")
        return unknown(node.start, node.end)

    # Values

    def field(self, name: str, start: int, end: int) -> Bound:
        """Bind a top-level field of the event."""
        if name == EVENT:
            message = "event is the whole event, which is not a value by itself."
            self.report.error("unknown-column", start, end, message, "Name a field, as in event.amount.")
            return unknown(start, end)
        field = self.schema.field(name)
        if field is None:
            if not report_clock(name, start, end, self.schema, self.report):
                report_unknown_field(name, self.schema, self._beside, start, end, self.report)
            return unknown(start, end)
        self.columns.add(name)
        return Bound(field.type, f"{EVENT}.`{name}`", start, end, growth=1.0)

    def beside(self, node: syntax.Node, other: Bound) -> Bound:
        """Bind something that is compared with another value, which tells what a wrong name may have meant."""
        self._beside = other if isinstance(node, syntax.Name) else None
        bound = self.bind(node)
        self._beside = None
        return bound

    def pair(self, first: syntax.Node, second: syntax.Node) -> tuple[Bound, Bound]:
        """Bind two values that are compared."""
        if isinstance(first, syntax.Name) and self.schema.field(first.name) is None:
            right = self.bind(second)
            return self.beside(first, right), right
        left = self.bind(first)
        return left, self.beside(second, left)

    def member(self, node: syntax.Member) -> Bound:
        """Bind `event.x`, `struct.x` and, as Spark does, `array_of_structs.x`: the array of that member."""
        if isinstance(node.base, syntax.Name) and node.base.name == EVENT:
            return self.field(node.name, node.name_start, node.end)
        base = self.bind(node.base)
        kind: Kind = base.kind.element if isinstance(base.kind, ArrayType) else base.kind
        if isinstance(kind, UnknownType):
            return base
        if not isinstance(kind, StructType):
            message = f"{base.kind} has no members, so there is no {node.name[:128]} in it."
            self.report.error("unknown-column", node.name_start, node.end, message)
            return unknown(node.start, node.end)
        found = dict(kind.fields).get(node.name)
        if found is None:
            report_unknown_member(node.name, kind, node.name_start, node.end, self.report)
            return unknown(node.start, node.end)
        result: Kind = ArrayType(found) if isinstance(base.kind, ArrayType) else found
        return Bound(result, f"{base.sql}.`{node.name}`", node.start, node.end, growth=base.growth)

    def index(self, node: syntax.Index) -> Bound:
        """Bind `array[i]`, counted from 0; null where there is no such element."""
        base, index = self.bind(node.base), self.bind(node.index)
        if isinstance(base.kind, UnknownType) or isinstance(index.kind, UnknownType):
            return unknown(node.start, node.end)
        if not isinstance(base.kind, ArrayType):
            if mistakes.report_key(base, index, node, self.report):
                return unknown(node.start, node.end)
            way_out = "substring(text, 1, 1) takes characters of a text." if base.kind == STRING else None
            self.report.error("not-an-array", base.start, base.end, f"[ ] needs an array, not {base.kind}.", way_out)
            return unknown(node.start, node.end)
        if index.kind not in (INTEGER, NULL):
            message = f"An index is a whole number, not {index.kind}."
            self.report.error("argument-type", index.start, index.end, message, way_to_integer(index, self.report))
            return unknown(node.start, node.end)
        mistakes.warn_index(base, index, node, self.report)
        return Bound(
            base.kind.element,
            f"get({base.sql}, {as_small(index)})",
            node.start,
            node.end,
            constant=base.constant and index.constant,
            growth=base.growth,
        )

    def call(self, node: syntax.Call) -> Bound:
        """Bind a function call."""
        arguments = [each for each in node.arguments if not is_unit(each, self.schema)]
        if report_habit(node, self.schema, self.report):
            if node.name.upper() not in ("CONVERT", "ARRAY"):
                for argument in arguments:
                    self.bind(argument)
            return unknown(node.start, node.end)
        function = find_function(node.name, node.start, node.name_end, self.schema, self.report)
        arguments = list(node.arguments) if function is not None else arguments
        if node.name.lower() in UNIT_FIRST and arguments and isinstance(arguments[0], syntax.Name):
            unit = arguments[0]
            arguments[0] = syntax.Literal(unit.start, unit.end, 1, unit.name)
        bound = [self.bind(argument) for argument in arguments]
        if function is None:
            return unknown(node.start, node.end)
        if function is FUNCTIONS["contains"] and bound and isinstance(bound[0].kind, ArrayType):
            function = FUNCTIONS["array_contains"]
        mistakes.warn_call(function.name, bound, self.report)
        made = bind_call(function, bound, node, self.report)
        if made.constant and bound and is_moment(made.kind):
            self.constant_moment(made, any(b.kind == STRING and not b.is_literal for b in bound))
        return made

    def constant_moment(self, made: Bound, computed: bool) -> None:
        """Refuse dates computed from constant texts, since Spark reads 'now' and 'today' in them as the clock."""
        if computed or re.search(r"'(?:\s*(?:now|today|tomorrow|yesterday|epoch)\b)", made.sql, re.IGNORECASE):
            message = "A constant date or timestamp is written as a literal."
            self.report.error(
                "constant-moment", made.start, made.end, message, "TIMESTAMP '2024-01-31 10:00:00', DATE '2024-01-31'"
            )

    def reference(self, node: syntax.Reference) -> Bound:
        """Bind what `rule('name')` stands for; what is wrong with it is told at the place of the reference."""
        outer, self.report = self.report, Report()
        try:
            bound = self.condition(node.condition, f"The rule {node.name}")
        finally:
            inner, self.report = self.report, outer
        errors = [issue for issue in inner.issues if issue.severity == "error"]
        if errors:
            message = f"The rule {node.name} does not fit the schema: {errors[0].message}"
            self.report.error("rule-reference", node.start, node.end, message, f"Change {node.name} first.")
            return unknown(node.start, node.end)
        return replace(bound, sql=f"({bound.sql})", start=node.start, end=node.end, is_literal=False, literal=None)

    def cast(self, node: syntax.Cast) -> Bound:
        """Bind a cast to a scalar type; what does not fit becomes null."""
        operand = self.bind(node.operand)
        target = cast_target(node, self.report)
        if target is None:
            return unknown(node.start, node.end)
        if is_moment(target) and operand.constant and operand.kind == STRING:
            moment = as_moment_literal(operand, target)
            if moment is None:
                self.constant_moment(replace(operand, start=node.start, end=node.end), True)
                return unknown(node.start, node.end)
            return moment
        return bind_cast(node, operand, target, self.report)

    # Operators

    def binary(self, node: syntax.Binary) -> Bound:
        """Bind a binary operator."""
        meant = mistakes.chained(node, self.report)
        if meant is None:
            return self.operation(node)
        outer, self.report = self.report, Report()
        try:
            bound = self.operation(node)
        finally:
            inner, self.report = self.report, outer
        if all(issue.severity != "error" for issue in inner.issues):
            return bound
        message = "A comparison has two sides, and || joins texts."
        self.report.error("type-mismatch", node.start, node.end, message, f"Write {meant}.")
        return Bound(BOOLEAN, "NULL", node.start, node.end)

    def operation(self, node: syntax.Binary) -> Bound:
        """Bind a binary operator on its two values."""
        left, right = self.pair(node.left, node.right)
        if node.operator in ("+", "-", "*", "/", "%", "DIV"):
            if node.operator in ("/", "%", "DIV"):
                mistakes.warn_zero(right, self.report)
            return operators.arithmetic(node.operator, left, right, self.report)
        if node.operator in ("&", "|", "^"):
            mistakes.warn_power(node, left, right, self.report)
            return operators.bitwise(node.operator, left, right, self.report)
        if node.operator == "||":
            made = operators.joined_text(left, right, self.report)
            if made.growth > MAX_TEXT_GROWTH:
                message = f"This text may be {made.growth:.0f} times as large as the event."
                self.report.error("grows-too-large", node.start, node.end, message, "Join fewer texts.")
            return made
        if mistakes.report_comparison(node, left, right, self.report):
            return Bound(BOOLEAN, "NULL", node.start, node.end)
        return mistakes.varying(operators.compare(node.operator, left, right, self.report), self.report)

    def logical(self, node: syntax.Logical) -> Bound:
        """Bind a chain of AND or OR, what is cheap to tell first: nothing can throw, so their order is free."""
        bound = [self.bind(operand) for operand in node.operands]
        mistakes.require_conditions(node, bound, self.report)
        bound = [operators.as_condition(operand) for operand in bound]
        constant = all(operand.constant for operand in bound)
        cheap_first = sorted((operand.sql for operand in bound), key=effort)
        sql = f"({chain(cheap_first, node.operator)})"
        return Bound(BOOLEAN, sql, node.start, node.end, constant=constant)

    def is_test(self, node: syntax.IsTest) -> Bound:
        """Bind IS [NOT] NULL, TRUE, FALSE, UNKNOWN."""
        operand = self.bind(node.operand)
        if node.test != "NULL":
            operators.require_boolean(operand, f"The value before IS {node.test}", self.report)
        sql = "NULL" if operand.kind == NULL and node.test != "NULL" else operand.sql
        if sql == "NULL":
            sql = "CAST(NULL AS BOOLEAN)"
        negation = "NOT " if node.negated else ""
        test = "NULL" if node.test == "UNKNOWN" else node.test
        return replace(
            operand, kind=BOOLEAN, sql=f"({sql} IS {negation}{test})", is_literal=False, literal=None, growth=0.0
        )

    def between(self, node: syntax.Between) -> Bound:
        """Bind BETWEEN as its two comparisons, each with its own type check."""
        operand = self.bind(node.operand)
        low, high = self.beside(node.low, operand), self.beside(node.high, operand)
        at_least = operators.compare(">=", operand, low, self.report)
        at_most = operators.compare("<=", operand, high, self.report)
        if mistakes.is_reversed(low, high, operand.kind):
            message = "BETWEEN is never true here: the first bound is above the second."
            self.report.warning("empty-range", node.low.start, node.high.end, message, "Swap the bounds.")
        sql = f"({at_least.sql} AND {at_most.sql})"
        constant = at_least.constant and at_most.constant
        made = Bound(BOOLEAN, f"(NOT {sql})" if node.negated else sql, node.start, node.end, constant=constant)
        return mistakes.varying(made, self.report)

    def in_list(self, node: syntax.InList) -> Bound:
        """Bind IN."""
        operand = self.bind(node.operand)
        items = [self.beside(item, operand) for item in node.items]
        if node.negated and any(item.kind == NULL for item in items):
            null = next(item for item in items if item.kind == NULL)
            message = "NOT IN over a list with NULL is never true."
            self.report.warning("null-in-list", null.start, null.end, message, "Remove NULL from the list.")
        for item in items:
            if STRING in (operand.kind, item.kind) and operand.kind != item.kind:
                operators.compare("<=>", operand, item, self.report)
        if any(issue.severity == "error" for issue in self.report.issues):
            return Bound(BOOLEAN, "NULL", node.start, node.end)
        settled, kind = operators.aligned([operand, *items], self.report, "The IN list")
        if isinstance(kind, UnknownType):
            return Bound(BOOLEAN, "NULL", node.start, node.end)
        values = ", ".join(item.sql for item in settled[1:])
        sql = f"({settled[0].sql} {'NOT ' if node.negated else ''}IN ({values}))"
        constant = all(item.constant for item in settled)
        return mistakes.varying(Bound(BOOLEAN, sql, node.start, node.end, constant=constant), self.report)

    def case(self, node: syntax.Case) -> Bound:
        """Bind CASE; `CASE x WHEN y` becomes comparisons."""
        operand = self.bind(node.operand) if node.operand is not None else None
        conditions: list[Bound] = []
        values: list[Bound] = []
        for when, then in node.branches:
            if operand is None:
                conditions.append(self.condition(when, "The condition of WHEN"))
            else:
                conditions.append(operators.compare("=", operand, self.bind(when), self.report))
            values.append(self.bind(then))
        if node.otherwise is not None:
            values.append(self.bind(node.otherwise))
        settled, kind = operators.aligned(values, self.report, "CASE")
        settled = [coerce(value, kind) if value.kind == NULL else value for value in settled]
        # when(...) is the same expression as CASE; Catalyst's JSON form of CASE doubles with every level of nesting.
        branches = [sql for pair in zip(conditions, settled, strict=False) for sql in (pair[0].sql, pair[1].sql)]
        otherwise = [settled[-1].sql] if node.otherwise is not None else []
        return Bound(
            kind,
            f"when({', '.join([*branches, *otherwise])})",
            node.start,
            node.end,
            constant=all(part.constant for part in (*conditions, *settled)),
            infinite=kind == FLOAT and any(value.infinite for value in settled),
            growth=max(value.growth for value in settled),
        )
