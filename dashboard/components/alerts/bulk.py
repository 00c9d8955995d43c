"""The same change of all alerts that fit the filter: counted first, then done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.components.acts import count_act
from dashboard.components.alerts.filters import DISPOSITIONS, Chosen
from dashboard.components.alerts.work import VERBS
from dashboard.components.problems import show_problem
from dashboard.components.text import NO_VALUE, line
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import SentinelError

_COUNTED = "bulk-counted"
SHOWN_CONFLICTS = 100


@dataclass(slots=True)
class Tally:
    """What the requests of one bulk action did so far."""

    changed: int = 0
    unchanged: int = 0
    conflicts: int = 0

    def add(self, done: models.AlertAction) -> None:
        """Count one request."""
        self.changed += done.changed
        self.unchanged += done.unchanged
        self.conflicts += done.conflicts


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted: for which filter and which change, and with the parameters that do exactly that."""

    chosen: Chosen
    changes: dict[str, Any]
    wanted: dict[str, Any]
    tally: Tally


def show_bulk(visit: Visit, chosen: Chosen) -> None:
    """Offer to change all alerts that fit."""
    if chosen.is_empty:
        st.caption("Nothing is filtered: this is about **all alerts there are**.")
    changes = _changes()
    if not changes:
        st.caption("Choose what is to change.")
        return
    if st.button("Count first", icon=":material/calculate:", key="bulk-count"):
        _count(visit, chosen, changes)
    counted: Counted | None = st.session_state.get(_COUNTED)
    if counted is None or (counted.chosen, counted.changes) != (chosen, changes):
        return
    tally = counted.tally
    st.write(
        f"{tally.changed:,} would change, {tally.unchanged:,} are so already, "
        f"{tally.conflicts:,} would stay because their status does not allow it."
    )
    if tally.changed and st.button(
        f"Change {tally.changed:,} alerts", type="primary", icon=":material/done_all:", key="bulk-do"
    ):
        del st.session_state[_COUNTED]
        _do(visit, counted)


def _changes() -> dict[str, Any]:
    verb, judge, assign = st.columns(3)
    changes: dict[str, Any] = {}
    status = verb.selectbox(
        "Status", [None, *VERBS], format_func=lambda word: VERBS.get(word, "stays"), key="bulk-status"
    )
    if status is not None:
        changes["status"] = status
    judged = judge.selectbox(
        "It was", [None, *DISPOSITIONS], format_func=lambda word: (word or "stays").replace("_", " "), key="bulk-judged"
    )
    if judged is not None:
        changes["disposition"] = judged
    assignee = assign.text_input("Assignee", key="bulk-assignee", max_chars=128, placeholder="stays").strip()
    if assignee:
        changes["assignee"] = assignee
    return changes


def _count(visit: Visit, chosen: Chosen, changes: dict[str, Any]) -> None:
    wanted = chosen.wanted(visit.now)
    # What comes from now on was not counted, so it is not changed either.
    wanted["until"] = min(wanted.get("until", visit.now), visit.now)
    tally = Tally()
    try:
        with st.spinner("Counting…"):
            for done in visit.client.change_matching_alerts(wanted, dry_run=True, **changes):
                tally.add(done)
    except SentinelError as error:
        show_problem(error)
        return
    st.session_state[_COUNTED] = Counted(chosen, changes, wanted, tally)


def _do(visit: Visit, counted: Counted) -> None:
    tally = Tally()
    reasons: list[models.AlertConflict] = []
    bar = st.progress(0.0, "Changing… stay on this page until it is done.")
    try:
        for done in visit.client.change_matching_alerts(counted.wanted, **counted.changes):
            tally.add(done)
            reasons += done.conflict_details[: SHOWN_CONFLICTS - len(reasons)]
            bar.progress(
                min(1.0, tally.changed / counted.tally.changed),
                f"{tally.changed:,} changed… stay on this page until it is done.",
            )
    except SentinelError as error:
        show_problem(error)
        st.warning(
            f"{tally.changed:,} were changed before that, and stay so. Count again to go on with the others.",
            icon=":material/warning:",
        )
        return
    finally:
        bar.empty()
        count_act()
    st.success(f"{tally.changed:,} were changed.", icon=":material/check:")
    if tally.conflicts:
        st.caption(f"{tally.conflicts:,} were left as they were:")
        st.dataframe(
            [{"alert": each.alert_id, "why": line(each.reason, 300)} for each in reasons],
            hide_index=True,
            placeholder=NO_VALUE,
        )
