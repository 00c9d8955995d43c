"""The text of a rule, checked as it is written."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard.components.alerts.filters import SEVERITIES
from dashboard.components.problems import show_problem
from dashboard.components.rules.fields import show_fields
from dashboard.components.text import compact, plain, sendable, show_text
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import SentinelError

# How much of a line is shown on both sides of the place that is marked.
_AROUND = 60
MAX_ISSUES = 20


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in the editor, and what the check says of it; None: it could not be asked."""

    expression: str
    severity: str
    description: str
    check: models.RuleCheck | None


def edit_rule(visit: Visit, key: str, pipeline_id: int, rule: models.Rule | None) -> Written:
    """Show the editor, filled with a rule or empty.

    Args:
        key: Of the widgets; another one for each version, so that nothing typed about an older one is taken for it.
    """
    left, right = st.columns([3, 2])
    with left:
        expression = st.text_area(
            "Rule",
            value="" if rule is None else saved_text(rule),
            key=f"{key}-expression",
            height=170,
            # What was typed outlives a look at another part or page.
            persist_state="session",
            placeholder="amount > 1000 AND country <> 'DE'\n\nor, with what to do about it:\n\n"
            'when amount > 1000 then notify("slack:#ops")',
            help="A condition on the fields, in Spark SQL, or `when ... then ...`; docs/rules.md has the language. "
            "Ctrl+Enter checks it, and so does leaving the box.",
        )
        row = st.columns([1, 2])
        severity = row[0].selectbox(
            "Severity",
            SEVERITIES,
            index=SEVERITIES.index(rule.severity) if rule is not None and rule.severity in SEVERITIES else 1,
            key=f"{key}-severity",
        )
        description = row[1].text_input(
            "Description", value="" if rule is None else rule.description, key=f"{key}-description", max_chars=2000
        )
        check = _checked(visit, pipeline_id, expression)
    with right:
        show_fields(visit, pipeline_id)
    return Written(expression, severity, description, check)


def saved_text(rule: models.Rule) -> str:
    """Return what a rule says, as it was written."""
    return rule.short_form or rule.rule_expression


def editor_key(rule: models.Rule) -> str:
    """Return the key of a rule's editor: another one for each version."""
    return f"rule-edit-{rule.id}-{rule.version}"


def typed_text(rule: models.Rule) -> str | None:
    """Return what stands in a rule's editor; None: nothing but what the rule says."""
    text = str(st.session_state.get(f"{editor_key(rule)}-expression") or "")
    return text if text.strip() and text != saved_text(rule) else None


def _checked(visit: Visit, pipeline_id: int, expression: str) -> models.RuleCheck | None:
    if not expression.strip():
        return None
    try:
        with st.spinner("Checking…"):
            check = visit.client.check_rule(sendable(expression), pipeline_id=pipeline_id)
    except SentinelError as error:
        show_problem(error)
        return None
    show_check(expression, check)
    return check


def show_check(expression: str, check: models.RuleCheck) -> None:
    """Show what the check says, each issue at its place in the text."""
    if check.valid:
        reads = f"It reads {', '.join(check.columns)}." if check.columns else "It reads no field."
        st.success("This can be a rule.", icon=":material/check:")
        show_text(reads, limit=500)
        for action in check.actions:
            show_text(f"then {action.kind}: {compact(action.value)}", limit=300)
        if check.rule_expression and check.rule_expression.strip() != expression.strip():
            st.caption("As Spark SQL:")
            st.code(check.rule_expression, language="sql", wrap_lines=True)
    for issue in check.issues[:MAX_ISSUES]:
        if issue.severity == "error":
            st.error("Something is wrong here:", icon=":material/error:")
        else:
            st.warning("Something to think about:", icon=":material/warning:")
        marked = mark(expression, issue.start, issue.end)
        if marked:
            st.code(marked, language=None)
        show_text(issue.message, limit=1000)
        if issue.suggestion:
            show_text(issue.suggestion, limit=500)
    if len(check.issues) > MAX_ISSUES:
        st.caption(f"{len(check.issues) - MAX_ISSUES} more.")


def mark(text: str, start: int | None, end: int | None) -> str:
    """Return the line of a text that a place is in, with carets below it; empty where there is no place.

    Args:
        start: In characters from the beginning of the text.
        end: The first one not included.
    """
    if start is None or not 0 <= start <= len(text):
        return ""
    begins = text.rfind("\n", 0, start) + 1
    ends = text.find("\n", start)
    ends = len(text) if ends < 0 else ends
    left, right = max(begins, start - _AROUND), min(ends, start + _AROUND)
    # One sign for one character, or the carets would stand beside what they mean.
    shown = "".join(
        each if len(plain(each)) == 1 and each != "\t" else "\N{REPLACEMENT CHARACTER}" for each in text[left:right]
    )
    length = max(1, min(end if end is not None else start + 1, right) - start)
    number = text.count("\n", 0, start) + 1
    head = f"line {number}: "
    return f"{head}{shown}\n{' ' * (len(head) + start - left)}{'^' * length}"
