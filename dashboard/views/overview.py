"""The first page: figures beside those of before, health, the latest alerts, and rules with their switches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.components import links
from dashboard.components.alerts.table import SEVERITIES, show_alerts
from dashboard.components.first_steps import show_first_steps, show_steps_of
from dashboard.components.live import choose_refresh
from dashboard.components.overview.period_figures import show_period, show_velocity
from dashboard.components.overview.reading import Asked, latest
from dashboard.components.page import show_page
from dashboard.components.rules.switches import are_outdated, forget_drawn, show_switches
from dashboard.components.system.process_health import show_health
from dashboard.components.text import line
from dashboard.session import Visit
from sentinel.client import models
from sentinel.clock import utc_now
from sentinel.errors import SentinelError

PERIODS = (1, 6, 24, 96)
_COUNT = "overview-pipelines"
# No id is 0.
_ALL = 0


def overview(visit: Visit) -> None:
    """Draw the page. What changes is in parts that refresh by themselves, so nothing else is drawn anew."""
    pipelines = visit.client.list_pipelines()
    if not pipelines:
        st.info("No pipeline yet, so nothing is looked at.", icon=":material/info:")
        show_first_steps(visit, None)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        every = choose_refresh()
    names = {each.id: each.name for each in pipelines}
    hours, chosen = _choose(names)
    forget_drawn()
    st.fragment(_live, run_every=every)(visit, names, hours, chosen, None if _has_alerts(pipelines) else pipelines)
    if chosen is not None:
        st.subheader("Rules", anchor=False)
        # Drawn when it changes: the part above reads the rules as well, and has the page drawn anew when they differ.
        st.fragment(show_switches)(visit, chosen)


def _choose(names: Mapping[int, str]) -> tuple[int, int | None]:
    links.seed("overview-hours", "hours", lambda text: PERIODS[[str(each) for each in PERIODS].index(text)])
    links.seed("overview-pipeline", "pipeline", links.number)
    st.session_state.setdefault("overview-hours", 24)
    if st.session_state.get("overview-pipeline") not in names:
        st.session_state["overview-pipeline"] = _ALL
    with st.sidebar:
        hours: int = st.selectbox("Period", PERIODS, format_func=lambda each: f"{each} h", key="overview-hours")
        chosen: int = st.selectbox(
            "Alerts and rules of",
            [_ALL, *sorted(names, reverse=True)],
            format_func=lambda each: "all pipelines" if each == _ALL else f"{line(names[each], 60)} ({each})",
            key="overview-pipeline",
        )
    of_one = None if chosen == _ALL else chosen
    links.keep({"hours": None if hours == 24 else hours, "pipeline": of_one})
    return hours, of_one


def _has_alerts(pipelines: Sequence[models.Pipeline]) -> bool:
    return any(each.alert_count for each in pipelines)


def _live(
    visit: Visit,
    names: Mapping[int, str],
    hours: int,
    chosen: int | None,
    beginning: Sequence[models.Pipeline] | None,
) -> None:
    """Read and draw what changes: three requests, four of one pipeline. While the API is away, what was read stays.

    Args:
        beginning: The pipelines of somebody who never had an alert, and is shown what to do next.
    """
    links.seed("severity", "severity", links.one_of(SEVERITIES))
    asked = Asked(hours, chosen, st.session_state.get("severity"))
    shown = latest(visit, asked)
    if shown is None:
        return
    count = shown.figures.now.pipelines
    if st.session_state.setdefault(_COUNT, count) != count:
        # One came or went: choices and names are the whole page's.
        st.session_state[_COUNT] = count
        st.rerun()
    if chosen is not None and shown.asked.pipeline_id == chosen and are_outdated(chosen, shown.rules):
        st.rerun()
    if beginning is not None and not shown.figures.period.alerts:
        try:
            show_steps_of(visit, beginning, chosen)
        except SentinelError:
            # Said above where it is an outage; and whoever just began is not kept from the rest.
            st.caption("What comes next is shown when the API answers again.")
    show_period(shown.figures, shown.asked.hours, names)
    show_health(shown.system, utc_now())
    show_velocity(shown.figures)
    st.subheader("Latest alerts", anchor=False)
    severity = st.pills("Severity", SEVERITIES, key="severity")
    links.keep({"severity": severity})
    if shown.asked != asked:
        st.caption("Alerts of this choice are shown when the API answers again.")
        return
    show_alerts(shown.alerts, names, key=f"alerts-{chosen}", of_one_pipeline=chosen is not None)


show_page("Overview", overview)
