"""What several open pages with one key ask at about the same time: asked once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import streamlit as st

from sentinel.client.client import Client
from sentinel.clock import monotonic_seconds
from sentinel.kept import Kept

_T = TypeVar("_T")
# A page refreshes every two seconds, so what it shows is three seconds old at most.
SHARED_SECONDS = 1.0


def shared(client: Client, question: Hashable, ask: Callable[[], _T]) -> _T:
    """Return the answer to a question: a new one, or what another page with the same key got within the last second.

    What one key may see is never given to another.

    Args:
        question: What is asked, with all that the answer depends on.
        ask: Asks the API; draws nothing.
    """
    return cast(_T, _kept().get((client.identity, question), ask))


def forget_shared(client: Client) -> None:
    """Ask anew, because the visitor changed something; for other pages with the same key as well."""
    mine = client.identity
    _kept().forget(lambda key: isinstance(key, tuple) and key[0] == mine)


@st.cache_resource(show_spinner=False)  # type: ignore[untyped-decorator]
def _kept() -> Kept[Any]:
    return Kept(monotonic_seconds, lambda _: SHARED_SECONDS)
