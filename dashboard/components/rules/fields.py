"""The fields that a rule may look at, with their types and values that they had lately."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from dashboard.components.problems import show_problem
from dashboard.components.text import NO_VALUE, compact, line
from dashboard.session import Visit
from sentinel.errors import SentinelError

# So many events give an idea of what a field holds.
SAMPLED = 10
SHOWN_VALUES = 3
_KEPT = timedelta(seconds=60)
_SAMPLES = "rule-field-samples"


@dataclass(frozen=True, slots=True)
class Samples:
    """Events of a pipeline, and where they are from; our own words."""

    read_at: datetime
    events: list[dict[str, Any]] = field(default_factory=list)
    origin: str = ""


def show_fields(visit: Visit, pipeline_id: int) -> None:
    """Show the fields of a pipeline's schema."""
    try:
        schema = visit.client.get_schema(pipeline_id)
    except SentinelError as error:
        show_problem(error)
        return
    samples = _samples(visit, pipeline_id)
    st.caption(f"Fields of schema version {schema.version}{samples.origin and f', with values of {samples.origin}'}")
    st.dataframe(
        [
            {
                "field": line(each.name),
                "type": line(each.type),
                "values": _values(samples.events, each.name),
                "may be missing": each.nullable,
                "role": each.role or "",
            }
            for each in schema.fields
        ],
        column_config={
            "values": st.column_config.TextColumn("for example", width="small"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(schema.fields), 300),
    )
    if not samples.events:
        st.caption("Examples of values are shown as soon as there are events.")


def _samples(visit: Visit, pipeline_id: int) -> Samples:
    """Return events; kept for a while, since the editor is drawn again with every change of its text."""
    known: dict[int, Samples] = st.session_state.setdefault(_SAMPLES, {})
    found = known.get(pipeline_id)
    if found is None or visit.now - found.read_at > _KEPT:
        found = _read(visit, pipeline_id)
        known[pipeline_id] = found
    return found


def _read(visit: Visit, pipeline_id: int) -> Samples:
    """Read events of the newest alerts, which is done in an instant; where there is none, the newest records."""
    try:
        alerts = visit.client.list_alerts(pipeline_id=pipeline_id, limit=SAMPLED).alerts
        if alerts:
            events = [each.transaction_data for each in alerts if isinstance(each.transaction_data, dict)]
            return Samples(visit.now, events, "the newest alerts")
        with st.spinner("Reading the topic…"):
            records = visit.client.recent_records(pipeline_id, limit=SAMPLED)
    except SentinelError:
        # Values are a help and not needed: without Kafka a rule can be written as well.
        return Samples(visit.now)
    events = [event for each in records if not each.is_cut and (event := _parsed(each.text)) is not None]
    return Samples(visit.now, events, "the newest records" if events else "")


def _parsed(text: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _values(events: list[dict[str, Any]], name: str) -> str:
    shown = dict.fromkeys(compact(each[name], 40) for each in events if each.get(name) is not None)
    return ", ".join(list(shown)[:SHOWN_VALUES])
