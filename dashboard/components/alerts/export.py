"""The alerts of the filter as a CSV file: the bytes that the API sends."""

from __future__ import annotations

import io

import streamlit as st

from dashboard.components.alerts.filters import Chosen
from dashboard.components.problems import show_problem
from dashboard.session import Visit
from sentinel.errors import SentinelError

_READY = "export-ready"
# The file is held in memory until it is downloaded: some 40 MB for events of 600 bytes.
MAX_ROWS = 50_000
_TOLD_EVERY_BYTES = 1_000_000


def show_export(visit: Visit, chosen: Chosen) -> None:
    """Offer to make the file, then to download it."""
    if st.button("Make a CSV file", icon=":material/table_view:", key="export-make"):
        _make(visit, chosen)
    ready = st.session_state.get(_READY)
    if ready is None or ready[0] != chosen:
        # A file of another filter is not offered, so its memory is given back.
        st.session_state.pop(_READY, None)
        st.caption(
            f"All alerts that fit, newest first, at most {MAX_ROWS:,}. Cells that a spreadsheet would compute are "
            "safe. `sentinel alerts export` writes any number of them."
        )
        return
    _, rows, content = ready
    if rows == MAX_ROWS:
        st.warning(
            f"The newest {rows:,}; older ones are left out. Narrow the filter or use `sentinel alerts export`.",
            icon=":material/warning:",
        )
    st.download_button(
        f"Download {rows:,} rows",
        content,
        file_name="alerts.csv",
        mime="text/csv",
        icon=":material/download:",
        type="primary",
        key="export-download",
        on_click="ignore",
    )


def _make(visit: Visit, chosen: Chosen) -> None:
    st.session_state.pop(_READY, None)
    out = io.BytesIO()
    bar = st.progress(0.0, "Reading alerts…")
    told = 0

    def tell(written: int) -> None:
        nonlocal told
        if written - told >= _TOLD_EVERY_BYTES:
            told = written
            bar.progress(0.5, f"{written / 1e6:,.0f} MB read…")

    try:
        visit.client.export_alerts(out, limit=MAX_ROWS, tell=tell, **chosen.wanted(visit.now))
    except SentinelError as error:
        show_problem(error)
        return
    finally:
        bar.empty()
    content = out.getvalue()
    st.session_state[_READY] = (chosen, rows_of(content), content)


def rows_of(content: bytes) -> int:
    """Return how many rows are below the heading.

    Line ends between quotes belong to a cell: every other part of what is split at quotes. A reader of CSV would refuse
    cells as long as an event may be.
    """
    return sum(part.count(b"\r\n") for part in content.split(b'"')[::2]) - 1
