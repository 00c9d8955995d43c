"""The rules of a pipeline as a table, with what the job says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from dashboard.components.sections import pick_row, table_key
from dashboard.components.text import line
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import NotFoundError

# Each costs two requests of some milliseconds, and is kept so long, so that a click does not ask for all again.
MAX_FIGURES = 40
_KEPT = timedelta(seconds=60)
_FIGURES = "rule-figures"


@dataclass(frozen=True, slots=True)
class Figures:
    """What a job said of a rule in the last 24 hours; the cost is of one core, per event."""

    matched: int
    unknown: int
    suppressed: int
    evaluated: int
    microseconds: float | None


def figures_of(visit: Visit, rule_id: int) -> Figures:
    """Return the figures of a rule."""
    known: dict[int, tuple[datetime, Figures]] = st.session_state.setdefault(_FIGURES, {})
    found = known.get(rule_id)
    if found is not None and visit.now - found[0] < _KEPT:
        return found[1]
    hours = visit.client.list_rule_outcomes(rule_id, hours=24)
    try:
        cost: float | None = visit.client.get_rule_cost(rule_id).microseconds
    except NotFoundError:
        # It is not measured yet.
        cost = None
    figures = Figures(
        sum(each.matched for each in hours),
        sum(each.unknown for each in hours),
        sum(each.suppressed for each in hours),
        sum(each.evaluated for each in hours),
        cost,
    )
    known[rule_id] = (visit.now, figures)
    return figures


def show_list(visit: Visit, pipeline_id: int, rules: Sequence[models.Rule], opened: int | None) -> None:
    """Show rules. The one whose row is chosen stands in the address."""
    quarantined = {each.rule_id for each in visit.client.list_quarantines(pipeline_id) if each.released_at is None}
    with st.spinner("Asking what the job says of them…"):
        figures = {each.id: figures_of(visit, each.id) for each in rules[:MAX_FIGURES]}
    ids = [each.id for each in rules]
    key = table_key("rules", ids)
    st.dataframe(
        [
            {
                "id": each.id,
                "name": line(each.name, 100),
                "state": "in quarantine" if each.id in quarantined else each.state,
                "severity": each.severity,
                "what": line(each.description or each.short_form or each.rule_expression),
                "matched": figures[each.id].matched if each.id in figures else None,
                "unknown": figures[each.id].unknown if each.id in figures else None,
                "cost": figures[each.id].microseconds if each.id in figures else None,
                "version": each.version,
            }
            for each in rules
        ],
        column_config={
            "id": st.column_config.NumberColumn("id", width="small"),
            "name": st.column_config.TextColumn("rule", width="medium"),
            "state": st.column_config.TextColumn("state", width="small"),
            "what": st.column_config.TextColumn("what it says", width="medium"),
            "matched": st.column_config.NumberColumn("matched, 24 h", format="localized"),
            "unknown": st.column_config.NumberColumn(
                "unknown, 24 h", format="localized", help="Events that lack a field that the rule needs."
            ),
            "cost": st.column_config.NumberColumn("cost (µs per event)", format="%.2f"),
            "version": st.column_config.NumberColumn("version", width="small"),
        },
        hide_index=True,
        height=min(38 + 35 * len(rules), 400),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(opened)]}} if opened in ids else None,
        key=key,
        on_select=pick_row(key, ids, "rule"),
    )
    if len(rules) > MAX_FIGURES:
        st.caption(f"Figures are asked for the first {MAX_FIGURES}; choose a rule for its own, or narrow the list.")
