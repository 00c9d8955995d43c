"""A new list: its name, its columns, which of them is the key."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import say_done
from dashboard.components.problems import show_problem
from dashboard.components.sections import table_key
from dashboard.components.text import sendable
from dashboard.session import Visit
from sentinel.errors import SentinelError

TYPES = ("string", "integer", "float", "boolean", "timestamp", "date", "decimal(18,2)")
_EMPTY: list[dict[str, Any]] = [{"name": "user_id", "type": "string"}, {"name": "note", "type": "string"}]


def show_create(visit: Visit) -> None:
    """Ask for a list and make it; its rows are uploaded afterwards."""
    row = st.columns([1, 2])
    name = row[0].text_input("Name", key="list-new-name", max_chars=63, placeholder="known_users")
    description = row[1].text_input("Description", key="list-new-description", max_chars=2000)
    heading = st.text_input(
        "Columns by the heading of a CSV file",
        key="list-new-heading",
        max_chars=5000,
        placeholder="user_id,level,note; or write them below",
    )
    names = [each.strip() for each in heading.split(",") if each.strip()]
    given = [{"name": each, "type": "string"} for each in names] or _EMPTY
    columns = st.data_editor(
        given,
        num_rows="dynamic",
        column_config={
            "name": st.column_config.TextColumn("column", required=True, max_chars=128),
            "type": st.column_config.SelectboxColumn(
                "type", options=TYPES, required=True, help="`sentinel lists upload` and the API take any decimal."
            ),
        },
        hide_index=True,
        key=table_key("list-new-columns", names),
    )
    known = [str(each["name"]) for each in columns if each.get("name")]
    key = st.selectbox("Key: the column that is unique", known, key="list-new-key") if known else None
    st.caption("Columns stay as they are made: another shape is another list.")
    if not st.button("Make the list", type="primary", key="list-new", disabled=not name.strip() or key is None):
        return
    wanted = [{"name": str(each["name"]), "type": str(each["type"])} for each in columns if each.get("name")]
    try:
        with st.spinner("Making it…"):
            made = visit.client.create_list(
                sendable(name.strip()), wanted, str(key), description=sendable(description.strip())
            )
    except SentinelError as error:
        show_problem(error)
        return
    for each in ("name", "description", "heading"):
        st.session_state.pop(f"list-new-{each}", None)
    links.keep({"list": made.name, "show": "upload"})
    say_done("The list is there; upload its rows")
    st.rerun()
