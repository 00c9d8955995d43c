"""A chart of a query's answer: values over time, or a bar for each of some things."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import streamlit as st

from dashboard.components import links
from dashboard.components.charts import Point, show_lines, show_shares
from dashboard.components.palette import MAX_SERIES
from dashboard.components.text import line
from sentinel.client.lake import LakeAnswer

_TIMES = ("TIMESTAMP", "DATE")
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
# More would be one grey area, and slow to draw.
MAX_POINTS, MAX_BARS = 5_000, 40
NOTHING = "nothing"
# In the address: the number of the column that stands along the chart, and up; and of which there is a line for each.
ALONG, UP, BY = "along", "up", "by"


def show_plot(answer: LakeAnswer, names: Sequence[str]) -> None:
    """Offer what may stand along and up, and draw it.

    Args:
        names: What the columns are called on this page, each once.
    """
    numbers = [at for at, column in enumerate(answer.columns) if _is_number(column.type)]
    along = [at for at, column in enumerate(answer.columns) if _is_time(column.type) or column.type == "VARCHAR"]
    if not numbers or not along:
        st.caption("A chart needs a column of numbers, and one of times or texts to stand along it.")
        return
    row = st.columns(3)
    # Keyed by the columns: those of another query are another choice.
    key = f"lake-plot-{'-'.join(names)}"

    def choose(label: str, options: Sequence[int | None], name: str, default: int | None) -> int | None:
        links.seed(f"{key}-{name}", name, _one_of(options))
        st.session_state.setdefault(f"{key}-{name}", default)
        at: int | None = st.selectbox(
            label, options, format_func=lambda at: NOTHING if at is None else names[at], key=f"{key}-{name}"
        )
        links.keep({name: None if at == default else _said(at)})
        return at

    with row[0]:
        x = choose("Along", along, ALONG, along[0])
    with row[1]:
        y = choose("Up", numbers, UP, numbers[0])
    if x is None or y is None:
        return
    if not _is_time(answer.columns[x].type):
        links.keep({BY: None})
        _bars(answer, x, y)
        return
    others = [at for at in along if at != x and not _is_time(answer.columns[at].type)]
    few = [at for at in others if len({str(each[at]) for each in answer.rows}) <= MAX_SERIES]
    with row[2]:
        by = choose("A line for each", [None, *others], BY, few[0] if few else None)
    _lines(answer, x, y, by)


def _said(at: int | None) -> str:
    return NOTHING if at is None else str(at + 1)


def _one_of(options: Sequence[int | None]) -> Callable[[str], int | None]:
    said = {_said(at): at for at in options}

    def read(text: str) -> int | None:
        if text not in said:
            raise ValueError(text[:60])
        return said[text]

    return read


def _lines(answer: LakeAnswer, x: int, y: int, by: int | None) -> None:
    points = [
        Point(at, number_of(row[y]), "" if by is None else line(row[by], 60) or "(empty)")
        for row in answer.rows
        if (at := time_of(row[x])) is not None
    ]
    points.sort(key=lambda point: point.at)
    if len(points) > MAX_POINTS:
        st.caption(f"The first {MAX_POINTS:,} of {len(points):,} points in time: aggregate to see all.")
    show_lines("The answer over time", "as the query gives it", points[:MAX_POINTS], key="lake-lines")


def _bars(answer: LakeAnswer, x: int, y: int) -> None:
    bars: dict[str, float] = {}
    for row in answer.rows:
        name, value = line(row[x], 60) or "(empty)", number_of(row[y])
        if value is not None:
            bars[name] = bars.get(name, 0.0) + value
    if any(value < 0 for value in bars.values()):
        st.caption("Some values are below zero, and bars are parts of a whole: choose another column.")
        return
    if len(bars) > MAX_BARS:
        st.caption(f"The {MAX_BARS} largest of {len(bars):,}.")
    largest = sorted(bars.items(), key=lambda bar: -bar[1])[:MAX_BARS]
    show_shares("The answer by part", "as the query gives it", dict(largest), key="lake-bars")


def number_of(value: Any) -> float | None:
    """Return a number of an answer, which is text where JSON has no word for it; None for what cannot be drawn."""
    if value is None or isinstance(value, bool):
        return None
    try:
        found = float(Decimal(value) if isinstance(value, str) else value)
    except (InvalidOperation, OverflowError, TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def time_of(value: Any) -> datetime | None:
    """Return a time or date of an answer in UTC; None where it is beyond what can be shown as one."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _is_time(kind: str) -> bool:
    return kind.startswith(_TIMES) and not kind.endswith("]")


def _is_number(kind: str) -> bool:
    return kind.startswith(_NUMBERS) and not kind.endswith("]")
