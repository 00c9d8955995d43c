"""What surrounds every page: the tenant, the key, the time zone, and the sign-in where the API is closed."""

from __future__ import annotations

import streamlit as st

from dashboard import session
from dashboard.components.sign_in import show_sign_in, show_sign_out
from dashboard.components.text import line
from dashboard.components.times import choose_zone
from sentinel.errors import SentinelError, UnauthenticatedError


def show_frame() -> bool:
    """Draw the frame; return whether the page may be drawn, which then says itself when the API is away."""
    try:
        visit = session.visit()
    except UnauthenticatedError as error:
        show_sign_in(error)
        return False
    except SentinelError:
        with st.sidebar:
            st.caption(":material/cloud_off: The API does not answer.")
            choose_zone()
            show_sign_out()
        return True
    with st.sidebar:
        st.text(f"Tenant: {line(visit.caller.tenant_id, 60)}")
        if visit.caller.open:
            st.caption("No key is asked for on this machine: whoever acts is written down as “open”.")
        else:
            st.text(f"Key: {line(visit.caller.name, 60)}")
        if not visit.may_write:
            st.caption(":material/visibility: This key only looks; nothing can be changed with it.")
        choose_zone()
        show_sign_out()
    return True
