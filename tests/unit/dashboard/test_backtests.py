"""Backtests on the page of rules: started, watched, read, and made into rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.unit.dashboard import rule_data
from tests.unit.dashboard.alert_data import rule
from tests.unit.dashboard.conftest import StubApi, is_clean, labels, open_page, problem, ran, texts, widget
from tests.unit.dashboard.rule_data import TEXT_TESTED, backtest


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    return rule_data.fill(stub)


def writes(api: StubApi) -> list[tuple[str, str, Any]]:
    return [each for each in api.writes() if each[1] != "/api/rules/check"]


def table(page: AppTest, column: str) -> Any:
    """Return the table that has this column."""
    return next(each.value for each in page.dataframe if column in each.value)


class TestStart:
    def test_a_rule_as_it_is_on_the_last_week(self, api: StubApi) -> None:
        api.answers["POST /api/pipelines/7/backtests"] = backtest("queued", number=10)
        api.answers["GET /api/backtests/10"] = backtest("queued", number=10)
        page = open_page("rules", rule="11", show="backtest")
        ran(widget(page, "button", "Test it").click().run())
        ((_, path, body),) = writes(api)
        assert path == "/api/pipelines/7/backtests"
        assert body["rules"] == [{"rule_id": 11, "version": 2}]
        assert (datetime.fromisoformat(body["to"]) - datetime.fromisoformat(body["from"])).days == 7
        assert page.query_params["backtest"] == "10"

    def test_another_text_with_labels_and_other_numbers(self, api: StubApi) -> None:
        api.answers["POST /api/pipelines/7/backtests"] = backtest("queued", TEXT_TESTED, 10)
        api.answers["GET /api/backtests/10"] = backtest("queued", TEXT_TESTED, 10)
        page = open_page("rules", rule="11", show="backtest")
        ran(widget(page, "selectbox", "What").set_value("another text").run())
        assert widget(page, "button", "Test it").disabled
        ran(next(each for each in page.text_area if each.key == "backtest-7-11-text").set_value("amount > 700").run())
        widget(page, "selectbox", "Which events it should find is known from").set_value("field is_fraud")
        widget(page, "text_input", "Number").set_value("700")
        widget(page, "text_input", "Others").set_value("100, 250.5")
        ran(widget(page, "button", "Test it").click().run())
        ((_, _, body),) = writes(api)
        assert body["rules"] == [{"expression": "amount > 700", "name": "rule 11, another text"}]
        assert body["label_column"] == "is_fraud"
        assert body["sweep"] == {"rule": 0, "constant": "700", "values": ["100", "250.5"]}

    def test_what_stands_in_the_editor_is_offered(self, api: StubApi) -> None:
        page = open_page("rules", rule="11")
        ran(next(each for each in page.text_area if each.key == "rule-edit-11-2-expression").set_value("a > 1").run())
        ran(widget(page, "button_group", "Section").set_value("backtest").run())
        assert "the text in the editor" in widget(page, "selectbox", "What").options

    def test_numbers_that_are_none_are_told(self, api: StubApi) -> None:
        page = open_page("rules", rule="11", show="backtest")
        widget(page, "text_input", "Number").set_value("700")
        widget(page, "text_input", "Others").set_value("100, many")
        ran(widget(page, "button", "Test it").click().run())
        assert "'many' is no number" in texts(page)
        assert writes(api) == []

    def test_a_text_with_errors_cannot_be_tested(self, api: StubApi) -> None:
        api.answers["POST /api/rules/check"] = rule_data.WRONG
        page = open_page("rules", part="backtests")
        ran(next(each for each in page.text_area if each.key == "backtest-7-new-text").set_value("amuont >").run())
        assert widget(page, "button", "Test it").disabled

    def test_too_many_wait(self, api: StubApi) -> None:
        api.refused["POST /api/pipelines/7/backtests"] = problem(429, "rate-limited", "8 tasks wait already")
        page = open_page("rules", rule="11", show="backtest")
        ran(widget(page, "button", "Test it").click().run())
        assert "8 tasks wait already" in texts(page)

    def test_labels_are_uploaded(self, api: StubApi) -> None:
        made = {"id": 2, "pipeline_id": 7, "name": "j", "label_count": 1, "true_count": 1, "content_hash": "0"}
        api.answers["POST /api/pipelines/7/labels"] = {**made, "created_at": rule_data.NOW}
        page = open_page("rules", rule="11", show="backtest")
        page.file_uploader[0].set_value(("l.csv", b"id,label\nt-1,1\n", "text/csv"))
        ran(widget(page, "text_input", "What to call them").set_value("january").run())
        ran(widget(page, "button", "Upload them").click().run())
        assert writes(api)[0][2] == b"id,label\nt-1,1\n"


class TestProgress:
    def test_of_one_that_runs_and_it_can_be_cancelled(self, api: StubApi) -> None:
        api.answers["GET /api/backtests/9"] = backtest("running")
        api.answers["POST /api/backtests/9/cancel"] = backtest("cancelled")
        page = open_page("rules", rule="11", show="backtest", backtest="9")
        assert "evaluating, 40%" in texts(page)
        ran(widget(page, "button", "Cancel it").click().run())
        assert writes(api)[0][1] == "/api/backtests/9/cancel"

    def test_of_one_that_nobody_takes(self, api: StubApi) -> None:
        api.answers["GET /api/backtests/9"] = backtest("queued", progress={})
        page = open_page("rules", part="backtests", backtest="9")
        assert "waiting for a rule worker, 0%" in texts(page)
        assert any("sentinel rule-worker" in each.value for each in page.caption)

    def test_one_that_failed_says_why(self, api: StubApi) -> None:
        error = {"slug": "invalid", "message": rule_data.HOSTILE}
        api.answers["GET /api/backtests/9"] = backtest("failed", error=error)
        page = open_page("rules", part="backtests", backtest="9")
        assert "It failed" in page.error[0].value
        assert is_clean(page)

    def test_one_that_is_gone(self, api: StubApi) -> None:
        api.answers["GET /api/backtests/77"] = problem(404, "not-found", "no")
        page = open_page("rules", part="backtests", backtest="77")
        assert "no backtest 77" in page.warning[0].value

    def test_none_yet(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/backtests"] = []
        assert "No backtest yet" in open_page("rules", part="backtests").info[0].value


class TestResult:
    def test_figures_curve_overlap_quality_and_samples(self, api: StubApi) -> None:
        page = open_page("rules", rule="11", show="backtest", backtest="9")
        values = {each.label: each.value for each in page.metric}
        assert (values["Events"], values["Matches"], values["Unknown"]) == ("100", "30", "5 (5.0%)")
        assert (values["Precision"], values["F1"]) == ("75.0%", "no figure")
        assert list(table(page, "only that")["both"]) == [3]
        assert list(table(page, "matches")["number"]) == ["500"]
        ran(widget(page, "toggle", "Show as table").set_value(True).run())
        curve = table(page, "matches, events per hour")
        assert sorted(curve["matches, events per hour"]) == [10, 20]
        assert any(str(2**70) in each.value for each in page.code)
        assert is_clean(page)

    def test_those_of_other_rules_are_not_among_a_rules_own(self, api: StubApi) -> None:
        other = backtest("done", {**rule_data.TESTED, "rule_id": 12}, 8)
        api.answers["GET /api/pipelines/7/backtests"] = [other, backtest()]
        page = open_page("rules", rule="11", show="backtest")
        assert list(table(page, "range")["id"]) == [9]
        assert list(table(open_page("rules", part="backtests"), "range")["id"]) == [8, 9]

    def test_a_sample_is_explained(self, api: StubApi) -> None:
        page = open_page("rules", rule="11", show="backtest", backtest="9")
        ran(widget(page, "button", "Explain it").click().run())
        assert (page.query_params["show"], page.query_params["event"]) == ("explain", "1:7")
        assert widget(page, "text_input", "Event id, or the place of its record").value == "1:7"


class TestPublish:
    def opened(self, api: StubApi, tested: dict[str, Any] = rule_data.TESTED, **changed: Any) -> AppTest:
        api.answers["GET /api/pipelines/7/rules"] = [rule(**changed)]
        api.answers["GET /api/backtests/9"] = backtest("done", tested)
        return open_page("rules", rule="11", show="backtest", backtest="9")

    def test_a_draft_that_was_tested_is_published(self, api: StubApi) -> None:
        api.answers["POST /api/rules/11/state"] = rule()
        page = self.opened(api, state="draft")
        ran(widget(page, "button", "Publish it").click().run())
        ((_, path, body),) = writes(api)
        assert (path, body["state"], body["comment"]) == ("/api/rules/11/state", "active", "backtest 9")
        assert [each.if_match for each in api.requests if each.path == path] == ['"4"']

    def test_one_in_force_needs_nothing(self, api: StubApi) -> None:
        assert "in force as it was tested" in texts(self.opened(api))

    def test_one_that_was_changed_since_is_to_be_tested_again(self, api: StubApi) -> None:
        page = self.opened(api, version=3, state="draft")
        assert "test that one" in texts(page)
        assert "Publish it" not in labels(page)

    def test_another_text_becomes_the_next_version(self, api: StubApi) -> None:
        api.answers["PUT /api/rules/11"] = rule(version=3)
        page = self.opened(api, TEXT_TESTED)
        ran(widget(page, "button", "Publish version 3").click().run())
        ((_, path, body),) = writes(api)
        assert (path, body["rule_expression"], body["comment"]) == ("/api/rules/11", "amount > 700", "backtest 9")

    def test_or_is_tried_beside_the_rule(self, api: StubApi) -> None:
        api.answers["PUT /api/rules/11/candidate"] = rule(candidate=rule_data.CANDIDATE)
        page = self.opened(api, TEXT_TESTED)
        ran(widget(page, "button", "Try it beside the rule").click().run())
        assert writes(api)[0][1] == "/api/rules/11/candidate"

    def test_actions_that_would_be_lost_are_said(self, api: StubApi) -> None:
        page = self.opened(api, TEXT_TESTED, short_form='when amount > 800 then notify("slack:#ops")')
        assert "would be lost" in page.warning[0].value

    def test_what_is_tried_and_tested_becomes_the_rule(self, api: StubApi) -> None:
        api.answers["POST /api/rules/11/promote"] = rule(version=3)
        tested = {**rule_data.TESTED, "version": 3}
        page = self.opened(api, tested, candidate={**rule_data.CANDIDATE, "state": "shadow"})
        ran(widget(page, "button", "Make it the rule").click().run())
        assert writes(api)[0][1] == "/api/rules/11/promote"

    def test_a_text_of_no_rule_becomes_one(self, api: StubApi) -> None:
        new = {**TEXT_TESTED, "name": "amount > 700"}
        api.answers["GET /api/backtests/9"] = backtest("done", new)
        api.answers["POST /api/pipelines/7/rules"] = rule()
        page = open_page("rules", part="backtests", backtest="9")
        ran(widget(page, "button", "Add it as a rule").click().run())
        ((_, path, body),) = writes(api)
        assert (path, body["rule_expression"], body["state"]) == ("/api/pipelines/7/rules", "amount > 700", "active")
        assert page.query_params["rule"] == "11"
        assert "part" not in page.query_params

    def test_a_refusal_is_shown(self, api: StubApi) -> None:
        errors = [{"pointer": "", "detail": rule_data.HOSTILE}]
        api.refused["POST /api/rules/11/state"] = problem(409, "rule-tests-failed", "1 test fails", errors)
        page = self.opened(api, state="draft")
        ran(widget(page, "button", "Publish it").click().run())
        assert "1 test fails" in texts(page)
        assert is_clean(page)

    def test_a_key_that_only_looks_is_offered_nothing(self, looking: StubApi) -> None:
        rule_data.fill(looking)
        page = self.opened(looking, state="draft")
        assert "Publish it" not in labels(page)
        assert "Test it" not in labels(page)
