"""The fields that a rule may look at, with their types and values of the newest alerts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from dashboard.components.problems import show_problem
from dashboard.components.text import compact, line
from dashboard.session import Visit
from sentinel.errors import SentinelError

# Alerts carry their events; so many give an idea of what a field holds.
SAMPLED = 5
SHOWN_VALUES = 3
_KEPT = timedelta(seconds=60)
_SAMPLES = "rule-field-samples"


def show_fields(visit: Visit, pipeline_id: int) -> None:
    """Show the fields of a pipeline's schema."""
    try:
        schema = visit.client.get_schema(pipeline_id)
        events = _events(visit, pipeline_id)
    except SentinelError as error:
        show_problem(error)
        return
    st.caption(f"Fields of schema version {schema.version}, with values of the newest alerts")
    st.dataframe(
        [
            {
                "field": line(each.name),
                "type": line(each.type),
                "values": _values(events, each.name),
                "may be missing": each.nullable,
                "role": each.role or "",
            }
            for each in schema.fields
        ],
        column_config={"values": st.column_config.TextColumn("as", width="medium")},
        hide_index=True,
        height=min(38 + 35 * len(schema.fields), 300),
    )
    if not events:
        st.caption("No alert yet, so there are no values to show.")


def _events(visit: Visit, pipeline_id: int) -> list[dict[str, Any]]:
    """Return events of the newest alerts; kept for a while, since every key press would ask again."""
    known: dict[int, tuple[datetime, list[dict[str, Any]]]] = st.session_state.setdefault(_SAMPLES, {})
    found = known.get(pipeline_id)
    if found is not None and visit.now - found[0] < _KEPT:
        return found[1]
    alerts = visit.client.list_alerts(pipeline_id=pipeline_id, limit=SAMPLED).alerts
    events = [each.transaction_data for each in alerts if isinstance(each.transaction_data, dict)]
    known[pipeline_id] = (visit.now, events)
    return events


def _values(events: list[dict[str, Any]], name: str) -> str:
    shown = dict.fromkeys(compact(each[name], 40) for each in events if each.get(name) is not None)
    return ", ".join(list(shown)[:SHOWN_VALUES])
