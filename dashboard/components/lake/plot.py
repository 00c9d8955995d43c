"""A chart of a query's answer: values over time, or a bar for each of some things."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import streamlit as st

from dashboard.components.charts import Point, show_lines, show_shares
from dashboard.components.palette import MAX_SERIES
from dashboard.components.text import line
from sentinel.client.lake import LakeAnswer

_TIMES = ("TIMESTAMP", "DATE")
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
# More would be one grey area, and slow to draw.
MAX_POINTS, MAX_BARS = 5_000, 40
NOTHING = "nothing"


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
    x = row[0].selectbox("Along", along, format_func=lambda at: names[at], key=f"{key}-x")
    y = row[1].selectbox("Up", [at for at in numbers if at != x], format_func=lambda at: names[at], key=f"{key}-y")
    if y is None:
        return
    if _is_time(answer.columns[x].type):
        others = [at for at in along if at != x and not _is_time(answer.columns[at].type)]
        few = [at for at in others if len({str(each[at]) for each in answer.rows}) <= MAX_SERIES]
        by = row[2].selectbox(
            "A line for each",
            [None, *others],
            index=others.index(few[0]) + 1 if few else 0,
            format_func=lambda at: NOTHING if at is None else names[at],
            key=f"{key}-by",
        )
        _lines(answer, x, y, by)
    else:
        _bars(answer, x, y)


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
