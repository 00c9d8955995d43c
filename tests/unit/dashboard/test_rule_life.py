"""Tests beside rules, versions on trial, quality and scorecards on the page of rules."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.unit.dashboard import rule_data
from tests.unit.dashboard.alert_data import rule
from tests.unit.dashboard.conftest import HOSTILE, StubApi, is_clean, labels, open_page, problem, ran, texts, widget
from tests.unit.dashboard.rule_data import CANDIDATE, TEST


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    return rule_data.fill(stub)


def writes(api: StubApi) -> list[tuple[str, str, Any]]:
    return [each for each in api.writes() if not each[1].endswith(("/check", "/run"))]


def table(page: AppTest, column: str) -> Any:
    """Return the table that has this column."""
    return next(each.value for each in page.dataframe if column in each.value)


class TestTests:
    def finished(self, page: AppTest) -> AppTest:
        page.session_state["rule-tests-run-11"].future.exception(timeout=30)
        return ran(page.run())

    def test_run_beside_the_page_with_their_results(self, api: StubApi) -> None:
        page = open_page("rules", rule="11", show="tests")
        ran(widget(page, "button", "Run them").click().run())
        self.finished(page)
        assert "1 of 2 tests fail" in page.error[0].value
        assert list(table(page, "came out")["came out"]) == ["the record is no event", "it cannot tell"]
        assert is_clean(page)

    def test_run_with_the_text_in_the_editor(self, api: StubApi) -> None:
        page = open_page("rules", rule="11")
        assert "Run them with the text in the editor" not in labels(page)
        ran(next(each for each in page.text_area if each.key == "rule-edit-11-2-expression").set_value("a > 1").run())
        ran(widget(page, "button_group", "Section").set_value("tests").run())
        ran(widget(page, "button", "Run them with the text in the editor").click().run())
        self.finished(page)
        assert [each[2] for each in api.writes() if each[1].endswith("/run")] == [{"rule_expression": "a > 1"}]

    def test_the_worker_is_away(self, api: StubApi) -> None:
        api.refused["POST /api/rules/11/tests/run"] = problem(503, "engine-unavailable", "no worker")
        page = open_page("rules", rule="11", show="tests")
        ran(widget(page, "button", "Run them").click().run())
        assert "rule worker is away" in self.finished(page).error[0].value

    def test_one_is_added_and_what_is_odd_is_said(self, api: StubApi) -> None:
        api.answers["POST /api/rules/11/tests"] = {**TEST, "notes": ["the field 'x' is no field"]}
        page = open_page("rules", rule="11", show="tests")
        prefix = "rule-test-11-new"
        next(each for each in page.text_input if each.key == f"{prefix}-name").set_value("a large one")
        next(each for each in page.text_area if each.key == f"{prefix}-event").set_value('{"amount": 900}')
        ran(widget(page, "button", "Add it").click().run())
        assert writes(api) == [
            (
                "POST",
                "/api/rules/11/tests",
                {"name": "a large one", "expected": "match", "event_text": '{"amount": 900}'},
            )
        ]
        assert "is no field" in texts(page)
        assert next(each for each in page.text_input if each.key == f"{prefix}-name").value == ""

    def test_one_is_changed_as_it_was_seen(self, api: StubApi) -> None:
        api.answers["PUT /api/rules/11/tests/5"] = TEST
        page = open_page("rules", rule="11", show="tests", test="5")
        ran(widget(page, "button", "Change it").click().run())
        assert [each.if_match for each in api.requests if each.method == "PUT"] == ['"2"']

    def test_one_is_deleted(self, api: StubApi) -> None:
        api.answers["DELETE /api/rules/11/tests/5"] = None
        page = open_page("rules", rule="11", show="tests", test="5")
        ran(widget(page, "button", "Delete the test").click().run())
        assert writes(api) == [("DELETE", "/api/rules/11/tests/5", None)]
        assert "test" not in page.query_params

    def test_an_event_that_is_none_is_told(self, api: StubApi) -> None:
        api.refused["POST /api/rules/11/tests"] = problem(422, "invalid", "event_text: this is no JSON")
        page = open_page("rules", rule="11", show="tests")
        ran(widget(page, "button", "Add it").click().run())
        assert "this is no JSON" in texts(page)

    def test_none_yet(self, api: StubApi) -> None:
        api.answers["GET /api/rules/11/tests"] = []
        assert "No test yet" in open_page("rules", rule="11", show="tests").info[0].value


class TestTrial:
    def opened(self, api: StubApi, **changed: Any) -> AppTest:
        api.answers["GET /api/pipelines/7/rules"] = [rule(**changed)]
        return open_page("rules", rule="11", show="trial")

    def test_what_is_in_force_gets_a_version_beside_it(self, api: StubApi) -> None:
        api.answers["PUT /api/rules/11/candidate"] = rule(candidate=CANDIDATE)
        page = self.opened(api)
        key = "rule-propose-11-2-expression"
        ran(next(each for each in page.text_area if each.key == key).set_value("amount > 700").run())
        ran(widget(page, "button", "Write it beside the rule").click().run())
        ((_, path, body),) = writes(api)
        assert (path, body["rule_expression"]) == ("/api/rules/11/candidate", "amount > 700")
        assert [each.if_match for each in api.requests if each.method == "PUT"] == ['"4"']

    def test_a_candidate_goes_into_shadow(self, api: StubApi) -> None:
        api.answers["POST /api/rules/11/candidate/state"] = rule(candidate=CANDIDATE)
        page = self.opened(api, candidate=CANDIDATE)
        assert "Make it the rule" not in labels(page)
        ran(widget(page, "button", "Try in shadow").click().run())
        assert [(path, body["state"]) for _, path, body in writes(api)] == [("/api/rules/11/candidate/state", "shadow")]

    def test_it_is_rolled_out_to_a_share(self, api: StubApi) -> None:
        api.answers["POST /api/rules/11/candidate/state"] = rule(candidate=CANDIDATE)
        page = self.opened(api, candidate={**CANDIDATE, "state": "shadow"})
        widget(page, "number_input", "Percent").set_value(25.0)
        ran(widget(page, "button", "Roll it out").click().run())
        ((_, _, body),) = writes(api)
        assert (body["state"], body["share_percent"], body["entity"]) == ("rollout", 25.0, "user_id")

    def test_a_draft_itself_is_rolled_out(self, api: StubApi) -> None:
        api.answers["POST /api/rules/11/state"] = rule()
        ran(widget(self.opened(api, state="draft"), "button", "Roll it out").click().run())
        assert writes(api)[0][1] == "/api/rules/11/state"

    @pytest.mark.parametrize(("words", "path"), [("Make it the rule", "promote"), ("Give it up", "abort")])
    def test_it_ends_one_way_or_the_other(self, api: StubApi, words: str, path: str) -> None:
        api.answers[f"POST /api/rules/11/{path}"] = rule()
        page = self.opened(api, candidate={**CANDIDATE, "state": "rollout"}, rollout=rule_data.ROLLOUT["rollout"])
        widget(page, "text_input", "Why, for the record").set_value("a week")
        ran(widget(page, "button", words).click().run())
        assert writes(api) == [("POST", f"/api/rules/11/{path}", {"comment": "a week"})]
        assert [each.if_match for each in api.requests if each.path.endswith(path)] == ['"4"']

    def test_a_refusal_is_shown(self, api: StubApi) -> None:
        api.refused["POST /api/rules/11/promote"] = problem(409, "conflict", HOSTILE)
        page = self.opened(api, candidate={**CANDIDATE, "state": "shadow"})
        ran(widget(page, "button", "Make it the rule").click().run())
        assert "as things stand" in page.error[0].value
        assert is_clean(page)

    def test_both_are_held_against_each_other(self, api: StubApi) -> None:
        page = self.opened(api, candidate={**CANDIDATE, "state": "shadow"})
        arms = table(page, "arm")
        assert (list(arms["arm"]), list(arms["alerts"])) == (["in force", "tried"], [9, 5])
        values = {each.label: each.value for each in page.metric}
        assert (values["Both match"], values["Only on trial"], values["Only in force"]) == ("10", "4", "2")
        assert "guard rail" in page.error[0].value
        assert is_clean(page)

    def test_an_event_of_a_disagreement_is_explained(self, api: StubApi) -> None:
        page = self.opened(api, candidate={**CANDIDATE, "state": "shadow"})
        assert list(table(page, "record")["record"]) == ["1:77"]
        ran(widget(page, "button", "Explain it").click().run())
        assert (page.query_params["show"], page.query_params["event"]) == ("explain", "1:77")
        assert widget(page, "text_input", "Event id, or the place of its record").value == "1:77"

    def test_without_a_field_of_that_role_there_is_no_rollout(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/schema"]["schema"] = [{"name": "amount", "type": "float"}]
        page = self.opened(api, state="draft")
        assert "Roll it out" not in labels(page)
        assert any("has none" in each.value for each in page.caption)


class TestQuality:
    def test_precision_with_its_interval(self, api: StubApi) -> None:
        page = open_page("rules", rule="11", show="quality")
        values = {each.label: each.value for each in page.metric}
        assert values["Precision"] == "80%"
        assert any("between 49% and 94%" in each.value for each in page.caption)
        assert list(table(page, "precision, 95 %")["to acknowledge"]) == ["1.5 min"]

    def test_nothing_was_judged(self, api: StubApi) -> None:
        none = {**rule_data.QUALITY["total"], "precision": None}
        api.answers["GET /api/rules/11/quality"] = {**rule_data.QUALITY, "total": none, "versions": []}
        assert "was judged" in open_page("rules", rule="11", show="quality").info[0].value

    def test_why_it_could_not_tell(self, api: StubApi) -> None:
        page = open_page("rules", rule="11", show="quality")
        missing = table(page, "events")
        assert (list(missing["field"]), list(missing["events"])) == (["country"], [6])


class TestScorecards:
    def test_listed_and_switched_as_it_was_seen(self, api: StubApi) -> None:
        api.answers["PATCH /api/scorecards/4/status"] = rule_data.scorecard(is_active=False)
        page = open_page("rules", part="scorecards", scorecard="4")
        assert list(table(page, "decline from")["decline from"]) == [80]
        ran(widget(page, "button", "Switch it off").click().run())
        assert writes(api) == [("PATCH", "/api/scorecards/4/status", {"is_active": False})]
        assert [each.if_match for each in api.requests if each.method == "PATCH"] == ['"3"']

    def test_the_next_version_is_written(self, api: StubApi) -> None:
        api.answers["PUT /api/scorecards/4"] = rule_data.scorecard(version=3)
        page = open_page("rules", part="scorecards", scorecard="4")
        next(each for each in page.number_input if each.key == "scorecard-7-4-3-review").set_value(40)
        ran(widget(page, "button", "Write the next version").click().run())
        ((_, _, body),) = writes(api)
        assert body == {"weights": {"large": 60}, "thresholds": {"review": 40, "decline": 80}}

    def test_a_new_one_without_points_is_refused_in_words(self, api: StubApi) -> None:
        api.refused["POST /api/pipelines/7/scorecards"] = problem(422, "invalid", "a scorecard has 1 to 200 rules")
        page = open_page("rules", part="scorecards")
        ran(widget(page, "button", "Add it").click().run())
        assert "1 to 200 rules" in texts(page)

    def test_none_yet(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/scorecards"] = []
        assert "No scorecard yet" in open_page("rules", part="scorecards").info[0].value

    def test_a_key_that_only_looks(self, looking: StubApi) -> None:
        rule_data.fill(looking)
        page = open_page("rules", part="scorecards", scorecard="4")
        assert not {"Switch it off", "Add it", "Write the next version"} & set(labels(page))
        assert list(table(page, "points")["points"]) == [60]
