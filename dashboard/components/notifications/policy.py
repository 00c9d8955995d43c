"""The notification policy as YAML: read, checked, put in force."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import streamlit as st
import yaml

from dashboard.components.acts import say_done
from dashboard.components.problems import show_problem
from dashboard.components.text import NO_VALUE, line, sendable, show_text
from dashboard.components.times import said
from dashboard.session import Visit
from sentinel.client.notifications import Policy
from sentinel.documents import Document, read_text
from sentinel.errors import InvalidError, SentinelError, VersionMismatchError

_TEXT, _BASE, _NAME = "policy-text", "policy-base", "policy"
MAX_CHARACTERS = 200_000
# With channels that somebody has to have made first.
_EXAMPLE = """defaults:
  channels: [team-chat]
routes:
  - name: at night
    match: ['severity="critical"']
    channels: [pager]
"""


def show_policy(visit: Visit) -> None:
    """Show the policy in force, and let who may change it."""
    with st.spinner("Reading the policy…"):
        policy = visit.client.get_notification_policy()
    if policy.version == 0:
        st.info("There is no policy yet: only what rules name by `notify(...)` is told.", icon=":material/info:")
    else:
        show_text(f"Version {policy.version} by {policy.created_by}, {said(policy.created_at, visit.now)}")
        if policy.comment:
            show_text(policy.comment, limit=500)
    if not visit.may_write:
        st.code(written(policy), language="yaml", wrap_lines=True)
        return
    _edit(visit, policy)


def written(policy: Policy) -> str:
    """Return a policy as YAML."""
    return str(yaml.safe_dump(policy.policy, sort_keys=False, allow_unicode=True)) if policy.policy else ""


def read_policy(text: str) -> tuple[dict[str, Any], Document | None]:
    """Return the policy that a text says, and where its parts stand.

    Raises:
        InvalidError: It is not the YAML that is taken here, or no mapping; the message names the line.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidError(f"the policy has {len(text):,} characters; it may have {MAX_CHARACTERS:,}")
    documents = read_text(text, _NAME)
    if not documents:
        return {}, None
    if len(documents) > 1:
        raise InvalidError("the text holds several documents; take the lines of three dashes away")
    if not isinstance(documents[0].value, dict):
        raise InvalidError("a policy has members such as `routes:`; this text is something else")
    return _plain(documents[0].value), documents[0]


def place_of(pointer: str, document: Document | None) -> str:
    """Return the line that an error of the API is about, as `line 7`; empty where it is about none."""
    if document is None or not pointer.startswith("/policy"):
        return ""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[2:]]
    place = [int(part) if part.isascii() and part.isdigit() else part for part in parts]
    return f"line {document.where(place).rpartition(':')[2]}"


def _plain(value: Any) -> Any:
    """Return the value with dates as the texts that they were: YAML reads 2026-12-25 as a date."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str):
        return sendable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, int | float | bool | None) else str(value)


def _edit(visit: Visit, policy: Policy) -> None:
    # The text that is edited belongs to the version that it began with, also when another is in force meanwhile.
    if _TEXT not in st.session_state:
        st.session_state[_TEXT] = written(policy)
        st.session_state[_BASE] = policy.version
    base: int = st.session_state[_BASE]
    text = st.text_area(
        "Policy (YAML)",
        key=_TEXT,
        height=420,
        persist_state="session",
        help="docs/routing.md has all members.",
        placeholder=_EXAMPLE,
    )
    st.caption('Times of day stand in quotes: `begins: "22:00"`.')
    if base != policy.version:
        st.warning(
            f"Version {policy.version} is in force since you began with version {base}. Take it as the text to start "
            "from, or copy your own before.",
            icon=":material/sync_problem:",
        )
        st.button("Start from the policy in force", on_click=_start_anew)
        return
    if text == written(policy):
        st.caption("This is the policy in force." if policy.version else "Write one to say who is told of what.")
        return
    document: Document | None = None
    try:
        wanted, document = read_policy(text)
        with st.spinner("Checking…"):
            # Routing an imagined alert checks the whole policy and writes nothing.
            visit.client.dry_route(policy=wanted)
    except SentinelError as error:
        _refused(error, document)
        return
    st.success("It can be put in force.", icon=":material/check:")
    comment = st.text_input("Why, for the record", key="policy-comment", max_chars=500)
    if st.button("Put it in force", type="primary", key="policy-put", icon=":material/publish:"):
        try:
            made = visit.client.replace_notification_policy(wanted, comment=comment, if_version=base)
        except VersionMismatchError as error:
            show_problem(error)
            return
        except SentinelError as error:
            _refused(error, document)
            return
        _start_anew()
        say_done(f"Version {made.version} is in force")
        st.rerun()


def _refused(error: SentinelError, document: Document | None) -> None:
    """Show what is wrong, each with its line."""
    if not isinstance(error, InvalidError):
        show_problem(error)
        return
    st.error("This cannot be put in force.", icon=":material/error:")
    if not error.details:
        show_text(error.message, limit=2000)
        return
    st.dataframe(
        [
            {
                "where": place_of(each.pointer, document) or line(each.pointer, 200),
                "what is wrong": line(each.detail, 500),
            }
            for each in error.details
        ],
        column_config={"what is wrong": st.column_config.TextColumn("what is wrong", width="large")},
        hide_index=True,
        placeholder=NO_VALUE,
    )


def _start_anew() -> None:
    for name in (_TEXT, _BASE):
        st.session_state.pop(name, None)
