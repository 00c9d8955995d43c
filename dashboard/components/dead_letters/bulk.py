"""Redrive or discard all open dead letters that fit the filter: a dry run first, then exactly that."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from dashboard.components.acts import say_done
from dashboard.components.dead_letters.filters import ChosenLetters
from dashboard.components.problems import show_problem
from dashboard.components.text import NO_VALUE, show_text
from dashboard.session import Visit
from sentinel.client.dead_letters import RedriveReport
from sentinel.errors import SentinelError

_COUNTED, _DISCARDED = "letters-counted", "letters-discard-counted"
# A dry run judges so many, a redrive sends so many a request; a page waits for some minutes at most.
JUDGED, SENT, RATE = 200, 100, 50.0
MOST_REQUESTS = 60
SHOWN_LEFT = 10


@dataclass(slots=True)
class Tally:
    """What the requests of one action did together. `after` is where it goes on; None: it is complete."""

    events: int = 0
    sent: int = 0
    left: int = 0
    by_cause: Counter[str] = field(default_factory=Counter)
    by_why: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)
    after: int | None = 0
    stopped: str = ""

    def add(self, report: RedriveReport) -> None:
        """Count one request."""
        self.events += report.events or 0
        self.sent += report.sent
        self.left += report.left
        self.by_cause.update(report.by_cause)
        self.by_why.update(report.left_by)
        self.details += [f"{each.id}: {each.detail}" for each in report.left_details]
        self.after, self.stopped = report.next, report.stopped


@dataclass(frozen=True, slots=True)
class Counted:
    """What a dry run found, and for what: the redrive is about the same, so what came since is left alone."""

    pipeline_id: int
    chosen: ChosenLetters
    wanted: dict[str, Any]
    tally: Tally


def show_bulk(visit: Visit, pipeline_id: int, chosen: ChosenLetters) -> None:
    """Offer to send again, or to discard, all that fit."""
    st.caption(
        "This is about **all open dead letters that fit the filter**, with their records as they came. What would be a "
        "dead letter again stays open."
    )
    wanted = {"cause": chosen.cause, "since": chosen.since(visit.now), "until": visit.now}
    if st.button("Dry run", icon=":material/calculate:", key="letters-dry-run"):
        tally = Tally()
        try:
            with st.spinner("Checking each record…"):
                _run(visit, pipeline_id, wanted, tally, dry_run=True)
        except SentinelError as error:
            show_problem(error)
        else:
            st.session_state[_COUNTED] = Counted(pipeline_id, chosen, wanted, tally)
    counted: Counted | None = st.session_state.get(_COUNTED)
    if counted is not None and (counted.pipeline_id, counted.chosen) == (pipeline_id, chosen):
        _offer(visit, counted)
    _discard_all(visit, pipeline_id, chosen, wanted)


def _offer(visit: Visit, counted: Counted) -> None:
    tally = counted.tally
    more = " so far; there are more" if tally.after is not None else ""
    st.write(
        f"{tally.events:,} would be events now, {sum(tally.by_cause.values()):,} dead letters again, "
        f"{tally.left - tally.by_why['no_event']:,} cannot be sent{more}."
    )
    if tally.by_cause:
        rows = [{"cause of now": cause.replace("_", " "), "records": n} for cause, n in tally.by_cause.most_common()]
        st.dataframe(rows, hide_index=True, placeholder=NO_VALUE, key="letters-by-cause")
    for detail in tally.details[:SHOWN_LEFT]:
        show_text(detail, limit=300)
    if not tally.events:
        return
    if st.button(f"Send {tally.events:,} again", type="primary", icon=":material/send:", key="letters-redrive"):
        done = Tally()
        try:
            with st.spinner("Sending…"):
                _run(visit, counted.pipeline_id, counted.wanted, done, dry_run=False)
        except SentinelError as error:
            show_problem(error)
            if not done.sent:
                return
        del st.session_state[_COUNTED]
        early = " It stopped early: make a dry run of the rest." if done.stopped or done.after is not None else ""
        say_done(f"{done.sent:,} were sent again, {done.left:,} stay as they are.{early}")
        st.rerun()


def _run(visit: Visit, pipeline_id: int, wanted: dict[str, Any], tally: Tally, *, dry_run: bool) -> None:
    for _ in range(MOST_REQUESTS):
        if tally.after is None or tally.stopped:
            return
        tally.add(
            visit.client.redrive_dead_letters(
                pipeline_id,
                chosen=wanted,
                after=tally.after,
                limit=JUDGED if dry_run else SENT,
                dry_run=dry_run,
                records_per_second=RATE,
            )
        )


def _discard_all(visit: Visit, pipeline_id: int, chosen: ChosenLetters, wanted: dict[str, Any]) -> None:
    reason = st.text_input("Why they are discarded", key="letters-discard-reason", max_chars=500)
    has_reason = bool(reason.strip())
    if st.button("Count what fits", icon=":material/calculate:", key="letters-discard-count", disabled=not has_reason):
        changed = _discard(visit, pipeline_id, reason, wanted, dry_run=True)
        if changed is not None:
            st.session_state[_DISCARDED] = (pipeline_id, chosen, wanted, changed)
    counted = st.session_state.get(_DISCARDED)
    if not has_reason or counted is None or counted[:2] != (pipeline_id, chosen):
        return
    if st.button(f"Discard {counted[3]:,}", icon=":material/delete:", key="letters-discard", disabled=not counted[3]):
        changed = _discard(visit, pipeline_id, reason, counted[2], dry_run=False)
        if changed is not None:
            del st.session_state[_DISCARDED]
            say_done(f"{changed:,} were discarded.")
            st.rerun()


def _discard(visit: Visit, pipeline_id: int, reason: str, wanted: dict[str, Any], *, dry_run: bool) -> int | None:
    """Discard page by page; None: it was refused, which is shown."""
    changed = 0
    after: int | None = 0
    try:
        with st.spinner("Counting…" if dry_run else "Discarding…"):
            while after is not None:
                report = visit.client.discard_dead_letters(
                    pipeline_id, reason, chosen=wanted, after=after, dry_run=dry_run
                )
                changed, after = changed + report.changed, report.next
    except SentinelError as error:
        show_problem(error)
        return None
    return changed
