"""Parts of a page of which one is drawn, so that only what is looked at is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from dashboard.components import links


def choose_section(key: str, sections: Mapping[str, str], *, name: str = "show", label: str = "Section") -> str:
    """Offer sections by name and return the chosen one.

    Args:
        name: The parameter in the address.
        label: For those who do not see the page.
    """
    links.seed(key, name, links.one_of(tuple(sections)))
    first = next(iter(sections))
    st.session_state.setdefault(key, first)
    chosen = st.segmented_control(
        label,
        list(sections),
        format_func=lambda each: sections.get(each, each),
        key=key,
        required=True,
        label_visibility="collapsed",
    )
    links.keep({name: None if chosen == first else chosen})
    return chosen or first


def table_key(prefix: str, ids: Sequence[object]) -> str:
    """Return a key for a table of these rows: another set of rows is another table, where nothing is chosen yet."""
    return f"{prefix}-{hashlib.sha256(repr(list(ids)).encode()).hexdigest()[:12]}"


def pick_row(key: str, ids: Sequence[object], name: str) -> Callable[[], None]:
    """Return what writes the chosen row's id into the address, for the `on_select` of the table with this key.

    Args:
        ids: Of the rows as they are shown; kept with the table, so that a choice means what was seen.
        name: The parameter in the address.
    """

    def chosen() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        links.keep({name: ids[rows[0]] if rows and rows[0] < len(ids) else None})

    return chosen
