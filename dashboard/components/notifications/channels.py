"""Channels: what they are, whether they work, on and off."""

from __future__ import annotations

import streamlit as st

from dashboard.components.acts import act
from dashboard.components.problems import show_problem
from dashboard.components.text import compact, line, show_text
from dashboard.components.times import absolute
from dashboard.session import Visit
from sentinel.client.channels import Channel
from sentinel.errors import SentinelError


def show_channels(visit: Visit) -> None:
    """Show every channel with what can be done about it."""
    with st.spinner("Reading channels…"):
        channels = visit.client.list_channels()
    if not channels:
        st.info(
            "No channel yet. One is where messages go: a Slack channel, a webhook, mail, a pager. Add it by "
            "`sentinel channels add`, or `POST /api/channels`; then say under “Policy” who is told of what.",
            icon=":material/info:",
        )
    for channel in channels:
        with st.container(border=True):
            _channel(visit, channel)


def _channel(visit: Visit, channel: Channel) -> None:
    about, buttons = st.columns([3, 2], vertical_alignment="center")
    is_on = channel.status == "active"
    with about:
        show_text(channel.name)
        with st.container(horizontal=True):
            st.badge("on" if is_on else "off", color="green" if is_on else "red")
            st.badge(channel.kind if channel.kind.isalpha() else "other", color="gray")
        if channel.disabled_reason:
            show_text(f"off because: {channel.disabled_reason}", limit=500)
        show_text(compact(channel.options, 300))
        secrets = [f"{line(each.hint, 40)} since {absolute(each.added_at)}" for each in channel.secrets]
        show_text(f"secret: {'; '.join(secrets)}" if secrets else "no secret")
    if not visit.may_write:
        return
    with buttons.container(horizontal=True, horizontal_alignment="right"):
        tried = st.button("Send a test", key=f"channel-test-{channel.id}", icon=":material/send:", disabled=not is_on)
        if is_on:
            with st.popover("Switch off"):
                key = f"channel-reason-{channel.id}"
                st.text_input("Why", key=key, max_chars=200)
                st.button("Switch it off", key=f"channel-off-{channel.id}", on_click=_off, args=(visit, channel, key))
        else:
            st.button("Switch on", key=f"channel-on-{channel.id}", type="primary", on_click=_on, args=(visit, channel))
    if tried:
        _test(visit, channel)


def _on(visit: Visit, channel: Channel) -> None:
    act("Switched on", lambda: visit.client.enable_channel(channel.name))


def _off(visit: Visit, channel: Channel, key: str) -> None:
    reason = str(st.session_state.get(key, ""))
    act("Switched off", lambda: visit.client.disable_channel(channel.name, reason=reason))


def _test(visit: Visit, channel: Channel) -> None:
    try:
        with st.spinner("Sending a test…", show_time=True):
            came = visit.client.test_channel(channel.name)
    except SentinelError as error:
        show_problem(error)
        return
    if came.outcome == "sent":
        st.success(f"The receiver took it, in {came.duration_seconds:.1f} s.", icon=":material/check:")
        return
    st.error("The test did not arrive.", icon=":material/error:")
    status = f" (status {came.status})" if came.status is not None else ""
    show_text(f"{came.reason}{status}: {came.detail}", limit=1000)
