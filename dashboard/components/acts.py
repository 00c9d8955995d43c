"""What a visitor does: called before the page is drawn again, and told on top of it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.components.problems import show_problem
from sentinel.errors import SentinelError

_REFUSED = "act-refused"
_DONE = "act-done"


def act(done: str, call: Callable[[], object]) -> bool:
    """Make a call; a refusal is shown on the page that is drawn next.

    Args:
        done: What to say when it worked; our own words, as Markdown may be in them.
    """
    try:
        call()
    except SentinelError as error:
        st.session_state[_REFUSED] = error
        return False
    say_done(done)
    return True


def say_done(words: str) -> None:
    """Say on the page that is drawn next what was done."""
    st.session_state[_DONE] = words


def show_last_act() -> None:
    """Show, once, what came of the last act."""
    done = st.session_state.pop(_DONE, None)
    if done is not None:
        st.toast(done, icon=":material/check:")
    refused = st.session_state.pop(_REFUSED, None)
    if refused is not None:
        show_problem(refused)
