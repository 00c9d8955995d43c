"""What a person does about one alert."""

from __future__ import annotations

import streamlit as st

from dashboard.components.acts import act
from dashboard.components.alerts.filters import DISPOSITIONS
from dashboard.components.text import show_text
from dashboard.components.times import said
from dashboard.session import Visit
from sentinel.client import models

# What may follow which status (docs/alerts.md), with the word of its button.
NEXT = {
    "open": ("acknowledged", "resolved", "suppressed"),
    "acknowledged": ("resolved", "suppressed", "open"),
    "suppressed": ("acknowledged", "resolved", "open"),
    "resolved": ("open",),
}
VERBS = {"acknowledged": "Acknowledge", "resolved": "Resolve", "suppressed": "Suppress", "open": "Open again"}
ICONS = {
    "acknowledged": ":material/front_hand:",
    "resolved": ":material/check_circle:",
    "suppressed": ":material/visibility_off:",
    "open": ":material/undo:",
}


def show_work(visit: Visit, alert: models.AlertDetail) -> None:
    """Show where an alert stands, and the buttons for what the visitor may do about it."""
    for verb, who, when in (
        ("Acknowledged", alert.acknowledged_by, alert.acknowledged_at),
        ("Resolved", alert.resolved_by, alert.resolved_at),
    ):
        if who is not None:
            show_text(f"{verb} by {who}, {said(when, visit.now)}")
    if alert.assignee is not None:
        show_text(f"Assigned to {alert.assignee}")
    if not visit.may_write:
        return
    with st.container(horizontal=True):
        for place, status in enumerate(NEXT.get(alert.status, ())):
            st.button(
                VERBS[status],
                icon=ICONS[status],
                type="primary" if place == 0 else "secondary",
                key=f"alert-{status}",
                on_click=_set_status,
                args=(visit, alert, status),
            )
        if alert.status == "acknowledged" and alert.acknowledged_by not in (None, visit.caller.name):
            st.button("Take it over", key="alert-force", on_click=_take_over, args=(visit, alert))
    judge, assign, note = st.columns(3)
    with judge:
        # Keyed by the version: after any change the widgets show what is true then.
        key = f"alert-judged-{alert.id}-{alert.version}"
        options = [None, *DISPOSITIONS]
        st.selectbox(
            "It was",
            options,
            index=options.index(alert.disposition) if alert.disposition in options else 0,
            format_func=lambda word: "not judged yet" if word is None else word.replace("_", " "),
            key=key,
            on_change=_judge,
            args=(visit, alert, key),
        )
    with assign:
        key = f"alert-assignee-{alert.id}-{alert.version}"
        st.text_input(
            "Assignee",
            value=alert.assignee or "",
            max_chars=128,
            key=key,
            placeholder="a name; Enter saves",
            on_change=_assign,
            args=(visit, alert, key),
        )
    with note, st.form(f"alert-note-{alert.id}", border=False):
        key = f"alert-note-text-{alert.id}"
        st.text_area(
            "Note",
            key=key,
            max_chars=5000,
            height=80,
            placeholder="kept as it is, and never changed",
            persist_state="session",
        )
        st.form_submit_button("Add the note", on_click=_note, args=(visit, alert, key))


def _set_status(visit: Visit, alert: models.AlertDetail, status: str) -> None:
    said_so = "Open again" if status == "open" else status.capitalize()
    act(said_so, lambda: visit.client.change_alert(alert.id, if_version=alert.version, status=status))


def _take_over(visit: Visit, alert: models.AlertDetail) -> None:
    act(
        "It is yours",
        lambda: visit.client.change_alert(alert.id, if_version=alert.version, status="acknowledged", force=True),
    )


def _judge(visit: Visit, alert: models.AlertDetail, key: str) -> None:
    judged = st.session_state[key]
    act("Judged", lambda: visit.client.change_alert(alert.id, if_version=alert.version, disposition=judged))


def _assign(visit: Visit, alert: models.AlertDetail, key: str) -> None:
    assignee = str(st.session_state[key]).strip() or None
    act("Assigned", lambda: visit.client.change_alert(alert.id, if_version=alert.version, assignee=assignee))


def _note(visit: Visit, alert: models.AlertDetail, key: str) -> None:
    text = str(st.session_state.get(key, ""))
    # What could not be written stays in its field.
    if text.strip() and act("Noted", lambda: visit.client.add_alert_note(alert.id, text)):
        st.session_state[key] = ""
