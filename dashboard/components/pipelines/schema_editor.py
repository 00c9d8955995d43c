"""The fields of a schema as a table to edit, checked as they are typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.components.acts import say_done
from dashboard.components.pipelines.schema_sample import propose
from dashboard.components.problems import show_problem
from dashboard.components.text import NO_VALUE, line, show_text
from sentinel.client.models import SchemaField
from sentinel.domain.schema_definition import FieldDefinition, read_schema
from sentinel.errors import InvalidError

ROLES = ("event_id", "event_time", "entity")
TYPES = "string, integer, float, boolean, timestamp, date, decimal(p,s), array<...>, struct<name: type>"
ROLES_HELP = (
    "event_id: identifies an event, so that the same one twice gives one alert. event_time: when it happened. entity: "
    "a card, a user, a device that scores are kept about."
)
START = (FieldDefinition("id", "string", False, frozenset({"event_id"})),)


def definitions_of(fields: Sequence[SchemaField]) -> list[FieldDefinition]:
    """Return the fields of a stored schema."""
    return [
        FieldDefinition(each.name, each.type, each.nullable, frozenset({each.role} if each.role else ()))
        for each in fields
    ]


def as_body(fields: Sequence[FieldDefinition]) -> list[dict[str, Any]]:
    """Return fields as the API takes them."""
    return [
        {"name": each.name, "type": each.type, "nullable": bool(each.nullable)}
        | ({"role": next(iter(each.roles))} if each.roles else {})
        for each in fields
    ]


def edit_schema(key: str, start: Sequence[FieldDefinition]) -> list[FieldDefinition] | None:
    """Show fields for editing, with a box to paste a sample event; return them where they can be a schema.

    Args:
        key: Of the editor; what it began with is kept under it.
        start: The fields that it begins with.
    """
    base, turn = f"{key}-base", f"{key}-turn"
    st.session_state.setdefault(base, list(start))
    st.session_state.setdefault(turn, 0)
    # With a key, so that it stays open when something is said above it.
    with st.expander("Propose fields from a sample", icon=":material/auto_fix_high:", key=f"{key}-sample-box"):
        sample = f"{key}-sample"
        st.text_area("One event as JSON, an array of them, or one per line", key=sample, height=140)
        st.button("Propose fields", key=f"{key}-propose", on_click=_propose, args=(key, sample))
        refused = st.session_state.pop(f"{key}-refused", None)
        if refused is not None:
            show_problem(refused, "No fields can be read out of this.")
    for remark in st.session_state.get(f"{key}-remarks", []):
        show_text(remark, limit=300)
    rows = [
        {
            "name": each.name,
            "type": each.type,
            "nullable": bool(each.nullable),
            "role": next(iter(each.roles), None),
        }
        for each in st.session_state[base]
    ]
    edited = st.data_editor(
        rows,
        num_rows="dynamic",
        hide_index=True,
        key=f"{key}-editor-{st.session_state[turn]}",
        column_config={
            "name": st.column_config.TextColumn("field", max_chars=128, required=True),
            "type": st.column_config.TextColumn("type", help=TYPES, default="string", required=True, max_chars=2000),
            "nullable": st.column_config.CheckboxColumn("may be missing", default=True),
            "role": st.column_config.SelectboxColumn("role", options=list(ROLES), help=ROLES_HELP),
        },
    )
    fields = [_definition(row) for row in edited]
    fields = [each for each in fields if each.name or each.type != "string"]
    _, problems = read_schema(fields)
    if not problems:
        return fields
    st.error("These fields cannot be a schema yet.", icon=":material/error:")
    st.dataframe(
        [{"field": _where(each.pointer, fields), "what is wrong": line(each.detail, 300)} for each in problems],
        column_config={"what is wrong": st.column_config.TextColumn("what is wrong", width="large")},
        hide_index=True,
        placeholder=NO_VALUE,
    )
    return None


def _propose(key: str, sample: str) -> None:
    text = str(st.session_state.get(sample, ""))

    try:
        found = propose(text)
    except InvalidError as error:
        # Beside the box that it is about.
        st.session_state[f"{key}-refused"] = error
        return
    st.session_state[f"{key}-base"] = found.fields
    st.session_state[f"{key}-remarks"] = found.remarks
    # Another editor: what was typed into the former one was about other rows.
    st.session_state[f"{key}-turn"] += 1
    say_done("Fields proposed: look through them below")


def _definition(row: Mapping[str, Any]) -> FieldDefinition:
    """Return a field of an edited row, whose empty cells may be None or NaN."""

    def text(name: str) -> str:
        value = row.get(name)
        return value.strip() if isinstance(value, str) else ""

    role = text("role")
    nullable = row.get("nullable")
    return FieldDefinition(
        text("name"),
        text("type") or "string",
        bool(nullable) if nullable in {True, False} else role != "event_id",
        frozenset({role} if role else ()),
    )


def _where(pointer: str, fields: Sequence[FieldDefinition]) -> str:
    parts = pointer.split("/")
    if len(parts) > 2 and parts[2].isdigit() and int(parts[2]) < len(fields):
        return line(fields[int(parts[2])].name, 128) or f"row {int(parts[2]) + 1}"
    return "all of them"
