"""A page of alerts as a table; the row that is clicked is the alert that the address names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.components.alerts.table import COLORS, SEVERITIES, what, where
from dashboard.components.sections import pick_row, table_key
from dashboard.components.text import NO_VALUE, compact, line
from dashboard.components.times import time_column
from sentinel.client import models


def show_list(alerts: Sequence[models.Alert], pipeline_names: Mapping[int, str], chosen: int | None) -> None:
    """Show alerts. Choosing a row opens it, wherever it stands when others have come meanwhile."""
    ids = [alert.id for alert in alerts]
    key = table_key("alert-list", ids)
    st.dataframe(
        [
            {
                "time": alert.alert_timestamp,
                "severity": [alert.severity],
                "status": alert.status,
                "rule": line(what(alert)),
                "pipeline": line(where(alert, pipeline_names), 60),
                "event id": line(alert.event_id),
                "assignee": line(alert.assignee or "", 60),
                "event": compact(alert.transaction_data),
            }
            for alert in alerts
        ],
        column_config={
            "time": time_column("time"),
            "severity": st.column_config.MultiselectColumn(
                "severity", options=list(SEVERITIES), color=list(COLORS), width="small"
            ),
            "status": st.column_config.TextColumn("status", width=115),
            "rule": st.column_config.TextColumn("rule or detector", width="medium"),
            "pipeline": st.column_config.TextColumn("pipeline", width="small"),
            "event id": st.column_config.TextColumn("event id", width="small"),
            "assignee": st.column_config.TextColumn("assignee", width="small"),
            "event": st.column_config.TextColumn("event", width="large"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(alerts), 420),
        on_select=pick_row(key, ids, "alert"),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(chosen)]}} if chosen in ids else None,
        key=key,
    )
