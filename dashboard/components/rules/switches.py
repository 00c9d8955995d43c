"""The rules of a pipeline, each with its switch."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.components.problems import show_problem
from dashboard.components.text import show_text
from dashboard.session import Visit
from sentinel.client import models
from sentinel.client.client import Client
from sentinel.errors import SentinelError

_REFUSED = "rule_switch_refused"
_BADGES = {"critical": ":red-badge[critical]", "warning": ":orange-badge[warning]", "info": ":blue-badge[info]"}


def show_rules(visit: Visit, rules: Sequence[models.Rule]) -> None:
    """Show rules with switches; a switch takes effect in the running job at once."""
    refused = st.session_state.pop(_REFUSED, None)
    if refused is not None:
        show_problem(refused)
    if not rules:
        st.info("No rule yet. Add one on the page “Rules”.", icon=":material/info:")
        return
    for rule in rules:
        with st.container(border=True):
            switch, badge, text = st.columns([1, 2, 15], vertical_alignment="center")
            key = f"rule-{rule.id}"
            # What the API says wins over what the browser remembers.
            st.session_state[key] = rule.is_active
            switch.toggle(
                f"Rule {rule.id} is on",
                key=key,
                label_visibility="collapsed",
                on_change=_switch,
                args=(visit.client, rule, key),
                disabled=not visit.may_write,
            )
            badge.markdown(_BADGES[rule.severity])
            with text:
                show_text(rule.description or "(no description)", limit=500)
                st.code(rule.short_form or rule.rule_expression, language="sql", wrap_lines=True)


def _switch(client: Client, rule: models.Rule, key: str) -> None:
    try:
        client.set_rule_status(rule.id, bool(st.session_state[key]), if_version=rule.row_version)
    except SentinelError as error:
        st.session_state[_REFUSED] = error
