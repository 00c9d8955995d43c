"""The versions of a rule: what lies between two of them, and the way back."""

from __future__ import annotations

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import act
from dashboard.components.text import NO_VALUE, compact, line, show_text
from dashboard.components.times import time_column
from dashboard.session import Visit
from sentinel.client import models


def show_versions(visit: Visit, rule: models.Rule) -> None:
    """Show all versions, and two of them side by side."""
    with st.spinner("Reading versions…"):
        versions = visit.client.list_rule_versions(rule.id)
    st.dataframe(
        [
            {
                "version": each.version,
                "written": each.created_at,
                "by": line(each.created_by, 100),
                "what changed": ", ".join(change.field for change in each.changes) or "the first",
                "why": line(each.comment, 200),
                "rule": line(each.short_form or each.rule_expression),
            }
            for each in versions
        ],
        column_config={
            "version": st.column_config.NumberColumn("version", width="small"),
            "written": time_column("written"),
            "rule": st.column_config.TextColumn("rule", width="large"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(versions), 300),
    )
    if len(versions) < 2:
        st.caption("There is only this one.")
        return
    numbers = [each.version for each in versions]
    row = st.columns(2)
    key = f"rule-versions-{rule.id}-{rule.version}"
    with row[0]:
        older = links.choose("From version", numbers, f"{key}-from", "from", numbers[1])
    with row[1]:
        newer = links.choose("To version", numbers, f"{key}-to", "to", numbers[0])
    _difference(visit, rule, older, newer)
    if visit.may_write and older != rule.version and rule.state != "archived":
        comment = st.text_input("Why, for the record", key=f"{key}-comment", max_chars=500)
        st.button(
            f"Go back to version {older}",
            icon=":material/undo:",
            key=f"{key}-back",
            help="Its content becomes the next version; nothing is lost.",
            on_click=_roll_back,
            args=(visit, rule, older, comment),
        )


def _difference(visit: Visit, rule: models.Rule, older: int, newer: int) -> None:
    if older == newer:
        st.caption("Choose two different versions.")
        return
    changes = visit.client.diff_rule_versions(rule.id, older, newer)
    if not changes:
        st.caption("They say the same.")
    for change in changes:
        show_text(change.field)
        before, after = st.columns(2)
        before.code(_shown(change.before), language=None, wrap_lines=True)
        after.code(_shown(change.after), language=None, wrap_lines=True)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else compact(value, 5000)
    return line(text, 5000) if "\n" not in text else text


def _roll_back(visit: Visit, rule: models.Rule, version: int, comment: str) -> None:
    if act(
        f"Back to what version {version} says",
        lambda: visit.client.roll_back_rule(rule.id, version, comment, if_version=rule.row_version),
    ):
        links.keep({"from": None, "to": None})
