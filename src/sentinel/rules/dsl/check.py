"""Check a rule that may be written in either form."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.rule_action import RuleAction
from sentinel.rules.checker import CheckResult, check, check_tree
from sentinel.rules.dsl.parser import is_short_form, parse_short
from sentinel.rules.dsl.short_rule import ShortRuleError
from sentinel.rules.dsl.writer import as_sql
from sentinel.rules.issue import Issue
from sentinel.rules.known import NO_NAMES, KnownNames


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """A rule that was checked.

    Attributes:
        result: Issues with their places in the text as it was written.
        rule_expression: The condition in Spark SQL; the text itself where it could not be understood.
        short_form: The text, where it is one in the short form.
        actions: What the rule asks for; empty for a condition in Spark SQL.
    """

    result: CheckResult
    rule_expression: str
    short_form: str | None = None
    actions: tuple[RuleAction, ...] = ()


REFUSED_WHEN_NEW = frozenset({"escape", "cast-type"})
"""Codes of what a stored rule keeps its meaning with, as a warning, and a new text is refused for."""


def check_rule(text: str, schema: EventSchema, known: KnownNames = NO_NAMES, *, is_stored: bool = False) -> CheckedRule:
    """Check a rule in Spark SQL or in the short form. Never raises for any text; takes milliseconds.

    Args:
        known: What it may name beside the fields of the schema.
        is_stored: Whether it was accepted before; then it is held to what can be evaluated only.
    """
    checked = _checked(text, schema, known, is_stored)
    return checked if is_stored else replace(checked, result=_as_new(checked.result))


def _as_new(result: CheckResult) -> CheckResult:
    """Return the result with errors in place of warnings that a new text is refused for."""
    if not any(issue.severity == "warning" and issue.code in REFUSED_WHEN_NEW for issue in result.issues):
        return result
    issues = [replace(issue, severity="error") if issue.code in REFUSED_WHEN_NEW else issue for issue in result.issues]
    return CheckResult(tuple(issues), result.columns, None)


def _checked(text: str, schema: EventSchema, known: KnownNames, is_stored: bool) -> CheckedRule:
    if not is_short_form(text):
        return CheckedRule(check(text, schema, known), text)
    try:
        rule = parse_short(text, is_stored=is_stored)
    except ShortRuleError as refused:
        return CheckedRule(CheckResult((refused.issue,), frozenset(), None), text, text)
    result = check_tree(rule.condition, schema, known=known, text=text)
    sql = as_sql(rule.condition)
    if result.valid:
        # What the job will compile is this text, so it must pass as well.
        written = check(sql, schema, known)
        result = replace(result, compiled=written.compiled, requirements=written.requirements, lookups=written.lookups)
        if not written.valid:
            node = rule.condition
            errors = [Issue("error", each.code, node.start, node.end, each.message) for each in written.errors]
            result = CheckResult((*result.issues, *errors), result.columns, None)
    return CheckedRule(result, sql, text, rule.actions)
