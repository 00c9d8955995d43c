"""Rules: what is looked for, written with a check at hand, tested, tried, published, taken back, explained."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.components import links
from dashboard.components.backtests.listing import show_backtests
from dashboard.components.first_steps import show_first_steps
from dashboard.components.page import show_page
from dashboard.components.pipelines.choice import choose_pipeline
from dashboard.components.rules.add import show_add
from dashboard.components.rules.detail import show_rule
from dashboard.components.rules.listing import show_list
from dashboard.components.rules.scorecards import show_scorecards
from dashboard.components.sections import choose_section
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import NotFoundError

_PARTS = {"rules": "Rules", "backtests": "Backtests", "scorecards": "Scorecards"}
STATES = ("active", "draft", "shadow", "rollout", "paused")
STATES_HELP = (
    "active: it raises alerts. draft: it is not evaluated. shadow: it is evaluated and counted, and alerts nobody. "
    "rollout: it alerts for a share of users, cards or the like. paused: it was active and is not evaluated now."
)


def rules(visit: Visit) -> None:
    """Draw the page."""
    pipelines = visit.client.list_pipelines()
    if not pipelines:
        st.info("No pipeline yet, and a rule is about the events of one.", icon=":material/info:")
        show_first_steps(visit, None)
        return
    _follow_rule(visit)
    pipeline = choose_pipeline("rules-pipeline", pipelines, _forget_rule)
    part = choose_section("rules-part", _PARTS, name="part", label="Part of the page")
    if part == "backtests":
        show_backtests(visit, pipeline, None)
    elif part == "scorecards":
        show_scorecards(visit, pipeline)
    else:
        _rules(visit, pipeline)


def _rules(visit: Visit, pipeline: int) -> None:
    found = visit.client.list_rules(pipeline)
    # Of nothing there is nothing to filter.
    shown = _filtered(found) if found else []
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
            st.caption("Choose a row to see, change, test or explain a rule; choose several to switch them.")
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


def _follow_rule(visit: Visit) -> None:
    """Open the pipeline of the rule that a link names, where it names the rule alone."""
    rule = links.chosen("rule")
    if rule is None or "pipeline" in st.query_params or "rules-pipeline" in st.session_state:
        return
    try:
        links.keep({"pipeline": visit.client.get_rule(rule).pipeline_id})
    except NotFoundError:
        # It is said where the rule would stand.
        return


def _forget_rule() -> None:
    links.keep({"rule": None, "backtest": None, "test": None, "scorecard": None, "from": None, "to": None})


def _filtered(found: Sequence[models.Rule]) -> list[models.Rule]:
    links.seed("rules-state", "state", links.one_of(STATES))
    links.seed("rules-text", "text", links.text_of(200))
    row = st.columns([2, 1])
    state = row[0].pills("State", STATES, key="rules-state", help=STATES_HELP)
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
