"""What became of the rows of a list, shown side by side."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.components.lists.rows import cell
from dashboard.components.text import NO_VALUE, line
from sentinel.client.lists import ListRow, RowChange


def show_changes(changes: Sequence[RowChange]) -> None:
    """Show changes as a table: of a row that was changed only the columns that differ."""
    st.dataframe(
        [
            {
                "key": line(each.key),
                "what": each.change,
                "before": _said(each.before, each.after),
                "after": _said(each.after, each.before),
            }
            for each in changes
        ],
        column_config={
            "key": st.column_config.TextColumn("key", width="medium"),
            "what": st.column_config.TextColumn("what", width="small"),
            "before": st.column_config.TextColumn("before", width="large"),
            "after": st.column_config.TextColumn("after", width="large"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(changes), 400),
    )


def show_counts(added: int, changed: int, removed: int) -> None:
    """Show how many rows were added, changed and removed."""
    columns = st.columns(3)
    for column, (words, count) in zip(
        columns, (("Added", added), ("Changed", changed), ("Removed", removed)), strict=True
    ):
        column.metric(words, f"{count:,}", border=True)


def _said(row: ListRow | None, other: ListRow | None) -> str:
    if row is None:
        return ""
    parts = [
        f"{name}: {cell(value) or '(null)'}"
        for name, value in row.values.items()
        if other is None or other.values.get(name) != value
    ]
    if row.expires_at != (other.expires_at if other is not None else None):
        parts.append(f"expires_at: {row.expires_at.isoformat() if row.expires_at else '(never)'}")
    return line(", ".join(parts), 500)
