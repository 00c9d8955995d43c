"""Detectors: scheduled checks whose findings are alerts; what they found, switched on and off, run now."""

from __future__ import annotations

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import act
from dashboard.components.page import show_page
from dashboard.components.problems import show_problem
from dashboard.components.sections import pick_row, table_key
from dashboard.components.text import NO_VALUE, line, show_json, show_text
from dashboard.components.times import said, time_column
from dashboard.session import Visit
from sentinel.client.detectors import Detector, DetectorRun
from sentinel.errors import NotFoundError, SentinelError

MODES = {"on": "on", "off": "off", "auto": "as soon as there is something to look at"}
RUNS = 50


def detectors(visit: Visit) -> None:
    """Draw the page."""
    with st.spinner("Reading detectors…"):
        found = visit.client.list_detectors()
    if not found:
        st.info("No detector. `POST /api/detectors` makes one; docs/detectors.md says how.", icon=":material/info:")
        return
    opened = st.query_params.get("detector")
    _table(found, opened)
    if not opened:
        st.caption(
            "A rule looks at one event; a detector looks at many, at set times: a spike, a silence. What it finds are "
            "alerts. Choose a row to see, switch or run one."
        )
        return
    st.divider()
    detector = next((each for each in found if each.name == opened), None)
    if detector is None:
        st.warning("This link names a detector that is not there.", icon=":material/link_off:")
        return
    _detail(visit, detector)


def _table(found: list[Detector], opened: str | None) -> None:
    names = [each.name for each in found]
    key = table_key("detectors", names)
    st.dataframe(
        [
            {
                "name": line(each.name, 100),
                "finds": line(each.title, 200),
                "runs": "yes" if each.is_enabled else "no",
                "mode": each.mode,
                "when": _schedule(each),
                "next": each.next_run_at,
                "last": each.last_run.started_at if each.last_run else None,
                "state": each.last_run.state if each.last_run else "never ran",
                "findings": each.last_run.finding_count if each.last_run else None,
            }
            for each in found
        ],
        column_config={
            "name": st.column_config.TextColumn("detector", width="medium"),
            "finds": st.column_config.TextColumn("finds", width="medium"),
            "runs": st.column_config.TextColumn("runs", help="Whether it is run now, by its mode."),
            "mode": st.column_config.TextColumn(
                "mode", help="on, off, or auto: as soon as there is something to look at."
            ),
            "next": time_column("next run"),
            "last": time_column("last run"),
            "state": st.column_config.TextColumn("came of it", width="small"),
            "findings": st.column_config.NumberColumn("findings", width="small"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [names.index(opened)]}} if opened in names else None,
        key=key,
        on_select=pick_row(key, names, "detector"),
    )


def _schedule(detector: Detector) -> str:
    schedule = detector.schedule
    if schedule.cron:
        return line(f"{schedule.cron} {schedule.time_zone}", 100)
    seconds = schedule.interval_seconds or 0
    return f"every {seconds // 60:,} min" if seconds and seconds % 60 == 0 else f"every {seconds:,} s"


def _detail(visit: Visit, detector: Detector) -> None:
    st.subheader("Detector", anchor=False)
    show_text(f"{detector.name}: {detector.description or detector.title}", limit=1000)
    until = detector.evaluated_until
    st.caption("Nothing was evaluated yet." if until is None else f"Evaluated until {said(until, visit.now)}.")
    if detector.next_run_at is not None:
        st.caption(f"Next run {said(detector.next_run_at, visit.now)}.")
    if visit.may_write:
        # Keyed by the version: after any change it shows what is true then.
        key = f"detector-mode-{detector.name}-{detector.version}"
        row = st.columns([2, 1], vertical_alignment="bottom")
        row[0].selectbox(
            "It is",
            list(MODES),
            index=list(MODES).index(detector.mode) if detector.mode in MODES else 0,
            format_func=MODES.__getitem__,
            key=key,
            on_change=_switch,
            args=(visit, detector, key),
        )
        if row[1].button("Run it now", icon=":material/play_arrow:", key="detector-run"):
            _run(visit, detector)
    if st.button("Its alerts", icon=":material/notifications_active:", key="detector-alerts"):
        links.go("alerts", by=detector.name)
    with st.expander("Parameters"):
        show_json(detector.parameters)
        if detector.changed_parameters:
            show_text(f"changed from their defaults: {', '.join(detector.changed_parameters)}", limit=1000)
    _runs(visit, detector)


def _switch(visit: Visit, detector: Detector, key: str) -> None:
    mode = st.session_state[key]
    act(f"It is {mode}", lambda: visit.client.change_detector(detector.name, if_version=detector.version, mode=mode))


def _run(visit: Visit, detector: Detector) -> None:
    try:
        with st.spinner("Running…", show_time=True):
            run = visit.client.run_detector(detector.name)
    except SentinelError as error:
        show_problem(error)
        return
    if run.state == "failed":
        st.error("The run failed.", icon=":material/error:")
        show_text(run.error, limit=2000)
        return
    st.success(
        f"{run.window_count:,} windows were looked at: {run.finding_count:,} findings, {run.fired_count:,} new alerts, "
        f"{run.amended_count:,} amended.",
        icon=":material/check:",
    )


def _runs(visit: Visit, detector: Detector) -> None:
    try:
        with st.spinner("Reading runs…"):
            runs = visit.client.list_detector_runs(detector.name, limit=RUNS)
    except NotFoundError as error:
        show_problem(error)
        return
    if not runs:
        st.info(
            "It never ran. `sentinel worker` runs detectors that are on, every five minutes.", icon=":material/info:"
        )
        return
    st.dataframe(
        [_row(run) for run in runs], column_config={"at": time_column("at")}, hide_index=True, placeholder=NO_VALUE
    )


def _row(run: DetectorRun) -> dict[str, object]:
    return {
        "at": run.started_at,
        "state": line(run.state, 40),
        "cause": line(run.cause, 60),
        "by": line(run.requested_by, 100),
        "windows": run.window_count,
        "findings": run.finding_count,
        "new alerts": run.fired_count,
        "amended": run.amended_count,
        "error": line(run.error or "", 500),
    }


show_page("Detectors", detectors)
