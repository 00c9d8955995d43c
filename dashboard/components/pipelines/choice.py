"""Which pipeline a page is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.components import links
from dashboard.components.text import line
from sentinel.client import models


def choose_pipeline(key: str, pipelines: Sequence[models.Pipeline], forget: Callable[[], None]) -> int:
    """Offer pipelines, the newest first, and return the chosen one; it stands in the address as `pipeline`.

    Args:
        forget: Called when another one is chosen, to drop what is about the former.
    """
    names = {each.id: f"{line(each.name, 60)} ({each.id})" for each in sorted(pipelines, key=lambda each: -each.id)}
    links.seed(key, "pipeline", links.number)
    if st.session_state.get(key) not in names:
        st.session_state[key] = next(iter(names))
    chosen: int = st.selectbox("Pipeline", list(names), format_func=names.__getitem__, key=key, on_change=forget)
    links.keep({"pipeline": chosen})
    return chosen
