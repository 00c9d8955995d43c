"""Filters and selections live in the address of the page, so that a link shows what its sender saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

_ON = "yes"


def seed(key: str, name: str, read: Callable[[str], Any]) -> None:
    """Set a widget to what the link says, once, before it is drawn.

    Args:
        key: The widget's key.
        name: The parameter in the address.
        read: Makes a value of it; raises ValueError for what means nothing here. It is left out then, and the address
            corrected by `keep`.
    """
    if key in st.session_state or name not in st.query_params:
        return
    text = str(st.query_params[name])
    try:
        st.session_state[key] = read(text)
    except ValueError:
        st.warning(f"This link's `{name}` means nothing here and is left out.", icon=":material/link_off:")


def one_of(options: tuple[str, ...]) -> Callable[[str], str]:
    """Return what reads one of some words."""

    def read(text: str) -> str:
        if text not in options:
            raise ValueError(text)
        return text

    return read


def text_of(most: int) -> Callable[[str], str]:
    """Return what reads a text of so many characters at most."""

    def read(text: str) -> str:
        if len(text) > most:
            raise ValueError(text[:60])
        return text

    return read


def toggle(label: str, key: str, name: str) -> bool:
    """Offer a switch that stands in the address while it is on."""
    seed(key, name, lambda text: one_of((_ON,))(text) == _ON)
    is_on = bool(st.toggle(label, key=key))
    keep({name: _ON if is_on else None})
    return is_on


def choose(label: str, options: Sequence[int], key: str, name: str, default: int, **more: Any) -> int:
    """Offer numbers, of which the chosen one stands in the address where it is not the default.

    Args:
        more: For the widget.
    """
    seed(key, name, number)
    if st.session_state.get(key, default) not in options:
        del st.session_state[key]
        st.warning(f"What this link's `{name}` names is not there.", icon=":material/link_off:")
    st.session_state.setdefault(key, default)
    chosen: int = st.selectbox(label, list(options), key=key, **more)
    keep({name: None if chosen == default else chosen})
    return chosen


def number(text: str) -> int:
    """Read an id.

    Raises:
        ValueError: It is none.
    """
    if len(text) > 19 or not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**63:
        raise ValueError(text[:60])
    return int(text)


def keep(values: Mapping[str, object]) -> None:
    """Write values into the address; None and empty ones leave it."""
    for name, value in values.items():
        if value is None or value == "":
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != str(value):
            st.query_params[name] = str(value)


def go(view: str, **values: object) -> None:
    """Open another page as an address with these values would."""
    st.switch_page(f"views/{view}.py", query_params={name: str(value) for name, value in values.items()})


def chosen(name: str) -> int | None:
    """Return the id that the address names; None: none, or what is no id."""
    try:
        return number(st.query_params.get(name, ""))
    except ValueError:
        return None
