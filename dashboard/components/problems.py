"""Shows what went wrong with a call of the API, and the way out."""

from __future__ import annotations

import streamlit as st

from dashboard.components.text import show_text
from sentinel.errors import (
    ConflictError,
    EngineUnavailableError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    SentinelError,
    StoreUnavailableError,
    TooBroadError,
    UnauthenticatedError,
    VersionMismatchError,
)

MAX_DETAILS = 20
# The first that fits, so what is narrower stands before what it is a kind of.
_WORDS: tuple[tuple[type[SentinelError], str], ...] = (
    (StoreUnavailableError, "The API or a store behind it does not answer. This page tries again by itself."),
    (EngineUnavailableError, "The rule worker is away, starting or busy. Try again in a moment."),
    (
        UnauthenticatedError,
        "The API wants a valid API key: sign in with one, or set `SENTINEL_DASHBOARD__API_KEY` and restart.",
    ),
    (ForbiddenError, "Your API key may not do this: it needs the scope `write`."),
    (VersionMismatchError, "Somebody else changed this first. The page now shows their change; try again."),
    (ConflictError, "The API refused this, as things stand."),
    (NotFoundError, "This does not exist, or not for this tenant. It may have been deleted meanwhile."),
    (TooBroadError, "That takes too long to find. Narrow the filter, by time above all."),
    (RateLimitedError, "Too many requests. Try again in a moment."),
    (InvalidError, "The API refused this."),
)


def show_problem(error: SentinelError) -> None:
    """Show an error: our words first, then what the API said, as text."""
    words = next((words for kind, words in _WORDS if isinstance(error, kind)), "The API refused this.")
    st.error(words, icon=":material/error:")
    show_text(error.message, limit=2000)
    for detail in error.details[:MAX_DETAILS]:
        show_text(f"{detail.pointer or 'in general'}: {detail.detail}", limit=500)
    if len(error.details) > MAX_DETAILS:
        st.caption(f"{len(error.details) - MAX_DETAILS} more.")
