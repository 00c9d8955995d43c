"""Check a rule expression against an event schema: every issue at once, each with its place. No JVM, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sentinel.domain.event_schema import EventSchema
from sentinel.rules.binder import Binder, TooLongError
from sentinel.rules.bound import Bound
from sentinel.rules.issue import Issue
from sentinel.rules.limits import MAX_COMPILED_LENGTH, MAX_TEXT_LENGTH
from sentinel.rules.operators import as_condition, require_boolean
from sentinel.rules.parser import parse
from sentinel.rules.requirements import Requirement, requirements
from sentinel.rules.syntax import Node


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What checking a rule gave.

    Attributes:
        issues: In the order of their places.
        columns: Top-level fields of the event that the rule uses; of a rule with issues, those that were recognized.
        compiled: The total Spark SQL expression over a struct column named `event`; None for a refused rule.
        requirements: What every match fulfils; empty for a refused rule.
    """

    issues: tuple[Issue, ...]
    columns: frozenset[str]
    compiled: str | None
    requirements: tuple[Requirement, ...] = ()

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


def check(expression: str, schema: EventSchema) -> CheckResult:
    """Check a rule expression. Never raises for any text; takes milliseconds."""
    if len(expression) > MAX_TEXT_LENGTH:
        message = f"The rule has {len(expression)} characters; at most {MAX_TEXT_LENGTH} are allowed."
        issue = Issue("error", "too-long", MAX_TEXT_LENGTH, len(expression), message, "Split it into several rules.")
        return CheckResult((issue,), frozenset(), None)
    tree, issues = parse(expression)
    if tree is None:
        return _result(issues, frozenset(), None)
    return check_tree(tree, schema, issues)


def check_tree(tree: Node, schema: EventSchema, issues: Sequence[Issue] = ()) -> CheckResult:
    """Check a parsed rule.

    Args:
        issues: What was found while it was parsed.
    """
    binder = Binder(schema)
    bound: Bound | None = None
    try:
        bound = binder.bind(tree)
    except TooLongError:
        message = f"The compiled rule is longer than {MAX_COMPILED_LENGTH} characters."
        binder.report.error("too-complex", tree.start, tree.end, message, "Split it into several rules.")
    except RecursionError:
        message = "The expression is nested too deeply."
        binder.report.error("too-deep", tree.start, tree.end, message, "Split it into several rules.")
    if bound is not None:
        require_boolean(bound, "A rule", binder.report)
        if bound.constant:
            message = "No field of the event is used, so the rule gives the same for every event."
            binder.report.warning("constant-rule", tree.start, tree.end, message)
    sql = f"({as_condition(bound).sql})" if bound is not None else None
    result = _result([*issues, *binder.report.issues], frozenset(binder.columns), sql)
    return replace(result, requirements=requirements(tree, schema)) if result.valid else result


def _result(issues: Sequence[Issue], columns: frozenset[str], sql: str | None) -> CheckResult:
    ordered = tuple(sorted(issues, key=lambda issue: (issue.start, issue.end)))
    refused = any(issue.severity == "error" for issue in ordered)
    return CheckResult(ordered, columns, None if refused else sql)
