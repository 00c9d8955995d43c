"""Why somebody was told of an alert, or nobody."""

from __future__ import annotations

import streamlit as st

from dashboard.components.text import NO_VALUE, compact, line, show_text
from dashboard.components.times import said, time_column
from dashboard.session import Visit


def show_why(visit: Visit, alert_id: int) -> None:
    """Show every decision about an alert and every try, in order."""
    with st.spinner("Asking why…"):
        why = visit.client.why(alert_id)
    show_text(why.summary, limit=2000)
    if why.is_waiting:
        st.caption(":material/schedule: Something still waits.")
    if why.fired is not None and why.fired.fire_count > 1:
        st.caption(
            f"The same rule fired {why.fired.fire_count:,} times about the same, "
            f"first {said(why.fired.first_fired_at, visit.now)}."
        )
    if not why.steps:
        st.info("Nothing was decided yet. The worker decides: `sentinel worker`.", icon=":material/info:")
        return
    st.dataframe(
        [
            {
                "at": step.at,
                "outcome": line(step.outcome, 60),
                "why": line(step.reason, 500),
                "channel": line(step.channel, 80),
                "route": line(step.route, 80),
                "try": step.attempt,
                "more": compact(step.details, 500) if step.details else "",
            }
            for step in why.steps
        ],
        column_config={
            "at": time_column("at"),
            "why": st.column_config.TextColumn("why", width="large"),
            "try": st.column_config.NumberColumn("try", width="small"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
    )
