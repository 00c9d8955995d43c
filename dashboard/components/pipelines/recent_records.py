"""The newest records of a pipeline's topic."""

from __future__ import annotations

import streamlit as st

from dashboard.components.pipelines.send_event import show_send
from dashboard.components.sections import pick_row, table_key
from dashboard.components.text import NO_VALUE, line, show_text
from dashboard.components.times import said, time_column
from dashboard.session import Visit
from sentinel.client.models.events import RecentRecord
from sentinel.errors import NotFoundError

SHOWN = 25
# In the address: partition and offset of the record that is shown in full.
RECORD = "record"


def show_recent(visit: Visit, pipeline_id: int) -> None:
    """Show records as they lie in Kafka, newest first, and one of them in full."""
    st.button("Read again", icon=":material/refresh:", key="records-again")
    found: list[RecentRecord] = []
    try:
        with st.spinner("Reading the topic…"):
            found = visit.client.recent_records(pipeline_id, limit=SHOWN)
    except NotFoundError:
        st.info("There is no such topic yet: the first event makes it.", icon=":material/info:")
    else:
        if not found:
            st.info("The topic holds no record yet.", icon=":material/info:")
    if visit.may_write:
        show_send(visit, pipeline_id, expanded=not found)
    if not found:
        return
    ids = [f"{each.partition}:{each.offset}" for each in found]
    key = table_key("records", ids)
    st.dataframe(
        [
            {
                "time": each.kafka_timestamp,
                "place": place,
                "bytes": each.size_bytes,
                "record": line(each.text if each.text is not None else "(no value)"),
            }
            for each, place in zip(found, ids, strict=True)
        ],
        column_config={
            "time": time_column("time in Kafka"),
            "place": st.column_config.TextColumn("partition:offset", width="small"),
            "bytes": st.column_config.NumberColumn("bytes", format="localized", width="small"),
            "record": st.column_config.TextColumn("record", width="large"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        on_select=pick_row(key, ids, RECORD),
        selection_mode="single-row",
        key=key,
    )
    place = st.query_params.get(RECORD)
    if place is None:
        st.caption("Choose a row to see its record in full.")
    elif place in ids:
        _show_record(visit, found[ids.index(place)])
    else:
        st.info(f"The record that this link names is not among the newest {SHOWN}.", icon=":material/history:")


def _show_record(visit: Visit, record: RecentRecord) -> None:
    st.caption(
        f"Partition {record.partition}, offset {record.offset}, in Kafka {said(record.kafka_timestamp, visit.now)}"
    )
    if record.text is None:
        st.info("This record has no value.", icon=":material/info:")
        return
    show_text(record.text)
    if record.is_cut:
        st.caption(f"Only its beginning: the record has {record.size_bytes:,} bytes.")
