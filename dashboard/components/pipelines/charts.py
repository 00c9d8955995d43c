"""A pipeline over time: throughput, lag, alerts and their delay, from the ledger."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from dashboard.components import links
from dashboard.components.charts import Point, show_bars, show_lines
from dashboard.session import Visit

PERIODS = (1, 6, 24, 168)
_CHOSEN = "pipeline-hours"


def show_charts(visit: Visit, pipeline_id: int) -> None:
    """Show a pipeline's last hours; how many stands in the address as `hours`."""
    links.seed(_CHOSEN, "hours", lambda text: PERIODS[[str(each) for each in PERIODS].index(text)])
    st.session_state.setdefault(_CHOSEN, 24)
    hours: int = st.segmented_control("Period", PERIODS, format_func=_said, key=_CHOSEN, required=True)
    links.keep({"hours": None if hours == 24 else hours})
    with st.spinner("Adding up…"):
        history = visit.client.history(pipeline_id, hours=hours)
    width = timedelta(seconds=history.span_seconds)
    points = history.points
    if not any(each.decided or each.lag is not None or each.p95_ms is not None for each in points):
        st.info("Nothing was processed in this time. Choose a longer one, or send events.", icon=":material/info:")
        return
    # The span that runs is not over: its count is over the time that was.
    lengths = [min(width, max(timedelta(seconds=1), history.until - each.at)) for each in points]
    rates = [each.decided / length.total_seconds() for each, length in zip(points, lengths, strict=True)]
    show_lines(
        "Throughput", "events/s", [Point(each.at, rate) for each, rate in zip(points, rates, strict=True)], key="rate"
    )
    delays = [Point(each.at, each.p50_ms, "p50") for each in points]
    delays += [Point(each.at, each.p95_ms, "p95") for each in points]
    show_lines("Delay from the record in Kafka to its alert", "ms", delays, key="delay")
    show_lines("Records waiting, the most", "records", [Point(each.at, each.lag) for each in points], key="lag")
    counted = [
        Point(each.at, count, severity)
        for each in points
        for severity, count in (("critical", each.critical), ("warning", each.warning), ("info", each.info))
    ]
    show_bars("Alerts", "alerts", counted, width=width, key="alerts-over-time")
    dead = [Point(each.at, each.dead_letters) for each in points]
    if any(each.value for each in dead):
        show_bars("Dead letters", "records", dead, width=width, key="dead-over-time")
    st.caption(
        f"Each point stands for {_length(width)}. Delays are of the newest 100 alerts of each; a gap says that there "
        "was no alert, or that no job said how many records wait."
    )


def _said(hours: int) -> str:
    return f"{hours} h" if hours < 168 else "7 days"


def _length(width: timedelta) -> str:
    minutes = int(width.total_seconds() // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"
