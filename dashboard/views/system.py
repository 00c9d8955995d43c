"""System: processes, the ledger, and for the operator settings and logs."""

from __future__ import annotations

import streamlit as st

from dashboard.components import links
from dashboard.components.page import show_page
from dashboard.components.pipelines.choice import choose_pipeline
from dashboard.components.sections import choose_section
from dashboard.components.system.generations import show_generations
from dashboard.components.system.process_health import job_trouble, show_health
from dashboard.components.text import NO_VALUE, line, plain
from dashboard.components.times import time_column
from dashboard.session import Visit
from sentinel.client.models.system import SystemState

_EVERYBODY = {"processes": "Processes", "ledger": "Ledger"}
_OPERATOR = {"settings": "Settings", "logs": "Logs"}
LOG_LINES = (100, 200, 500, 1000)
_LOG_PIXELS = 560


def system(visit: Visit) -> None:
    """Draw the page."""
    with st.spinner("Asking every process…"):
        state = visit.client.system()
    sections = {**_EVERYBODY, **_OPERATOR} if state.is_operator else _EVERYBODY
    if not state.is_operator and st.query_params.get("show") in _OPERATOR:
        st.info("Settings and logs tell of all tenants: they are for the operator's key.", icon=":material/lock:")
        st.query_params.pop("show")
    match choose_section("system-section", sections):
        case "ledger":
            _ledger(visit)
        case "settings":
            _settings(visit)
        case "logs":
            _logs(visit)
        case _:
            _processes(visit, state)


def _processes(visit: Visit, state: SystemState) -> None:
    show_health(state, visit.now)
    if not state.is_operator:
        st.caption("Why a process is not well is told to the operator's key: processes serve all tenants.")
    st.subheader("Jobs", anchor=False)
    if not state.jobs:
        st.info("No pipeline is to be run. Make one, or resume one, on the page “Pipelines”.", icon=":material/info:")
        return
    st.dataframe(
        [
            {
                "id": job.pipeline_id,
                "pipeline": line(job.name, 100),
                "set to": job.status,
                "job": job_trouble(job) or "running",
                "lag": job.lag if job.is_running else None,
                "heard": job.heartbeat_at,
            }
            for job in state.jobs
        ],
        column_config={
            "id": st.column_config.NumberColumn("id", width="small"),
            "lag": st.column_config.NumberColumn("records waiting", format="localized"),
            "heard": time_column("last heard of"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        key="system-jobs",
    )
    st.button("Ask again", icon=":material/refresh:")


def _ledger(visit: Visit) -> None:
    pipelines = visit.client.list_pipelines()
    if not pipelines:
        st.info("No pipeline yet, so the ledger is empty.", icon=":material/info:")
        return
    show_generations(visit, choose_pipeline("system-pipeline", pipelines, lambda: None))


def _settings(visit: Visit) -> None:
    st.caption("Of the API's process, as they are in force. Others may be started with others. Secrets are not shown.")
    only = links.toggle("Only what differs from its default", "settings-changed", "changed")
    found = [each for each in visit.client.system_settings() if not (only and each.is_default)]
    if not found:
        st.info("Everything is at its default.", icon=":material/info:")
        return
    st.dataframe(
        [{"setting": line(each.name), "value": line(each.value, 500), "default": each.is_default} for each in found],
        column_config={
            "setting": st.column_config.TextColumn("setting", width="medium"),
            "value": st.column_config.TextColumn("value", width="large"),
            "default": st.column_config.CheckboxColumn("is the default", width="small"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        key="system-settings",
    )


def _logs(visit: Visit) -> None:
    names = visit.client.logs()
    if not names:
        st.info(
            "Logs are kept by the local stack alone. Elsewhere they are where the processes' output goes.",
            icon=":material/info:",
        )
        return
    links.seed("system-log", "log", links.one_of(tuple(names)))
    if st.session_state.get("system-log") not in names:
        st.session_state["system-log"] = names[0]
    name = st.selectbox("Log", names, key="system-log")
    links.seed("system-log-lines", "lines", lambda text: LOG_LINES[[str(each) for each in LOG_LINES].index(text)])
    st.session_state.setdefault("system-log-lines", LOG_LINES[1])
    lines = st.segmented_control("Lines", LOG_LINES, required=True, key="system-log-lines")
    links.keep({"log": name, "lines": None if lines == LOG_LINES[1] else lines})
    st.button("Read again", icon=":material/refresh:")
    with st.spinner("Reading…"):
        found = visit.client.log_lines(name, limit=int(lines or LOG_LINES[1]))
    if not found:
        st.info("This log is empty.", icon=":material/info:")
        return
    st.caption("Newest first.")
    text = "\n".join(plain(each, 2000) for each in reversed(found))
    st.code(text, language=None, height=_LOG_PIXELS)


show_page("System", system)
