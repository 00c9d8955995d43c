"""The lake: SQL over every event that a pipeline read, its answer as a table, a chart or a file."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard.components import links
from dashboard.components.lake.plot import ALONG, BY, UP
from dashboard.components.lake.result import show_result
from dashboard.components.lake.tables import show_tables
from dashboard.components.page import show_page
from dashboard.components.problems import show_problem
from dashboard.components.rules.editor import mark
from dashboard.components.text import sendable, show_text
from dashboard.session import Visit
from sentinel.client.lake import LakeAnswer
from sentinel.errors import InvalidQueryError, SentinelError, UnauthenticatedError

_SQL, _LIMIT, _OUTCOME = "lake-sql", "lake-limit", "lake-outcome"
LIMITS = (100, 1_000, 5_000, 10_000)
# What an address may hold, in every browser.
MAX_IN_ADDRESS = 6_000
MAX_SQL = 100_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a query: an answer, or an error."""

    sql: str
    answer: LakeAnswer | None
    error: SentinelError | None


def lake(visit: Visit) -> None:
    """Draw the page."""
    links.seed(_SQL, "sql", links.text_of(MAX_IN_ADDRESS))
    links.seed(_LIMIT, "limit", _limit)
    st.session_state.setdefault(_LIMIT, 1_000)
    with st.expander("Tables", icon=":material/table:", expanded=_OUTCOME not in st.session_state):
        show_tables(visit, _put)
    with st.form("lake", border=False):
        st.text_area(
            "SQL",
            key=_SQL,
            height=160,
            max_chars=MAX_SQL,
            placeholder="SELECT country, count(*) AS events FROM events_1 GROUP BY country",
            help="One SELECT in DuckDB's SQL; Ctrl+Enter runs it. A filter on `date` reads only those days.",
        )
        row = st.columns([1, 3], vertical_alignment="bottom")
        row[0].selectbox("Rows at most", LIMITS, key=_LIMIT, format_func="{:,}".format)
        wanted = row[1].form_submit_button("Run", type="primary", icon=":material/play_arrow:")
    if wanted:
        _run(visit)
    outcome: Outcome | None = st.session_state.get(_OUTCOME)
    if outcome is not None:
        _show(outcome)


def _limit(text: str) -> int:
    found = links.number(text)
    if found not in LIMITS:
        raise ValueError(text)
    return found


def _put(sql: str) -> None:
    st.session_state[_SQL] = sql


def _run(visit: Visit) -> None:
    sql, limit = str(st.session_state[_SQL]), int(st.session_state[_LIMIT])
    st.session_state.pop(_OUTCOME, None)
    if st.query_params.get("sql") != sql:
        # What the link says of the plot of another query means nothing for this one.
        links.keep(dict.fromkeys((ALONG, UP, BY)))
    links.keep({"sql": sql if len(sql) <= MAX_IN_ADDRESS else None, "limit": limit})
    if not sql.strip():
        st.info("Write a query first.", icon=":material/info:")
        return
    try:
        with st.spinner("Asking the lake…", show_time=True):
            outcome = Outcome(sql, visit.client.query_lake(sendable(sql), limit=limit), None)
    except UnauthenticatedError:
        raise
    except SentinelError as error:
        outcome = Outcome(sql, None, error)
    st.session_state[_OUTCOME] = outcome


def _show(outcome: Outcome) -> None:
    if outcome.sql != st.session_state[_SQL]:
        st.caption("Of the query that was run last, not of what stands in the box now.")
    if outcome.answer is not None:
        show_result(outcome.answer)
    elif isinstance(outcome.error, InvalidQueryError):
        st.error("This query cannot run.", icon=":material/error:")
        marked = mark(outcome.sql, outcome.error.position, None)
        if marked:
            st.code(marked, language=None)
        show_text(outcome.error.message, limit=2000)
    elif outcome.error is not None:
        show_problem(outcome.error)


show_page("Lake", lake)
