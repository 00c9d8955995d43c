"""Pages of rows in the order of their keys, turned by the API; the place stands in the address."""

from __future__ import annotations

import streamlit as st

from dashboard.components import links

MAX_KEY_CHARACTERS = 2000


def place(name: str) -> str | None:
    """Return the key after which the page begins; None: it is the first."""
    after = str(st.query_params.get(name, ""))
    return after if 0 < len(after) <= MAX_KEY_CHARACTERS else None


def show_pager(key: str, name: str, last: str | None) -> None:
    """Offer the pages before and after.

    Args:
        key: Of the buttons.
        name: The parameter in the address.
        last: The last key of this page where others may follow; None: it is the last page.
    """
    seen: list[str | None] = st.session_state.setdefault(f"{key}-seen", [])
    after = place(name)
    if after is None and last is None:
        return
    with st.container(horizontal=True):
        st.button("First", key=f"{key}-first", disabled=after is None, on_click=begin_anew, args=(key, name))
        st.button("Previous", key=f"{key}-previous", disabled=not seen, on_click=_back, args=(name, seen))
        st.button("Next", key=f"{key}-next", disabled=last is None, on_click=_on, args=(name, seen, after, last))


def begin_anew(key: str, name: str) -> None:
    """Go to the first page."""
    st.session_state.pop(f"{key}-seen", None)
    links.keep({name: None})


def _on(name: str, seen: list[str | None], after: str | None, last: str | None) -> None:
    seen.append(after)
    links.keep({name: last})


def _back(name: str, seen: list[str | None]) -> None:
    links.keep({name: seen.pop() if seen else None})
