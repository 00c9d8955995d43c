"""The latest alerts, and the event of the one that is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.components import links
from dashboard.components.text import NO_VALUE, compact, line, show_json, show_text
from dashboard.components.times import absolute, time_column
from sentinel.client import models

SEVERITIES = ("critical", "warning", "info")
COLORS = ("red", "orange", "blue")
_COLUMNS = ("time", "severity", "rule", "pipeline", "score", "event id", "event")


def show_alerts(
    alerts: Sequence[models.Alert], pipeline_names: Mapping[int, str], *, key: str, of_one_pipeline: bool
) -> None:
    """Show alerts as a table; the chosen row's event below it."""
    if not alerts:
        st.info("No alert yet. As soon as an event matches a rule, it is listed here.", icon=":material/info:")
        return
    opened = f"{key}-opened"

    def choose() -> None:
        # What was chosen is an alert, not a row: newer ones move all rows down.
        rows = st.session_state[key]["selection"]["rows"]
        st.session_state[opened] = alerts[rows[0]] if rows and rows[0] < len(alerts) else None

    st.dataframe(
        [
            {
                "time": alert.alert_timestamp,
                "severity": [alert.severity],
                "rule": line(what(alert)),
                "pipeline": line(where(alert, pipeline_names), 60),
                "score": alert.score,
                "event id": line(alert.event_id),
                "event": compact(alert.transaction_data),
            }
            for alert in alerts
        ],
        column_config={
            "time": time_column("time"),
            "severity": st.column_config.MultiselectColumn(
                "severity", options=list(SEVERITIES), color=list(COLORS), width="small"
            ),
            "rule": st.column_config.TextColumn("rule", width="large"),
            "pipeline": st.column_config.TextColumn("pipeline", width="small"),
            "score": st.column_config.NumberColumn("score", width="small"),
            "event id": st.column_config.TextColumn("event id", width="medium"),
            "event": st.column_config.TextColumn("event", width="large"),
        },
        column_order=[name for name in _COLUMNS if not (of_one_pipeline and name == "pipeline")],
        hide_index=True,
        placeholder=NO_VALUE,
        on_select=choose,
        selection_mode="single-row",
        key=key,
    )
    alert: models.Alert | None = st.session_state.get(opened)
    if alert is None:
        st.caption("Choose a row to see its event in full.")
        return
    show_text(f"alert {alert.id}: {place(alert)}")
    if st.button("Open this alert", key=f"{key}-open", icon=":material/arrow_forward:"):
        links.go("alerts", alert=alert.id)
    show_json(alert.transaction_data)


def what(alert: models.Alert) -> str:
    """Return what an alert says happened, as somebody wrote it."""
    if alert.detector is None:
        return alert.rule_description or alert.rule_name
    return alert.evidence[0].condition if alert.evidence else alert.detector


def where(alert: models.Alert, pipeline_names: Mapping[int, str]) -> str:
    """Return the pipeline or the detector that raised it."""
    if alert.pipeline_id is None:
        return f"detector {alert.detector}"
    return pipeline_names.get(alert.pipeline_id, str(alert.pipeline_id))


def place(alert: models.Alert) -> str:
    """Return the record or the window that it is about."""
    if alert.kafka_timestamp is None:
        if alert.window_start is None or alert.window_end is None:
            return "neither of a record nor of a window"
        return f"of the window {absolute(alert.window_start)} to {absolute(alert.window_end)}"
    return (
        f"record {alert.kafka_offset} of partition {alert.kafka_partition}, "
        f"in Kafka at {absolute(alert.kafka_timestamp)}"
    )
