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
    (InvalidError, "This cannot be taken as it is."),
)


def show_problem(error: SentinelError, words: str = "") -> None:
    """Show an error: our words first, then what the API said, as text.

    Args:
        words: Ours; empty: those for this kind of error.
    """
    words = words or next((words for kind, words in _WORDS if isinstance(error, kind)), "The API refused this.")
    st.error(words, icon=":material/error:")
    if [each.detail for each in error.details] != [error.message]:
        show_text(error.message, limit=2000)
    for detail in error.details[:MAX_DETAILS]:
        show_text(f"{place_of(detail.pointer)}: {detail.detail}", limit=500)
    if len(error.details) > MAX_DETAILS:
        st.caption(f"{len(error.details) - MAX_DETAILS} more.")


def place_of(pointer: str) -> str:
    """Return in words what a JSON pointer of a request names: "/schema/0/type" is the type of the first of a list."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    said = [f"entry {int(part) + 1}" if part.isascii() and part.isdigit() else part.replace("_", " ") for part in parts]
    return ", ".join(said) or "in general"
