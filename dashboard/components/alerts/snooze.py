"""A snooze: for a while nobody is told of alerts like this one. It is a silence made of the alert's labels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import act
from dashboard.components.problems import show_problem
from dashboard.components.text import line
from dashboard.session import Visit
from sentinel.client import models
from sentinel.clock import utc_now
from sentinel.errors import SentinelError

_LENGTHS = {"1 hour": 1, "4 hours": 4, "8 hours": 8, "1 day": 24, "3 days": 72, "7 days": 168}
_SAME, _ALL = "the same, about the same", "all of the same rule or detector"
MAX_COMMENT = 400


def show_snooze(visit: Visit, alert: models.AlertDetail) -> None:
    """Offer to snooze; what it would hold back is shown first."""
    if not st.toggle("Snooze…", key=f"alert-snooze-{alert.id}"):
        return
    st.caption(
        "Until then nobody is told of such alerts. They are raised and listed all the same; this one stays as it is. "
        "A snooze is a silence of the page Notifications, where it can be ended before its time."
    )
    try:
        labels = visit.client.dry_route(alert_id=alert.id).labels
    except SentinelError as error:
        show_problem(error)
        return
    has_entities = any(name.startswith("entity.") for name in labels)
    with st.container(border=True):
        row = st.columns([2, 1, 2])
        which = row[0].selectbox(
            "Alerts that are", [_SAME, _ALL] if has_entities else [_ALL], key=f"alert-snooze-which-{alert.id}"
        )
        row[1].selectbox("For", list(_LENGTHS), key=f"alert-snooze-length-{alert.id}")
        row[2].text_input("Why", key=f"alert-snooze-why-{alert.id}", max_chars=MAX_COMMENT)
        matchers = matchers_of(labels, with_entities=which == _SAME)
        st.code("\n".join(line(each, 600) for each in matchers), language=None, wrap_lines=True)
        left, right = st.columns(2)
        left.button(
            "Snooze them",
            type="primary",
            icon=":material/snooze:",
            key=f"alert-snooze-do-{alert.id}",
            on_click=_snooze,
            args=(visit, alert.id, matchers),
        )
        if right.button("All silences", icon=":material/notifications_paused:", key=f"alert-snooze-all-{alert.id}"):
            links.go("notifications", show="silences")


def matchers_of(labels: Mapping[str, str], *, with_entities: bool) -> list[str]:
    """Return what matches alerts of the same rule or detector, and where wanted about the same entities."""
    wanted = [name for name in ("pipeline", "rule", "detector") if labels.get(name)]
    if with_entities:
        wanted += sorted(name for name in labels if name.startswith("entity."))
    return [f'{name}="{_escaped(labels[name])}"' for name in wanted]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _snooze(visit: Visit, alert_id: int, matchers: list[str]) -> None:
    length = _LENGTHS[st.session_state[f"alert-snooze-length-{alert_id}"]]
    why = str(st.session_state[f"alert-snooze-why-{alert_id}"]).strip()
    comment = f"snoozed from alert {alert_id}{': ' if why else ''}{why}"
    # Not since the page was drawn, which may be long ago.
    ends_at = utc_now() + timedelta(hours=length)
    if act("Snoozed", lambda: visit.client.add_silence(matchers, ends_at, comment)):
        st.session_state[f"alert-snooze-{alert_id}"] = False
