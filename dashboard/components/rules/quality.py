"""What people found the alerts of a rule to be, and why it could not tell."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import streamlit as st

from dashboard.components.charts import Point, show_bars
from dashboard.components.text import NO_VALUE, line
from dashboard.session import Visit
from sentinel.client import models

SPANS = {"7 days": 7, "30 days": 30, "90 days": 90, "a year": 365}
OUTCOME_HOURS = 24 * 7
MAX_FIELDS = 20


def show_quality(visit: Visit, rule: models.Rule) -> None:
    """Show precision with its interval per version, and the outcomes of the last week."""
    span = st.selectbox("Alerts of the last", list(SPANS), index=1, key="rule-quality-span")
    with st.spinner("Counting…"):
        found = visit.client.get_rule_quality(rule.id, since=visit.now - timedelta(days=SPANS[span]), until=visit.now)
    total = found.total
    columns = st.columns(4)
    columns[0].metric("Alerts", f"{total.alerts:,}", border=True)
    columns[1].metric("True positives", f"{total.true_positives:,}", border=True)
    columns[2].metric("False positives", f"{total.false_positives:,}", border=True)
    columns[3].metric("Precision", f"{total.precision.value:.0%}" if total.precision else "no figure", border=True)
    if total.precision is not None:
        st.caption(
            f"The precision lies between {total.precision.low:.0%} and {total.precision.high:.0%} with a confidence of "
            "95 % (Wilson's interval); the fewer alerts were judged, the wider."
        )
    else:
        st.info(
            "No alert of this time was judged. Resolve alerts with what they turned out to be, and this says how often "
            "the rule is right.",
            icon=":material/info:",
        )
    if found.versions:
        st.dataframe([_row(each) for each in found.versions], hide_index=True, placeholder=NO_VALUE)
    _outcomes(visit, rule)


def precision(found: models.VersionQuality) -> str:
    """Say how often it is right, and how sure that is."""
    if found.precision is None:
        return "no figure"
    return f"{found.precision.value:.0%} ({found.precision.low:.0%} to {found.precision.high:.0%})"


def _row(each: models.VersionQuality) -> dict[str, object]:
    return {
        "version": each.version,
        "alerts": each.alerts,
        "acknowledged": each.acknowledged,
        "resolved": each.resolved,
        "true": each.true_positives,
        "false": each.false_positives,
        "benign": each.benign,
        "precision, 95 %": precision(each),
        "to acknowledge": _duration(each.seconds_to_acknowledge),
        "to resolve": _duration(each.seconds_to_resolve),
    }


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _outcomes(visit: Visit, rule: models.Rule) -> None:
    st.markdown("**What the job says of it**")
    with st.spinner("Reading outcomes…"):
        hours = visit.client.list_rule_outcomes(rule.id, hours=OUTCOME_HOURS)
    points = [
        Point(each.hour, count, name)
        for each in reversed(hours)
        for name, count in (("matched", each.matched), ("unknown", each.unknown))
    ]
    show_bars(
        "Matched and unknown, 7 days", "events per hour", points, width=timedelta(hours=1), key=f"outcomes-{rule.id}"
    )
    missing: Counter[str] = Counter()
    for each in hours:
        missing.update(each.missing)
    if missing:
        st.caption("Unknown events lack these fields; “(not computable)” is an error such as a division by zero:")
        st.dataframe(
            [{"field": line(name, 200), "events": count} for name, count in missing.most_common(MAX_FIELDS)],
            column_config={"events": st.column_config.NumberColumn("unknown events", format="localized")},
            hide_index=True,
            placeholder=NO_VALUE,
        )
