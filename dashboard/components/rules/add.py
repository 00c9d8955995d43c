"""A new rule by a form."""

from __future__ import annotations

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import say_done
from dashboard.components.problems import show_problem
from dashboard.components.rules.editor import edit_rule
from dashboard.session import Visit
from sentinel.errors import SentinelError

_STATES = {"active": "at once", "shadow": "in shadow: counted, alerts nobody", "draft": "later: keep it as a draft"}


def show_add(visit: Visit, pipeline_id: int) -> None:
    """Ask for a rule, check it as it is written, and add it."""
    key = f"rule-add-{pipeline_id}"
    written = edit_rule(visit, key, pipeline_id, None)
    row = st.columns([2, 2])
    name = row[0].text_input("Name", key=f"{key}-name", max_chars=64, placeholder="large_payment, or left out")
    state = row[1].selectbox("When it acts", list(_STATES), format_func=_STATES.__getitem__, key=f"{key}-state")
    may = bool(written.expression.strip()) and (state == "draft" or (written.check is not None and written.check.valid))
    if not written.expression.strip():
        st.caption("It still needs its condition.")
    elif not may:
        st.caption("What is marked above has to be mended first; as a draft it can be kept as it is.")
    if not st.button("Add the rule", type="primary", key="rule-add-do", disabled=not may):
        return
    try:
        with st.spinner("Writing…"):
            made = visit.client.add_rule(
                pipeline_id,
                written.expression,
                written.severity,
                written.description,
                name=name.strip() or None,
                state=state,
            )
    except SentinelError as error:
        show_problem(error)
        return
    for each in [each for each in st.session_state if str(each).startswith(key)]:
        del st.session_state[each]
    links.keep({"rule": made.id})
    say_done(f"Rule {made.id} is there: {made.state}")
    st.rerun()
