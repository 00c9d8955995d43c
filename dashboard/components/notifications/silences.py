"""Silences: nobody is told of certain alerts for a while."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import act
from dashboard.components.text import NO_VALUE, line, show_text
from dashboard.components.times import said, time_column
from dashboard.session import Visit
from sentinel.client.notifications import Silence
from sentinel.clock import utc_now

_LENGTHS = {"1 hour": 1, "4 hours": 4, "8 hours": 8, "1 day": 24, "3 days": 72, "7 days": 168}
_MATCHERS, _LENGTH, _COMMENT = "silence-matchers", "silence-length", "silence-comment"
SHOWN = 100


def show_silences(visit: Visit) -> None:
    """Show silences, and offer another."""
    if visit.may_write:
        with st.expander("Add a silence", icon=":material/notifications_paused:"):
            _form(visit)
    with_old = links.toggle("Those that are over as well", "silence-old", "over")
    with st.spinner("Reading silences…"):
        found = visit.client.list_silences(expired=with_old, limit=SHOWN)
    if not found:
        st.info("No silence: everything that the policy routes is told.", icon=":material/info:")
    for silence in [each for each in found if each.status != "expired"]:
        with st.container(border=True):
            _live(visit, silence)
    over = [each for each in found if each.status == "expired"]
    if over:
        st.dataframe(
            [
                {
                    "from": each.starts_at,
                    "to": each.ended_at or each.ends_at,
                    "alerts with": line(" ".join(each.matchers), 300),
                    "why": line(each.comment, 200),
                    "by": line(each.created_by, 100),
                }
                for each in over
            ],
            column_config={"from": time_column("from"), "to": time_column("to")},
            hide_index=True,
            placeholder=NO_VALUE,
        )
    if len(found) == SHOWN:
        st.caption(f"The newest {SHOWN}.")


def _live(visit: Visit, silence: Silence) -> None:
    about, button = st.columns([5, 1], vertical_alignment="center")
    with about:
        st.badge("active" if silence.status == "active" else "pending", color="orange")
        show_text(" ".join(silence.matchers), limit=2000)
        show_text(f"{silence.comment} ({silence.created_by})", limit=700)
        st.caption(f"From {said(silence.starts_at, visit.now)} to {said(silence.ends_at, visit.now)}.")
    if visit.may_write:
        button.button("End it", key=f"silence-end-{silence.id}", on_click=_end, args=(visit, silence.id))


def _form(visit: Visit) -> None:
    with st.form("silence", border=False):
        st.text_area(
            "Alerts with",
            key=_MATCHERS,
            placeholder='one per line, as\nrule="large"\nentity.user_id=~"test-.*"',
            height=110,
        )
        row = st.columns([1, 2])
        row[0].selectbox("For", list(_LENGTHS), key=_LENGTH)
        row[1].text_input("Why", key=_COMMENT, max_chars=500)
        st.form_submit_button("Silence them", type="primary", on_click=_add, args=(visit,))


def _add(visit: Visit) -> None:
    matchers = [each.strip() for each in str(st.session_state[_MATCHERS]).splitlines() if each.strip()]
    # Not since the page was drawn, which may be long ago.
    ends_at = utc_now() + timedelta(hours=_LENGTHS[st.session_state[_LENGTH]])
    comment = str(st.session_state[_COMMENT])
    if act("Silenced", lambda: visit.client.add_silence(matchers, ends_at, comment)):
        st.session_state[_MATCHERS] = st.session_state[_COMMENT] = ""


def _end(visit: Visit, silence_id: int) -> None:
    act("Ended", lambda: visit.client.end_silence(silence_id))
