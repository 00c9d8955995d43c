"""Alerts: found by filters, looked at, worked on, taken along as CSV."""

from __future__ import annotations

import streamlit as st

from dashboard.components import links
from dashboard.components.alerts.bulk import show_bulk
from dashboard.components.alerts.detail import show_detail
from dashboard.components.alerts.export import show_export
from dashboard.components.alerts.facets import show_facets
from dashboard.components.alerts.filters import Chosen, choose, clear
from dashboard.components.alerts.listing import show_list
from dashboard.components.first_steps import show_steps_of
from dashboard.components.page import show_page
from dashboard.components.problems import show_problem
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import NotFoundError

PAGE = 50
# A search gives each request about two seconds (docs/api.md), so a page is what some requests found.
REQUESTS_PER_PAGE = 4
_NEWER = "alerts-newer"
_FILTER = "alerts-filter"


def alerts(visit: Visit) -> None:
    """Draw the page."""
    pipelines = visit.client.list_pipelines()
    names = {each.id: each.name for each in pipelines}
    chosen, beside = choose(visit, pipelines)
    if st.session_state.get(_FILTER, chosen) != chosen:
        # Another filter begins at its newest alert.
        st.query_params.pop("before", None)
        st.session_state.pop(_NEWER, None)
    st.session_state[_FILTER] = chosen
    before = links.chosen("before")
    counts = st.container()
    with st.spinner("Looking for alerts…"):
        found = _page(visit, chosen, before)
    opened = links.chosen("alert")
    if chosen.is_empty and before is None and opened is None and not found.alerts and found.next_before is None:
        # Counts, files and bulk changes of nothing would only be in the way.
        st.info("No alert yet. As soon as an event matches a rule, it is listed here.", icon=":material/info:")
        show_steps_of(visit, pipelines)
        return
    _table(found, names, chosen, opened, before)
    # Their place is above, their time after: nobody waits for counts to see the alerts.
    with counts:
        show_facets(visit, chosen, beside)
    with st.popover("CSV", icon=":material/download:"):
        show_export(visit, chosen)
    if visit.may_write:
        with st.expander("Change all that fit", icon=":material/done_all:"):
            show_bulk(visit, chosen)
    if opened is not None:
        st.divider()
        try:
            show_detail(visit, opened, names)
        except NotFoundError as error:
            show_problem(error)


def _page(visit: Visit, chosen: Chosen, before: int | None) -> models.AlertPage:
    """Read on where a search found nothing yet, for a while."""
    wanted = chosen.wanted(visit.now)
    page = visit.client.list_alerts(limit=PAGE, before=before, **wanted)
    for _ in range(REQUESTS_PER_PAGE - 1):
        if page.alerts or page.next_before is None:
            break
        page = visit.client.list_alerts(limit=PAGE, before=page.next_before, **wanted)
    return page


def _table(
    page: models.AlertPage, names: dict[int, str], chosen: Chosen, opened: int | None, before: int | None
) -> None:
    if page.alerts:
        show_list(page.alerts, names, opened)
    elif page.next_before is not None:
        st.info("Nothing that fits so far. “Older” looks on from here.", icon=":material/search:")
    elif before is not None:
        st.info("There is nothing older.", icon=":material/info:")
    else:
        st.info("No alert fits this filter. Take something away from it.", icon=":material/filter_alt_off:")
    newer: list[int | None] = st.session_state.setdefault(_NEWER, [])
    with st.container(horizontal=True):
        st.button(
            "Newer",
            icon=":material/chevron_left:",
            key="alerts-page-newer",
            disabled=before is None,
            on_click=_back,
            args=(newer,),
        )
        st.button(
            "Older",
            icon=":material/chevron_right:",
            key="alerts-page-older",
            disabled=page.next_before is None,
            on_click=_on,
            args=(newer, before, page.next_before),
        )
        st.button("Refresh", icon=":material/refresh:", key="alerts-refresh")
        if not chosen.is_empty:
            st.button("Clear the filter", icon=":material/filter_alt_off:", key="alerts-clear", on_click=clear)


def _on(newer: list[int | None], before: int | None, next_before: int) -> None:
    newer.append(before)
    links.keep({"before": next_before})


def _back(newer: list[int | None]) -> None:
    # A link that began in the middle knows no newer page: its first one is the newest.
    links.keep({"before": newer.pop() if newer else None})


show_page("Alerts", alerts)
