"""From a backtest to a rule that acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import say_done
from dashboard.components.alerts.filters import SEVERITIES
from dashboard.components.backtests.form import is_about, tested_text
from dashboard.components.problems import show_problem
from dashboard.components.text import sendable, show_text
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import NotFoundError, SentinelError


def show_publish(visit: Visit, task: models.HistoryTask, asked: Mapping[str, Any], rule: models.Rule | None) -> None:
    """Offer what can be done with what was tested."""
    st.markdown("**What to do with it**")
    if asked.get("rule_id") is not None:
        saved = rule if rule is not None and rule.id == asked["rule_id"] else _saved(visit, int(asked["rule_id"]))
        if saved is None:
            st.caption("The rule is not there any more.")
            return
        _of_saved(visit, task, asked, saved)
    elif rule is not None and is_about(asked, rule):
        _of_text(visit, task, asked, rule)
    else:
        _of_new(visit, task, asked)


def _saved(visit: Visit, rule_id: int) -> models.Rule | None:
    try:
        return visit.client.get_rule(rule_id)
    except NotFoundError:
        return None


def _of_saved(visit: Visit, task: models.HistoryTask, asked: Mapping[str, Any], rule: models.Rule) -> None:
    """A version that is kept: put the rule in force, or what is tried beside it."""
    comment = f"backtest {task.id}"
    if rule.candidate is not None and rule.candidate.version == asked.get("version"):
        if rule.candidate.state == "draft":
            _button(
                "Try it in shadow",
                f"backtest-shadow-{task.id}",
                "It is tried in shadow",
                lambda: visit.client.set_candidate_state(
                    rule.id, "shadow", comment=comment, if_version=rule.row_version
                ),
            )
        else:
            _button(
                "Make it the rule",
                f"backtest-promote-{task.id}",
                "It is the rule now",
                lambda: visit.client.promote_rule(rule.id, comment, if_version=rule.row_version),
            )
    elif rule.version != asked.get("version"):
        show_text(f"Since then {rule.name} became version {rule.version}; test that one.")
    elif rule.state == "active":
        show_text(f"{rule.name} is in force as it was tested.")
    elif rule.state == "archived":
        show_text(f"{rule.name} is archived.")
    else:
        _button(
            "Publish it",
            f"backtest-publish-{task.id}",
            "It is active",
            lambda: visit.client.set_rule_state(rule.id, "active", comment=comment, if_version=rule.row_version),
        )


def _of_text(visit: Visit, task: models.HistoryTask, asked: Mapping[str, Any], rule: models.Rule) -> None:
    """Another text for a rule: its next version at once, or beside it first."""
    text = tested_text(task, asked)
    if text in {rule.short_form, rule.rule_expression}:
        show_text(f"{rule.name} says this already.")
        return
    if rule.state == "archived":
        show_text(f"{rule.name} is archived and is never changed.")
        return
    if rule.candidate is not None:
        st.caption("Something is tried beside the rule: make it the rule or give it up first.")
        return
    if rule.short_form and text == asked.get("condition"):
        st.warning(
            "The actions of the rule are not part of what was tested and would be lost.", icon=":material/warning:"
        )
    comment = st.text_input("Why, for the record", f"backtest {task.id}", key=f"backtest-why-{task.id}", max_chars=500)
    with st.container(horizontal=True):
        _button(
            "Save the draft" if rule.state == "draft" else f"Publish version {rule.version + 1}",
            f"backtest-publish-{task.id}",
            "It is written",
            lambda: visit.client.change_rule(
                rule.id, text, rule.severity, rule.description, comment=sendable(comment), if_version=rule.row_version
            ),
        )
        if rule.state in {"active", "paused"}:
            _button(
                "Try it beside the rule",
                f"backtest-propose-{task.id}",
                "It stands beside the rule",
                lambda: visit.client.propose_rule(
                    rule.id,
                    text,
                    rule.severity,
                    rule.description,
                    comment=sendable(comment),
                    if_version=rule.row_version,
                ),
                primary=False,
            )


def _of_new(visit: Visit, task: models.HistoryTask, asked: Mapping[str, Any]) -> None:
    """A text of no rule: a new one."""
    text = tested_text(task, asked)
    row = st.columns(3)
    name = row[0].text_input("Name", key=f"backtest-name-{task.id}", max_chars=64, placeholder="or left out")
    severity = row[1].selectbox("Severity", SEVERITIES, index=1, key=f"backtest-severity-{task.id}")
    state = row[2].selectbox("It acts", ("active", "shadow", "draft"), key=f"backtest-state-{task.id}")

    def add() -> object:
        made = visit.client.add_rule(
            task.pipeline_id, text, severity, f"backtest {task.id}", name=name.strip() or None, state=state
        )
        links.keep({"rule": made.id, "part": None})
        st.session_state.pop("rules-part", None)
        return made

    _button("Add it as a rule", f"backtest-add-{task.id}", "The rule is there", add)


def _button(words: str, key: str, done: str, call: Callable[[], object], *, primary: bool = True) -> None:
    if not st.button(words, type="primary" if primary else "secondary", icon=":material/publish:", key=key):
        return
    try:
        # Its tests are run first, which may take seconds.
        with st.spinner("Writing…", show_time=True):
            call()
    except SentinelError as error:
        show_problem(error)
        return
    say_done(done)
    st.rerun()
