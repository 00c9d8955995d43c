"""Lists: tables beside the events, which rules read; their rows, uploads and versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import act
from dashboard.components.lists.create import show_create
from dashboard.components.lists.rows import show_rows
from dashboard.components.lists.upload import show_upload
from dashboard.components.lists.versions import show_versions
from dashboard.components.page import show_page
from dashboard.components.sections import choose_section, pick_row, table_key
from dashboard.components.text import NO_VALUE, line, show_text
from dashboard.components.times import said, time_column
from dashboard.session import Visit
from sentinel.client.lists import ListDetail, ReferenceList
from sentinel.errors import NotFoundError

# Rules that read a list and are linked; the others are counted.
MAX_READERS = 12


def lists(visit: Visit) -> None:
    """Draw the page."""
    with st.spinner("Reading lists…"):
        found = visit.client.list_lists()
    opened = str(st.query_params.get("list", ""))
    if found:
        _table(found, opened)
    else:
        st.info(
            "No list yet. A list is a table that rules may ask, as `user_id NOT IN (SELECT user_id FROM known)`: "
            "customers to leave alone, terminals to stop. Make the first one below.",
            icon=":material/info:",
        )
    if visit.may_write:
        with st.expander("Make a list", icon=":material/add:", expanded=not found):
            show_create(visit)
    if not opened:
        if found:
            st.caption("Choose a row to see its rows and versions, or to upload others.")
        return
    st.divider()
    try:
        detail = visit.client.get_list(opened)
    except NotFoundError:
        st.warning("This link names a list that is not there.", icon=":material/link_off:")
        return
    _detail(visit, detail)


def _table(found: Sequence[ReferenceList], opened: str) -> None:
    names = [each.name for each in found]
    key = table_key("lists", names)
    st.dataframe(
        [
            {
                "name": line(each.name, 100),
                "rows": each.row_count,
                "size": each.size_bytes,
                "version": each.version,
                "changed": each.updated_at,
                "description": line(each.description),
            }
            for each in found
        ],
        column_config={
            "name": st.column_config.TextColumn("list", width="medium"),
            "rows": st.column_config.NumberColumn("rows", format="localized"),
            "size": st.column_config.NumberColumn("size", format="bytes"),
            "version": st.column_config.NumberColumn("version", width="small"),
            "changed": time_column("changed"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(found), 400),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [names.index(opened)]}} if opened in names else None,
        key=key,
        on_select=_pick(key, names),
    )


def _pick(key: str, names: Sequence[str]) -> Callable[[], None]:
    """Open another list, at its first rows: pages and keys are those of the one before."""
    pick = pick_row(key, names, "list")

    def chosen() -> None:
        pick()
        links.keep({"after": None, "diff_after": None, "key": None, "version": None})

    return chosen


def _detail(visit: Visit, detail: ListDetail) -> None:
    st.subheader("List", anchor=False)
    show_text(
        f"{detail.name}, version {detail.version} of {said(detail.updated_at, visit.now)}: "
        f"{detail.row_count:,} rows, key {detail.key}"
    )
    if detail.description:
        show_text(detail.description, limit=1000)
    _readers(detail)
    sections = {"rows": "Rows", "versions": "Versions"}
    if visit.may_write:
        sections = {"rows": "Rows", "upload": "Upload", "versions": "Versions", "delete": "Delete"}
    chosen = choose_section(f"list-section-{detail.name}", sections)
    if chosen == "rows":
        show_rows(visit, detail)
    elif chosen == "upload":
        show_upload(visit, detail)
    elif chosen == "versions":
        show_versions(visit, detail)
    else:
        _delete(visit, detail)


def _readers(detail: ListDetail) -> None:
    if not detail.read_by:
        st.caption("No rule in force reads it.")
        return
    count = len(detail.read_by)
    st.caption("A rule in force reads it:" if count == 1 else f"{count:,} rules in force read it:")
    with st.container(horizontal=True):
        for each in detail.read_by[:MAX_READERS]:
            name = f"Rule {each.rule_id}"
            if st.button(name, icon=":material/rule:", key=f"list-reader-{each.pipeline_id}-{each.rule_id}"):
                links.go("rules", pipeline=each.pipeline_id, rule=each.rule_id)


def _delete(visit: Visit, detail: ListDetail) -> None:
    st.caption(
        "Only a list that no rule ever read can be deleted: past alerts are proven by its rows. To have one match "
        "nothing, upload its heading without rows."
    )
    sure = st.checkbox("Its rows and versions are lost for good", key=f"list-delete-sure-{detail.name}")
    st.button(
        "Delete the list",
        type="primary",
        icon=":material/delete:",
        key="list-delete",
        disabled=not sure,
        on_click=_do_delete,
        args=(visit, detail),
    )


def _do_delete(visit: Visit, detail: ListDetail) -> None:
    if act("Deleted", lambda: visit.client.delete_list(detail.name, if_version=detail.version)):
        links.keep({"list": None, "show": None})


show_page("Lists", lists)
