"""Refreshing by itself: a switch, how old what is shown is, and what it says while the API is away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from dashboard.components import links
from dashboard.components.problems import show_problem
from dashboard.components.times import absolute
from sentinel.clock import utc_now
from sentinel.errors import SentinelError

REFRESH_SECONDS = 2.0
TELL_SECONDS = 1.0
_SWITCH = "live-refresh"
_SEEN = "live-seen"
_OFF = "off"


@dataclass(frozen=True, slots=True)
class _Seen:
    at: datetime
    trouble: SentinelError | None = None


def choose_refresh() -> float | None:
    """Offer the switch, and return how often to refresh; None: it pauses. It stands in the address as `refresh`."""
    links.seed(_SWITCH, "refresh", lambda text: links.one_of((_OFF,))(text) != _OFF)
    st.session_state.setdefault(_SWITCH, True)
    is_on = st.toggle(f"Refresh every {REFRESH_SECONDS:g} s", key=_SWITCH)
    links.keep({"refresh": None if is_on else _OFF})
    st.fragment(_tell, run_every=TELL_SECONDS)()
    return REFRESH_SECONDS if is_on else None


def note_seen(trouble: SentinelError | None = None, *, at: datetime | None = None) -> None:
    """Note that everything was read, or why it was not.

    Args:
        at: When what is shown was the case, as the API says; None: just now.
    """
    before: _Seen | None = st.session_state.get(_SEEN)
    if trouble is None:
        st.session_state[_SEEN] = _Seen(at or utc_now())
    elif before is not None:
        st.session_state[_SEEN] = _Seen(before.at, trouble)


def _tell() -> None:
    """Say how old it is; asks nobody."""
    seen: _Seen | None = st.session_state.get(_SEEN)
    if seen is None:
        st.caption("Reading…")
        return
    seconds = max(0, int((utc_now() - seen.at).total_seconds()))
    st.caption(f":material/schedule: updated {seconds} s ago, {absolute(seen.at)}")
    if seen.trouble is not None:
        show_problem(seen.trouble)
        st.caption("What is shown below is what was last read.")
