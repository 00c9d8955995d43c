"""Check a rule expression against an event schema: every issue at once, each with its place. No JVM, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sentinel.domain.event_schema import EventSchema
from sentinel.rules.binder import TooLongError
from sentinel.rules.bound import Bound
from sentinel.rules.issue import Issue
from sentinel.rules.known import NO_NAMES, KnownNames
from sentinel.rules.limits import MAX_COMPILED_LENGTH, MAX_LOOKUPS, MAX_TEXT_LENGTH
from sentinel.rules.lookups import LookupColumn
from sentinel.rules.operators import as_condition, require_boolean
from sentinel.rules.parser import parse
from sentinel.rules.references import expand
from sentinel.rules.requirements import Requirement, requirements
from sentinel.rules.subqueries import SubqueryBinder
from sentinel.rules.syntax import Node


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What checking a rule gave.

    Attributes:
        issues: In the order of their places.
        columns: Top-level fields of the event that the rule uses; of a rule with issues, those that were recognized.
        compiled: The total Spark SQL expression over a struct column named `event` and the columns of `lookups`; None
            for a refused rule.
        requirements: What every match fulfils; empty for a refused rule.
        lookups: What its subqueries look up in reference tables, ordered by column name; empty for a refused rule.
    """

    issues: tuple[Issue, ...]
    columns: frozenset[str]
    compiled: str | None
    requirements: tuple[Requirement, ...] = ()
    lookups: tuple[LookupColumn, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the rule is accepted: it has no issue of severity error."""
        return self.compiled is not None

    @property
    def errors(self) -> tuple[Issue, ...]:
        """The issues that refuse the rule."""
        return tuple(issue for issue in self.issues if issue.severity == "error")

    def as_json(self) -> dict[str, Any]:
        """Return the form that the API answers with."""
        return {
            "valid": self.valid,
            "issues": [issue.as_json() for issue in self.issues],
            "columns": sorted(self.columns),
        }


def check(expression: str, schema: EventSchema, known: KnownNames = NO_NAMES) -> CheckResult:
    """Check a rule expression. Never raises for any text; takes milliseconds.

    Args:
        known: What it may name beside the fields of the schema.
    """
    if len(expression) > MAX_TEXT_LENGTH:
        message = f"The rule has {len(expression)} characters; at most {MAX_TEXT_LENGTH} are allowed."
        issue = Issue("error", "too-long", MAX_TEXT_LENGTH, len(expression), message, "Split it into several rules.")
        return CheckResult((issue,), frozenset(), None)
    tree, issues = parse(expression)
    if tree is None:
        return _result(issues, frozenset(), None)
    return check_tree(tree, schema, issues, known, expression)


def check_tree(
    tree: Node, schema: EventSchema, issues: Sequence[Issue] = (), known: KnownNames = NO_NAMES, text: str = ""
) -> CheckResult:
    """Check a parsed rule.

    Args:
        issues: What was found while it was parsed.
        known: What it may name beside the fields of the schema.
        text: What was parsed, for suggestions.
    """
    binder = SubqueryBinder(schema, known.tables, text)
    bound: Bound | None = None
    try:
        tree = expand(tree, known, binder.report)
        bound = binder.bind(tree)
    except TooLongError:
        message = f"The compiled rule is longer than {MAX_COMPILED_LENGTH} characters."
        binder.report.error("too-complex", tree.start, tree.end, message, "Split it into several rules.")
    except RecursionError:
        message = "The expression is nested too deeply."
        binder.report.error("too-deep", tree.start, tree.end, message, "Split it into several rules.")
    if bound is not None:
        require_boolean(bound, "A rule", binder.report)
        told = {issue.code for issue in binder.report.issues} & {"constant-rule", "quoted-name"}
        if bound.constant and not told:
            message = "No field of the event is used, so the rule gives the same for every event."
            binder.report.warning("constant-rule", tree.start, tree.end, message)
    needed = len({column.lookup.name for column in binder.lookups.values()})
    if needed > MAX_LOOKUPS:
        message = (
            f"With the rules it refers to it needs {needed} different look-ups; at most {MAX_LOOKUPS} are possible."
        )
        binder.report.error("too-many-subqueries", tree.start, tree.end, message, "Refer to fewer rules.")
    sql = f"({as_condition(bound).sql})" if bound is not None else None
    result = _result([*issues, *binder.report.issues], frozenset(binder.columns), sql)
    if not result.valid:
        return result
    lookups = tuple(column for _, column in sorted(binder.lookups.items()))
    return replace(result, requirements=requirements(tree, schema), lookups=lookups)


def _result(issues: Sequence[Issue], columns: frozenset[str], sql: str | None) -> CheckResult:
    ordered = tuple(sorted(issues, key=lambda issue: (issue.start, issue.end)))
    refused = any(issue.severity == "error" for issue in ordered)
    return CheckResult(ordered, columns, None if refused else sql)
