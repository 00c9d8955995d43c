"""One pipeline: how it runs, its status, its schema and what it went through."""

from __future__ import annotations

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import act
from dashboard.components.first_steps import show_first_steps
from dashboard.components.pipelines.charts import show_charts
from dashboard.components.pipelines.listing import LAG_HELP, PROCESSED_HELP, job_of, lag_of
from dashboard.components.pipelines.recent_records import show_recent
from dashboard.components.pipelines.schema import show_schema
from dashboard.components.sections import choose_section
from dashboard.components.system.generations import show_generations
from dashboard.components.text import show_text
from dashboard.components.times import said
from dashboard.session import Visit
from sentinel.client import models

# What may be made of which status, with the words of the button.
_NEXT = {
    "active": (("paused", "Pause", ":material/pause:"), ("stopped", "Stop", ":material/stop:")),
    "paused": (("active", "Resume", ":material/play_arrow:"), ("stopped", "Stop", ":material/stop:")),
    "stopped": (("active", "Start again", ":material/play_arrow:"),),
}
_DONE = {"active": "It runs", "paused": "Paused; it keeps its place", "stopped": "Stopped"}
_SECTIONS = {"schema": "Schema", "charts": "Over time", "records": "Recent records", "generations": "Generations"}


def show_pipeline(visit: Visit, pipeline: models.Pipeline) -> None:
    """Show a pipeline and what can be done about it."""
    st.subheader("Pipeline", anchor=False)
    show_text(f"{pipeline.name} ({pipeline.id}), reads the topic {pipeline.kafka_topic}")
    with st.spinner("Asking how far it is…"):
        progress = visit.client.progress(pipeline.id)
    _figures(pipeline, progress)
    running = progress.job is not None and progress.job.is_running
    if progress.job is not None:
        word = "lives" if running else "is gone; last heard of"
        st.caption(f"Its job {word}: {said(progress.job.heartbeat_at, visit.now)}.")
    if not pipeline.alert_count and pipeline.status == "active":
        show_first_steps(
            visit,
            pipeline.id,
            has_rule=any(each.is_active for each in visit.client.list_rules(pipeline.id)),
            has_job=running,
            has_events=progress.decided_records > 0,
        )
    elif not running and pipeline.status == "active":
        st.info(f"No job runs this pipeline. Start one with `sentinel submit {pipeline.id}`.", icon=":material/info:")
    if visit.may_write:
        with st.container(horizontal=True):
            for status, words, icon in _NEXT.get(pipeline.status, ()):
                st.button(
                    words, icon=icon, key=f"pipeline-{status}", on_click=_set_status, args=(visit, pipeline, status)
                )
    with st.container(horizontal=True):
        for words, view in (("Its alerts", "alerts"), ("Its rules", "rules"), ("Its dead letters", "dead_letters")):
            if st.button(words, key=f"pipeline-{view}", type="tertiary", icon=":material/arrow_forward:"):
                links.go(view, pipeline=pipeline.id)
    match choose_section("pipeline-section", _SECTIONS):
        case "charts":
            show_charts(visit, pipeline.id)
        case "records":
            show_recent(visit, pipeline.id)
        case "generations":
            show_generations(visit, pipeline.id)
        case _:
            show_schema(visit, pipeline)


def _figures(pipeline: models.Pipeline, progress: models.Progress) -> None:
    lag = lag_of(progress)
    columns = st.columns(5)
    columns[0].metric("Status", pipeline.status, border=True)
    columns[1].metric("Job", job_of(progress), border=True, help="The program that reads the topic for this pipeline.")
    columns[2].metric("Records waiting", "unknown" if lag is None else f"{lag:,}", border=True, help=LAG_HELP)
    columns[3].metric("Records processed", f"{progress.decided_records:,}", border=True, help=PROCESSED_HELP)
    columns[4].metric("Alerts", f"{pipeline.alert_count:,}", border=True)


def _set_status(visit: Visit, pipeline: models.Pipeline, status: str) -> None:
    act(_DONE[status], lambda: visit.client.set_pipeline_status(pipeline.id, status, if_version=pipeline.version))
