"""Signing in with an API key, and out."""

from __future__ import annotations

import streamlit as st

from dashboard import session
from dashboard.components.problems import show_problem
from dashboard.components.text import show_text
from sentinel.errors import SentinelError

_FIELD = "sign-in-key"
_REFUSED = "sign-in-refused"


def show_sign_in(reason: SentinelError | None = None) -> None:
    """Ask for an API key. It stays in the memory of this browser session and is never part of the address."""
    st.subheader("Sign in")
    st.write(
        "The API asks for a key. Make one with `sentinel keys create NAME --scope write`; `read` only looks. An "
        "operator who sets `SENTINEL_DASHBOARD__API_KEY` lets everybody in with that key."
    )
    refused = st.session_state.pop(_REFUSED, None)
    if refused is not None:
        show_problem(refused)
    elif reason is not None:
        show_text(reason.message, limit=500)
    with st.form("sign-in", clear_on_submit=True):
        # No browser should offer to keep it.
        st.text_input("API key", type="password", key=_FIELD, max_chars=300, autocomplete="off")
        st.form_submit_button("Sign in", on_click=_sign_in, type="primary")


def show_sign_out() -> None:
    """Offer to forget the key."""
    if session.is_signed_in():
        st.button("Sign out", on_click=session.sign_out, icon=":material/logout:")


def _sign_in() -> None:
    try:
        session.sign_in(str(st.session_state.get(_FIELD, "")))
    except SentinelError as error:
        st.session_state[_REFUSED] = error
