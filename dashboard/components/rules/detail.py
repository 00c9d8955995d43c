"""One rule: its text, its state, its versions, and why it said what it said."""

from __future__ import annotations

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import act, say_done
from dashboard.components.backtests.listing import show_backtests
from dashboard.components.problems import show_problem
from dashboard.components.rules.editor import Written, edit_rule, editor_key, saved_text
from dashboard.components.rules.explanation import show_explain
from dashboard.components.rules.listing import figures_of, is_held
from dashboard.components.rules.quality import show_quality
from dashboard.components.rules.tests import show_notes, show_tests
from dashboard.components.rules.trial import show_trial
from dashboard.components.rules.versions import show_versions
from dashboard.components.sections import choose_section
from dashboard.components.text import show_text
from dashboard.components.times import said
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import SentinelError

# What may follow which state (docs/lifecycle.md). A rollout needs a share, and is begun where versions are tried.
NEXT = {
    "draft": ("active", "shadow", "archived"),
    "shadow": ("active", "draft", "paused", "archived"),
    "rollout": ("active", "shadow", "paused", "archived"),
    "active": ("paused", "archived"),
    "paused": ("active", "shadow", "draft", "archived"),
}
VERBS = {
    "active": ("Publish", ":material/publish:"),
    "paused": ("Pause", ":material/pause:"),
    "shadow": ("Try in shadow", ":material/visibility_off:"),
    "draft": ("Back to draft", ":material/edit_note:"),
    "archived": ("Archive", ":material/archive:"),
}
_SECTIONS = {
    "rule": "Text",
    "tests": "Tests",
    "backtest": "Backtest",
    "trial": "Try out",
    "quality": "Quality",
    "versions": "Versions",
    "explain": "Explain",
}


def show_rule(visit: Visit, rule: models.Rule) -> None:
    """Show a rule and what can be done about it."""
    st.subheader("Rule", anchor=False)
    show_text(
        f"{rule.name} ({rule.id}), {rule.state}, version {rule.version}, changed {said(rule.updated_at, visit.now)}"
    )
    _quarantine(visit, rule)
    _figures(visit, rule)
    if visit.may_write:
        _states(visit, rule)
    if st.button("Its alerts", icon=":material/notifications_active:", key="rule-alerts"):
        links.go("alerts", pipeline=rule.pipeline_id, rule=rule.id)
    chosen = choose_section("rule-section", _SECTIONS)
    match chosen:
        case "tests":
            show_notes(rule)
            show_tests(visit, rule)
        case "backtest":
            show_backtests(visit, rule.pipeline_id, rule)
        case "trial":
            show_trial(visit, rule)
        case "quality":
            show_quality(visit, rule)
        case "versions":
            show_versions(visit, rule)
        case "explain":
            show_explain(visit, rule)
        case _ if visit.may_write and rule.state != "archived" and rule.candidate is None:
            _edit(visit, rule)
        case _:
            _text(rule)


def _text(rule: models.Rule) -> None:
    st.code(saved_text(rule), language="sql", wrap_lines=True)
    show_text(rule.description or "(no description)", limit=1000)
    if rule.candidate is not None:
        st.caption("It can be changed again once what is tried beside it is made the rule or given up: see “Try out”.")


def _figures(visit: Visit, rule: models.Rule) -> None:
    figures = figures_of(visit, rule.pipeline_id).get(rule.id)
    if figures is None:
        # Of an archived rule nothing is counted any more.
        return
    columns = st.columns(4)
    columns[0].metric("Matched, 24 h", f"{figures.matched:,}", border=True, help="Events for which it was true.")
    share = f" ({figures.unknown / figures.evaluated:.1%})" if figures.evaluated else ""
    meaning = "Events for which it could not be told: a field that it needs is missing or cannot be computed with."
    columns[1].metric("Unknown, 24 h", f"{figures.unknown:,}{share}", border=True, help=meaning)
    meaning = "Matches that made no alert, because of a mute or a storm of them."
    columns[2].metric("Suppressed, 24 h", f"{figures.suppressed:,}", border=True, help=meaning)
    cost = "not yet" if figures.microseconds is None else f"{figures.microseconds:.2f} µs"
    columns[3].metric("Cost per event", cost, border=True, help="Of one core, as the job measures it now and then.")
    st.caption(f"Last alert: {said(figures.last_alert_at, visit.now)}.")


def _quarantine(visit: Visit, rule: models.Rule) -> None:
    live = [each for each in visit.client.list_rule_quarantines(rule.id) if is_held(each, rule)]
    for each in live:
        st.error("The job took this rule out. Change it, or release it as it is.", icon=":material/block:")
        where = "" if each.kafka_offset is None else f", first at record {each.kafka_partition}:{each.kafka_offset}"
        show_text(f"{each.cause}{where}; {each.comment}", limit=1000)
        st.caption(f"Since {said(each.quarantined_at, visit.now)}.")
    if live and visit.may_write:
        st.button(
            "Release it",
            key="rule-release",
            on_click=lambda: act("Released", lambda: visit.client.release_rule(rule.id)),
        )


def _states(visit: Visit, rule: models.Rule) -> None:
    with st.container(horizontal=True):
        for place, state in enumerate(NEXT.get(rule.state, ())):
            words, icon = VERBS[state]
            if state == "archived":
                with st.popover("Archive", icon=icon):
                    st.caption("It is kept for its alerts and can never be changed or used again.")
                    st.button("Archive it", key="rule-archived", on_click=_set_state, args=(visit, rule, state))
                continue
            st.button(
                "Resume" if rule.state == "paused" and state == "active" else words,
                icon=icon,
                key=f"rule-{state}",
                type="primary" if place == 0 and state == "active" else "secondary",
                on_click=_set_state,
                args=(visit, rule, state),
            )
    if rule.candidate is not None:
        show_text(f"Beside it stands version {rule.candidate.version}: {rule.candidate.state}; see “Try out”")


def _set_state(visit: Visit, rule: models.Rule, state: str) -> None:
    done = {
        "active": "It is active",
        "paused": "Paused",
        "shadow": "In shadow",
        "draft": "A draft",
        "archived": "Archived",
    }
    act(done[state], lambda: visit.client.set_rule_state(rule.id, state, if_version=rule.row_version))


def _edit(visit: Visit, rule: models.Rule) -> None:
    key = editor_key(rule)
    written = edit_rule(visit, key, rule.pipeline_id, rule)
    if not _differs(written, rule):
        st.caption("Nothing is changed yet.")
        return
    comment = st.text_input("Why, for the record", key=f"{key}-comment", max_chars=500)
    words = "Save the draft" if rule.state == "draft" else f"Publish version {rule.version + 1}"
    may = rule.state == "draft" or (written.check is not None and written.check.valid)
    if not st.button(words, type="primary", key="rule-save", disabled=not may or not written.expression.strip()):
        return
    try:
        with st.spinner("Writing, and running its tests…", show_time=True):
            made = visit.client.change_rule(
                rule.id,
                written.expression,
                written.severity,
                written.description,
                comment=comment,
                if_version=rule.row_version,
            )
    except SentinelError as error:
        show_problem(error)
        return
    say_done(f"Version {made.version} is written")
    st.rerun()


def _differs(written: Written, rule: models.Rule) -> bool:
    return (written.expression, written.severity, written.description) != (
        saved_text(rule),
        rule.severity,
        rule.description,
    )
