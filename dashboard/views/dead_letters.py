"""Dead letters: records that are no events, by cause and time; mended and sent again, or discarded."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.components import links
from dashboard.components.dead_letters.bulk import show_bulk
from dashboard.components.dead_letters.counts import show_counts
from dashboard.components.dead_letters.detail import show_detail
from dashboard.components.dead_letters.filters import OPEN, ChosenLetters, choose
from dashboard.components.page import show_page
from dashboard.components.pipelines.choice import choose_pipeline
from dashboard.components.sections import choose_section, pick_row, table_key
from dashboard.components.text import NO_VALUE, line
from dashboard.components.times import time_column
from dashboard.session import Visit
from sentinel.client import models
from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.errors import NotFoundError

PAGE = 20
SECTIONS = {"list": "Records", "counts": "By cause and time"}
_NEWER = "letters-newer"


def dead_letters(visit: Visit) -> None:
    """Draw the page."""
    pipelines = visit.client.list_pipelines()
    if not pipelines:
        st.info("No pipeline yet, so there are no records: see the page “Pipelines”.", icon=":material/info:")
        return
    pipeline = choose_pipeline("letters-pipeline", pipelines, _begin_anew)
    st.caption("Records that could not be read as events: no JSON, a field missing, a wrong type. Nothing else waits.")
    section = choose_section("letters-section", SECTIONS)
    chosen = choose(_begin_anew)
    if chosen.cause is not None:
        st.caption(DeadLetterCause(chosen.cause).explanation)
    if section == "counts":
        show_counts(visit, pipeline, chosen)
        return
    before = links.chosen("before")
    with st.spinner("Looking for dead letters…"):
        page = visit.client.list_dead_letters(
            pipeline, limit=PAGE, before=before, raw=False, **chosen.wanted(visit.now)
        )
    if page.letters:
        _table(page.letters)
    else:
        _nothing(chosen, before)
    _pager(page.next_before, before)
    if visit.may_write and page.letters and chosen.state in {None, OPEN}:
        with st.expander("All that fit", icon=":material/done_all:"):
            show_bulk(visit, pipeline, chosen)
    opened = links.chosen("letter")
    if opened is None:
        return
    st.divider()
    try:
        letter = visit.client.get_dead_letter(pipeline, opened)
    except NotFoundError:
        st.warning(f"This pipeline has no dead letter {opened}.", icon=":material/link_off:")
        return
    show_detail(visit, pipeline, letter)


def _nothing(chosen: ChosenLetters, before: int | None) -> None:
    if before is not None:
        st.info("There is nothing older.", icon=":material/info:")
    elif chosen.cause is not None or chosen.time is not None:
        st.info("No dead letter fits this filter. Take something away from it.", icon=":material/filter_alt_off:")
    elif chosen.state == OPEN:
        st.info(
            "No open dead letter: every record so far is an event of the schema, or was seen to. State “all” shows "
            "what was redriven or discarded.",
            icon=":material/check_circle:",
        )
    else:
        st.info("No dead letter in this state.", icon=":material/filter_alt_off:")


def _table(found: Sequence[models.DeadLetter]) -> None:
    ids = [each.id for each in found]
    key = table_key("letters", ids)
    opened = links.chosen("letter")
    st.dataframe(
        [
            {
                "time": each.created_at,
                "state": each.state,
                "cause": each.cause.replace("_", " "),
                "field": line(each.field or "", 128),
                "detail": line(each.detail),
                "record": f"{each.kafka_partition}:{each.kafka_offset}",
                "size": each.raw_size_bytes,
            }
            for each in found
        ],
        column_config={
            "time": time_column("time"),
            "detail": st.column_config.TextColumn("what is wrong", width="large"),
            "size": st.column_config.NumberColumn("size", format="bytes"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(opened)]}} if opened in ids else None,
        key=key,
        on_select=pick_row(key, ids, "letter"),
    )


def _pager(next_before: int | None, before: int | None) -> None:
    newer: list[int | None] = st.session_state.setdefault(_NEWER, [])
    with st.container(horizontal=True):
        st.button("Newer", key="letters-page-newer", disabled=before is None, on_click=_back, args=(newer,))
        st.button(
            "Older",
            key="letters-page-older",
            disabled=next_before is None,
            on_click=_on,
            args=(newer, before, next_before),
        )
        st.button("Refresh", icon=":material/refresh:", key="letters-refresh")


def _begin_anew() -> None:
    links.keep({"before": None, "letter": None})
    st.session_state.pop(_NEWER, None)


def _on(newer: list[int | None], before: int | None, oldest: int) -> None:
    newer.append(before)
    links.keep({"before": oldest, "letter": None})


def _back(newer: list[int | None]) -> None:
    links.keep({"before": newer.pop() if newer else None, "letter": None})


show_page("Dead letters", dead_letters)
