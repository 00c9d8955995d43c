"""Backtests of a pipeline: started, watched while they run, and their results opened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import act
from dashboard.components.backtests.form import is_about, show_form
from dashboard.components.backtests.result import show_result
from dashboard.components.problems import show_problem
from dashboard.components.sections import pick_row, table_key
from dashboard.components.text import NO_VALUE, line, show_text
from dashboard.components.times import absolute, said, time_column
from dashboard.session import Visit
from sentinel.client import models
from sentinel.clock import utc_now
from sentinel.errors import NotFoundError, SentinelError

SHOWN = 20
POLL_SECONDS = 2.0
# A worker takes what waits within a second; longer means that none is free, or there is none.
_NO_WORKER_SECONDS = 15


def show_backtests(visit: Visit, pipeline_id: int, rule: models.Rule | None) -> None:
    """Show backtests of a pipeline, or those of a rule, and what came of the one in the address."""
    opened = links.chosen("backtest")
    if visit.may_write:
        with st.expander("Test on the past", icon=":material/history:", expanded=opened is None):
            show_form(visit, pipeline_id, rule)
    with st.spinner("Reading backtests…"):
        found = visit.client.list_backtests(pipeline_id, limit=SHOWN)
    if rule is not None:
        found = [each for each in found if any(is_about(asked, rule) for asked in _asked(each))]
    if found:
        _table(found)
        if len(found) == SHOWN:
            st.caption(f"The newest {SHOWN}.")
    else:
        st.info(
            "No backtest yet. It says how often a rule would have matched on the events of the lake, and when.",
            icon=":material/info:",
        )
    if opened is None:
        return
    try:
        task = visit.client.get_backtest(opened)
    except NotFoundError:
        st.warning(f"There is no backtest {opened}, or it was forgotten.", icon=":material/link_off:")
        return
    st.divider()
    st.subheader(f"Backtest {task.id}", anchor=False)
    show_task(visit, task, rule)


def show_task(visit: Visit, task: models.HistoryTask, rule: models.Rule | None) -> None:
    """Show how far a backtest is, or what it gave."""
    if task.state in {"queued", "running"}:
        _watch(visit, task)
    elif task.state == "failed":
        st.error("It failed.", icon=":material/error:")
        if task.error is not None:
            show_text(task.error.message, limit=2000)
    elif task.state == "cancelled":
        st.info("It was cancelled.", icon=":material/cancel:")
    elif task.result is None:
        st.warning("It is done, and its result is gone.", icon=":material/warning:")
    else:
        if task.finished_at is not None:
            st.caption(f"Finished {said(task.finished_at, visit.now)}.")
        show_result(visit, task, rule)


def _watch(visit: Visit, task: models.HistoryTask) -> None:
    """Show the progress in a part of its own, so that the rest of the page stays as it is."""
    st.fragment(_progress, run_every=POLL_SECONDS)(visit, task)
    if visit.may_write:
        st.button(
            "Cancel it",
            icon=":material/cancel:",
            key=f"backtest-cancel-{task.id}",
            on_click=lambda: act("Cancelled", lambda: visit.client.cancel_backtest(task.id)),
        )


def _progress(visit: Visit, task: models.HistoryTask) -> None:
    # A fragment's first run is part of the page's own, which has just asked.
    first = f"backtest-polled-{task.id}"
    try:
        now = visit.client.get_backtest(task.id) if first in st.session_state else task
    except SentinelError as error:
        show_problem(error)
        return
    st.session_state[first] = True
    if now.state not in {"queued", "running"}:
        del st.session_state[first]
        st.rerun()
    done = now.progress.get("done", 0.0)
    share = min(1.0, max(0.0, float(done))) if isinstance(done, int | float) else 0.0
    phase = "waiting for a rule worker" if now.state == "queued" else line(now.progress.get("phase", "running"), 60)
    st.progress(share)
    show_text(f"{phase}, {share:.0%}")
    if now.state == "queued" and (utc_now() - now.created_at).total_seconds() > _NO_WORKER_SECONDS:
        st.caption("It still waits. Start a rule worker with `sentinel rule-worker`, or wait for a free one.")


def _table(found: Sequence[models.HistoryTask]) -> None:
    ids = [each.id for each in found]
    key = table_key("backtests", ids)
    opened = links.chosen("backtest")
    st.dataframe(
        [
            {
                "id": each.id,
                "what": line("; ".join(_named(asked) for asked in _asked(each)), 300),
                "range": line(_range(each), 100),
                "state": each.state,
                "begun": each.created_at,
            }
            for each in found
        ],
        column_config={
            "id": st.column_config.NumberColumn("id", width="small"),
            "what": st.column_config.TextColumn("what was tested", width="large"),
            "begun": time_column("begun"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(found), 250),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(opened)]}} if opened in ids else None,
        key=key,
        on_select=pick_row(key, ids, "backtest"),
    )


def _asked(task: models.HistoryTask) -> list[dict[str, Any]]:
    rules = task.request.get("rules")
    return [each for each in rules if isinstance(each, dict)] if isinstance(rules, list) else []


def _named(asked: dict[str, Any]) -> str:
    name, condition = str(asked.get("name") or ""), str(asked.get("condition") or "")
    return condition if not name or condition.startswith(name) else f"{name}: {condition}"


def _range(task: models.HistoryTask) -> str:
    span = task.request.get("range")
    if not isinstance(span, dict):
        return ""
    try:
        return " to ".join(absolute(datetime.fromisoformat(str(span[name]))) for name in ("from", "to"))
    except (KeyError, ValueError):
        return ""
