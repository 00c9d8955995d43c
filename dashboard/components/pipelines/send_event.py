"""An event of one's own, sent to a pipeline: to see that it works, or what a rule says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from dashboard.components.acts import say_done
from dashboard.components.problems import show_problem
from dashboard.components.text import sendable, show_text
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import InvalidError, SentinelError

MAX_CHARACTERS = 200_000
# Above what people look for first: a rule such as "amount > 1000" matches it.
_NUMBER = 1500


def show_send(visit: Visit, pipeline_id: int, *, expanded: bool) -> None:
    """Offer to send an event, filled in from the schema."""
    key = f"send-event-{pipeline_id}"
    with st.expander("Send an event", icon=":material/send:", expanded=expanded, key=f"{key}-box"):
        if f"{key}-text" not in st.session_state:
            with st.spinner("Reading the schema…"):
                schema = visit.client.get_schema(pipeline_id)
            st.session_state[f"{key}-text"] = json.dumps(sample_event(schema.fields, visit.now), indent=2)
        st.text_area(
            "Event as JSON",
            key=f"{key}-text",
            height=200,
            max_chars=MAX_CHARACTERS,
            help="It is checked against the schema, written to the topic, and seen by the rules like any other.",
        )
        if st.button("Send it", type="primary", icon=":material/send:", key=f"{key}-do"):
            _send(visit, pipeline_id, key)
        st.caption(f"From elsewhere: `POST /api/pipelines/{pipeline_id}/events`, or `sentinel events send FILE`.")


def sample_event(fields: Sequence[models.SchemaField], now: datetime) -> dict[str, Any]:
    """Return an event of a schema, with values that can be told to be a sample's.

    Fields of other fields are left out where they may be missing.
    """
    event: dict[str, Any] = {}
    for each in fields:
        value = _sample(each, now)
        if value is not None:
            event[each.name] = value
    return event


def _sample(each: models.SchemaField, now: datetime) -> object:
    kind = each.type.split("(")[0].split("<")[0].strip().lower()
    if kind in {"array", "struct"}:
        return None if each.nullable else [] if kind == "array" else {}
    if each.role == "event_id":
        # Another one each time: an id that was seen already is taken for the same event.
        return int(now.timestamp() * 1000) if kind == "integer" else f"sample-{now:%Y%m%d-%H%M%S}"
    by_kind: dict[str, object] = {
        "integer": _NUMBER,
        "float": float(_NUMBER),
        "decimal": 1,
        "boolean": True,
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date": now.strftime("%Y-%m-%d"),
    }
    return by_kind.get(kind, f"{each.name}-1" if each.role == "entity" else "sample")


def _send(visit: Visit, pipeline_id: int, key: str) -> None:
    try:
        event = _read(str(st.session_state[f"{key}-text"]))
        with st.spinner("Sending…"):
            taken = visit.client.send_events([event], pipeline=pipeline_id)
    except SentinelError as error:
        show_problem(error)
        return
    (item,) = taken.items
    if item.status == "rejected":
        st.error("This is no event of the schema, and was not sent.", icon=":material/error:")
        for each in item.errors:
            show_text(f"{each.pointer.strip('/') or 'the event'}: {each.detail}", limit=500)
    elif item.status == "duplicate":
        st.warning(
            "An event with this id was sent before, so this one is left out. Give it another id.",
            icon=":material/content_copy:",
        )
    else:
        # The next one begins as a sample with another id.
        del st.session_state[f"{key}-text"]
        say_done("Sent. What the rules say of it is on the page “Alerts” in a moment, where a job runs")
        st.rerun()


def _read(text: str) -> bytes:
    """Return an event in one line, its numbers as they were written.

    Raises:
        InvalidError: It is no JSON object.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"this is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidError("an event is a JSON object, in braces")
    # Line breaks in JSON stand between its parts alone; in its texts they are escaped.
    return re.sub(r"[\r\n]+", " ", sendable(text)).encode()
