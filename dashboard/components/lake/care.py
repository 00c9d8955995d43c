"""How a table is cared for: how many files it has, and what the last run did."""

from __future__ import annotations

import streamlit as st

from dashboard.components.text import show_text
from dashboard.components.times import said
from dashboard.session import Visit
from sentinel.client.lake import LakeCare
from sentinel.errors import NotFoundError


def show_care(visit: Visit, pipeline_id: int) -> None:
    """Show a line about the files of a table; a warning where care fails."""
    try:
        care = visit.client.lake_care(pipeline_id, limit=1)
    except NotFoundError:
        # Deleted since the page was read.
        return
    if care.looked_at is None or care.file_count is None:
        return
    st.caption(f"{summary(care)}, {said(care.looked_at, visit.now)}.")
    last = care.runs[0] if care.runs else None
    if care.failure_count and last is not None and last.error is not None:
        st.warning(f"Care of its files failed {care.failure_count} times in a row:", icon=":material/warning:")
        show_text(last.error, limit=300)


def summary(care: LakeCare) -> str:
    """Say how many files there are, and what the last run made of them."""
    size = (care.size_bytes or 0) / 1_000_000
    text = f"{care.file_count or 0:,} files, {size:,.1f} MB"
    merged = care.runs[0] if care.runs else None
    if merged is not None and merged.merged_files:
        text += f"; the last care merged {merged.merged_files:,} files into {merged.written_files:,}"
    return text
