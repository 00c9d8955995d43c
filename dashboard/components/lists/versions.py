"""The versions of a list, and what lies between two of them."""

from __future__ import annotations

import streamlit as st

from dashboard.components import key_pages
from dashboard.components.lists.changes import show_changes
from dashboard.components.text import NO_VALUE, line
from dashboard.components.times import time_column
from dashboard.session import Visit
from sentinel.client.lists import ListDetail

PAGE = 100
# Newer ones are shown; all of them can be compared.
MAX_SHOWN = 200
_PAGES, _AFTER = "list-diff", "diff_after"


def show_versions(visit: Visit, detail: ListDetail) -> None:
    """Show versions, and two of them held against each other."""
    with st.spinner("Reading versions…"):
        versions = visit.client.list_list_versions(detail.name)
    st.dataframe(
        [
            {
                "version": each.version,
                "written": each.created_at,
                "by": line(each.created_by, 100),
                "cause": line(each.cause, 40),
                "rows": each.row_count,
                "added": each.added_count,
                "changed": each.changed_count,
                "removed": each.removed_count,
                "why": line(each.comment),
            }
            for each in versions[:MAX_SHOWN]
        ],
        column_config={
            "version": st.column_config.NumberColumn("version", width="small"),
            "written": time_column("written"),
            "rows": st.column_config.NumberColumn("rows", format="localized"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(versions), 300),
    )
    if len(versions) > MAX_SHOWN:
        st.caption(f"The newest {MAX_SHOWN} of {len(versions):,}.")
    if detail.version < 2:
        st.caption("There is only this one.")
        return
    key = f"list-diff-{detail.name}-{detail.version}"
    row = st.columns(2)
    older = row[0].number_input(
        "From version", 1, detail.version, detail.version - 1, key=f"{key}-from", on_change=_begin_anew
    )
    newer = row[1].number_input("To version", 1, detail.version, detail.version, key=f"{key}-to", on_change=_begin_anew)
    if older >= newer:
        st.caption("Choose an earlier version on the left.")
        return
    with st.spinner("Comparing…"):
        found = visit.client.list_list_diff(
            detail.name, int(older), int(newer), from_key=key_pages.place(_AFTER), limit=PAGE + 1
        )
    if found:
        show_changes(found[:PAGE])
    else:
        st.caption("They have the same rows." if key_pages.place(_AFTER) is None else "No more changes.")
    key_pages.show_pager(_PAGES, _AFTER, found[PAGE - 1].key if len(found) > PAGE else None)


def _begin_anew() -> None:
    key_pages.begin_anew(_PAGES, _AFTER)
