"""Where an alert would go, without sending anything."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components import links
from dashboard.components.alerts.filters import SEVERITIES
from dashboard.components.problems import show_problem
from dashboard.components.text import NO_VALUE, compact, line, show_text
from dashboard.components.times import absolute, time_column
from dashboard.session import Visit
from sentinel.client.notifications import DryRoute
from sentinel.errors import InvalidError, SentinelError


def show_dry_route(visit: Visit) -> None:
    """Ask for an alert, real or imagined, and show where it would go."""
    with st.form("dry-route"):
        number = st.text_input("Number of an alert", max_chars=19, placeholder="or imagine one below", key="dry-alert")
        row = st.columns(3)
        pipeline = row[0].text_input("Pipeline", max_chars=128, key="dry-pipeline")
        rule = row[1].text_input("Rule", max_chars=128, key="dry-rule")
        severity = row[2].selectbox("Severity", SEVERITIES, index=1, key="dry-severity")
        row = st.columns(2)
        tags = row[0].text_input("Tags", placeholder="separated by commas", key="dry-tags")
        entities = row[1].text_input("Entities", placeholder="user_id=u-1, host=eu-3", key="dry-entities")
        asked = st.form_submit_button("Where would it go?", type="primary")
    if not asked:
        return
    try:
        wanted = _real(number) if number.strip() else _imagined(tags, entities)
        if "alert_id" not in wanted:
            wanted |= {"pipeline": pipeline, "rule": rule, "severity": severity}
        with st.spinner("Asking…"):
            found = visit.client.dry_route(**wanted)
    except SentinelError as error:
        show_problem(error)
        return
    _show(found)


def _real(number: str) -> dict[str, Any]:
    try:
        return {"alert_id": links.number(number.strip())}
    except ValueError as error:
        raise InvalidError("an alert is named by its number") from error


def _imagined(tags: str, entities: str) -> dict[str, Any]:
    pairs = [part.partition("=") for part in entities.split(",") if part.strip()]
    if any(not sign for _, sign, _ in pairs):
        raise InvalidError("entities are field=value, separated by commas")
    return {
        "tags": [tag.strip() for tag in tags.split(",") if tag.strip()],
        "entities": {name.strip(): value.strip() for name, _, value in pairs},
    }


def _show(found: DryRoute) -> None:
    st.caption(
        f"By policy version {found.policy_version}; nothing was sent. Times in the table are when it would be told."
    )
    show_text(f"labels: {compact(found.labels, 1000)}")
    if found.targets:
        st.dataframe(
            [
                {
                    "channel": line(each.channel, 80),
                    "told": each.told_at,
                    "by": line(each.route, 80) or "the defaults",
                    "not told because": line(each.muted_by, 200),
                    "quiet until": absolute(each.quiet_until),
                    "together with": compact(each.group, 200) if each.group else "",
                    "escalation": line(each.escalation, 80),
                }
                for each in found.targets
            ],
            column_config={"told": time_column("told")},
            hide_index=True,
            placeholder=NO_VALUE,
        )
    else:
        st.info("Nobody would be told.", icon=":material/notifications_off:")
    if found.refused:
        st.dataframe(
            [
                {"channel": line(each.channel, 80), "outcome": line(each.outcome, 80), "why": line(each.reason, 500)}
                for each in found.refused
            ],
            hide_index=True,
            placeholder=NO_VALUE,
        )
