"""A new pipeline by a form."""

from __future__ import annotations

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import say_done
from dashboard.components.pipelines.schema_editor import START, as_body, edit_schema
from dashboard.components.problems import show_problem
from dashboard.session import Visit
from sentinel.errors import SentinelError

TOPIC_HELP = "Where the events are, or will be: the first event makes a topic that is not there. Several may read one."
_START_WORDS = {"earliest": "with its oldest record", "latest": "with what comes from now on"}


def show_create(visit: Visit) -> None:
    """Ask for a name, a topic and fields, and create the pipeline."""
    row = st.columns(3)
    name = row[0].text_input("Name", key="create-name", max_chars=128, placeholder="Card payments")
    topic = row[1].text_input("Kafka topic", key="create-topic", max_chars=249, help=TOPIC_HELP, placeholder="payments")
    start_at = row[2].selectbox("Begins", list(_START_WORDS), format_func=_START_WORDS.__getitem__, key="create-start")
    fields = edit_schema("create", START)
    missing = [word for word, value in (("a name", name), ("a topic", topic)) if not value.strip()]
    if missing:
        st.caption(f"It still needs {' and '.join(missing)}.")
    if not st.button("Create the pipeline", type="primary", key="create-do", disabled=bool(missing) or fields is None):
        return
    try:
        with st.spinner("Creating…"):
            made = visit.client.create_pipeline(name.strip(), topic.strip(), as_body(fields or []), start_at=start_at)
    except SentinelError as error:
        show_problem(error)
        return
    for key in [key for key in st.session_state if str(key).startswith("create-")]:
        del st.session_state[key]
    links.keep({"pipeline": made})
    say_done(f"Pipeline {made} is there")
    st.rerun()
