"""How many dead letters there are: by cause and state, and per hour."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import streamlit as st

from dashboard.components.charts import Point, show_bars
from dashboard.components.dead_letters.filters import ChosenLetters
from dashboard.components.text import NO_VALUE
from dashboard.session import Visit
from sentinel.client.dead_letters import CauseCount

# Colours and marks that can be told apart; rarer causes are summed up.
MOST_CAUSES = 6
HOUR = timedelta(hours=1)
REST = "other"


def show_counts(visit: Visit, pipeline_id: int, chosen: ChosenLetters) -> None:
    """Draw the counts of what fits the filter."""
    with st.spinner("Counting…"):
        found = visit.client.count_dead_letters(pipeline_id, since=chosen.since(visit.now))
    causes = [each for each in found.causes if _fits(each, chosen)]
    if not causes:
        st.info("No dead letter fits this filter.", icon=":material/check_circle:")
        return
    st.dataframe(_table(causes), hide_index=True, placeholder=NO_VALUE, key="letters-causes")
    if found.hours:
        show_bars(
            "Dead letters by the hour in which they were found",
            "records",
            points([each for each in found.hours if _fits(each, chosen)]),
            width=HOUR,
            key="letters-hours",
        )
    if chosen.time is None:
        st.caption("The chart begins 7 days ago; choose a span under “Found” for another one.")


def points(hours: list[CauseCount]) -> list[Point]:
    """Return a point for each hour and cause; states are summed up, rare causes under one name."""
    totals: Counter[str] = Counter()
    for each in hours:
        totals[each.cause] += each.count
    common = [cause for cause, _ in totals.most_common(MOST_CAUSES)]
    if len(totals) > MOST_CAUSES:
        common = common[:-1]
    summed: Counter[tuple[str, datetime]] = Counter()
    for each in hours:
        if each.hour is not None:
            summed[each.cause if each.cause in common else REST, each.hour] += each.count
    return [Point(hour, float(count), cause.replace("_", " ")) for (cause, hour), count in sorted(summed.items())]


def _fits(each: CauseCount, chosen: ChosenLetters) -> bool:
    return chosen.state in {None, each.state} and chosen.cause in {None, each.cause}


def _table(causes: list[CauseCount]) -> list[dict[str, object]]:
    rows: dict[str, Counter[str]] = {}
    for each in causes:
        rows.setdefault(each.cause, Counter())[each.state] += each.count
    ranked = sorted(rows.items(), key=lambda item: -item[1].total())
    return [
        {"cause": cause.replace("_", " "), "records": n.total(), **{s: n[s] for s in ("open", "redriven", "discarded")}}
        for cause, n in ranked
    ]
