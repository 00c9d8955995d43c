"""Dead letters: records that are no events, by cause, with what is wrong and the record itself."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.components import links
from dashboard.components.page import show_page
from dashboard.components.pipeline_choice import choose_pipeline
from dashboard.components.sections import pick_row, table_key
from dashboard.components.text import BLOCK_CHARACTERS, line, plain, show_text
from dashboard.components.times import said, time_column
from dashboard.session import Visit
from sentinel.client import models
from sentinel.domain.dead_letter import DeadLetterCause

# Each comes with up to 256 KiB of its record.
PAGE = 20
CAUSES = tuple(DeadLetterCause)
_NEWER = "letters-newer"


def dead_letters(visit: Visit) -> None:
    """Draw the page."""
    pipelines = visit.client.list_pipelines()
    if not pipelines:
        st.info("No pipeline yet, so there are no records: see the page “Pipelines”.", icon=":material/info:")
        return
    pipeline = choose_pipeline("letters-pipeline", pipelines, _begin_anew)
    links.seed("letters-cause", "cause", links.one_of(tuple(CAUSES)))
    cause = st.selectbox(
        "Cause",
        [None, *(each.value for each in CAUSES)],
        format_func=lambda each: "all" if each is None else each.replace("_", " "),
        key="letters-cause",
        on_change=_begin_anew,
    )
    links.keep({"cause": cause})
    if cause is not None:
        st.caption(DeadLetterCause(cause).explanation)
    before = links.chosen("before")
    with st.spinner("Looking for dead letters…"):
        found = visit.client.dead_letters(pipeline, cause=cause, limit=PAGE, before=before)
    if found:
        _table(found)
    elif before is not None:
        st.info("There is nothing older.", icon=":material/info:")
    elif cause is not None:
        st.info("No dead letter of this cause.", icon=":material/filter_alt_off:")
    else:
        st.info("No dead letter: every record so far is an event of the schema.", icon=":material/check_circle:")
    _pager(found, before)
    opened = links.chosen("letter")
    if opened is None:
        return
    letter = next((each for each in found if each.id == opened), None)
    if letter is None:
        older = visit.client.dead_letters(pipeline, limit=1, before=min(opened + 1, 2**63 - 1))
        letter = next((each for each in older if each.id == opened), None)
    st.divider()
    if letter is None:
        st.warning(f"This pipeline has no dead letter {opened}.", icon=":material/link_off:")
        return
    _detail(visit, letter)


def _table(found: Sequence[models.DeadLetter]) -> None:
    ids = [each.id for each in found]
    key = table_key("letters", ids)
    opened = links.chosen("letter")
    st.dataframe(
        [
            {
                "time": each.created_at,
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
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(opened)]}} if opened in ids else None,
        key=key,
        on_select=pick_row(key, ids, "letter"),
    )


def _pager(found: Sequence[models.DeadLetter], before: int | None) -> None:
    newer: list[int | None] = st.session_state.setdefault(_NEWER, [])
    with st.container(horizontal=True):
        st.button("Newer", key="letters-page-newer", disabled=before is None, on_click=_back, args=(newer,))
        oldest = found[-1].id if len(found) == PAGE else None
        st.button(
            "Older", key="letters-page-older", disabled=oldest is None, on_click=_on, args=(newer, before, oldest)
        )
        st.button("Refresh", icon=":material/refresh:", key="letters-refresh")


def _detail(visit: Visit, letter: models.DeadLetter) -> None:
    st.subheader(f"Dead letter {letter.id}", anchor=False)
    if letter.cause in set(CAUSES):
        st.caption(DeadLetterCause(letter.cause).explanation)
    show_text(letter.detail, limit=2000)
    if letter.field:
        show_text(f"field: {letter.field}")
    show_text(
        f"record {letter.kafka_offset} of partition {letter.kafka_partition}, {letter.raw_size_bytes:,} bytes, "
        f"{said(letter.created_at, visit.now)}"
    )
    if letter.raw_text is None:
        st.caption("The record has no value.")
        return
    st.markdown("**The record, as it came**")
    st.code(plain(letter.raw_text, BLOCK_CHARACTERS), language=None, wrap_lines=True, height=300)
    st.caption("Bytes that are no UTF-8 show as U+FFFD; marks that nobody sees are spelled out.")


def _begin_anew() -> None:
    links.keep({"before": None, "letter": None})
    st.session_state.pop(_NEWER, None)


def _on(newer: list[int | None], before: int | None, oldest: int) -> None:
    newer.append(before)
    links.keep({"before": oldest, "letter": None})


def _back(newer: list[int | None]) -> None:
    links.keep({"before": newer.pop() if newer else None, "letter": None})


show_page("Dead letters", dead_letters)
