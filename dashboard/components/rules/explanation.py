"""Why a rule is true, false or unknown for an event."""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st

from dashboard.components import links
from dashboard.components.problems import show_problem
from dashboard.components.text import NO_VALUE, compact, line, show_json, show_text
from dashboard.session import Visit
from sentinel.client import models
from sentinel.client.explain import Explanation, Node
from sentinel.errors import SentinelError

_WORDS = {
    "match": ("It matches.", ":material/check_circle:"),
    "no_match": ("It does not match.", ":material/cancel:"),
    "unknown": ("It cannot tell: something that it needs is missing.", ":material/help:"),
    "dead_letter": ("This record is no event.", ":material/dangerous:"),
}
MAX_NODES = 300
# Ordinary spaces at the beginning of a cell are not shown.
_INDENT = "\N{NO-BREAK SPACE}" * 4


def show_explain(visit: Visit, rule: models.Rule) -> None:
    """Ask for an event, and explain the rule for it."""
    links.seed(f"explain-event-{rule.id}", "event", links.text_of(2000))
    with st.form(f"explain-{rule.id}"):
        event = st.text_input(
            "Event id, or the place of its record",
            key=f"explain-event-{rule.id}",
            max_chars=2000,
            placeholder="t-4711   or   partition:offset, as 0:4711",
        )
        text = st.text_area(
            "Or the event itself, as JSON", key=f"explain-text-{rule.id}", height=110, placeholder='{"amount": 900}'
        )
        asked = st.form_submit_button("Explain", type="primary", icon=":material/psychology:")
    if not asked:
        return
    links.keep({"event": event.strip()})
    if not event.strip() and not text.strip():
        st.info("Name an event, or paste one.", icon=":material/info:")
        return
    try:
        with st.spinner("Asking the rule worker…", show_time=True):
            if event.strip():
                found = visit.client.explain(rule.pipeline_id, rule.id, event.strip())
            else:
                found = visit.client.explain_event(rule.pipeline_id, text, rule_id=rule.id)
    except SentinelError as error:
        show_problem(error)
        return
    show_explanation(found)


def open_explain(rule_id: int, event: str) -> None:
    """Turn a rule's part of the page to the explanation of an event; called before the page is drawn."""
    links.keep({"show": "explain", "event": event})
    st.session_state["rule-section"] = "explain"
    st.session_state[f"explain-event-{rule_id}"] = event


def show_explanation(found: Explanation) -> None:
    """Show a verdict with all that led to it."""
    words, icon = _WORDS[found.verdict]
    st.info(words, icon=icon)
    if found.dead_letter is not None:
        show_text(f"{found.dead_letter.cause}: {found.dead_letter.detail}", limit=1000)
    if found.missing:
        show_text(f"missing: {', '.join(found.missing)}", limit=1000)
    for part in found.not_computable:
        show_text(f"{part.text} has no value: {part.why or 'something that it needs is missing'}", limit=1000)
    if found.decided_by:
        st.dataframe(
            [
                {"what decided": line(each.text, 500), "is": each.verdict, "with": compact(each.values, 500)}
                for each in found.decided_by
            ],
            hide_index=True,
            placeholder=NO_VALUE,
        )
    for note in found.notes:
        show_text(note, limit=500)
    was = "" if found.rule_version is None else f"rule version {found.rule_version}, "
    show_text(f"{was}schema version {found.schema_version}, event from: {found.source}", limit=300)
    if found.tree is not None:
        with st.expander("Every part"):
            st.dataframe(
                [
                    {
                        "part": _INDENT * depth + line(node.text, 300),
                        "is": node.verdict or "",
                        "value": compact(node.value, 200),
                        "decided": node.decided,
                    }
                    for depth, node in _parts(found.tree)
                ],
                column_config={"part": st.column_config.TextColumn("part", width="large")},
                hide_index=True,
                placeholder=NO_VALUE,
            )
    with st.expander("The event"):
        show_json(found.event)


def _parts(root: Node) -> Iterator[tuple[int, Node]]:
    """Yield the parts from the root down, in the order of the text, with their depth."""
    waiting = [(0, root)]
    for _ in range(MAX_NODES):
        if not waiting:
            return
        depth, node = waiting.pop()
        yield depth, node
        waiting += [(depth + 1, child) for child in reversed(node.children)]
