"""A pipeline's schema: its versions, what each changed, and the next one, with a plan where it breaks something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import say_done
from dashboard.components.pipelines.schema_editor import ROLES_HELP, as_body, definitions_of, edit_schema
from dashboard.components.problems import show_problem
from dashboard.components.text import NO_VALUE, compact, line, show_text
from dashboard.components.times import absolute
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import BreakingChangeError, SentinelError

_PLAN = "schema-plan"


def show_schema(visit: Visit, pipeline: models.Pipeline) -> None:
    """Show the schema of a pipeline."""
    versions = visit.client.list_schemas(pipeline.id)
    by_number = {each.version: each for each in versions}
    number = links.choose(
        "Version",
        list(by_number),
        f"schema-version-{pipeline.id}-{pipeline.schema_version}",
        "schema",
        next(iter(by_number)),
        format_func=lambda each: f"version {each}{', in force' if each == pipeline.schema_version else ''}",
    )
    chosen = by_number[number]
    show_text(f"written {absolute(chosen.created_at)}{f' by {chosen.created_by}' if chosen.created_by else ''}")
    st.dataframe(
        [
            {"field": each.name, "type": each.type, "may be missing": each.nullable, "role": each.role or ""}
            for each in chosen.fields
        ],
        column_config={"role": st.column_config.TextColumn("role", help=ROLES_HELP)},
        hide_index=True,
        placeholder=NO_VALUE,
    )
    if number - 1 in by_number:
        changes = differences(by_number[number - 1].fields, chosen.fields)
        st.caption(f"What version {number} changed:")
        st.dataframe(changes, hide_index=True, placeholder=NO_VALUE) if changes else st.caption(
            "Nothing but the order of fields."
        )
    if visit.may_write:
        with st.expander("Write the next version", icon=":material/edit:"):
            _edit(visit, pipeline, by_number[pipeline.schema_version])


def differences(before: Sequence[models.SchemaField], after: Sequence[models.SchemaField]) -> list[dict[str, str]]:
    """Return what became of each field; the order of fields means nothing."""
    was = {each.name: each for each in before}
    now = {each.name: each for each in after}
    return [
        {"field": name, "before": _said(was.get(name)), "after": _said(now.get(name))}
        for name in dict.fromkeys((*now, *was))
        if was.get(name) != now.get(name)
    ]


def _said(field: models.SchemaField | None) -> str:
    if field is None:
        return "(not there)"
    role = f", {field.role}" if field.role else ""
    return f"{field.type}, {'may be missing' if field.nullable else 'always there'}{role}"


def _edit(visit: Visit, pipeline: models.Pipeline, current: models.Schema) -> None:
    # Keyed by the version: what was typed about another one is not taken for a change of this one.
    fields = edit_schema(f"schema-{pipeline.id}-{current.version}", definitions_of(current.fields))
    if fields is None:
        return
    body = as_body(fields)
    if differences(current.fields, [models.SchemaField.model_validate(each) for each in body]) == []:
        st.caption("This is the schema in force.")
        return
    st.caption(
        "A schema that only adds fields that may be missing is taken at once; of any other change a plan is shown."
    )
    if st.button("Write it", type="primary", key="schema-write"):
        _put(visit, pipeline, current, body, None)
    plan: tuple[int, list[dict[str, Any]], dict[str, Any]] | None = st.session_state.get(_PLAN)
    if plan is None or plan[:2] != (pipeline.id, body):
        return
    _show_plan(plan[2])
    if st.button("Make exactly this change", type="primary", key="schema-confirm", icon=":material/warning:"):
        _put(visit, pipeline, current, body, str(plan[2].get("confirm", "")))


def _put(
    visit: Visit, pipeline: models.Pipeline, current: models.Schema, body: list[dict[str, Any]], confirm: str | None
) -> None:
    st.session_state.pop(_PLAN, None)
    try:
        with st.spinner("Writing…"):
            made = visit.client.put_schema(pipeline.id, body, if_version=current.version, confirm=confirm)
    except BreakingChangeError as error:
        st.session_state[_PLAN] = (pipeline.id, body, error.plan)
        if confirm is not None:
            st.warning("Things have changed since; this is another plan.", icon=":material/warning:")
        return
    except SentinelError as error:
        show_problem(error)
        return
    off = f"; {len(made.deactivated_rules)} rules are off now" if made.deactivated_rules else ""
    links.keep({"schema": None})
    say_done(f"Version {made.version} is in force{off}")
    st.rerun()


def _show_plan(plan: Mapping[str, Any]) -> None:
    st.warning("This change breaks something. Read what, then confirm or change the fields.", icon=":material/warning:")
    for title, name in (("Fields", "breaking"), ("Rules", "rules"), ("Columns of the lake", "lake_columns")):
        rows = [each for each in plan.get(name) or [] if isinstance(each, dict)]
        if rows:
            st.markdown(f"**{title}**")
            st.dataframe(
                [
                    {
                        key: line(value, 300) if isinstance(value, str) else compact(value, 300)
                        for key, value in row.items()
                    }
                    for row in rows
                ],
                hide_index=True,
                placeholder=NO_VALUE,
            )
