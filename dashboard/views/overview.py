"""The first page: counts, the latest alerts, and the rules with their switches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.components.alerts_table import SEVERITIES, show_alerts
from dashboard.components.figures import show_pipeline, show_totals
from dashboard.components.page import show_page
from dashboard.components.problems import show_problem
from dashboard.components.rules_list import show_rules
from dashboard.components.text import line
from dashboard.session import Visit
from sentinel.client import models
from sentinel.client.client import Client
from sentinel.clock import utc_now
from sentinel.errors import SentinelError

REFRESH_SECONDS = 3.0
ALERTS_SHOWN = 50


def overview(visit: Visit) -> None:
    """Draw the page. Its two halves refresh by themselves, each on its own."""
    every = REFRESH_SECONDS if st.sidebar.toggle("Refresh by itself", value=True) else None
    pipelines = visit.client.list_pipelines()
    if not pipelines:
        st.info("No pipeline yet. Create one on the page “Pipelines”, or see `make demo`.", icon=":material/info:")
        return
    chosen = _choose(pipelines)
    st.fragment(_figures_and_alerts, run_every=every)(visit.client, chosen)
    if chosen is not None:
        st.subheader("Rules")
        st.fragment(_rules, run_every=every)(visit, chosen)


def _choose(pipelines: Sequence[models.Pipeline]) -> int | None:
    names = {pipeline.id: pipeline.name for pipeline in pipelines}
    newest = max(names)
    options: list[int | None] = [None, *sorted(names, reverse=True)]
    # With one pipeline there is nothing to choose; the newest is what people look at after creating it.
    chosen: int | None = st.sidebar.selectbox(
        "Pipeline",
        options,
        index=options.index(newest),
        format_func=lambda option: "all pipelines" if option is None else f"{line(names[option], 60)} ({option})",
        key="pipeline",
    )
    return chosen


def _figures_and_alerts(client: Client, chosen: int | None) -> None:
    severity = st.session_state.get("severity")
    try:
        pipelines = client.list_pipelines()
        page = client.list_alerts(limit=ALERTS_SHOWN, pipeline_id=chosen, severity=severity)
        newest = page.alerts[:1] if severity is None else client.list_alerts(limit=1, pipeline_id=chosen).alerts
        show_totals(pipelines, newest[0] if newest else None, utc_now())
        mine = next((pipeline for pipeline in pipelines if pipeline.id == chosen), None)
        if mine is not None:
            show_pipeline(mine, client.progress(mine.id), client.list_rules(mine.id))
    except SentinelError as error:
        show_problem(error)
        return
    st.subheader("Latest alerts")
    st.pills("Severity", SEVERITIES, key="severity")
    names: Mapping[int, str] = {pipeline.id: pipeline.name for pipeline in pipelines}
    show_alerts(page.alerts, names, key=f"alerts-{chosen}", of_one_pipeline=chosen is not None)


def _rules(visit: Visit, pipeline_id: int) -> None:
    try:
        rules = visit.client.list_rules(pipeline_id)
    except SentinelError as error:
        show_problem(error)
        return
    show_rules(visit, rules)


show_page("Overview", overview)
