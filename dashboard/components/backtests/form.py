"""What to test on which part of the past."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import say_done
from dashboard.components.problems import show_problem
from dashboard.components.rules.editor import show_check, typed_text
from dashboard.components.text import line, sendable
from dashboard.components.times import zone, zone_name
from dashboard.session import Visit
from sentinel.client import models
from sentinel.clock import utc_now
from sentinel.errors import InvalidError, SentinelError

SPANS = {"24 hours": 1, "7 days": 7, "30 days": 30, "90 days": 90, "between two days": None}
# Texts as they were written; a backtest itself keeps the condition alone.
_TEXTS = "backtest-texts"


def is_about(asked: Mapping[str, Any], rule: models.Rule) -> bool:
    """Whether a tested rule is a version of this one, or a text that was tested in its place."""
    return asked.get("rule_id") == rule.id or asked.get("name") == _tag(rule)


def tested_text(task: models.HistoryTask, asked: Mapping[str, Any]) -> str:
    """Return the text that was tested: as it was written where this session wrote it, else its condition."""
    written: dict[int, str] = st.session_state.get(_TEXTS, {})
    return written.get(task.id, str(asked.get("condition", "")))


def show_form(visit: Visit, pipeline_id: int, rule: models.Rule | None) -> None:
    """Ask what to test, and start it; it runs on the rule worker, beside the page."""
    key = f"backtest-{pipeline_id}-{rule.id if rule else 'new'}"
    chosen = _what(visit, pipeline_id, key, rule)
    span = st.selectbox("On the events of the last", list(SPANS), index=1, key=f"{key}-span")
    first = last = None
    if SPANS[span] is None:
        row = st.columns(2)
        today = visit.now.astimezone(zone()).date()
        first = row[0].date_input(f"First day ({zone_name()})", today - timedelta(days=7), key=f"{key}-first")
        last = row[1].date_input(f"Last day ({zone_name()})", today, key=f"{key}-last")
    labels = _labels(visit, pipeline_id, key)
    with st.popover("Try other numbers", icon=":material/tune:"):
        st.caption("A number of the condition, as it is written there, and what to put in its place.")
        constant = st.text_input("Number", key=f"{key}-constant", max_chars=60, placeholder="500")
        values = st.text_input("Others", key=f"{key}-values", max_chars=500, placeholder="100, 250, 1000")
    if not st.button("Test it", type="primary", icon=":material/history:", key=f"{key}-start", disabled=chosen is None):
        return
    now = utc_now()
    try:
        if first is not None and last is not None:
            start, end = _midnight(first), _midnight(last + timedelta(days=1))
        else:
            start, end = now - timedelta(days=SPANS[span] or 1), now
        more: dict[str, Any] = {**labels}
        if constant.strip():
            more["sweep"] = {"rule": 0, "constant": constant.strip(), "values": _numbers(values)}
        with st.spinner("Asking for it…"):
            made = visit.client.start_backtest(pipeline_id, [chosen or {}], start, end, **more)
    except SentinelError as error:
        show_problem(error)
        return
    if chosen and "expression" in chosen:
        st.session_state.setdefault(_TEXTS, {})[made.id] = chosen["expression"]
    links.keep({"backtest": made.id})
    say_done(f"Backtest {made.id} has begun")
    st.rerun()


def _what(visit: Visit, pipeline_id: int, key: str, rule: models.Rule | None) -> dict[str, Any] | None:
    """Return what to test; None: nothing that can be tested is there."""
    if rule is not None:
        offered: dict[str, Any] = {f"version {rule.version}, as it is": {"rule_id": rule.id, "version": rule.version}}
        if rule.candidate is not None:
            version = rule.candidate.version
            offered[f"version {version}, tried beside it"] = {"rule_id": rule.id, "version": version}
        typed = typed_text(rule)
        if typed is not None:
            offered["the text in the editor"] = {"expression": typed, "name": _tag(rule)}
        offered["another text"] = None
        choice = st.selectbox("What", list(offered), key=f"{key}-what-{len(offered)}-{rule.row_version}")
        if offered[choice] is not None:
            return dict(offered[choice])
    text = st.text_area(
        "Rule",
        key=f"{key}-text",
        height=110,
        persist_state="session",
        placeholder='amount > 500     or     when amount > 500 then severity("warning")',
    )
    if not text.strip():
        return None
    try:
        with st.spinner("Checking…"):
            check = visit.client.check_rule(sendable(text), pipeline_id=pipeline_id)
    except SentinelError as error:
        show_problem(error)
        return None
    show_check(text, check)
    if not check.valid:
        return None
    return {"expression": text, "name": _tag(rule)} if rule is not None else {"expression": text}


def _tag(rule: models.Rule) -> str:
    return f"rule {rule.id}, another text"


LABELS_HELP = "With it precision and recall are computed: how many of its matches are right, and how many it misses."


def _labels(visit: Visit, pipeline_id: int, key: str) -> dict[str, Any]:
    """Offer where it is known what is true of events, and return the choice as the API takes it."""
    schema = visit.client.get_schema(pipeline_id)
    offered: dict[str, dict[str, Any]] = {"nothing: matches are counted alone": {}}
    for each in schema.fields:
        if each.type in {"boolean", "integer"}:
            offered[f"field {line(each.name, 60)}"] = {"label_column": each.name}
    for labels in visit.client.list_labels(pipeline_id):
        words = f"{line(labels.name, 60)} ({labels.id}): {labels.label_count:,} labels, {labels.true_count:,} true"
        offered[words] = {"label_set_id": labels.id}
    chosen = st.selectbox(
        "Which events it should find is known from", list(offered), key=f"{key}-labels", help=LABELS_HELP
    )
    with st.popover("Upload labels", icon=":material/upload:"):
        st.caption("CSV with a heading: event ids in the first column, 1/0, true/false or yes/no in the second.")
        file = st.file_uploader("CSV file", type=["csv", "txt"], key=f"{key}-labels-file")
        name = st.text_input("What to call them", key=f"{key}-labels-name", max_chars=128)
        ready = file is not None and name.strip()
        if st.button("Upload them", key=f"{key}-labels-add", disabled=not ready) and file is not None:
            try:
                with st.spinner("Uploading…", show_time=True):
                    visit.client.add_labels(pipeline_id, sendable(name.strip()), bytes(file.getvalue()))
            except SentinelError as error:
                show_problem(error)
            else:
                say_done("The labels are there")
                st.rerun()
    return offered[chosen]


def _midnight(day: Any) -> datetime:
    return datetime.combine(day, time(), zone()).astimezone(UTC)


def _numbers(text: str) -> list[str]:
    """Read numbers between commas.

    Raises:
        InvalidError: One of them is none.
    """
    found = []
    for each in text.split(","):
        try:
            number = Decimal(each.strip())
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise InvalidError(f"{line(each.strip(), 60)!r} is no number; write them as 100, 250, 1000")
        found.append(f"{number:f}")
    return found
