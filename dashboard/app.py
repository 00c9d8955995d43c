"""The dashboard's entry: a router and a frame. `sentinel dashboard` runs it on the address of the settings."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import memory
from dashboard.frame import show_frame
from dashboard.navigation import pages

# A file of our own: one of Streamlit's icons would be fetched from another server.
st.set_page_config(page_title="Sentinel", page_icon=Path(__file__).parent / "icon.svg", layout="wide")
page = st.navigation(pages())
if show_frame():
    page.run()
memory.settle()
