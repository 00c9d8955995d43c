"""From nothing to the first alert: what is done already, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.components import links
from dashboard.components.shared_reads import shared
from dashboard.session import Visit
from sentinel.client import models

_DONE, _NEXT, _LATER = (
    ":green[:material/check_circle:]",
    ":material/arrow_forward:",
    ":material/radio_button_unchecked:",
)


def show_steps_of(visit: Visit, pipelines: Sequence[models.Pipeline], chosen: int | None = None) -> None:
    """Show how far somebody is who has no alert yet.

    Args:
        chosen: The pipeline that they look at; None: the newest one.
    """
    if not pipelines:
        show_first_steps(visit, None)
        return
    client = visit.client
    pipeline = chosen if chosen is not None else max(each.id for each in pipelines)
    rules = shared(client, ("rules", pipeline), lambda: client.list_rules(pipeline))
    progress = {each.pipeline_id: each for each in shared(client, "progress", client.list_progress)}
    known = progress.get(pipeline)
    show_first_steps(
        visit,
        pipeline,
        has_rule=any(each.is_active for each in rules),
        has_job=known is not None and known.job is not None and known.job.is_running,
        has_events=known is not None and known.decided_records > 0,
    )


def show_first_steps(
    visit: Visit, pipeline_id: int | None, *, has_rule: bool = False, has_job: bool = False, has_events: bool = False
) -> None:
    """Show the four steps to the first alert, with the way to the first one that is not done.

    Args:
        pipeline_id: The pipeline that they are about; None: there is none yet.
        has_events: Its job has read events.
    """
    done = (pipeline_id is not None, has_rule, has_job, has_events)
    upcoming = done.index(False) if False in done else None
    words = (
        "**A pipeline** says which Kafka topic holds the events, and which fields they have.",
        "**A rule** says what to look for, as `amount > 1000`.",
        "**Its job** reads the topic and raises an alert for each event that matches.",
        "**An event** comes into the topic.",
    )
    with st.container(border=True, key="first-steps"):
        st.markdown("**Four steps to the first alert**")
        for place, sentence in enumerate(words):
            mark = _DONE if done[place] else _NEXT if place == upcoming else _LATER
            st.markdown(f"{mark} {place + 1}. {sentence}")
            if place == upcoming:
                _offer(visit, place, pipeline_id)
        if upcoming is None:
            st.caption("All is set up. As soon as an event matches a rule, its alert is here.")
            _offer(visit, 3, pipeline_id)
        if pipeline_id is None:
            st.caption("`make demo` does all of it with card payments, to look at.")


def _offer(visit: Visit, place: int, pipeline_id: int | None) -> None:
    """Offer what can be done about a step."""
    if place == 2:
        st.caption("On the machine of the platform; it goes on by itself from then on:")
        st.code(f"sentinel submit {pipeline_id}", language="sh")
        return
    if not visit.may_write:
        st.caption("It needs a key that may write.")
        return
    label, icon = (("Create a pipeline", ":material/add:"), ("Write a rule", ":material/add:"), ("", ""),
                   ("Send an event", ":material/send:"))[place]  # fmt: skip
    if not st.button(label, type="primary", icon=icon, key="first-steps-do"):
        return
    if pipeline_id is None:
        links.go("pipelines")
    elif place == 1:
        links.go("rules", pipeline=pipeline_id)
    else:
        links.go("pipelines", pipeline=pipeline_id, show="records")
