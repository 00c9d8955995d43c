"""Pipelines: what runs and how far it is, paused and resumed, their schemas, and new ones."""

from __future__ import annotations

import streamlit as st

from dashboard.components import links
from dashboard.components.page import show_page
from dashboard.components.pipelines.create import show_create
from dashboard.components.pipelines.detail import show_pipeline
from dashboard.components.pipelines.listing import show_pipelines
from dashboard.session import Visit


def pipelines(visit: Visit) -> None:
    """Draw the page."""
    found = visit.client.list_pipelines()
    opened = links.chosen("pipeline")
    if found:
        show_pipelines(visit, found, opened)
    else:
        st.info(
            "No pipeline yet. One says which topic holds the events, and which fields they have; rules come next. "
            "Paste a sample event below and most of it is filled in.",
            icon=":material/info:",
        )
    if visit.may_write:
        with st.expander("Create a pipeline", icon=":material/add:", expanded=not found, key="create-box"):
            show_create(visit)
    if opened is None:
        if found:
            st.caption("Choose a row to see more of a pipeline.")
        return
    st.divider()
    pipeline = next((each for each in found if each.id == opened), None)
    if pipeline is None:
        st.warning(f"There is no pipeline {opened}.", icon=":material/link_off:")
        return
    show_pipeline(visit, pipeline)


show_page("Pipelines", pipelines)
