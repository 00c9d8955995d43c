"""Deliveries: what became of notifications, every try, and the dead ones sent again."""

from __future__ import annotations

import streamlit as st

from dashboard.components import links
from dashboard.components.problems import show_problem
from dashboard.components.sections import pick_row, table_key
from dashboard.components.text import NO_VALUE, line, show_json, show_text
from dashboard.components.times import said, time_column
from dashboard.session import Visit
from sentinel.client.notifications import Delivery, Redriven
from sentinel.errors import SentinelError

STATES = ("queued", "sending", "sent", "dead")
PAGE = 100
REDRIVE_PER_MINUTE = 60
_COUNTED = "redrive-counted"


def show_deliveries(visit: Visit) -> None:
    """Show deliveries by state and channel, and the one that the address names."""
    _overdue(visit)
    links.seed("delivery-state", "state", links.one_of(STATES))
    links.seed("delivery-channel", "channel", links.text_of(63))
    links.seed("delivery-alert", "of", links.text_of(19))
    row = st.columns([2, 1, 1])
    state = row[0].pills("State", STATES, key="delivery-state")
    channel = row[1].text_input("Channel", key="delivery-channel", max_chars=63, placeholder="all") or None
    of = row[2].text_input("Alert", key="delivery-alert", max_chars=19, placeholder="all, or its number") or None
    links.keep({"state": state, "channel": channel, "of": of})
    try:
        alert_id = None if of is None else links.number(of)
    except ValueError:
        st.error("An alert is named by its number.", icon=":material/error:")
        return
    with st.spinner("Looking for deliveries…"):
        found = visit.client.list_deliveries(state=state, channel=channel, alert_id=alert_id, limit=PAGE)
    if found:
        _table(found)
        if len(found) == PAGE:
            st.caption(f"The newest {PAGE}. Narrow the choice to see others.")
    elif state or channel or of:
        st.info("No delivery fits.", icon=":material/filter_alt_off:")
    else:
        st.info(
            "No delivery yet. Say under “Policy” who is told, or write `notify(...)` in a rule; the worker sends.",
            icon=":material/info:",
        )
    if visit.may_write:
        with st.expander("Send dead ones again", icon=":material/replay:"):
            _redrive(visit, channel, alert_id)
    opened = st.query_params.get("delivery")
    if opened:
        st.divider()
        _detail(visit, opened)


def _overdue(visit: Visit) -> None:
    overdue = visit.client.overdue_deliveries()
    if not overdue:
        return
    st.warning(
        f"{len(overdue)} deliveries should have been tried by now. `cause` says what is in the way; `no_worker`: start "
        "`sentinel worker`.",
        icon=":material/running_with_errors:",
    )
    st.dataframe(
        [
            {
                "due": each.next_attempt_at,
                "channel": line(each.channel, 80),
                "cause": line(each.cause, 80),
                "id": each.id,
            }
            for each in overdue
        ],
        column_config={"due": time_column("due")},
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(overdue), 250),
    )


def _table(found: list[Delivery]) -> None:
    ids = [each.id for each in found]
    key = table_key("deliveries", ids)
    opened = st.query_params.get("delivery", "")
    st.dataframe(
        [
            {
                "made": each.created_at,
                "state": each.state,
                "channel": line(each.channel, 80),
                "severity": each.severity,
                "kind": line(each.kind, 40),
                "alerts": each.alert_count,
                "tries": each.attempt_count,
                "last": line(each.last_reason, 200),
                "next": each.next_attempt_at,
            }
            for each in found
        ],
        column_config={
            "made": time_column("made"),
            "state": st.column_config.TextColumn("state", width="small"),
            "alerts": st.column_config.NumberColumn("alerts", width="small"),
            "tries": st.column_config.NumberColumn("tries", width="small"),
            "last": st.column_config.TextColumn("what came of the last try", width="medium"),
            "next": time_column("next try"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(found), 420),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(opened)]}} if opened in ids else None,
        key=key,
        on_select=pick_row(key, ids, "delivery"),
    )


def _detail(visit: Visit, delivery_id: str) -> None:
    try:
        with st.spinner("Reading the delivery…"):
            found = visit.client.get_delivery(delivery_id)
    except SentinelError as error:
        show_problem(error)
        return
    st.subheader("Delivery", anchor=False)
    show_text(f"{found.id}, {found.state}, to {found.channel} ({found.channel_kind})")
    if found.target:
        show_text(f"target: {found.target}")
    st.caption(f"Made {said(found.created_at, visit.now)}.")
    if found.next_attempt_at is not None:
        st.caption(f"Next try {said(found.next_attempt_at, visit.now)}.")
    if found.alert_ids:
        shown = ", ".join(str(number) for number in found.alert_ids[:20])
        st.caption(f"About {found.alert_count:,} alerts: {shown}{' …' if len(found.alert_ids) > 20 else ''}")
    if found.attempts:
        st.dataframe(
            [
                {
                    "at": each.started_at,
                    "try": each.attempt,
                    "outcome": line(each.outcome, 60),
                    "why": line(each.reason, 100),
                    "status": each.status,
                    "seconds": each.seconds,
                    "detail": line(each.detail, 500),
                }
                for each in found.attempts
            ],
            column_config={"at": time_column("at"), "seconds": st.column_config.NumberColumn("seconds", format="%.3f")},
            hide_index=True,
            placeholder=NO_VALUE,
        )
    else:
        st.caption("It was not tried yet.")
    with st.expander("What it says"):
        show_json(found.content)


def _redrive(visit: Visit, channel: str | None, alert_id: int | None) -> None:
    wanted = {"channel": channel, "alert_id": alert_id, "rate_per_minute": REDRIVE_PER_MINUTE}
    st.caption("Dead deliveries of the channel and alert above, oldest first, 60 a minute, under their ids.")
    counted: tuple[dict[str, object], Redriven] | None = None
    try:
        if st.button("Count them first", key="redrive-count", icon=":material/calculate:"):
            with st.spinner("Counting…"):
                st.session_state[_COUNTED] = (wanted, visit.client.redrive_deliveries(**wanted, dry_run=True))
        counted = st.session_state.get(_COUNTED)
        if counted is None or counted[0] != wanted:
            return
        would = counted[1]
        st.write(f"{would.count:,} would be sent again; {would.looped:,} were three times already and stay.")
        if would.count and st.button(f"Send {would.count:,} again", key="redrive-do", type="primary"):
            del st.session_state[_COUNTED]
            with st.spinner("Queueing…"):
                done = visit.client.redrive_deliveries(**wanted, limit=would.count)
            st.success(
                f"{done.count:,} are sent again, the last {said(done.ends_at, visit.now)}.", icon=":material/check:"
            )
    except SentinelError as error:
        show_problem(error)
