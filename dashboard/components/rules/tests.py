"""Tests beside a rule: example events and what the rule must say of them before a version of it may go live."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.components import links, work
from dashboard.components.acts import act
from dashboard.components.problems import show_problem
from dashboard.components.rules.editor import typed_text
from dashboard.components.sections import pick_row, table_key
from dashboard.components.text import NO_VALUE, line, sendable, show_text
from dashboard.components.times import time_column
from dashboard.session import Visit
from sentinel.client import models
from sentinel.client.rule_tests import Expected, RuleTest, RuleTestRun
from sentinel.domain.rule_test import MAX_EVENT_CHARACTERS
from sentinel.errors import SentinelError

EXPECTED: dict[Expected, str] = {"match": "it matches", "no_match": "it does not match", "unknown": "it cannot tell"}
_NO_EVENT = "the record is no event"


def show_tests(visit: Visit, rule: models.Rule) -> None:
    """Show the tests of a rule, run them, add and change them."""
    with st.spinner("Reading tests…"):
        tests = visit.client.list_rule_tests(rule.id)
    if tests:
        _run(visit, rule)
        _table(tests)
    else:
        st.info(
            "No test yet. With one, no version that says otherwise of this event can go live.", icon=":material/info:"
        )
    if not visit.may_write:
        return
    opened = links.chosen("test")
    if tests and opened is None:
        st.caption("Choose a row to change or delete a test.")
    chosen = next((each for each in tests if each.id == opened), None)
    if chosen is not None:
        st.markdown("**Change the test**")
        _form(visit, rule, chosen)
        st.button(
            "Delete the test",
            icon=":material/delete:",
            key=f"rule-test-delete-{chosen.id}",
            on_click=_delete,
            args=(visit, rule, chosen),
        )
    with st.expander("Add a test", icon=":material/add:", expanded=not tests):
        _form(visit, rule, None)


def _run(visit: Visit, rule: models.Rule) -> None:
    key = f"rule-tests-run-{rule.id}"
    running = work.show_work(key)
    typed = typed_text(rule)
    with st.container(horizontal=True):
        if st.button("Run them", type="primary", icon=":material/play_arrow:", key=f"{key}-now", disabled=running):
            _begin(visit, rule, key, None)
        if typed is not None and st.button(
            "Run them with the text in the editor", icon=":material/edit:", key=f"{key}-typed", disabled=running
        ):
            _begin(visit, rule, key, typed)
    try:
        found = work.outcome(key)
    except SentinelError as error:
        show_problem(error)
        return
    if found is not None:
        _results(found)


def _begin(visit: Visit, rule: models.Rule, key: str, text: str | None) -> None:
    work.begin(key, "The rule worker runs the tests.", lambda: visit.client.run_rule_tests(rule.id, text))
    st.rerun()


def _results(found: RuleTestRun) -> None:
    failed = [each for each in found.tests if not each.passed]
    if failed:
        st.error(f"{len(failed)} of {len(found.tests)} tests fail:", icon=":material/error:")
    else:
        st.success(f"All {len(found.tests)} tests pass.", icon=":material/check:")
    st.caption(f"Under schema version {found.schema_version}, with:")
    st.code(found.rule_expression, language="sql", wrap_lines=True)
    st.dataframe(
        [
            {
                "passed": each.passed,
                "test": line(each.name, 200),
                "expected": EXPECTED[each.expected],
                "came out": _NO_EVENT if each.outcome == "dead_letter" else EXPECTED[each.outcome],
                "why": line(each.detail, 500),
            }
            for each in found.tests
        ],
        column_config={"why": st.column_config.TextColumn("why", width="large")},
        hide_index=True,
        placeholder=NO_VALUE,
    )


def _table(tests: Sequence[RuleTest]) -> None:
    ids = [each.id for each in tests]
    key = table_key("rule-tests", ids)
    opened = links.chosen("test")
    st.dataframe(
        [
            {
                "test": line(each.name, 200),
                "expected": EXPECTED[each.expected],
                "event": line(each.event_text),
                "by": line(each.created_by, 100),
                "changed": each.updated_at,
            }
            for each in tests
        ],
        column_config={
            "event": st.column_config.TextColumn("event", width="large"),
            "changed": time_column("changed"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(tests), 300),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(opened)]}} if opened in ids else None,
        key=key,
        on_select=pick_row(key, ids, "test"),
    )


def _form(visit: Visit, rule: models.Rule, test: RuleTest | None) -> None:
    prefix = f"rule-test-{rule.id}-{'new' if test is None else f'{test.id}-{test.row_version}'}"
    with st.form(prefix, border=False):
        row = st.columns([2, 1])
        row[0].text_input("Name", test.name if test else "", key=f"{prefix}-name", max_chars=128)
        row[1].selectbox(
            "What the rule must say",
            list(EXPECTED),
            index=list(EXPECTED).index(test.expected) if test else 0,
            format_func=EXPECTED.__getitem__,
            key=f"{prefix}-expected",
        )
        st.text_area(
            "Event, as JSON",
            test.event_text if test else "",
            key=f"{prefix}-event",
            height=130,
            max_chars=MAX_EVENT_CHARACTERS,
            placeholder='{"transaction_id": "t-1", "amount": 900}',
        )
        st.form_submit_button(
            "Change it" if test else "Add it", type="primary", on_click=_write, args=(visit, rule, test, prefix)
        )


def _write(visit: Visit, rule: models.Rule, test: RuleTest | None, prefix: str) -> None:
    name, event = str(st.session_state[f"{prefix}-name"]), str(st.session_state[f"{prefix}-event"])
    expected: Expected = st.session_state[f"{prefix}-expected"]
    notes: list[str] = []

    def write() -> None:
        if test is None:
            made = visit.client.add_rule_test(rule.id, sendable(name.strip()), sendable(event), expected)
        else:
            made = visit.client.change_rule_test(
                rule.id, test.id, sendable(name.strip()), sendable(event), expected, if_version=test.row_version
            )
        notes.extend(made.notes)

    if not act("The test is written", write):
        return
    # What was said of the tests before says nothing of this one.
    work.forget(f"rule-tests-run-{rule.id}")
    st.session_state[f"rule-test-notes-{rule.id}"] = notes
    if test is None:
        st.session_state[f"{prefix}-name"] = st.session_state[f"{prefix}-event"] = ""


def show_notes(rule: models.Rule) -> None:
    """Say once what is odd about the event of the test that was just written."""
    for note in st.session_state.pop(f"rule-test-notes-{rule.id}", []):
        st.warning("The test is kept; something about its event is odd:", icon=":material/warning:")
        show_text(note, limit=500)


def _delete(visit: Visit, rule: models.Rule, test: RuleTest) -> None:
    if act("The test is deleted", lambda: visit.client.delete_rule_test(rule.id, test.id)):
        work.forget(f"rule-tests-run-{rule.id}")
        links.keep({"test": None})
