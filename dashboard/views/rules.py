"""Rules: what is looked for, written with a check at hand, published, taken back, explained."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.components import links
from dashboard.components.page import show_page
from dashboard.components.rule_add import show_add
from dashboard.components.rule_detail import show_rule
from dashboard.components.rule_list import show_list
from dashboard.components.text import line
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import NotFoundError

STATES = ("active", "draft", "shadow", "rollout", "paused")


def rules(visit: Visit) -> None:
    """Draw the page."""
    pipelines = visit.client.list_pipelines()
    if not pipelines:
        st.info("No pipeline yet, and a rule is about one: create it on the page “Pipelines”.", icon=":material/info:")
        return
    pipeline = _choose(pipelines)
    found = visit.client.list_rules(pipeline)
    shown = _filtered(found)
    opened = links.chosen("rule")
    if shown:
        show_list(visit, pipeline, shown, opened)
    elif found:
        st.info("No rule fits.", icon=":material/filter_alt_off:")
    else:
        st.info(
            "No rule yet. Write one below: a condition on the fields, as `amount > 1000`. It is checked as you write.",
            icon=":material/info:",
        )
    if visit.may_write:
        with st.expander("Add a rule", icon=":material/add:", expanded=not found):
            show_add(visit, pipeline)
    if opened is None:
        if shown:
            st.caption("Choose a row to see, change or explain a rule.")
        return
    st.divider()
    rule = next((each for each in found if each.id == opened), None)
    if rule is None:
        try:
            rule = visit.client.get_rule(opened)
        except NotFoundError:
            st.warning(f"There is no rule {opened}.", icon=":material/link_off:")
            return
    show_rule(visit, rule)


def _choose(pipelines: Sequence[models.Pipeline]) -> int:
    names = {each.id: f"{line(each.name, 60)} ({each.id})" for each in sorted(pipelines, key=lambda each: -each.id)}
    links.seed("rules-pipeline", "pipeline", links.number)
    if st.session_state.get("rules-pipeline", 0) not in names:
        st.session_state["rules-pipeline"] = next(iter(names))
    chosen: int = st.selectbox(
        "Pipeline", list(names), format_func=names.__getitem__, key="rules-pipeline", on_change=_forget_rule
    )
    links.keep({"pipeline": chosen})
    return chosen


def _forget_rule() -> None:
    links.keep({"rule": None})


def _filtered(found: Sequence[models.Rule]) -> list[models.Rule]:
    links.seed("rules-state", "state", links.one_of(STATES))
    links.seed("rules-text", "text", str)
    row = st.columns([2, 1])
    state = row[0].pills("State", STATES, key="rules-state")
    text = row[1].text_input("Text", key="rules-text", max_chars=200, placeholder="in name, description or rule")
    links.keep({"state": state, "text": text})
    wanted = text.casefold()
    return [
        each
        for each in found
        if state in {None, each.state}
        and (
            not wanted or any(wanted in part.casefold() for part in (each.name, each.description, each.rule_expression))
        )
    ]


show_page("Rules", rules)
