"""One alert: the event, what matched and why, what else there was, where it stands, and why somebody was told."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard.components import links
from dashboard.components.alerts.related import show_related
from dashboard.components.alerts.snooze import show_snooze
from dashboard.components.alerts.table import place, what, where
from dashboard.components.alerts.why import show_why
from dashboard.components.alerts.work import show_work
from dashboard.components.problems import show_problem
from dashboard.components.rules.explanation import show_explanation
from dashboard.components.sections import choose_section
from dashboard.components.text import NO_VALUE, compact, line, show_json, show_text
from dashboard.components.times import absolute, said, time_column
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import SentinelError

SECTIONS = {
    "event": "What happened",
    "explain": "Explanation",
    "same": "About the same",
    "told": "Who was told",
    "past": "Notes and history",
}
BADGES = {"critical": "red", "warning": "orange", "info": "blue"}


def show_detail(visit: Visit, alert_id: int, pipeline_names: Mapping[int, str]) -> None:
    """Show an alert with everything that is known of it."""
    with st.spinner("Reading the alert…", show_time=False):
        alert = visit.client.get_alert(alert_id)
    head, close = st.columns([12, 1], vertical_alignment="center")
    with head:
        st.subheader(f"Alert {alert.id}", anchor=False)
    close.button("Close", key="alert-close", type="tertiary", on_click=_close)
    with st.container(horizontal=True):
        st.badge(alert.severity, color=BADGES[alert.severity])
        st.badge(alert.status if alert.status in _STATUSES else "other", color="gray")
        if alert.disposition in _JUDGED:
            st.badge(_JUDGED[alert.disposition], color="violet")
    show_text(what(alert), limit=500)
    st.caption(f"Raised {said(alert.alert_timestamp, visit.now)}.")
    show_work(visit, alert)
    if visit.may_write:
        show_snooze(visit, alert)
    match choose_section("alert-show", SECTIONS):
        case "explain":
            _explain(visit, alert)
        case "same":
            show_related(visit, alert)
        case "told":
            show_why(visit, alert.id)
        case "past":
            _past(visit, alert)
        case _:
            _about(visit, alert, pipeline_names)


def _explain(visit: Visit, alert: models.AlertDetail) -> None:
    """Explain the match by the version that made it, on demand: the rule worker computes it anew."""
    if alert.pipeline_id is None or alert.rule_id is None:
        st.info(
            "A detector raised this about a window of time. What it found and against what it measured it stands under "
            "“What happened”.",
            icon=":material/info:",
        )
        return
    versions = visit.client.list_rule_versions(alert.rule_id)
    fired = next((each.version for each in versions if each.rule_version_id == alert.rule_version_id), None)
    by = "the version that made it" if fired is None else f"version {fired}, which made it"
    st.caption(f"The event goes through the rule once more, by {by}: each part with its value.")
    key = "alert-explained"
    if st.button("Explain this match", type="primary", icon=":material/psychology:", key="alert-explain"):
        st.session_state.pop(key, None)
        try:
            with st.spinner("Asking the rule worker…", show_time=True):
                found = visit.client.explain(alert.pipeline_id, alert.rule_id, alert.event_id, version=fired)
        except SentinelError as error:
            show_problem(error)
            return
        st.session_state[key] = (alert.id, found)
    # It stays while the page is drawn anew, until another alert is explained.
    kept = st.session_state.get(key)
    if kept is not None and kept[0] == alert.id:
        show_explanation(kept[1])


def _about(visit: Visit, alert: models.AlertDetail, pipeline_names: Mapping[int, str]) -> None:
    left, right = st.columns(2)
    with left:
        st.markdown("**The event**" if alert.detector is None else "**What was found**")
        show_json(alert.transaction_data)
        show_text(f"event id: {alert.event_id}")
        show_text(place(alert))
        if alert.request_id is not None:
            show_text(f"request: {alert.request_id}")
        if alert.trace_id is not None:
            show_text(f"trace: {alert.trace_id}")
    with right:
        st.markdown("**Why it was raised**")
        if alert.evidence:
            st.dataframe(
                [
                    {"what held": line(each.condition, 1000), "with": compact(each.values, 1000)}
                    for each in alert.evidence
                ],
                column_config={
                    "what held": st.column_config.TextColumn("what held", width="medium"),
                    "with": st.column_config.TextColumn("with", width="medium"),
                },
                hide_index=True,
                placeholder=NO_VALUE,
            )
        else:
            st.caption("No evidence was kept with this alert.")
        show_text(f"pipeline: {where(alert, pipeline_names)}")
        if alert.subject is not None:
            show_text(f"about: {alert.subject}")
        if alert.list_versions:
            show_text(f"lists: {', '.join(f'{name} version {number}' for name, number in alert.list_versions.items())}")
        if alert.rule_id is not None:
            _rule(visit, alert, alert.rule_id)
        if alert.detector is not None and alert.revision > 1:
            _amendments(visit, alert.id)


def _rule(visit: Visit, alert: models.AlertDetail, rule_id: int) -> None:
    """Show the version that matched, which need not be today's."""
    versions = visit.client.list_rule_versions(rule_id)
    fired = next((each for each in versions if each.rule_version_id == alert.rule_version_id), None)
    with st.container(horizontal=True):
        if st.button("Open the rule", icon=":material/rule:", key="alert-rule"):
            links.go("rules", rule=rule_id)
        if st.button("Try another event", icon=":material/psychology:", key="alert-try"):
            links.go("rules", rule=rule_id, show="explain", event=alert.event_id)
    if fired is None:
        show_text(f"rule {rule_id} ({alert.rule_name})")
        return
    newest = max(each.version for each in versions)
    later = "the newest" if fired.version == newest else f"the rule is at version {newest} by now"
    show_text(f"rule {rule_id} ({alert.rule_name}), version {fired.version}, {later}:")
    st.code(fired.short_form or fired.rule_expression, language="sql", wrap_lines=True)
    show_text(f"written by {fired.created_by}, {absolute(fired.created_at)}")


def _amendments(visit: Visit, alert_id: int) -> None:
    st.markdown("**What it said before late events came**")
    st.dataframe(
        [
            {"at": each.amended_at, "severity": each.severity, "level": each.level, "why": line(each.reason, 500)}
            for each in visit.client.list_amendments(alert_id)
        ],
        column_config={"at": time_column("amended")},
        hide_index=True,
        placeholder=NO_VALUE,
    )


def _past(visit: Visit, alert: models.AlertDetail) -> None:
    if not alert.notes and not alert.changes:
        st.info("Nobody has done anything about this alert yet.", icon=":material/info:")
    for note in alert.notes:
        with st.container(border=True):
            show_text(f"{note.author}, {said(note.created_at, visit.now)}")
            show_text(note.text)
    if alert.changes:
        st.dataframe(
            [
                {
                    "at": change.changed_at,
                    "who": line(change.author, 100),
                    "what": line("; ".join(_changes(change)), 500),
                }
                for change in alert.changes
            ],
            column_config={"at": time_column("at")},
            hide_index=True,
            placeholder=NO_VALUE,
        )


def _changes(change: models.AlertChange) -> list[str]:
    return [f"{name}: {change.before.get(name)} -> {value}" for name, value in change.after.items()]


def _close() -> None:
    for name in ("alert", "show"):
        st.query_params.pop(name, None)


_STATUSES = ("open", "acknowledged", "resolved", "suppressed")
_JUDGED = {"true_positive": "true positive", "false_positive": "false positive", "benign": "benign"}
