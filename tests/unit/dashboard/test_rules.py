"""The page of rules: listed with their figures, written with a check, published, taken back, explained."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.rules.editor import mark
from tests.unit.dashboard import rule_data
from tests.unit.dashboard.alert_data import pipeline, rule
from tests.unit.dashboard.conftest import HOSTILE, StubApi, is_clean, labels, open_page, problem, ran, texts, widget


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    return rule_data.fill(stub)


SECTIONS = ("rule", "tests", "backtest", "trial", "quality", "versions", "explain")


def area(page: AppTest, key: str) -> Any:
    return next(each for each in page.text_area if each.key == key)


def writes(api: StubApi) -> list[tuple[str, str, Any]]:
    return [each for each in api.writes() if each[1] != "/api/rules/check"]


class TestList:
    def test_with_figures_and_cost(self, api: StubApi) -> None:
        table = open_page("rules").dataframe[0].value
        assert list(table["name"]) == ["large", "small"]
        assert list(table["matched"]) == [14, 0]
        assert (table["unknown"][0], table["cost"][0]) == (0.03, 1.25)
        assert list(table["on"]) == [True, False]
        assert table["last"].notna().tolist() == [True, False]

    def test_figures_are_not_asked_for_at_every_click(self, api: StubApi) -> None:
        page = open_page("rules")
        ran(page.run())
        assert len(api.asked("/api/pipelines/7/rule-figures")) == 1

    def test_five_hundred_rules_are_asked_for_at_once(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/rules"] = [rule(number) for number in range(1, 501)]
        page = open_page("rules")
        assert len(page.dataframe[0].value) == 500
        assert len(api.requests) < 12

    def test_several_are_paused_together(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/rules"] = [rule(11), rule(12, state="paused"), rule(13, row_version=9)]
        api.answers["PATCH /api/rules/11/status"] = rule()
        api.refused["PATCH /api/rules/13/status"] = problem(412, "version-mismatch", "it is at version 10")
        page = open_page("rules")
        page.session_state[page.dataframe[0].key] = {"selection": {"rows": [0, 1, 2], "columns": [], "cells": []}}
        ran(page.run())
        assert {"Pause 2", "Resume 1"} <= set(labels(page))
        ran(widget(page, "button", "Pause 2").click().run())
        assert [(path, body) for _, path, body in writes(api)] == [
            ("/api/rules/11/status", {"is_active": False}),
            ("/api/rules/13/status", {"is_active": False}),
        ]
        assert [each.if_match for each in api.requests if each.method == "PATCH"] == ['"4"', '"9"']
        assert "1 of 2 paused" in page.toast[0].value
        assert "Somebody else changed this first" in page.error[0].value

    def test_filters_stand_in_the_address(self, api: StubApi) -> None:
        page = open_page("rules", state="draft", text="SMALL")
        assert list(page.dataframe[0].value["id"]) == [12]
        ran(widget(page, "pills", "State").set_value("paused").run())
        assert "No rule fits" in page.info[0].value
        assert page.query_params["state"] == "paused"

    def test_one_in_quarantine_is_said_to_be(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/quarantines"] = [rule_data.quarantine()]
        table = open_page("rules").dataframe[0].value
        assert (table["state"][0], table["on"][0]) == ("in quarantine", False)

    def test_a_quarantine_of_an_earlier_version_holds_nothing(self, api: StubApi) -> None:
        old = [rule_data.quarantine(rule_version=1)]
        api.answers |= {"GET /api/pipelines/7/quarantines": old, "GET /api/rules/11/quarantines": old}
        page = open_page("rules", rule="11")
        assert page.dataframe[0].value["state"][0] == "active"
        assert "Release it" not in labels(page)

    def test_no_rule_yet_opens_the_editor(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/rules"] = []
        page = open_page("rules")
        assert "No rule yet" in page.info[0].value
        assert "Add the rule" in labels(page)

    def test_no_pipeline_yet(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines"] = []
        page = open_page("rules")
        assert "No pipeline yet" in page.info[0].value
        assert "Create a pipeline" in labels(page)

    def test_a_link_to_a_pipeline_that_is_gone_shows_another(self, api: StubApi) -> None:
        assert widget(open_page("rules", pipeline="99"), "selectbox", "Pipeline").value == 7

    def test_a_link_to_a_rule_alone_opens_its_pipeline(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines"] = [pipeline(), pipeline(id=8, name="newer")]
        page = open_page("rules", rule="11")
        assert widget(page, "selectbox", "Pipeline").value == 7
        assert page.query_params["pipeline"] == "7"

    def test_a_link_to_a_rule_that_is_gone(self, api: StubApi) -> None:
        api.answers["GET /api/rules/99"] = problem(404, "not-found", "there is no rule 99")
        assert "no rule 99" in open_page("rules", rule="99").warning[0].value

    def test_an_archived_rule_is_shown_by_its_link(self, api: StubApi) -> None:
        api.answers["GET /api/rules/13"] = rule(13, state="archived")
        api.answers["GET /api/rules/13/quarantines"] = []
        page = open_page("rules", rule="13")
        assert "amount > 800" in [each.value for each in page.code]
        assert "Pause" not in labels(page)

    def test_the_api_is_down(self, api: StubApi) -> None:
        api.is_down = True
        assert "does not answer" in open_page("rules").error[0].value

    @pytest.mark.parametrize("section", SECTIONS)
    def test_what_tenants_wrote_is_shown_as_text(self, api: StubApi, section: str) -> None:
        api.answers["GET /api/rules/11/quarantines"] = [rule_data.quarantine()]
        api.answers["POST /api/rules/check"] = rule_data.WRONG
        assert is_clean(open_page("rules", rule="11", show=section))

    @pytest.mark.parametrize("section", SECTIONS)
    def test_a_key_that_only_looks_is_offered_nothing(self, looking: StubApi, section: str) -> None:
        rule_data.fill(looking)
        page = open_page("rules", rule="11", show=section)
        offered = {"Pause", "Archive it", "Add the rule", "Go back to version 1", "Add it", "Test it"}
        assert not (offered | {"Write it beside the rule", "Try in shadow"}) & set(labels(page))
        assert page.metric[0].value == "14"


class TestEditor:
    def edited(self, text: str) -> AppTest:
        page = open_page("rules", rule="11")
        return ran(area(page, "rule-edit-11-2-expression").set_value(text).run())

    def test_a_checked_change_is_published_as_the_version_that_was_seen(self, api: StubApi) -> None:
        api.answers["PUT /api/rules/11"] = rule(version=3)
        page = self.edited("amount > 900")
        widget(page, "text_input", "Why, for the record").set_value("fewer")
        ran(widget(page, "button", "Publish version 3").click().run())
        method, path, body = writes(api)[0]
        assert (method, path) == ("PUT", "/api/rules/11")
        assert (body["rule_expression"], body["severity"], body["comment"]) == ("amount > 900", "warning", "fewer")
        assert [each.if_match for each in api.requests if each.method == "PUT"] == ['"4"']
        assert "Version 3 is written" in page.toast[0].value

    def test_an_error_is_marked_at_its_place_with_a_suggestion(self, api: StubApi) -> None:
        api.answers["POST /api/rules/check"] = rule_data.WRONG
        page = self.edited("a > 1 OR amuont > 1")
        assert "line 1: a > 1 OR amuont > 1\n                ^^^^^^" in [each.value for each in page.code]
        assert "Did you mean amount?" in texts(page)
        assert widget(page, "button", "Publish version 3").disabled

    def test_the_longest_description_can_be_edited(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/rules"] = [rule(description="d" * 2000)]
        page = open_page("rules", rule="11")
        field = next(each for each in page.text_input if each.key == "rule-edit-11-2-description")
        assert len(field.value) == 2000

    def test_what_was_typed_outlives_a_look_at_the_versions(self, api: StubApi) -> None:
        page = self.edited("amount > 900")
        ran(widget(page, "button_group", "Section").set_value("versions").run())
        ran(widget(page, "button_group", "Section").set_value("rule").run())
        assert area(page, "rule-edit-11-2-expression").value == "amount > 900"

    def test_nothing_changed_is_nothing_to_publish(self, api: StubApi) -> None:
        page = open_page("rules", rule="11")
        assert not [label for label in labels(page) if label.startswith("Publish version")]

    def test_a_draft_may_be_saved_with_errors(self, api: StubApi) -> None:
        api.answers["POST /api/rules/check"] = rule_data.WRONG
        api.answers["PUT /api/rules/12"] = rule(12, version=3)
        page = open_page("rules", rule="12")
        ran(area(page, "rule-edit-12-2-expression").set_value("amuont >").run())
        ran(widget(page, "button", "Save the draft").click().run())
        assert writes(api)[0][1] == "/api/rules/12"

    def test_fields_stand_beside_it_with_values_of_alerts(self, api: StubApi) -> None:
        page = open_page("rules", rule="11")
        fields = next(each.value for each in page.dataframe if "field" in each.value)
        assert list(fields["field"]) == ["amount", "note", "user_id", "is_fraud"]
        assert fields["values"][0] == "900"
        assert fields["values"][1].endswith("characters)")
        assert is_clean(page)

    def test_without_alerts_values_are_those_of_records(self, api: StubApi) -> None:
        record = {"partition": 0, "kafka_timestamp": rule_data.NOW, "size_bytes": 9, "is_cut": False}
        texts = ['{"amount": 77}', "no JSON", "[" * 100_000, None]
        api.answers["GET /api/alerts"] = []
        api.answers["GET /api/pipelines/7/recent-records"] = [
            {**record, "offset": place, "text": text} for place, text in enumerate(texts)
        ]
        fields = next(each.value for each in open_page("rules", rule="11").dataframe if "field" in each.value)
        assert fields["values"][0] == "77"
        assert len(api.asked("/api/pipelines/7/recent-records")) == 1

    def test_without_kafka_a_rule_can_be_written_as_well(self, api: StubApi) -> None:
        api.answers["GET /api/alerts"] = []
        api.refused["GET /api/pipelines/7/recent-records"] = problem(503, "unavailable", "Kafka does not answer: x")
        page = open_page("rules", rule="11")
        assert not page.error
        assert any("as soon as there are events" in each.value for each in page.caption)

    def test_the_short_form_is_shown_as_sql_too(self, api: StubApi) -> None:
        page = self.edited('when amount > 800 then severity("info")')
        assert "amount > 800" in [each.value for each in page.code]

    def test_beside_a_candidate_it_cannot_be_edited(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/rules"] = [rule(candidate=rule_data.CANDIDATE)]
        page = open_page("rules", rule="11")
        assert "amount > 800" in [each.value for each in page.code]
        assert any("Try out" in each.value for each in page.caption)

    def test_tests_that_fail_are_listed(self, api: StubApi) -> None:
        errors = [{"pointer": "", "detail": HOSTILE}]
        api.refused["PUT /api/rules/11"] = problem(409, "rule-tests-failed", "1 test fails", errors)
        page = self.edited("amount > 900")
        ran(widget(page, "button", "Publish version 3").click().run())
        assert "as things stand" in page.error[0].value
        assert "1 test fails" in texts(page)
        assert is_clean(page)

    def test_when_the_check_cannot_be_asked_nothing_can_be_published(self, api: StubApi) -> None:
        api.refused["POST /api/rules/check"] = problem(503, "unavailable", "x does not answer: y")
        assert widget(self.edited("amount > 900"), "button", "Publish version 3").disabled


class TestMark:
    def test_the_line_and_the_place(self) -> None:
        assert mark("a\nbcd\ne", 3, 5) == "line 2: bcd\n         ^^"

    @pytest.mark.parametrize(("start", "end"), [(None, None), (-1, 2), (99, 100)])
    def test_no_place(self, start: int | None, end: int | None) -> None:
        assert mark("abc", start, end) == ""

    def test_the_end_of_the_text(self) -> None:
        assert mark("abc", 3, 3) == "line 1: abc\n           ^"

    def test_a_long_line_is_cut_around_the_place(self) -> None:
        shown, carets = mark("x" * 5000 + "!" + "y" * 5000, 5000, 5001).split("\n")
        assert len(shown) < 140
        assert shown[carets.index("^")] == "!"

    def test_one_sign_stands_for_one_character(self) -> None:
        shown, carets = mark("\u202e\t!", 2, 3).split("\n")
        assert shown[carets.index("^")] == "!"
        assert "\u202e" not in shown


class TestStates:
    @pytest.mark.parametrize(
        ("state", "words", "wanted"),
        [("active", "Pause", "paused"), ("paused", "Resume", "active"), ("draft", "Publish", "active")],
    )
    def test_changed_as_it_was_seen(self, api: StubApi, state: str, words: str, wanted: str) -> None:
        api.answers["GET /api/pipelines/7/rules"] = [rule(state=state)]
        api.answers["POST /api/rules/11/state"] = rule()
        ran(widget(open_page("rules", rule="11"), "button", words).click().run())
        ((_, path, body),) = writes(api)
        assert (path, body["state"]) == ("/api/rules/11/state", wanted)
        assert [each.if_match for each in api.requests if each.path == path] == ['"4"']

    def test_a_refusal_is_shown(self, api: StubApi) -> None:
        api.refused["POST /api/rules/11/state"] = problem(409, "conflict", HOSTILE)
        page = open_page("rules", rule="11")
        ran(widget(page, "button", "Pause").click().run())
        assert "as things stand" in page.error[0].value
        assert is_clean(page)

    def test_one_in_quarantine_is_released(self, api: StubApi) -> None:
        api.answers["GET /api/rules/11/quarantines"] = [rule_data.quarantine()]
        api.answers["POST /api/rules/11/release"] = rule()
        page = open_page("rules", rule="11")
        assert "took this rule out" in page.error[0].value
        ran(widget(page, "button", "Release it").click().run())
        assert writes(api)[0][1] == "/api/rules/11/release"


class TestVersions:
    def test_two_versions_side_by_side(self, api: StubApi) -> None:
        page = open_page("rules", rule="11", show="versions")
        assert api.asked("/api/rules/11/versions/diff") == [{"from": "1", "to": "2"}]
        assert "amount > 200" in [each.value for each in page.code]

    def test_which_two_stands_in_the_address(self, api: StubApi) -> None:
        page = open_page("rules", rule="11", show="versions")
        assert "from" not in page.query_params
        ran(widget(page, "selectbox", "From version").set_value(2).run())
        assert page.query_params["from"] == "2"
        again = open_page("rules", rule="11", show="versions", **{"from": "2", "to": "1"})
        assert [widget(again, "selectbox", f"{word} version").value for word in ("From", "To")] == [2, 1]
        gone = open_page("rules", rule="11", show="versions", **{"from": "99"})
        assert widget(gone, "selectbox", "From version").value == 1
        assert "`from` names is not there" in gone.warning[0].value

    def test_back_to_an_earlier_one(self, api: StubApi) -> None:
        api.answers["POST /api/rules/11/rollback"] = rule(version=3)
        page = open_page("rules", rule="11", show="versions")
        ran(widget(page, "text_input", "Why, for the record").set_value("too loud").run())
        ran(widget(page, "button", "Go back to version 1").click().run())
        assert writes(api) == [("POST", "/api/rules/11/rollback", {"version": 1, "comment": "too loud"})]


class TestExplain:
    def asked(self, event: str = "", text: str = "") -> AppTest:
        page = open_page("rules", rule="11", show="explain")
        widget(page, "text_input", "Event id, or the place of its record").set_value(event)
        area(page, "explain-text-11").set_value(text)
        return ran(widget(page, "button", "Explain").click().run())

    def test_an_event_that_was_seen(self, api: StubApi) -> None:
        page = self.asked("0:4711")
        assert api.asked("/api/pipelines/7/explain") == [{"event": "0:4711", "rule": "11"}]
        assert "cannot tell" in page.info[0].value
        assert "missing: country" in texts(page)
        assert any(str(2**70) in each.value for each in page.code)
        parts = next(table.value for table in page.dataframe if "part" in table.value)
        assert parts["part"][1].startswith("\u00a0" * 4)
        assert is_clean(page)

    def test_a_link_names_the_event(self, api: StubApi) -> None:
        page = open_page("rules", rule="11", show="explain", event="t-1")
        ran(widget(page, "button", "Explain").click().run())
        assert api.asked("/api/pipelines/7/explain") == [{"event": "t-1", "rule": "11"}]

    def test_an_event_that_is_pasted(self, api: StubApi) -> None:
        page = self.asked(text='{"amount": 1.10}')
        assert writes(api)[0][2] == {"event_text": '{"amount": 1.10}', "rule": 11}
        assert page.info[0].value == "It matches."

    def test_none_is_asked_for(self, api: StubApi) -> None:
        assert "Name an event" in self.asked().info[0].value

    def test_the_worker_is_away(self, api: StubApi) -> None:
        api.refused["GET /api/pipelines/7/explain"] = problem(503, "engine-unavailable", "no worker")
        assert "rule worker is away" in self.asked("t-1").error[0].value


class TestAdd:
    def test_added_and_opened(self, api: StubApi) -> None:
        api.answers["POST /api/pipelines/7/rules"] = rule()
        page = open_page("rules")
        assert widget(page, "button", "Add the rule").disabled
        ran(area(page, "rule-add-7-expression").set_value("amount > 800").run())
        widget(page, "text_input", "Name").set_value("large")
        ran(widget(page, "button", "Add the rule").click().run())
        _, path, body = writes(api)[0]
        assert path == "/api/pipelines/7/rules"
        assert (body["rule_expression"], body["name"], body["state"]) == ("amount > 800", "large", "active")
        assert page.query_params["rule"] == "11"
        assert area(page, "rule-add-7-expression").value == ""

    def test_what_is_wrong_keeps_the_form(self, api: StubApi) -> None:
        api.refused["POST /api/pipelines/7/rules"] = problem(409, "conflict", "the name is taken")
        page = open_page("rules")
        ran(area(page, "rule-add-7-expression").set_value("amount > 800").run())
        ran(widget(page, "button", "Add the rule").click().run())
        assert "the name is taken" in texts(page)
        assert area(page, "rule-add-7-expression").value == "amount > 800"
