"""Which tables a query over the lake may name, and their columns."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.components.lake.care import show_care
from dashboard.components.text import NO_VALUE, line, show_text
from dashboard.components.times import said
from dashboard.session import Visit
from sentinel.client.lake import LakeTable

_CHOSEN, _AFTER, _PAGES = "lake-table", "lake-after", "lake-pages"
PAGE = 50


def show_tables(visit: Visit, ask: Callable[[str], None]) -> None:
    """Show the tables, one of them with its columns.

    Args:
        ask: Puts a query into the box.
    """
    after = st.session_state.get(_AFTER, 0)
    with st.spinner("Reading tables…"):
        page = visit.client.list_lake_tables(limit=PAGE, after=after)
    if not page.tables:
        st.info(
            "No table yet: each pipeline has one, with every event that it read. Create a pipeline first.",
            icon=":material/info:",
        )
    else:
        by_id = {table.pipeline_id: table for table in page.tables}
        if st.session_state.get(_CHOSEN) not in by_id:
            st.session_state[_CHOSEN] = next(iter(by_id))
        chosen = st.selectbox("Table", list(by_id), format_func=lambda each: _label(by_id[each]), key=_CHOSEN)
        _table(visit, by_id[chosen], ask)
    _leaf(after, page.next_after)


def _label(table: LakeTable) -> str:
    return f"{table.names[0]} ({line(table.pipeline_name, 60)})"


def _table(visit: Visit, table: LakeTable, ask: Callable[[str], None]) -> None:
    if len(table.names) > 1:
        show_text(f"also called {', '.join(table.names[1:])}")
    if table.archived_at is None:
        st.caption("Nothing is in it yet: its job writes what it has read every 15 seconds.")
    else:
        st.caption(f"Last written {said(table.archived_at, visit.now)}.")
        show_care(visit, table.pipeline_id)
    # For people to change; its name is `events_` and a number.
    example = f"SELECT * FROM {table.names[0]}\nWHERE date >= current_date - 7\nORDER BY _timestamp DESC\nLIMIT 100"  # noqa: S608
    st.button(
        "Query this table",
        icon=":material/edit_note:",
        key="lake-ask",
        on_click=ask,
        args=(example,),
    )
    st.dataframe(
        [{"column": line(column.name), "type": line(column.type, 1000)} for column in table.columns],
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(table.columns), 400),
        key=f"lake-columns-{table.pipeline_id}",
    )


def _leaf(after: int, next_after: int | None) -> None:
    if not after and next_after is None:
        return
    row = st.columns(2)
    row[0].button("Former tables", disabled=not after, on_click=_back, key="lake-back")
    row[1].button("Further tables", disabled=next_after is None, on_click=_on, args=(next_after,), key="lake-on")


def _on(next_after: int) -> None:
    st.session_state.setdefault(_PAGES, []).append(st.session_state.get(_AFTER, 0))
    st.session_state[_AFTER] = next_after


def _back() -> None:
    pages = st.session_state.get(_PAGES) or [0]
    st.session_state[_AFTER] = pages.pop()
