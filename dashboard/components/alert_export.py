"""The alerts of the filter as a CSV file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice

import streamlit as st

from dashboard.components.alert_filter import Chosen
from dashboard.components.problems import show_problem
from dashboard.session import Visit
from sentinel.client import models
from sentinel.client.alert_csv import write_alerts
from sentinel.errors import SentinelError

_READY = "export-ready"
# The file is held in memory until it is downloaded: some 40 MB for events of 600 bytes.
MAX_ROWS = 50_000
PAGE = 1000


def show_export(visit: Visit, chosen: Chosen) -> None:
    """Offer to make the file, then to download it."""
    if st.button("Make a CSV file", icon=":material/table_view:", key="export-make"):
        _make(visit, chosen)
    ready = st.session_state.get(_READY)
    if ready is None or ready[0] != chosen:
        # A file of another filter is not offered, so its memory is given back.
        st.session_state.pop(_READY, None)
        st.caption(
            f"All alerts that fit, newest first, at most {MAX_ROWS:,}. Cells that a spreadsheet would compute are safe."
        )
        return
    _, rows, is_cut, content = ready
    if is_cut:
        st.warning(
            f"These are the newest {rows:,}; there are more. Narrow the filter to have the others.",
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
    alerts = visit.client.iterate_alerts(**chosen.wanted(visit.now), limit=PAGE)
    out = io.StringIO(newline="")
    bar = st.progress(0.0, "Reading alerts…")
    try:
        rows = write_alerts(islice(_counted(alerts, bar), MAX_ROWS), out)
        is_cut = next(alerts, None) is not None
    except SentinelError as error:
        show_problem(error)
        return
    finally:
        bar.empty()
    st.session_state[_READY] = (chosen, rows, is_cut, out.getvalue().encode())


def _counted(alerts: Iterator[models.Alert], bar: st.delta_generator.DeltaGenerator) -> Iterator[models.Alert]:
    for number, alert in enumerate(alerts):
        if number % PAGE == 0:
            bar.progress(min(1.0, number / MAX_ROWS), f"{number:,} alerts read…")
        yield alert
