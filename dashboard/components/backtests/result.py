"""What a backtest gave: how often, when, beside which rules, how well; and what to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from dashboard.components.backtests.publish import show_publish
from dashboard.components.charts import Point, show_bars
from dashboard.components.rules.explanation import open_explain
from dashboard.components.text import NO_VALUE, compact, line, show_json, show_text
from dashboard.components.times import absolute
from dashboard.session import Visit
from sentinel.client import models


def show_result(visit: Visit, task: models.HistoryTask, rule: models.Rule | None) -> None:
    """Show the result of a backtest that is done."""
    result = task.result or {}
    tested: list[dict[str, Any]] = [each for each in result.get("rules", []) if isinstance(each, dict)]
    if not tested:
        st.info("It tested nothing.", icon=":material/info:")
        return
    place = 0
    if len(tested) > 1:
        place = st.selectbox(
            "Rule",
            range(len(tested)),
            format_func=lambda each: f"{each + 1}: {line(tested[each].get('rule', {}).get('name', ''), 80)}",
            key=f"backtest-rule-{task.id}",
        )
    found = tested[place]
    asked = found.get("rule", {})
    st.code(str(asked.get("condition", "")), language="sql", wrap_lines=True)
    _figures(result, found)
    _curve(task, result, found)
    _quality(result, found)
    _sweep(result)
    _overlap(found)
    _samples(task, found, rule)
    if visit.may_write:
        show_publish(visit, task, asked, rule)


def _figures(result: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    columns = st.columns(3)
    columns[0].metric("Events", f"{result.get('event_count', 0):,}", border=True)
    columns[1].metric("Matches", f"{found.get('matches', 0):,}", border=True)
    columns[2].metric(
        "Unknown",
        f"{found.get('unknown', 0):,} ({found.get('unknown_share', 0.0):.1%})",
        border=True,
        help="Events that lack what the rule needs.",
    )
    st.caption(f"Compiled for schema version {result.get('schema_version')}; it took {result.get('seconds', 0):.1f} s.")


def _curve(task: models.HistoryTask, result: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    starts = [datetime.fromisoformat(each) for each in result.get("buckets", [])]
    points = [
        Point(at, count, series)
        for series, name in (("matches", "curve"), ("unknown", "unknown_curve"))
        for at, count in zip(starts, found.get(name, []), strict=False)
    ]
    width = timedelta(seconds=result.get("bucket_seconds", 3600))
    span = {3600: "hour", 86_400: "day"}.get(int(width.total_seconds()), "week")
    show_bars(
        "Matches and unknown over time", f"events per {span}", points, width=width, key=f"backtest-curve-{task.id}"
    )


def _quality(result: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    quality = found.get("quality")
    if not isinstance(quality, dict):
        return
    labelled = result.get("labelled") or {}
    columns = st.columns(3)
    for column, name in zip(columns, ("precision", "recall", "f1"), strict=True):
        value = quality.get(name)
        words = {"f1": "F1"}.get(name, name.capitalize())
        column.metric(words, "no figure" if value is None else f"{value:.1%}", border=True)
    st.caption(
        f"Of {labelled.get('true', 0):,} true and {labelled.get('false', 0):,} false events; "
        f"{labelled.get('none', 0):,} have no label and are left out. "
        f"It found {quality.get('true_positives', 0):,}, missed {quality.get('false_negatives', 0):,} "
        f"and was wrong about {quality.get('false_positives', 0):,}."
    )


def _sweep(result: Mapping[str, Any]) -> None:
    points = result.get("sweep") or []
    if not points:
        return
    st.markdown("**With other numbers**")
    rows = []
    for each in points:
        row = {"number": line(each.get("value"), 60), "matches": each.get("matches")}
        if isinstance(each.get("quality"), dict):
            row |= {name: each["quality"].get(name) for name in ("precision", "recall")}
        rows.append(row)
    config = {
        "matches": st.column_config.NumberColumn("matches", format="localized"),
        "precision": st.column_config.NumberColumn("precision", format="percent"),
        "recall": st.column_config.NumberColumn("recall", format="percent"),
    }
    st.dataframe(rows, column_config=config, hide_index=True, placeholder=NO_VALUE)


def _overlap(found: Mapping[str, Any]) -> None:
    overlap = found.get("overlap") or []
    if not overlap:
        return
    st.markdown("**Beside the active rules**, events")
    st.dataframe(
        [
            {
                "rule": each.get("rule_id"),
                "description": line(each.get("description")),
                "both": each.get("both"),
                "only this": each.get("only_this"),
                "only that": each.get("only_that"),
            }
            for each in overlap
        ],
        column_config={
            "rule": st.column_config.NumberColumn("active rule", width="small"),
            "both": st.column_config.NumberColumn("both match", format="localized"),
            "only this": st.column_config.NumberColumn("only what was tested", format="localized"),
            "only that": st.column_config.NumberColumn("only the active rule", format="localized"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(overlap), 250),
    )


def _samples(task: models.HistoryTask, found: Mapping[str, Any], rule: models.Rule | None) -> None:
    samples = [each for each in found.get("samples") or [] if isinstance(each, dict)]
    if not samples:
        return
    st.markdown("**Some of the matching events**")
    for number, each in enumerate(samples):
        # An id may hold anything, so it is no label: those are read as Markdown.
        with st.expander(f"Event {number + 1}, {_time(each.get('event_time'))}"):
            show_text(f"{each.get('event_id')}, record {each.get('partition')}:{each.get('offset')}", limit=500)
            if each.get("event") is None:
                st.caption("It is too long to be kept here.")
            else:
                show_json(each["event"])
            if rule is not None:
                st.button(
                    "Explain it",
                    icon=":material/psychology:",
                    key=f"backtest-explain-{task.id}-{number}",
                    on_click=open_explain,
                    args=(rule.id, f"{each.get('partition')}:{each.get('offset')}"),
                )


def _time(text: Any) -> str:
    try:
        return absolute(datetime.fromisoformat(str(text)))
    except ValueError:
        return compact(text, 40)
