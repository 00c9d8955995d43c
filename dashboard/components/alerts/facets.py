"""How the alerts of the filter divide: counts beside the filters, and what a click on one of them chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.components.acts import acted
from dashboard.components.alerts.filters import DISPOSITIONS, SEVERITIES, STATUSES, Chosen, set_filter
from dashboard.components.sections import table_key
from dashboard.components.text import NO_VALUE, line
from dashboard.components.times import said
from dashboard.session import Visit
from sentinel.client.alert_finding import AlertFacets, FacetCount
from sentinel.errors import RateLimitedError, TooBroadError

_KEPT = "alerts-facets"
# Alerts come all the time, and a page is drawn anew with every click: counts may be that old, except after an act.
_KEPT_FOR = timedelta(seconds=15)
_UNJUDGED = "not judged yet"


def show_facets(visit: Visit, chosen: Chosen, beside: Mapping[str, DeltaGenerator]) -> None:
    """Show the counts.

    Args:
        beside: Places next to the widgets of `status` and `severity`.
    """
    try:
        found = _counted(visit, chosen)
    except (TooBroadError, RateLimitedError):
        st.caption(":material/functions: These are too many to be counted now; narrow the filter by time.")
        return
    more = "" if found.since is None else "+"
    beside["status"].caption(_words(found.status, STATUSES, more))
    beside["severity"].caption(_words(found.severity, SEVERITIES, more))
    fit = "alert fits" if found.total == 1 else "alerts fit"
    with st.expander(f"{found.total:,}{more} {fit}: by pipeline, rule, what raised them and what they were"):
        if found.since is not None:
            st.caption(
                f"Counted among the newest {found.looked_at:,} alerts, those since {said(found.since, visit.now)}: "
                "each count may be higher. Narrow the filter by time for exact ones."
            )
        _tables(found)


def _counted(visit: Visit, chosen: Chosen) -> AlertFacets:
    kept = st.session_state.get(_KEPT)
    key = (chosen, visit.caller.tenant_id, acted())
    if kept is None or kept[0] != key or not timedelta(0) <= visit.now - kept[1] < _KEPT_FOR:
        with st.spinner("Counting…"):
            kept = (key, visit.now, visit.client.count_alerts(**chosen.wanted(visit.now)))
        st.session_state[_KEPT] = kept
    found: AlertFacets = kept[2]
    return found


def _words(counts: Sequence[FacetCount], order: Sequence[str], more: str) -> str:
    known = {each.value: each.count for each in counts}
    return " · ".join(f"{word} {known.get(word, 0):,}{more}" for word in order)


def _tables(found: AlertFacets) -> None:
    st.caption("A row that is clicked becomes the filter.")
    left, right = st.columns(2)
    with left:
        _table("pipeline", [(each, line(each.name or each.value, 60)) for each in found.pipeline])
        _table(
            "raised by",
            [(each, f"any {each.value}") for each in found.source]
            + [(each, f"detector {line(each.value, 60)}") for each in found.detector],
        )
    with right:
        _table("rule", [(each, line(each.name or each.value, 60)) for each in found.rule])
        _table(
            "it was",
            [(each, each.value.replace("_", " ") or _UNJUDGED) for each in found.disposition],
        )


def _table(name: str, rows: Sequence[tuple[FacetCount, str]]) -> None:
    if not rows:
        return
    key = table_key(f"alert-facet-{name}", [(each.value, each.count) for each, _ in rows])

    def chosen() -> None:
        picked = st.session_state[key]["selection"]["rows"]
        if picked and picked[0] < len(rows):
            set_filter(**filter_of(name, rows[picked[0]][0]))

    st.dataframe(
        [{name: words, "alerts": each.count} for each, words in rows],
        column_config={
            name: st.column_config.TextColumn(name, width="medium"),
            "alerts": st.column_config.NumberColumn("alerts", format="localized", width="small"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(rows), 213),
        on_select=chosen,
        selection_mode="single-row",
        key=key,
    )


def filter_of(facet: str, found: FacetCount) -> dict[str, Any]:
    """Return what a click on a count makes of the filter."""
    match facet:
        case "pipeline":
            return {"pipeline": int(found.value), "rule": None}
        case "rule":
            return {"pipeline": found.pipeline_id, "rule": int(found.value)}
        case "raised by":
            return {"by": found.value}
        case _:
            # There is no filter for alerts that nobody judged.
            return {"judged": found.value if found.value in DISPOSITIONS else None}
