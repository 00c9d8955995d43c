"""The row of figures on top."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import streamlit as st

from sentinel.client import models


def show_totals(pipelines: Sequence[models.Pipeline], latest: models.Alert | None, now: datetime) -> None:
    """Show the figures of all pipelines."""
    active = sum(pipeline.status == "active" for pipeline in pipelines)
    columns = st.columns(3)
    columns[0].metric("Pipelines active", f"{active} of {len(pipelines)}", border=True)
    columns[1].metric("Alerts so far", f"{sum(pipeline.alert_count for pipeline in pipelines):,}", border=True)
    columns[2].metric("Newest alert", ago(now - latest.alert_timestamp) if latest else "none yet", border=True)


def show_pipeline(pipeline: models.Pipeline, progress: models.Progress, rules: Sequence[models.Rule]) -> None:
    """Show the figures of one pipeline."""
    running = progress.job is not None and progress.job.is_running
    columns = st.columns(4)
    columns[0].metric("Job", "running" if running else "not running", border=True)
    columns[1].metric("Records processed", f"{progress.decided_records:,}", border=True)
    columns[2].metric("Alerts", f"{pipeline.alert_count:,}", border=True)
    columns[3].metric("Rules on", f"{sum(rule.is_active for rule in rules)} of {len(rules)}", border=True)
    st.caption(f"{pipeline.status}, schema version {pipeline.schema_version}, rule set {pipeline.rule_set_version}")
    if not running and pipeline.status == "active":
        st.info(f"No job runs this pipeline. Start one with `sentinel submit {pipeline.id}`.", icon=":material/info:")


def ago(gap: timedelta) -> str:
    """Say how long ago something was, in its largest unit."""
    seconds = max(0, int(gap.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
