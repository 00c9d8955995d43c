"""What else was raised about what an alert is about, before and after it."""

from __future__ import annotations

import streamlit as st

from dashboard.components.alerts.table import COLORS, SEVERITIES
from dashboard.components.problems import show_problem
from dashboard.components.sections import pick_row, table_key
from dashboard.components.text import NO_VALUE, line, show_text
from dashboard.components.times import said, time_column
from dashboard.session import Visit
from sentinel.client import models
from sentinel.client.alert_finding import EntityHistory, RelatedAlert
from sentinel.errors import TooBroadError

EACH_SIDE = 20


def show_related(visit: Visit, alert: models.AlertDetail) -> None:
    """Show alerts about the same, around this one, and the scores of its entities."""
    try:
        with st.spinner("Looking for alerts about the same…"):
            found = visit.client.entity_history(alert.id, limit=EACH_SIDE)
    except TooBroadError as error:
        show_problem(error)
        return
    for each in found.scores:
        show_text(
            f"{each.field} {line(each.value, 100)}: score {each.score} now, of {each.critical_count:,} critical, "
            f"{each.warning_count:,} warning and {each.info_count:,} info alerts"
        )
    if alert.pipeline_id is not None and not alert.entities:
        st.info(
            "This event names no entity, so nothing is known to be about the same. A field of the schema with "
            "the role `entity` would be.",
            icon=":material/info:",
        )
        return
    if not found.scores and alert.pipeline_id is not None:
        st.caption("Its entities have no score any more: they were quiet for long enough.")
    rows: list[RelatedAlert | None] = [*reversed(found.after), None, *found.before]
    if len(rows) == 1:
        st.info("No other alert is about the same.", icon=":material/info:")
    else:
        _table(rows, alert)
    _reach(visit, found)


def _table(rows: list[RelatedAlert | None], alert: models.AlertDetail) -> None:
    ids = [alert.id if each is None else each.id for each in rows]
    key = table_key("alert-related", ids)
    st.dataframe(
        [
            {
                "time": alert.alert_timestamp,
                "severity": [alert.severity],
                "what": "this alert",
                "status": alert.status,
                "score": alert.score,
                "shared": "",
                "event id": line(alert.event_id),
            }
            if each is None
            else {
                "time": each.alert_timestamp,
                "severity": [each.severity],
                "what": line(each.rule_description or each.rule_name or each.detector or ""),
                "status": each.status,
                "score": each.score,
                "shared": line(", ".join(each.shared), 200),
                "event id": line(each.event_id),
            }
            for each in rows
        ],
        column_config={
            "time": time_column("time"),
            "severity": st.column_config.MultiselectColumn(
                "severity", options=list(SEVERITIES), color=list(COLORS), width="small"
            ),
            "what": st.column_config.TextColumn("rule or detector", width="medium"),
            "status": st.column_config.TextColumn("status", width="small"),
            "score": st.column_config.NumberColumn("score", width="small"),
            "shared": st.column_config.TextColumn("the same", width="small"),
            "event id": st.column_config.TextColumn("event id", width="medium"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        on_select=pick_row(key, ids, "alert"),
        selection_mode="single-row",
        key=key,
    )


def _reach(visit: Visit, found: EntityHistory) -> None:
    said_so = [f"The nearest {EACH_SIDE} on each side, newest first; a row that is clicked is opened."]
    if found.searched_since is not None:
        said_so.append(f"Looked back to {said(found.searched_since, visit.now)}.")
    if found.searched_until is not None:
        said_so.append(f"Looked on to {said(found.searched_until, visit.now)}.")
    st.caption(" ".join(said_so))
