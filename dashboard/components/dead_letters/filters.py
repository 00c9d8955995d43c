"""Which dead letters are looked at: chosen by widgets, kept in the address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import streamlit as st

from dashboard.components import links
from dashboard.components.alerts.filters import SPANS
from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.domain.redrive import DeadLetterState

CAUSES = tuple(each.value for each in DeadLetterCause)
STATES = tuple(each.value for each in DeadLetterState)
OPEN = DeadLetterState.OPEN.value
ALL = "all"
_SPAN_WORDS = {"1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days"}


@dataclass(frozen=True, slots=True)
class ChosenLetters:
    """A filter as it was chosen; `time` is a span, None: any time."""

    state: str | None
    cause: str | None
    time: str | None

    def since(self, now: datetime) -> datetime | None:
        """Return where the span begins."""
        return None if self.time is None else now - SPANS[self.time]

    def wanted(self, now: datetime) -> dict[str, Any]:
        """Return the parameters of the API."""
        return {"state": self.state, "cause": self.cause, "since": self.since(now)}


def choose(forget: Callable[[], None]) -> ChosenLetters:
    """Offer the filter. Open ones come first: they are what somebody has to do with.

    Args:
        forget: Called when something else is chosen, to drop what is about the former.
    """
    links.seed("letters-state", "state", links.one_of((*STATES, ALL)))
    links.seed("letters-cause", "cause", links.one_of(CAUSES))
    links.seed("letters-time", "time", links.one_of(tuple(SPANS)))
    left, middle, right = st.columns(3)
    state = left.selectbox("State", (OPEN, *STATES[1:], ALL), key="letters-state", on_change=forget)
    cause = middle.selectbox(
        "Cause",
        [None, *CAUSES],
        format_func=lambda each: "all" if each is None else each.replace("_", " "),
        key="letters-cause",
        on_change=forget,
    )
    time = right.selectbox(
        "Found",
        [None, *SPANS],
        format_func=lambda each: _SPAN_WORDS.get(each, "at any time"),
        key="letters-time",
        on_change=forget,
    )
    links.keep({"state": None if state == OPEN else state, "cause": cause, "time": time})
    return ChosenLetters(None if state == ALL else state, cause, time)
