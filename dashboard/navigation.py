"""Which pages there are. A new one is a file in `views/` and a line here."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

_VIEWS = Path(__file__).parent / "views"


def pages() -> list[StreamlitPage]:
    """Return the pages in the order of the menu."""
    return [
        st.Page(_VIEWS / "overview.py", title="Overview", icon=":material/dashboard:", default=True),
        st.Page(_VIEWS / "alerts.py", title="Alerts", icon=":material/notifications_active:"),
        st.Page(_VIEWS / "pipelines.py", title="Pipelines", icon=":material/conversion_path:"),
        st.Page(_VIEWS / "rules.py", title="Rules", icon=":material/rule:"),
        st.Page(_VIEWS / "lists.py", title="Lists", icon=":material/list_alt:"),
        st.Page(_VIEWS / "detectors.py", title="Detectors", icon=":material/query_stats:"),
        st.Page(_VIEWS / "dead_letters.py", title="Dead letters", icon=":material/mail_off:"),
        st.Page(_VIEWS / "notifications.py", title="Notifications", icon=":material/send:"),
        st.Page(_VIEWS / "system.py", title="System", icon=":material/monitor_heart:"),
        st.Page(_VIEWS / "lake.py", title="Lake", icon=":material/database:"),
    ]
