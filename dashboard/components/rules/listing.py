"""The rules of a pipeline as a table, with what the job says of them, and many of them switched at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import act, say_done
from dashboard.components.sections import table_key
from dashboard.components.text import NO_VALUE, line
from dashboard.components.times import time_column
from dashboard.session import Visit
from sentinel.client import models

_KEPT = timedelta(seconds=15)
_FIGURES = "rule-figures"


def figures_of(visit: Visit, pipeline_id: int) -> dict[int, models.RuleFigures]:
    """Return what was counted of each rule of a pipeline in the last 24 hours; kept for some seconds of clicking."""
    known: dict[int, tuple[datetime, dict[int, models.RuleFigures]]] = st.session_state.setdefault(_FIGURES, {})
    found = known.get(pipeline_id)
    if found is not None and visit.now - found[0] < _KEPT:
        return found[1]
    with st.spinner("Asking what the job says of them…"):
        figures = {each.rule_id: each for each in visit.client.list_rule_figures(pipeline_id)}
    known[pipeline_id] = (visit.now, figures)
    return figures


def is_held(quarantine: models.Quarantine, rule: models.Rule) -> bool:
    """Whether a quarantine keeps a rule out: one of an earlier version keeps that version alone out."""
    versions = {rule.version, rule.candidate.version if rule.candidate else rule.version}
    return quarantine.released_at is None and quarantine.rule_id == rule.id and quarantine.rule_version in versions


def show_list(visit: Visit, pipeline_id: int, rules: Sequence[models.Rule], opened: int | None) -> None:
    """Show rules. The one whose row is chosen stands in the address; of several the switches are offered."""
    quarantines = visit.client.list_quarantines(pipeline_id)
    held = {each.id for each in rules if any(is_held(found, each) for found in quarantines)}
    figures = figures_of(visit, pipeline_id)
    ids = [each.id for each in rules]
    key = table_key("rules", ids)
    state = st.dataframe(
        [_row(each, figures.get(each.id), each.id in held) for each in rules],
        column_config={
            "on": st.column_config.CheckboxColumn("on", width="small", help="It is evaluated and alerts."),
            "id": st.column_config.NumberColumn("id", width="small"),
            "name": st.column_config.TextColumn("rule", width="medium"),
            "state": st.column_config.TextColumn(
                "state",
                width="small",
                help="shadow: evaluated and counted, alerts nobody. rollout: alerts for a share.",
            ),
            "what": st.column_config.TextColumn("what it says", width="medium"),
            "matched": st.column_config.NumberColumn("matched, 24 h", format="localized"),
            "unknown": st.column_config.NumberColumn(
                "unknown, 24 h",
                format="percent",
                help="Share of events for which it could not be told: they lack a field that the rule needs.",
            ),
            "cost": st.column_config.NumberColumn("µs per event", format="%.2f", help="Of one core."),
            "last": time_column("last alert"),
            "version": st.column_config.NumberColumn("version", width="small"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(rules), 400),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(opened)]}} if opened in ids else None,
        key=key,
        on_select=_chosen(key, ids),
    )
    rows = state["selection"]["rows"]
    if len(rows) > 1 and visit.may_write:
        _switches(visit, [rules[row] for row in rows if row < len(rules)])


def _row(rule: models.Rule, figures: models.RuleFigures | None, held: bool) -> dict[str, object]:
    return {
        "on": rule.is_active and not held,
        "name": line(rule.name, 100),
        "what": line(rule.description or rule.short_form or rule.rule_expression),
        "state": "in quarantine" if held else rule.state,
        "matched": figures.matched if figures else None,
        "unknown": figures.unknown / figures.evaluated if figures and figures.evaluated else None,
        "last": figures.last_alert_at if figures else None,
        "cost": figures.microseconds if figures else None,
        "severity": rule.severity,
        "version": rule.version,
        "id": rule.id,
    }


def _chosen(key: str, ids: Sequence[int]) -> Callable[[], None]:
    def chosen() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        one = ids[rows[0]] if len(rows) == 1 and rows[0] < len(ids) else None
        links.keep({"rule": one, "test": None, "backtest": None, "event": None, "from": None, "to": None})

    return chosen


def _switches(visit: Visit, rules: Sequence[models.Rule]) -> None:
    on = [each for each in rules if each.state == "active"]
    off = [each for each in rules if each.state == "paused"]
    with st.container(horizontal=True):
        if on:
            st.button(
                f"Pause {len(on)}",
                icon=":material/pause:",
                key="rules-pause",
                on_click=lambda: _switch(visit, on, False),
            )
        if off:
            st.button(
                f"Resume {len(off)}",
                icon=":material/play_arrow:",
                key="rules-resume",
                on_click=lambda: _switch(visit, off, True),
            )
        if not on and not off:
            st.caption("Only active and paused rules can be switched together.")


def _switch(visit: Visit, rules: Sequence[models.Rule], is_active: bool) -> None:
    """Switch rules one after the other; what was done before a refusal stays done, and is told."""
    done = 0

    def each_of() -> None:
        nonlocal done
        for rule in rules:
            visit.client.set_rule_status(rule.id, is_active, if_version=rule.row_version)
            done += 1

    words = "resumed" if is_active else "paused"
    if not act(f"{len(rules)} {words}", each_of) and done:
        say_done(f"{done} of {len(rules)} {words}, then one was refused")
