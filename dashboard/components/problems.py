"""Shows what went wrong with a call of the API, and the way out."""

from __future__ import annotations

import streamlit as st

from sentinel.errors import (
    ForbiddenError,
    SentinelError,
    StoreUnavailableError,
    UnauthenticatedError,
    VersionMismatchError,
)

_WORDS: tuple[tuple[type[SentinelError], str], ...] = (
    (StoreUnavailableError, "The API or a store behind it does not answer. This page tries again by itself."),
    (UnauthenticatedError, "The API wants a valid API key: set `SENTINEL_DASHBOARD__API_KEY` and restart."),
    (ForbiddenError, "The dashboard's API key may not do this: it needs the scope `write`."),
    (VersionMismatchError, "Somebody else changed this first. The page now shows their change; try again."),
)


def show_problem(error: SentinelError) -> None:
    """Show an error: our words first, then what the API said, as text."""
    words = next((words for kind, words in _WORDS if isinstance(error, kind)), "The API refused this.")
    st.error(words, icon=":material/error:")
    st.text(error.message)
