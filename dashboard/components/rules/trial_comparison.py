"""What is tried of a rule, held against what is in force: alerts per arm, and the same events judged by both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import streamlit as st

from dashboard.components.charts import Point, show_bars
from dashboard.components.rules.explanation import open_explain
from dashboard.components.text import NO_VALUE, line, show_text
from dashboard.components.times import time_column
from dashboard.session import Visit
from sentinel.client import models

HOURS = 24 * 7
MAX_SAMPLES = 20
_KINDS = {"only_trial": "only the one on trial", "only_control": "only the one in force"}


def show_comparison(visit: Visit, rule: models.Rule) -> None:
    """Show what a rollout and trials of the last week have shown."""
    with st.spinner("Comparing…"):
        found = visit.client.rollout(rule.id)
        trials = visit.client.get_rule_trials(rule.id, hours=HOURS)
    if found.guard_rail:
        st.error("The guard rail says to give it up:", icon=":material/warning:")
        show_text(found.guard_rail, limit=1000)
    if found.arms:
        st.markdown("**Rollout**, alerts per arm and share")
        st.dataframe(
            [
                {
                    "share": each.share_percent / 100,
                    "arm": {"candidate": "tried", "control": "in force"}.get(each.arm, line(each.arm, 40)),
                    "version": each.version,
                    "alerts": each.match_count,
                    "entities": each.entity_count,
                }
                for each in found.arms
            ],
            column_config={
                "share": st.column_config.NumberColumn("share", format="percent"),
                "entities": st.column_config.NumberColumn("different entities", format="localized"),
            },
            hide_index=True,
            placeholder=NO_VALUE,
        )
    if not trials.hours:
        st.caption("Nothing was tried of it in the last 7 days. What is tried is counted a minute or two behind.")
        return
    st.markdown("**On the same events**, last 7 days")
    versions = sorted({each.version for each in trials.hours}, reverse=True)
    version = versions[0]
    if len(versions) > 1:
        version = st.selectbox("Version on trial", versions, key=f"trial-version-{rule.id}")
    hours = [each for each in trials.hours if each.version == version]
    _totals(hours)
    points = [
        Point(at, count, name) for at, counts in sorted(_by_hour(hours).items()) for name, count in counts.items()
    ]
    show_bars("Who matches", "events per hour", points, width=timedelta(hours=1), key=f"trial-{rule.id}-{version}")
    chosen = {each.rule_version_id for each in hours}
    _samples(rule, [each for each in trials.samples if each.rule_version_id in chosen])


def _totals(hours: Sequence[models.TrialHour]) -> None:
    columns = st.columns(5)
    # A version that is compared with two others counts its events with each; they are the same events.
    seen = {each.hour: each for each in hours}
    figures = (
        ("Events", sum(each.evaluated for each in seen.values())),
        ("Both match", sum(each.both for each in hours)),
        ("Only on trial", sum(each.only_trial for each in hours)),
        ("Only in force", sum(each.only_control for each in hours)),
        ("Unknown", sum(each.unknown for each in seen.values())),
    )
    for column, (words, count) in zip(columns, figures, strict=True):
        column.metric(words, f"{count:,}", border=True)


def _by_hour(hours: Sequence[models.TrialHour]) -> dict[datetime, Counter[str]]:
    found: dict[datetime, Counter[str]] = {}
    for each in hours:
        counts = found.setdefault(each.hour, Counter())
        counts.update({"both": each.both, "only on trial": each.only_trial, "only in force": each.only_control})
    return found


def _samples(rule: models.Rule, samples: Sequence[models.TrialSample]) -> None:
    if not samples:
        return
    st.caption("Events about which they disagree:")
    shown = list(samples[:MAX_SAMPLES])
    st.dataframe(
        [
            {
                "matches": _KINDS[each.kind],
                "event": line(each.event_id, 200),
                "record": _place(each),
                "time": each.kafka_timestamp,
            }
            for each in shown
        ],
        column_config={"time": time_column("time"), "event": st.column_config.TextColumn("event", width="medium")},
        hide_index=True,
        placeholder=NO_VALUE,
    )
    row = st.columns([2, 1], vertical_alignment="bottom")
    places = list(dict.fromkeys(_place(each) for each in shown))
    chosen = row[0].selectbox("Record", places, key=f"trial-sample-{rule.id}-{shown[0].rule_version_id}")
    row[1].button(
        "Explain it", icon=":material/psychology:", key="trial-explain", on_click=open_explain, args=(rule.id, chosen)
    )


def _place(sample: models.TrialSample) -> str:
    return f"{sample.kafka_partition}:{sample.kafka_offset}"
