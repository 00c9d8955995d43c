"""Calls that take long: made beside the page, which stays usable and says how long it has been."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import streamlit as st

from sentinel.clock import utc_now
from sentinel.errors import SentinelError

POLL_SECONDS = 1.0
# Of all visitors together: what waits beyond that waits in the queue, and the API is not flooded.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Work:
    """A call under way.

    Attributes:
        words: What is being done; our own words.
        value: What the call is about, for whoever shows its result.
    """

    future: Future[Any]
    words: str
    since: datetime
    value: object = None


def begin(key: str, words: str, call: Callable[[], object], value: object = None) -> None:
    """Make a call beside the page. What was begun before under this key is not waited for any more.

    Args:
        key: In the session; `show_work` and `outcome` ask for it.
        call: Must not draw anything.
    """
    st.session_state[key] = Work(_pool().submit(call), words, utc_now(), value)


def show_work(key: str) -> bool:
    """Show what is under way, and return whether there is any; the page is drawn again as soon as it is finished."""
    work: Work | None = st.session_state.get(key)
    if work is None or work.future.done():
        return False
    st.fragment(_wait, run_every=POLL_SECONDS)(key)
    return True


def about(key: str) -> object:
    """Return what the call under this key is about; None: there is none."""
    work: Work | None = st.session_state.get(key)
    return None if work is None else work.value


def outcome(key: str) -> Any:
    """Return the result of what was begun, as often as it is asked for; None: nothing was, or it is not finished.

    Raises:
        SentinelError: The call was refused; it is raised until `forget` or another `begin`.
    """
    work: Work | None = st.session_state.get(key)
    if work is None or not work.future.done():
        return None
    try:
        return work.future.result()
    except SentinelError:
        raise
    except BaseException:
        # Ours: the page must not be broken for as long as the session lasts.
        forget(key)
        raise


def forget(key: str) -> None:
    """Forget what was begun, and its result."""
    st.session_state.pop(key, None)


def _wait(key: str) -> None:
    work: Work | None = st.session_state.get(key)
    if work is None or work.future.done():
        st.rerun()
        return
    st.info(f"{work.words} {(utc_now() - work.since).total_seconds():.0f} s so far.", icon=":material/hourglass_top:")


@st.cache_resource(show_spinner=False)  # type: ignore[untyped-decorator]
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dashboard-work")
