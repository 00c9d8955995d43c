"""Charts: each with its unit, in the visitor's time zone, and as a table for those who cannot or will not read it.

Titles and units are our own words; names of series may be a tenant's and are shown as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import altair as alt
import pyarrow as pa
import streamlit as st

from dashboard.components.palette import DASHES, MAX_SERIES, OUTLINE, SHAPES, colors_of
from dashboard.components.text import line
from dashboard.components.times import time_column, zone, zone_name

HEIGHT_PIXELS = 280
# A row of a chart of shares.
SHARE_PIXELS = 40
# So much of the longest bar's length is left for the words behind it, besides its own.
_ROOM = 1.7
# Marks of a line, however many points it has.
_MARKS = 16
_NAME = 60
# Names of which three stand beside each other at that width.
_SHORT = 10
_AXIS = "%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a time.

    Attributes:
        at: When; of a bar, when it begins.
        value: None where nothing is known; a line has a gap there.
        series: What it belongs to, where a chart shows several.
    """

    at: datetime
    value: float | None
    series: str = ""


def show_lines(title: str, unit: str, points: Sequence[Point], *, key: str, from_zero: bool = True) -> None:
    """Show values over time as lines, told apart by colour, dash and mark.

    Args:
        title: What is shown; our own words.
        unit: Of the values, as "events/s".
        points: Of at most `MAX_SERIES` series; more are left out and that is said.
        key: Of the chart on its page.
        from_zero: False for what is not counted and never near zero.
    """

    def draw(series: list[str], data: pa.Table) -> alt.LayerChart:
        dash = alt.StrokeDash("series:N", scale=_scale(series, [list(each) for each in DASHES]), legend=None)
        shape = alt.Shape("series:N", scale=_scale(series, list(SHAPES)), legend=_legend(series))
        every = alt.Chart(data).encode(x=_time_axis(), y=_value_axis(from_zero), color=_by_series(series))
        lines = every.mark_line(strokeWidth=2).encode(strokeDash=dash)
        marks = every.mark_point(filled=True, size=40).transform_filter("datum.marked").encode(shape=shape)
        # What is pointed at need not be hit exactly.
        under = every.mark_point(size=200, opacity=0).encode(tooltip=_tooltip(unit))
        return alt.LayerChart(layer=[lines, marks, under])

    _show(title, unit, points, key, draw)


def show_bars(title: str, unit: str, points: Sequence[Point], *, width: timedelta, key: str) -> None:
    """Show what was counted in spans of time as bars from zero; series are stacked in the order of their first point.

    Args:
        title, unit, key: As of `show_lines`.
        points: One a span and series; `at` is when the span begins.
        width: Of a span.
    """

    def draw(series: list[str], data: pa.Table) -> alt.LayerChart:
        bars = (
            alt.Chart(data)
            .mark_bar(orient="vertical", stroke=OUTLINE, strokeWidth=0.5)
            .transform_calculate(until=f"datum.at + {width.total_seconds() * 1000:.0f}")
            .encode(
                x=_time_axis(),
                x2="until:T",
                y=_value_axis(from_zero=True).stack("zero"),
                color=_by_series(series),
                order=alt.Order("place:O"),
                tooltip=_tooltip(unit),
            )
        )
        return alt.LayerChart(layer=[bars])

    _show(title, unit, points, key, draw)


def show_shares(title: str, unit: str, shares: Mapping[str, float], *, key: str) -> None:
    """Show how a total is made up: a bar from zero for each part, with its value and its share in words.

    Args:
        title, unit, key: As of `show_lines`.
        shares: Parts by name, in the order in which they are shown.
    """
    _head(title, unit)
    total = sum(shares.values())
    if not total:
        _say_empty()
        return
    names = list(_labels(list(shares)).values())
    values = [float(value) for value in shares.values()]
    rows = [
        {"part": name, "value": value, "said": f"{_amount(value)} ({value / total:.0%})"}
        for name, value in zip(names, values, strict=True)
    ]
    bars = alt.Chart(pa.Table.from_pylist(rows)).encode(
        y=alt.Y("part:N", sort=names, title=None, axis=alt.Axis(labelLimit=160)),
        x=alt.X("value:Q", scale=alt.Scale(domain=[0, max(values) * _ROOM]), axis=None),
        tooltip=[alt.Tooltip("part:N", title="part"), alt.Tooltip("said:N", title=unit)],
    )
    color = alt.Color("part:N", scale=alt.Scale(domain=names, range=colors_of(names)), legend=None)
    words = bars.mark_text(align="left", dx=6, color=OUTLINE, fontSize=12).encode(text="said:N")
    drawn = bars.mark_bar(stroke=OUTLINE, strokeWidth=0.5).encode(color=color) + words
    st.altair_chart(drawn.properties(height=SHARE_PIXELS * len(names)), key=key, alt=f"{title}, {unit}")
    if _wants_table(key):
        table = [
            {"part": name, unit: value, "share": f"{value / total:.1%}"}
            for name, value in zip(names, values, strict=True)
        ]
        st.dataframe(table, hide_index=True, key=f"{key}-table")


def _show(
    title: str,
    unit: str,
    points: Sequence[Point],
    key: str,
    draw: Callable[[list[str], pa.Table], alt.LayerChart],
) -> None:
    _head(title, unit)
    named = list(dict.fromkeys(point.series for point in points))
    series = named[:MAX_SERIES]
    shown = [point for point in points if point.series in series]
    if all(point.value is None for point in shown):
        _say_empty()
        return
    # Two names that look the same once they are cut must not become one line.
    labels = _labels(series)
    step = max(1, len({point.at for point in shown}) // _MARKS)
    rows = [
        {
            # Milliseconds, since a browser would read a time without a zone as its own.
            "at": point.at.timestamp() * 1000,
            "time": point.at.astimezone(zone()).strftime("%Y-%m-%d %H:%M:%S %Z"),
            "value": None if point.value is None else float(point.value),
            "series": labels[point.series],
            "place": series.index(point.series),
            "marked": nth % step == 0,
        }
        for name in series
        for nth, point in enumerate(point for point in shown if point.series == name)
    ]
    drawn = draw(list(labels.values()), pa.Table.from_pylist(rows))
    st.altair_chart(drawn.properties(height=HEIGHT_PIXELS), key=key, alt=f"{title}, {unit}")
    if len(named) > MAX_SERIES:
        st.caption(f"{len(named) - MAX_SERIES} more are left out.")
    if _wants_table(key):
        _table(unit, shown, labels, key)


def _labels(series: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, name in enumerate(series):
        label = line(name, _NAME)
        found[name] = label if label not in found.values() else f"{label} #{place + 1}"
    return found


def _head(title: str, unit: str) -> None:
    st.markdown(f"**{title}**, {unit}")


def _say_empty() -> None:
    st.caption(":material/info: Nothing in this time.")


def _wants_table(key: str) -> bool:
    return bool(st.toggle("Show as table", key=f"{key}-as-table"))


def _table(unit: str, points: Sequence[Point], labels: Mapping[str, str], key: str) -> None:
    """Show the points with a row for each time and a column for each series."""
    rows: dict[datetime, dict[str, Any]] = {}
    for point in points:
        row = rows.setdefault(point.at, {"time": point.at.astimezone(UTC)})
        row[_column(labels[point.series], unit)] = point.value
    st.dataframe(
        [rows[at] for at in sorted(rows, reverse=True)],
        column_config={"time": time_column("time")},
        hide_index=True,
        height=min(38 + 35 * len(rows), 300),
        key=f"{key}-table",
    )


def _column(series: str, unit: str) -> str:
    return f"{series}, {unit}" if series else unit


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _time_axis() -> alt.X:
    # Vega knows UTC and the browser's zone, which are the two that the switch offers.
    kind: Any = "utc" if zone_name() == "UTC" else "time"
    axis = alt.Axis(format=_AXIS, labelOverlap=True, tickCount=6, labelFlush=True)
    return alt.X("at:T", title=f"time ({zone_name()})", scale=alt.Scale(type=kind), axis=axis)


def _value_axis(from_zero: bool) -> alt.Y:
    axis = alt.Axis(format="~s", tickCount=5)
    # The unit stands in the title, where it takes no width.
    return alt.Y("value:Q", title=None, scale=alt.Scale(zero=from_zero, nice=True), axis=axis)


def _by_series(series: list[str]) -> alt.Color:
    return alt.Color("series:N", scale=_scale(series, colors_of(series)), legend=_legend(series))


def _scale(series: list[str], values: list[Any]) -> alt.Scale:
    return alt.Scale(domain=series, range=values[: len(series)])


def _legend(series: list[str]) -> alt.Legend | None:
    # At 390 pixels a legend at the side would leave no room for the chart.
    return (
        alt.Legend(title=None, orient="top", columns=2, labelLimit=130, symbolDash=[1, 0]) if len(series) > 1 else None
    )


def _tooltip(unit: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("time:N", title="time"),
        alt.Tooltip("series:N", title="series"),
        alt.Tooltip("value:Q", title=unit, format=",.4~g"),
    ]
