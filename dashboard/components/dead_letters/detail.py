"""One dead letter: why it is no event, its record, what became of it; mend it, send it again, discard it."""

from __future__ import annotations

import base64

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import act
from dashboard.components.problems import show_problem
from dashboard.components.text import BLOCK_CHARACTERS, BOX_CHARACTERS, BOX_LINES, BOX_PIXELS, line, plain, show_text
from dashboard.components.times import said
from dashboard.session import Visit
from sentinel.client.dead_letters import DeadLetterDetail, RecordCheck
from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.errors import InvalidError, SentinelError

MAX_REASON = 500
_CHECKED = "letter-checked"


def show_detail(visit: Visit, pipeline_id: int, letter: DeadLetterDetail) -> None:
    """Draw a dead letter with what can be done about it."""
    st.subheader(f"Dead letter {letter.id}", anchor=False)
    if letter.cause in set(DeadLetterCause):
        st.caption(DeadLetterCause(letter.cause).explanation)
    show_text(letter.detail, limit=2000)
    if letter.field:
        show_text(f"field: {letter.field}")
    show_text(
        f"record {letter.kafka_offset} of partition {letter.kafka_partition}, {letter.raw_size_bytes:,} bytes, "
        f"{said(letter.created_at, visit.now)}"
    )
    _history(visit, letter)
    _record(letter)
    if not visit.may_write:
        return
    if letter.state == "open":
        _mend(visit, pipeline_id, letter)
        _discard(visit, pipeline_id, letter)
    elif letter.state == "discarded":
        st.button(
            "Take it back",
            icon=":material/undo:",
            key=f"letter-{letter.id}-reopen",
            on_click=lambda: act(
                f"Dead letter {letter.id} is open again.",
                lambda: visit.client.reopen_dead_letters(pipeline_id, [letter.id]),
            ),
        )


def _history(visit: Visit, letter: DeadLetterDetail) -> None:
    if letter.redrive_of is not None:
        show_text(
            f"It is the redriven record of dead letter {letter.redrive_of}; redrives since {letter.first_id}: "
            f"{letter.redrive_count}."
        )
        st.button(
            f"Show dead letter {letter.redrive_of}",
            key=f"letter-{letter.id}-former",
            on_click=links.keep,
            args=({"letter": letter.redrive_of},),
        )
    if letter.changed_at is not None:
        reason = f": {line(letter.reason, MAX_REASON)}" if letter.reason else ""
        show_text(f"{letter.state} {said(letter.changed_at, visit.now)} by {line(letter.changed_by)}{reason}")
    for each in letter.redrives:
        how = "edited" if each.is_edited else "as it was"
        show_text(f"sent {how} as record {each.kafka_offset} of partition {each.kafka_partition} of {each.kafka_topic}")
        if each.failed_as is not None:
            show_text(f"which is no event either: dead letter {each.failed_as}")
            st.button(
                f"Show dead letter {each.failed_as}",
                key=f"letter-{letter.id}-later-{each.failed_as}",
                on_click=links.keep,
                args=({"letter": each.failed_as},),
            )


def _record(letter: DeadLetterDetail) -> None:
    if letter.raw_text is None:
        st.caption("The record has no value.")
        return
    st.markdown("**The record, as it came**")
    # What is long scrolls in its own box.
    height = (
        BOX_PIXELS if len(letter.raw_text) > BOX_CHARACTERS or letter.raw_text.count("\n") > BOX_LINES else "content"
    )
    st.code(plain(letter.raw_text, BLOCK_CHARACTERS), language=None, wrap_lines=True, height=height)
    st.caption("Bytes that are no UTF-8 show as U+FFFD; marks that nobody sees are spelled out.")


def _mend(visit: Visit, pipeline_id: int, letter: DeadLetterDetail) -> None:
    st.markdown("**Mend it and send it again**")
    kept = letter.raw_text or ""
    text = st.text_area(
        "Record to send",
        value=kept,
        key=f"letter-{letter.id}-text",
        height=220,
        persist_state="session",
        help="Checked with the schema of now whenever it changes; Ctrl+Enter checks it.",
    )
    is_kept = text == kept
    edited = None if is_kept else text
    if is_kept and _is_cut(letter):
        st.info("Only the beginning of this record is kept. Complete it before it can be sent.", icon=":material/info:")
        return
    check = _checked(visit, pipeline_id, letter, edited)
    if check is None:
        return
    if check.is_event:
        st.success("This would be an event now.", icon=":material/check_circle:")
    else:
        st.warning("This would be a dead letter again.", icon=":material/error:")
        show_text(f"{check.cause}: {check.detail}", limit=2000)
    st.button(
        "Send it again",
        type="primary",
        icon=":material/send:",
        key=f"letter-{letter.id}-redrive",
        disabled=not check.is_event,
        help="It becomes a new record at the end of the pipeline's topic.",
        on_click=lambda: act(
            f"Dead letter {letter.id} was sent again.",
            lambda: visit.client.redrive_dead_letter(pipeline_id, letter.id, edited),
        ),
    )


def _checked(visit: Visit, pipeline_id: int, letter: DeadLetterDetail, edited: str | None) -> RecordCheck | None:
    """Ask what a text would be, once for each; None: it is not asked, or could not be."""
    known: tuple[int, str | None, RecordCheck] | None = st.session_state.get(_CHECKED)
    # Asked again for what was changed; for the record as it came only on request.
    wants = st.button("Check it", icon=":material/rule:", key=f"letter-{letter.id}-check") or edited is not None
    if known is not None and known[:2] == (letter.id, edited):
        return known[2]
    if not wants:
        return None
    try:
        with st.spinner("Checking…"):
            found = visit.client.check_dead_letter(pipeline_id, letter.id, edited)
    except SentinelError as error:
        show_problem(error)
        return None
    st.session_state[_CHECKED] = (letter.id, edited, found)
    return found


def _discard(visit: Visit, pipeline_id: int, letter: DeadLetterDetail) -> None:
    with st.popover("Discard", icon=":material/delete:"):
        reason = st.text_input("Why", key=f"letter-{letter.id}-reason", max_chars=MAX_REASON)
        st.caption("It stays, with this reason, and can be taken back.")

        def discard() -> None:
            if not reason.strip():
                raise InvalidError("say why it is discarded")
            visit.client.discard_dead_letters(pipeline_id, reason, ids=[letter.id])

        st.button(
            "Discard it",
            key=f"letter-{letter.id}-discard",
            disabled=not reason.strip(),
            on_click=lambda: act(f"Dead letter {letter.id} is discarded.", discard),
        )


def _is_cut(letter: DeadLetterDetail) -> bool:
    return letter.raw_base64 is not None and len(base64.b64decode(letter.raw_base64)) < letter.raw_size_bytes
