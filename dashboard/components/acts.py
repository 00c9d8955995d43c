"""What a visitor does: called before the page is drawn again, and told on top of it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.components.problems import show_problem
from sentinel.errors import SentinelError

_REFUSED = "act-refused"
_DONE = "act-done"
_COUNT = "act-count"


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
    count_act()


def count_act() -> None:
    """Have what is kept for a while be asked for again."""
    st.session_state[_COUNT] = acted() + 1


def acted() -> int:
    """Return how often this visitor did something: what was read before the last time may no longer be so."""
    count: int = st.session_state.get(_COUNT, 0)
    return count


def show_last_act() -> None:
    """Show, once, what came of the last act."""
    done = st.session_state.pop(_DONE, None)
    if done is not None:
        st.toast(done, icon=":material/check:")
    refused = st.session_state.pop(_REFUSED, None)
    if refused is not None:
        show_problem(refused)
