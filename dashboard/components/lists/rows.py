"""The rows of a list, page by page, and single ones changed."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components import key_pages, links
from dashboard.components.acts import act
from dashboard.components.text import NO_VALUE, compact, line, sendable
from dashboard.session import Visit
from sentinel.client.lists import ListDetail, ListRow
from sentinel.errors import NotFoundError

PAGE = 100
_PAGES = "list-rows"
MAX_VERSION = 2**31 - 1


def show_rows(visit: Visit, detail: ListDetail) -> None:
    """Show the rows of a version, and offer to change single ones of the newest."""
    row = st.columns(2)
    with row[0]:
        version = _version(detail)
    named = f"list-rows-key-{detail.name}"
    links.seed(named, "key", links.text_of(key_pages.MAX_KEY_CHARACTERS))
    key = row[1].text_input(
        "Key", key=named, max_chars=key_pages.MAX_KEY_CHARACTERS, placeholder="exactly, or all rows"
    )
    links.keep({"key": key})
    after = None if key else key_pages.place("after")
    try:
        with st.spinner("Reading rows…"):
            rows = visit.client.list_list_rows(
                detail.name, version=version, key=key or None, after=after, limit=PAGE + 1
            )
    except NotFoundError:
        st.warning(f"It has no version {version}.", icon=":material/link_off:")
        return
    if rows:
        st.dataframe([_cells(detail, row) for row in rows[:PAGE]], hide_index=True, placeholder=NO_VALUE)
    elif key:
        st.info("No row has this key.", icon=":material/filter_alt_off:")
    else:
        st.info("It has no rows: what looks for a value in it finds none.", icon=":material/info:")
    if not key:
        key_pages.show_pager(_PAGES, "after", rows[PAGE - 1].key if len(rows) > PAGE else None)
    if visit.may_write and version is None:
        with st.expander("Add, change or delete a row", icon=":material/edit:"):
            _edit(visit, detail)


def _version(detail: ListDetail) -> int | None:
    """Offer the versions; None: the newest."""
    links.seed(f"list-version-{detail.name}", "version", _number)
    number = st.number_input(
        f"Version (of {detail.version})",
        min_value=1,
        max_value=max(detail.version, int(st.session_state.get(f"list-version-{detail.name}") or 1)),
        value=None,
        placeholder=f"{detail.version}, the newest",
        key=f"list-version-{detail.name}",
        on_change=key_pages.begin_anew,
        args=(_PAGES, "after"),
    )
    chosen = None if number is None or number == detail.version else int(number)
    links.keep({"version": chosen})
    return chosen


def _number(text: str) -> int:
    """Read a version.

    Raises:
        ValueError: It is none.
    """
    number = links.number(text)
    if number > MAX_VERSION:
        raise ValueError(text[:60])
    return number


def _cells(detail: ListDetail, row: ListRow) -> dict[str, str]:
    shown = {column.name: cell(row.values.get(column.name)) for column in detail.columns}
    return shown if row.expires_at is None else {**shown, "expires_at": row.expires_at.isoformat()}


def cell(value: Any) -> str:
    """Show a cell as text, with all digits of a number; null is empty."""
    if value is None:
        return ""
    return line(value) if isinstance(value, str) else compact(value)


def _edit(visit: Visit, detail: ListDetail) -> None:
    prefix = f"list-edit-{detail.name}"
    with st.form(prefix, border=False):
        st.caption("A row takes the place of the one with the same key. What is left empty is null.")
        for column in detail.columns:
            st.text_input(
                f"{column.name} ({column.type}{', the key' if column.name == detail.key else ''})",
                key=f"{prefix}-{column.name}",
                max_chars=10_000,
            )
        st.text_input("expires_at", key=f"{prefix}-expires_at", placeholder="2026-01-31T12:00:00Z, or never")
        st.text_input("Why, for the record", key=f"{prefix}-comment", max_chars=1000)
        st.form_submit_button("Write the row", type="primary", on_click=_write, args=(visit, detail, prefix))
    with st.form(f"{prefix}-delete", border=False):
        st.text_input("Key of a row to delete", key=f"{prefix}-key", max_chars=key_pages.MAX_KEY_CHARACTERS)
        st.form_submit_button("Delete the row", on_click=_delete, args=(visit, detail, prefix))


def _write(visit: Visit, detail: ListDetail, prefix: str) -> None:
    names = [*(column.name for column in detail.columns), "expires_at"]
    typed = {name: str(st.session_state[f"{prefix}-{name}"]) for name in names}
    comment = str(st.session_state[f"{prefix}-comment"])

    def write() -> None:
        row = {name: sendable(text) for name, text in typed.items() if text}
        visit.client.edit_list(detail.name, upsert=[row], comment=sendable(comment), if_version=detail.version)

    if act("The row is written", write):
        for name in (*names, "comment"):
            st.session_state[f"{prefix}-{name}"] = ""


def _delete(visit: Visit, detail: ListDetail, prefix: str) -> None:
    key = str(st.session_state[f"{prefix}-key"])
    if act(
        "The row is deleted",
        # A key of any type may be given as its text.
        lambda: visit.client.edit_list(detail.name, delete=[sendable(key)], if_version=detail.version),
    ):
        st.session_state[f"{prefix}-key"] = ""
