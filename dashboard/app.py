"""The dashboard's entry: a router and a frame. `sentinel dashboard` runs it on the address of the settings."""

from __future__ import annotations

import streamlit as st

from dashboard.frame import show_frame
from dashboard.navigation import pages

st.set_page_config(page_title="Sentinel", page_icon=":material/radar:", layout="wide")
page = st.navigation(pages())
if show_frame():
    page.run()
