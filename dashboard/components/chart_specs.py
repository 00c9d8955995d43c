"""How charts are drawn, apart from their data: Vega-Lite specifications, made once and shared by all who look.

Making one by Altair takes tens of milliseconds, which ten pages that refresh every two seconds would spend over and
over; what changes every two seconds is the data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import altair as alt

from dashboard.components.palette import DASHES, OUTLINE, SHAPES, colors_of

HEIGHT_PIXELS = 280
# A row of a chart of shares.
SHARE_PIXELS = 40
# So much of the longest bar's length is left for the words behind it, besides its own.
_ROOM = 1.7
# Names of which three stand beside each other at that width.
_SHORT = 10
_AXIS = "%m-%d %H:%M"
# SI prefixes shorten large numbers; below one they would make "500m" of a half.
_NUMBERS = "abs(datum.value) < 1 ? format(datum.value, ',~g') : format(datum.value, '~s')"
# Charts of so many kinds and names of series; the one that was not asked for longest goes first.
_KEPT = 512


def lines(series: Sequence[str], unit: str, zone: str, *, from_zero: bool, is_flat: bool) -> dict[str, Any]:
    """Return lines over time; columns of the data: at, time, value, series, marked.

    Args:
        zone: The name of the zone of the times.
        is_flat: Every value is zero.
    """
    made: dict[str, Any] = json.loads(_lines(tuple(series), unit, zone, from_zero, is_flat))
    return made


def bars(series: Sequence[str], unit: str, zone: str, *, width_seconds: float, is_flat: bool) -> dict[str, Any]:
    """Return stacked bars over time; columns of the data: at, time, value, series, place."""
    made: dict[str, Any] = json.loads(_bars(tuple(series), unit, zone, width_seconds, is_flat))
    return made


def shares(names: Sequence[str], unit: str, most: float) -> dict[str, Any]:
    """Return a bar for each part of a whole; columns of the data: part, value, said.

    Args:
        most: The largest value.
    """
    made: dict[str, Any] = json.loads(_shares(tuple(names), unit))
    for layer in made["layer"]:
        layer["encoding"]["x"]["scale"] = {"domain": [0, most * _ROOM]}
    return made


@lru_cache(_KEPT)
def _lines(series: tuple[str, ...], unit: str, zone: str, from_zero: bool, is_flat: bool) -> str:
    dash = alt.StrokeDash("series:N", scale=_scale(series, [list(each) for each in DASHES]), legend=None)
    shape = alt.Shape("series:N", scale=_scale(series, list(SHAPES)), legend=_legend(series))
    value = _value_axis(from_zero=from_zero, is_flat=is_flat, is_counted=False)
    every = alt.Chart().encode(x=_time_axis(zone), y=value, color=_by_series(series))
    drawn = every.mark_line(strokeWidth=2).encode(strokeDash=dash)
    marks = every.mark_point(filled=True, size=40).transform_filter("datum.marked").encode(shape=shape)
    # What is pointed at need not be hit exactly.
    under = every.mark_point(size=200, opacity=0).encode(tooltip=_tooltip(unit))
    return _spec(alt.LayerChart(layer=[drawn, marks, under]), HEIGHT_PIXELS)


@lru_cache(_KEPT)
def _bars(series: tuple[str, ...], unit: str, zone: str, width_seconds: float, is_flat: bool) -> str:
    value = _value_axis(from_zero=True, is_flat=is_flat, is_counted=True)
    drawn = (
        alt.Chart()
        .mark_bar(orient="vertical", stroke=OUTLINE, strokeWidth=0.5)
        .transform_calculate(until=f"datum.at + {width_seconds * 1000:.0f}")
        .encode(
            x=_time_axis(zone),
            x2="until:T",
            y=value.stack("zero"),
            color=_by_series(series),
            order=alt.Order("place:O"),
            tooltip=_tooltip(unit),
        )
    )
    return _spec(alt.LayerChart(layer=[drawn]), HEIGHT_PIXELS)


@lru_cache(_KEPT)
def _shares(names: tuple[str, ...], unit: str) -> str:
    part = alt.Chart().encode(
        x=alt.X("value:Q", axis=None),
        y=alt.Y("part:N", sort=list(names), title=None, axis=alt.Axis(labelLimit=160)),
        tooltip=[alt.Tooltip("part:N", title="part"), alt.Tooltip("said:N", title=unit)],
    )
    color = alt.Color("part:N", scale=alt.Scale(domain=list(names), range=colors_of(names)), legend=None)
    drawn = part.mark_bar(stroke=OUTLINE, strokeWidth=0.5).encode(color=color)
    words = part.mark_text(align="left", dx=6, color=OUTLINE, fontSize=12).encode(text="said:N")
    return _spec(alt.LayerChart(layer=[drawn, words]), SHARE_PIXELS * len(names))


def _spec(chart: alt.LayerChart, height: int) -> str:
    made: dict[str, Any] = chart.properties(height=height).to_dict()
    # Altair's own sizes and colours; the page's are put in by Streamlit.
    made.pop("config", None)
    # Altair gives each layer a row of nothing where it has no data, which would be drawn as one more thing.
    made.pop("datasets", None)
    for layer in made["layer"]:
        layer.pop("data", None)
    return json.dumps(made)


def _time_axis(zone: str) -> alt.X:
    # Vega knows UTC and the browser's zone, which are the two that the switch offers.
    kind: Any = "utc" if zone == "UTC" else "time"
    axis = alt.Axis(format=_AXIS, labelOverlap=True, tickCount=6, labelFlush=True)
    return alt.X("at:T", title=f"time ({zone})", scale=alt.Scale(type=kind), axis=axis)


def _value_axis(*, from_zero: bool, is_flat: bool, is_counted: bool) -> alt.Y:
    axis = alt.Axis(labelExpr=_NUMBERS, tickCount=5, tickMinStep=1 if is_counted else alt.Undefined)
    # Of nothing but zeros Vega makes an axis that begins and ends at zero, with NaN beside it.
    scale = alt.Scale(domain=[0, 1]) if is_flat and from_zero else alt.Scale(zero=from_zero, nice=True)
    # The unit stands in the title, where it takes no width.
    return alt.Y("value:Q", title=None, scale=scale, axis=axis)


def _by_series(series: Sequence[str]) -> alt.Color:
    return alt.Color("series:N", scale=_scale(series, colors_of(series)), legend=_legend(series))


def _scale(series: Sequence[str], values: list[Any]) -> alt.Scale:
    return alt.Scale(domain=list(series), range=values[: len(series)])


def _legend(series: Sequence[str]) -> alt.Legend | None:
    if len(series) < 2:
        return None
    # At 390 pixels a legend at the side would leave no room for the chart.
    columns = 3 if max(map(len, series)) <= _SHORT else 2
    return alt.Legend(title=None, orient="top", columns=columns, labelLimit=130, symbolDash=[1, 0], symbolStrokeWidth=1)


def _tooltip(unit: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("time:N", title="time"),
        alt.Tooltip("series:N", title="series"),
        alt.Tooltip("value:Q", title=unit, format=",.4~g"),
    ]
