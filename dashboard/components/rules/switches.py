"""The rules of a pipeline, each with its switch."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.components import links
from dashboard.components.overview.reading import rules_of
from dashboard.components.problems import show_problem
from dashboard.components.shared_reads import forget_shared
from dashboard.components.text import show_text
from dashboard.session import Visit
from sentinel.client import models
from sentinel.client.client import Client
from sentinel.errors import SentinelError, StoreUnavailableError

_REFUSED = "rule_switch_refused"
_DRAWN = "rule-switches-drawn"
_TEXT, _PLACE = "rule-switches-text", "rule-switches-place"
_BADGES = {"critical": ":red-badge[critical]", "warning": ":orange-badge[warning]", "info": ":blue-badge[info]"}
# So many switches are drawn at once; a browser has a dozen elements for each.
PAGE = 10


def show_switches(visit: Visit, pipeline_id: int) -> None:
    """Show the rules of a pipeline with switches, page by page; a switch takes effect in the running job at once."""
    refused = st.session_state.pop(_REFUSED, None)
    if refused is not None:
        show_problem(refused)
    try:
        rules = rules_of(visit.client, pipeline_id)
    except StoreUnavailableError:
        # The part above says so.
        st.session_state[_DRAWN] = ()
        st.caption("Rules are shown when the API answers again.")
        return
    except SentinelError as error:
        show_problem(error)
        return
    st.session_state[_DRAWN] = _state(pipeline_id, rules)
    if not rules:
        st.info("No rule yet: nothing is looked for in the events of this pipeline.", icon=":material/info:")
        if visit.may_write and st.button("Write a rule", icon=":material/add:", key="overview-add-rule"):
            links.go("rules", pipeline=pipeline_id)
        return
    found, place = _chosen(rules)
    for rule in found[place : place + PAGE]:
        _row(visit, rule)
    _pager(len(found), place)


def forget_drawn() -> None:
    """Begin a run of the whole page, which draws the switches anew: until then none are outdated."""
    st.session_state.pop(_DRAWN, None)


def are_outdated(pipeline_id: int, rules: Sequence[models.Rule]) -> bool:
    """Return whether switches were drawn that differ from these rules, or could not be drawn."""
    return _DRAWN in st.session_state and st.session_state[_DRAWN] != _state(pipeline_id, rules)


def _state(pipeline_id: int, rules: Sequence[models.Rule]) -> tuple[object, ...]:
    return (pipeline_id, *((rule.id, rule.row_version, rule.is_active, rule.state) for rule in rules))


def _chosen(rules: Sequence[models.Rule]) -> tuple[list[models.Rule], int]:
    """Offer a search where there are many, and return the rules that fit with the first that is shown."""
    if len(rules) <= PAGE:
        links.keep({"rules": None, "rules_from": None})
        return list(rules), 0
    links.seed(_TEXT, "rules", links.text_of(200))
    links.seed(_PLACE, "rules_from", links.number)
    text = st.text_input(
        f"Find among {len(rules):,} rules",
        key=_TEXT,
        max_chars=200,
        placeholder="in name, description or rule",
        on_change=_turn,
        args=(0,),
    )
    wanted = text.casefold()
    found = [
        each
        for each in rules
        if any(wanted in part.casefold() for part in (each.name, each.description, each.rule_expression))
    ]
    place = min(int(st.session_state.get(_PLACE, 0)), max(0, len(found) - 1)) // PAGE * PAGE
    links.keep({"rules": text, "rules_from": place or None})
    if not found:
        st.caption("No rule has this text.")
    return found, place


def _pager(count: int, place: int) -> None:
    if count <= PAGE:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Previous", key="rule-switches-previous", disabled=place == 0, on_click=_turn, args=(place - PAGE,))
        st.button(
            "Next", key="rule-switches-next", disabled=place + PAGE >= count, on_click=_turn, args=(place + PAGE,)
        )
        st.caption(f"{place + 1} to {min(place + PAGE, count)} of {count:,}")


def _turn(place: int) -> None:
    st.session_state[_PLACE] = place


def _row(visit: Visit, rule: models.Rule) -> None:
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
        badge.markdown(_BADGES.get(rule.severity, ""))
        with text:
            show_text(rule.description or "(no description)", limit=500)
            st.code(rule.short_form or rule.rule_expression, language="sql", wrap_lines=True)


def _switch(client: Client, rule: models.Rule, key: str) -> None:
    try:
        client.set_rule_status(rule.id, bool(st.session_state[key]), if_version=rule.row_version)
    except SentinelError as error:
        st.session_state[_REFUSED] = error
    # What is drawn next must be what is so after it.
    forget_shared(client)
