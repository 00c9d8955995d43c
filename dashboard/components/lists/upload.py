"""All rows of a list, uploaded as CSV: checked, held against those of now, and only then put in force."""

from __future__ import annotations

import hashlib

import streamlit as st

from dashboard.components import links, work
from dashboard.components.acts import say_done
from dashboard.components.lists.changes import show_changes, show_counts
from dashboard.components.problems import show_problem
from dashboard.components.text import NO_VALUE, line, sendable, show_text
from dashboard.session import Visit
from sentinel.client.lists import ListDetail, ListPreview
from sentinel.errors import InvalidError, SentinelError, VersionMismatchError

SHOWN_CHANGES = 100
MAX_UPLOAD_MB = 64


def show_upload(visit: Visit, detail: ListDetail) -> None:
    """Ask for a file, say what it would change, and put it in force."""
    st.caption(
        "A CSV file with a heading takes the place of all rows. It is checked first and held against the rows of now; "
        "nothing changes until you say so."
    )
    show_text(f"columns: {', '.join(each.name for each in detail.columns)}; expires_at may follow", limit=1000)
    content = _content(detail)
    checking, writing = f"list-preview-{detail.name}", f"list-write-{detail.name}"
    if work.show_work(writing):
        return
    _show_written(writing)
    if content is None:
        return
    digest = hashlib.sha256(content).hexdigest()
    busy = work.show_work(checking)
    if st.button("See what it changes", type="primary", key="list-preview", disabled=busy):
        work.forget(writing)
        work.begin(
            checking,
            "The rows are checked and compared.",
            lambda: visit.client.preview_upload(detail.name, content, limit=SHOWN_CHANGES),
            digest,
        )
        st.rerun()
    # Of another file it says nothing.
    if work.about(checking) != digest:
        return
    try:
        found = work.outcome(checking)
    except InvalidError as error:
        _mistakes(error)
        return
    except SentinelError as error:
        show_problem(error)
        return
    if found is not None:
        _preview(visit, detail, content, found)


def _content(detail: ListDetail) -> bytes | None:
    file = st.file_uploader(
        "CSV file", type=["csv", "txt"], key=f"list-file-{detail.name}", max_upload_size=MAX_UPLOAD_MB
    )
    if file is not None:
        return bytes(file.getvalue())
    text = st.text_area(
        "Or the rows themselves",
        key=f"list-text-{detail.name}",
        height=130,
        placeholder=f"{','.join(each.name for each in detail.columns)}\n...",
    )
    if not text.strip():
        return None
    try:
        return sendable(text).encode()
    except InvalidError as error:
        show_problem(error)
        return None


def _mistakes(error: InvalidError) -> None:
    count = len(error.details)
    what = "One mistake" if count <= 1 else f"{count} mistakes"
    st.error(f"This cannot be the list; nothing was changed. {what}:", icon=":material/error:")
    st.dataframe(
        [{"place": _place(each.pointer), "what is wrong": line(each.detail, 500)} for each in error.details]
        or [{"place": "", "what is wrong": line(error.message, 500)}],
        column_config={"what is wrong": st.column_config.TextColumn("what is wrong", width="large")},
        hide_index=True,
        placeholder=NO_VALUE,
    )


def _place(pointer: str) -> str:
    parts = pointer.strip("/").split("/")
    if len(parts) >= 2 and parts[0] == "line":
        return line(f"line {parts[1]}{f', {parts[2]}' if len(parts) > 2 else ''}", 100)
    return line(pointer, 100)


def _preview(visit: Visit, detail: ListDetail, content: bytes, found: ListPreview) -> None:
    total = found.added_count + found.changed_count + found.removed_count
    if found.expired_count:
        st.caption(f"{found.expired_count:,} rows are left out: their time is over.")
    if not total:
        st.info("These are the rows of now; there is nothing to change.", icon=":material/info:")
        return
    show_counts(found.added_count, found.changed_count, found.removed_count)
    st.caption(f"It would have {found.row_count:,} rows then; version {found.version} has {detail.row_count:,}.")
    if found.row_count == 0:
        st.warning("It would be empty.", icon=":material/warning:")
    if found.pipelines:
        count = len(found.pipelines)
        st.caption(f"Rules of {'a pipeline' if count == 1 else f'{count} pipelines'} read it: their jobs take it over.")
    show_changes(found.changes)
    if len(found.changes) < total:
        st.caption(f"The first {len(found.changes):,} of {total:,} changes, in the order of their keys.")
    comment = st.text_input("Why, for the record", key=f"list-upload-comment-{detail.name}", max_chars=1000)
    if st.button("Put it in force", type="primary", icon=":material/publish:", key="list-upload"):
        work.forget(f"list-preview-{detail.name}")
        work.begin(
            f"list-write-{detail.name}",
            "The rows are written.",
            lambda: visit.client.upload_list(detail.name, content, comment=sendable(comment), if_version=found.version),
        )
        st.rerun()


def _show_written(writing: str) -> None:
    """Say what came of an upload, and show the rows of now."""
    try:
        made = work.outcome(writing)
    except VersionMismatchError as error:
        show_problem(error)
        st.caption("Look at what your file changes now.")
        return
    except SentinelError as error:
        show_problem(error)
        return
    if made is None:
        return
    work.forget(writing)
    say_done(f"Version {made.version} is in force" if made.changed else "These were its rows already")
    links.keep({"show": None, "after": None, "diff_after": None, "key": None, "version": None})
    st.session_state.pop(f"list-section-{made.name}", None)
    st.rerun()
