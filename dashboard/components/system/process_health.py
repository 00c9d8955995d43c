"""How every process is, as the API knows it."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from dashboard.components.text import line, show_text
from dashboard.components.times import said
from sentinel.client.models.system import JobState, SystemState

# Words beside each colour: nobody has to tell them by it.
_BADGES = {
    "ok": ":green-badge[:material/check: ok]",
    "degraded": ":orange-badge[:material/warning: degraded]",
    "unavailable": ":red-badge[:material/error: unavailable]",
    "away": ":red-badge[:material/cloud_off: does not answer]",
}
_SOME_DOWN = ":orange-badge[:material/warning: not all]"
# For those who see these names for the first time.
_WHAT = {
    "api": "Answers people and programs, and takes events.",
    "dashboard": "These pages.",
    "worker": "Sends notifications, runs detectors, clears up.",
    "job-": "Reads the topic of a pipeline and judges its events; the number is the pipeline's.",
    "rule-worker": "Explains matches, runs tests and backtests of rules.",
}
_UNKNOWN = ":gray-badge[:material/question_mark: unknown]"
MAX_JOBS = 8


def show_health(system: SystemState, now: datetime, *, most_jobs: int = MAX_JOBS) -> None:
    """Show each process with its state in words, what is wrong where that is told, and jobs that do not run.

    Args:
        most_jobs: Troubled jobs to name; the others are counted.
    """
    with st.container(horizontal=True):
        for process in system.processes:
            words = f"{_name(process.name)} {_BADGES.get(process.status, _UNKNOWN)}"
            st.markdown(words, width="content", help=_WHAT.get(process.name.rstrip("0123456789")))
        running = sum(job.is_running for job in system.jobs)
        if system.jobs:
            badge = _BADGES["ok"] if running == len(system.jobs) else _SOME_DOWN
            st.markdown(f"jobs: {running} of {len(system.jobs)} run {badge}", width="content")
    for process in system.processes:
        for check, cause in (process.causes or {}).items():
            show_text(f"{line(process.name, 60)}, {line(check, 60)}: {line(cause, 300)}")
    missing = sorted({"worker", "rule-worker"} - {process.name for process in system.processes})
    if missing:
        st.caption(
            f"No word from: {', '.join(missing)}. Where they run, the API has to be told their ports as well, as "
            "`SENTINEL_TELEMETRY__WORKER_PORT`."
        )
    troubled = [job for job in system.jobs if job_trouble(job) is not None]
    for job in troubled[:most_jobs]:
        show_text(f"job of {line(job.name, 60)} ({job.pipeline_id}): {job_trouble(job)}, {_heard(job, now)}")
    if len(troubled) > most_jobs:
        st.caption(f"{len(troubled) - most_jobs} more jobs have trouble: see the page “Pipelines”.")


def job_trouble(job: JobState) -> str | None:
    """Say what is wrong with a job; None where nothing is."""
    if not job.is_running:
        return "does not run" if job.heartbeat_at is not None else "has never run"
    return None if job.phase in {"", "running", "paused", "stopped"} else line(job.phase, 200)


def _heard(job: JobState, now: datetime) -> str:
    return (
        f"start it with: sentinel submit {job.pipeline_id}"
        if job.heartbeat_at is None
        else f"last heard of {said(job.heartbeat_at, now)}"
    )


def _name(name: str) -> str:
    # Names of programs are ours: lower-case letters, digits and hyphens; whatever else came would be no Markdown.
    return "".join(each for each in name if each.isalnum() or each == "-")[:60]
