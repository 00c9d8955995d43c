"""A version tried before it counts: in shadow, for a share of the entities, held against the one in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from dashboard.components.acts import act
from dashboard.components.problems import show_problem
from dashboard.components.rules.editor import edit_rule
from dashboard.components.rules.trial_comparison import show_comparison
from dashboard.components.text import sendable, show_text
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import SentinelError


@dataclass(frozen=True, slots=True)
class Tried:
    """What is tried of a rule: its candidate, or the rule itself before it was ever active.

    Attributes:
        state: draft, shadow, rollout or paused.
        is_candidate: A version beside the one in force.
    """

    state: str
    version: int
    is_candidate: bool


def tried(rule: models.Rule) -> Tried | None:
    """Return what is, or can be, tried of a rule; None: it is in force with nothing beside it, or archived."""
    if rule.candidate is not None:
        return Tried(rule.candidate.state, rule.candidate.version, True)
    if rule.state in {"draft", "shadow", "rollout", "paused"}:
        return Tried(rule.state, rule.version, False)
    return None


def show_trial(visit: Visit, rule: models.Rule) -> None:
    """Show what is tried of a rule and what it has shown, and offer the next step."""
    now = tried(rule)
    if now is None:
        if rule.state == "archived":
            st.info("It is archived.", icon=":material/info:")
        elif visit.may_write:
            _propose(visit, rule)
        else:
            st.info("Nothing is tried beside it.", icon=":material/info:")
    else:
        _said(rule, now)
        if visit.may_write:
            _steps(visit, rule, now)
    show_comparison(visit, rule)


def _said(rule: models.Rule, now: Tried) -> None:
    beside = f" beside version {rule.version}" if now.is_candidate else ""
    share = ""
    if now.state == "rollout" and rule.rollout is not None:
        share = f", for {rule.rollout.share_percent:g} % of {rule.rollout.entity}"
    show_text(f"version {now.version}{beside}: {now.state}{share}")
    if rule.candidate is not None:
        st.code(rule.candidate.short_form or rule.candidate.rule_expression, language="sql", wrap_lines=True)


def _steps(visit: Visit, rule: models.Rule, now: Tried) -> None:
    key = f"rule-trial-{rule.id}-{rule.row_version}"
    st.text_input("Why, for the record", key=f"{key}-why", max_chars=500)
    with st.container(horizontal=True):
        if now.state != "shadow":
            _button("Try in shadow", ":material/visibility_off:", f"{key}-shadow", _to(visit, rule, now, key, "shadow"))
        if now.state in {"shadow", "rollout"}:
            _button(
                "Make it the rule", ":material/publish:", f"{key}-promote", _promote(visit, rule, key), primary=True
            )
            words = "Give it up" if now.is_candidate else "Give it up: pause it"
            _button(words, ":material/undo:", f"{key}-abort", _abort(visit, rule, key))
        elif now.is_candidate:
            _button("Give it up", ":material/undo:", f"{key}-abort", _abort(visit, rule, key))
    _rollout_form(visit, rule, now, key)


def _rollout_form(visit: Visit, rule: models.Rule, now: Tried, key: str) -> None:
    try:
        schema = visit.client.get_schema(rule.pipeline_id)
    except SentinelError as error:
        show_problem(error)
        return
    entities = [each.name for each in schema.fields if each.role == "entity"]
    if not entities:
        st.caption("A rollout goes by a field of role entity, and the schema has none.")
        return
    plan = rule.rollout
    with st.form(f"{key}-rollout", border=True):
        row = st.columns([1, 2, 1], vertical_alignment="bottom")
        row[0].number_input(
            "Percent", 0.01, 100.0, plan.share_percent if plan else 10.0, step=1.0, format="%.2f", key=f"{key}-share"
        )
        row[1].selectbox(
            "of the values of",
            entities,
            index=entities.index(plan.entity) if plan and plan.entity in entities else 0,
            key=f"{key}-entity",
        )
        row[2].form_submit_button(
            "Change the share" if now.state == "rollout" else "Roll it out",
            icon=":material/percent:",
            on_click=_to(visit, rule, now, key, "rollout"),
        )
    st.caption("A larger share keeps everybody who was in. It alerts for the share alone; the rest is as before.")


def _to(visit: Visit, rule: models.Rule, now: Tried, key: str, state: str) -> Callable[[], object]:
    change = visit.client.set_candidate_state if now.is_candidate else visit.client.set_rule_state

    def move() -> object:
        share, entity = (
            (float(st.session_state[f"{key}-share"]), str(st.session_state[f"{key}-entity"]))
            if state == "rollout"
            else (None, None)
        )
        return change(
            rule.id, state, share_percent=share, entity=entity, comment=_why(key), if_version=rule.row_version
        )

    return lambda: act({"shadow": "In shadow", "rollout": "It is rolled out"}[state], move)


def _promote(visit: Visit, rule: models.Rule, key: str) -> Callable[[], object]:
    return lambda: act(
        "It is the rule now", lambda: visit.client.promote_rule(rule.id, _why(key), if_version=rule.row_version)
    )


def _abort(visit: Visit, rule: models.Rule, key: str) -> Callable[[], object]:
    return lambda: act("Given up", lambda: visit.client.abort_rule(rule.id, _why(key), if_version=rule.row_version))


def _why(key: str) -> str:
    return sendable(str(st.session_state.get(f"{key}-why", "")))


def _button(words: str, icon: str, key: str, call: Callable[[], object], *, primary: bool = False) -> None:
    st.button(words, icon=icon, key=key, type="primary" if primary else "secondary", on_click=call)


def _propose(visit: Visit, rule: models.Rule) -> None:
    """Ask for a version to try beside the one in force."""
    st.caption("Write a version beside the one in force, which stays as it is. It begins as a draft.")
    key = f"rule-propose-{rule.id}-{rule.version}"
    written = edit_rule(visit, key, rule.pipeline_id, rule)
    comment = st.text_input("Why, for the record", key=f"{key}-comment", max_chars=500)
    if not st.button(
        "Write it beside the rule", type="primary", key=f"{key}-do", disabled=not written.expression.strip()
    ):
        return
    if act(
        "It stands beside the rule, as a draft",
        lambda: visit.client.propose_rule(
            rule.id,
            sendable(written.expression),
            written.severity,
            written.description,
            comment=sendable(comment),
            if_version=rule.row_version,
        ),
    ):
        for each in [each for each in st.session_state if str(each).startswith(key)]:
            del st.session_state[each]
    st.rerun()
