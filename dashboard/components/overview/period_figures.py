"""The figures of a period, each beside what it was in the period before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import streamlit as st

from dashboard.components.charts import Point, show_bars, show_shares
from dashboard.components.text import line
from sentinel.client.models.figures import Figures

CARD_PIXELS = 168
LAG_SAID = "The most records of one pipeline that waited to be looked at; unknown while no job runs to say."
SEVERITIES = ("critical", "warning", "info")


def show_period(figures: Figures, hours: int, names: Mapping[int, str]) -> None:
    """Show the figures of the last hours.

    Args:
        names: Of pipelines, by id.
    """
    now, period, before = figures.now, figures.period, figures.previous
    span = f"{hours} h"
    seconds = timedelta(hours=hours).total_seconds()
    behind = names.get(now.worst_lag_pipeline_id or 0)
    with st.container(horizontal=True):
        was = change(now.active, now.active_before)
        said = "Those that are neither paused nor stopped. The change is since the period began."
        _card("Pipelines active", f"{now.active} of {now.pipelines}", was, None, said)
        _card(f"Alerts in {span}", f"{period.alerts:,}", change(period.alerts, before.alerts), False)
        _card(f"Critical in {span}", f"{period.critical:,}", change(period.critical, before.critical), True)
        dead = change(period.dead_letters, before.dead_letters)
        said = "Records that could not be read as events; see the page “Dead letters”."
        _card(f"Dead letters in {span}", f"{period.dead_letters:,}", dead, True, said)
        mean, mean_before = period.decided / seconds, before.decided / seconds
        share = f" ({mean / mean_before - 1:+.0%})" if mean_before else ""
        said = f"Over the last one to two minutes; below it the mean of the {span}."
        _card("Events/s now", amount(now.events_per_second), f"mean {amount(mean)}/s{share}", None, said)
        lag = "unknown" if period.worst_lag is None else f"{period.worst_lag:,}"
        _card(f"Worst lag in {span}", lag, change(period.worst_lag, before.worst_lag), True, LAG_SAID)
        delay = "unknown" if period.p95_ms is None else milliseconds(period.p95_ms)
        said = (
            "From the record in Kafka to its alert: 95 of 100 were faster. Of the newest 1,000 alerts of the period; "
            "unknown while there is none."
        )
        _card(f"p95 delay in {span}", delay, change(period.p95_ms, before.p95_ms, " ms"), True, said)
    st.caption(f"Changes are against the {span} before.")
    if behind is not None and now.worst_lag:
        st.text(f"Furthest behind now: {line(behind, 60)} ({now.worst_lag_pipeline_id}), {now.worst_lag:,} records")


def show_velocity(figures: Figures) -> None:
    """Show alerts by hour and severity, and how they are divided."""
    hours = [
        (each.hour, {"critical": each.critical, "warning": each.warning, "info": each.info}) for each in figures.hours
    ]
    points = [Point(hour, counts[severity], severity) for hour, counts in hours for severity in SEVERITIES]
    wide, narrow = st.columns([3, 1])
    with wide:
        show_bars("Alerts per hour", "alerts", points, width=timedelta(hours=1), key="velocity")
    with narrow:
        shares = {severity: sum(counts[severity] for _, counts in hours) for severity in SEVERITIES}
        show_shares("By severity", "alerts", shares, key="severities")


def change(now: float | None, before: float | None, unit: str = "") -> str | None:
    """Say what became of a figure: by how much it changed, and by which share; None where one of them is unknown."""
    if now is None or before is None:
        return None
    gap = now - before
    if abs(gap) < 0.05:
        return "the same"
    share = f" ({gap / before:+.0%})" if before else " (0 before)"
    return f"{'+' if gap > 0 else '-'}{amount(abs(gap))}{unit}{share}"


def amount(value: float) -> str:
    """Return a number with as many digits as mean anything."""
    return f"{value:,.1f}" if abs(value) < 100 and value != int(value) else f"{value:,.0f}"


def milliseconds(value: float) -> str:
    """Return a time in its unit."""
    return f"{value:,.0f} ms" if value < 10_000 else f"{value / 1000:,.1f} s"


def _card(label: str, value: str, delta: str | None, is_bad: bool | None, says: str | None = None) -> None:
    """Show a figure; `is_bad`: more of it is worse, None: neither."""
    same = delta in {None, "the same"} or is_bad is None
    st.metric(
        label,
        value,
        delta,
        delta_color="off" if same or not is_bad else "inverse",
        delta_arrow="off" if same else "auto",
        border=True,
        width=CARD_PIXELS,
        help=says,
    )
