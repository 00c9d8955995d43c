"""Points in time: in UTC or in the visitor's zone, absolute and relative."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from dashboard.components.overview.figures import ago

CHOSEN = "times"
UTC_TIMES, LOCAL_TIMES = "UTC", "local"


def choose_zone() -> None:
    """Offer the switch; for the frame, where it outlives a change of page."""
    st.segmented_control("Times", (UTC_TIMES, LOCAL_TIMES), default=UTC_TIMES, required=True, key=CHOSEN)


def zone() -> tzinfo:
    """Return the zone that times are shown and asked for in; UTC where the browser's is unknown."""
    if st.session_state.get(CHOSEN) != LOCAL_TIMES:
        return UTC
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return UTC


def zone_name() -> str:
    """Return what that zone is called."""
    return getattr(zone(), "key", "UTC")


def absolute(moment: datetime | None) -> str:
    """Say when, to the second, with the zone."""
    return "" if moment is None else moment.astimezone(zone()).strftime("%Y-%m-%d %H:%M:%S %Z")


def said(moment: datetime | None, now: datetime) -> str:
    """Say when, absolutely and relatively."""
    if moment is None:
        return "never"
    gap = now - moment
    relative = ago(gap) if gap.total_seconds() >= 0 else f"in {ago(-gap).removesuffix(' ago')}"
    return f"{absolute(moment)} ({relative})"


def time_column(label: str) -> ColumnConfig:
    """Return a column of times in the chosen zone."""
    return st.column_config.DatetimeColumn(
        f"{label} ({zone_name()})", format="YYYY-MM-DD HH:mm:ss", timezone=zone_name(), width="medium"
    )
