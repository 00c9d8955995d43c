"""The answer of a query over the lake: a table, a chart, a file."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from dashboard.components.lake.plot import ALONG, BY, UP, show_plot, time_of
from dashboard.components.text import NO_VALUE, compact, line
from dashboard.components.times import zone_name
from sentinel.client.lake import LakeAnswer, LakeColumn
from sentinel.client.lake_csv import write_answer

# A browser's numbers have 53 bits; what is longer is shown as text, with all its digits.
_EXACT = 2**53
_CUT = {
    "rows": "There are more rows than these: raise the limit, or aggregate.",
    "bytes": "There are more rows than these: the answer is as large as it may be. Choose fewer columns, or aggregate.",
}


def show_result(answer: LakeAnswer) -> None:
    """Show what a query gave."""
    if answer.truncated is not None:
        st.warning(_CUT[answer.truncated], icon=":material/content_cut:")
    st.caption(f"{len(answer.rows):,} rows in {answer.seconds:.2f} s.")
    if not answer.rows:
        st.info("The query ran and found nothing.", icon=":material/info:")
        return
    names = unique([line(column.name, 100) or "?" for column in answer.columns])
    columns = [_column(column, [row[at] for row in answer.rows]) for at, column in enumerate(answer.columns)]
    st.dataframe(
        [{name: columns[at][0][place] for at, name in enumerate(names)} for place in range(len(answer.rows))],
        column_config={name: columns[at][1](name) for at, name in enumerate(names)},
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(answer.rows), 500),
        key="lake-rows",
    )
    out = io.StringIO(newline="")
    write_answer(answer, out)
    st.download_button(
        f"Download {len(answer.rows):,} rows as CSV",
        out.getvalue().encode(),
        file_name="lake.csv",
        mime="text/csv",
        icon=":material/download:",
        key="lake-download",
        on_click="ignore",
    )
    # Open where the link says what it shows; open or not afterwards is the reader's.
    is_open = st.session_state.setdefault("lake-plot-open", any(name in st.query_params for name in (ALONG, UP, BY)))
    with st.expander("Plot", icon=":material/show_chart:", expanded=is_open):
        show_plot(answer, names)


def unique(names: Sequence[str]) -> list[str]:
    """Return names of columns, of which a query may give several alike, told apart by a number."""
    found: list[str] = []
    for name in names:
        label, number = name, 2
        while label in found:
            label, number = f"{name} ({number})", number + 1
        found.append(label)
    return found


def _column(column: LakeColumn, values: Sequence[Any]) -> tuple[list[Any], Callable[[str], ColumnConfig]]:
    """Return the cells of a column, all of one kind, and how they are shown."""
    known = [value for value in values if value is not None]
    if column.type == "TIMESTAMP WITH TIME ZONE" and known and all(time_of(value) is not None for value in known):
        return [None if value is None else time_of(value) for value in values], _times
    if known and all(isinstance(value, bool) for value in known):
        return list(values), _checks
    if known and all(_is_exact(value) for value in known):
        return list(values), _numbers
    return [None if value is None else _text(value) for value in values], _texts


def _is_exact(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _EXACT


def _text(value: Any) -> str:
    return line(value, 500) if isinstance(value, str) else compact(value, 500)


def _times(name: str) -> ColumnConfig:
    label = f"{name} ({zone_name()})"
    return st.column_config.DatetimeColumn(label, format="YYYY-MM-DD HH:mm:ss.SSS", timezone=zone_name())


def _numbers(name: str) -> ColumnConfig:
    return st.column_config.NumberColumn(name)


def _checks(name: str) -> ColumnConfig:
    return st.column_config.CheckboxColumn(name)


def _texts(name: str) -> ColumnConfig:
    return st.column_config.TextColumn(name)
