"""Charts: each with its unit, in the visitor's time zone, and as a table for those who cannot or will not read it.

Titles and units are our own words; names of series may be a tenant's and are shown as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import streamlit as st

from dashboard.components import chart_specs
from dashboard.components.palette import MAX_SERIES
from dashboard.components.text import NO_VALUE, line
from dashboard.components.times import time_column, zone, zone_name

# Marks of a line, however many points it has.
_MARKS = 16
_NAME = 60


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

    def draw(series: list[str], is_flat: bool) -> dict[str, Any]:
        return chart_specs.lines(series, unit, zone_name(), from_zero=from_zero, is_flat=is_flat)

    _show(title, unit, points, key, draw)


def show_bars(title: str, unit: str, points: Sequence[Point], *, width: timedelta, key: str) -> None:
    """Show what was counted in spans of time as bars from zero; series are stacked in the order of their first point.

    Args:
        title, unit, key: As of `show_lines`.
        points: One a span and series; `at` is when the span begins.
        width: Of a span.
    """

    def draw(series: list[str], is_flat: bool) -> dict[str, Any]:
        seconds = width.total_seconds()
        return chart_specs.bars(series, unit, zone_name(), width_seconds=seconds, is_flat=is_flat)

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
    _draw(chart_specs.shares(names, unit, max(values)), rows, title, unit, key)
    if _wants_table(key):
        table = [
            {"part": name, unit: value, "share": f"{value / total:.1%}"}
            for name, value in zip(names, values, strict=True)
        ]
        st.dataframe(table, hide_index=True, placeholder=NO_VALUE, key=f"{key}-table")


def _show(
    title: str,
    unit: str,
    points: Sequence[Point],
    key: str,
    draw: Callable[[list[str], bool], dict[str, Any]],
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
    is_flat = not any(point.value for point in shown)
    _draw(draw(list(labels.values()), is_flat), rows, title, unit, key)
    if len(named) > MAX_SERIES:
        st.caption(f"{len(named) - MAX_SERIES} more are left out.")
    if _wants_table(key):
        _table(unit, shown, labels, key)


def _draw(spec: dict[str, Any], rows: list[dict[str, Any]], title: str, unit: str, key: str) -> None:
    st.vega_lite_chart(pa.Table.from_pylist(rows), spec, key=key, alt=f"{title}, {unit}")


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
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(rows), 300),
        key=f"{key}-table",
    )


def _column(series: str, unit: str) -> str:
    return f"{series}, {unit}" if series else unit


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
