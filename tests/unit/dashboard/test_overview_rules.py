"""Rules on the first page: their switches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.rules.switches import are_outdated, forget_drawn
from sentinel.client import models
from tests.unit.dashboard.overview_api import HOSTILE, StubApi, opened, page, served


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubApi]:
    yield from served(monkeypatch)


class TestSwitch:
    def test_a_switch_changes_the_rule_and_shows_what_the_api_says(self, api: StubApi) -> None:
        shown = page()
        switches = {toggle.key: toggle for toggle in shown.toggle if toggle.key}
        assert (switches["rule-11"].value, switches["rule-12"].value) == (True, False)
        switches["rule-12"].set_value(True).run()
        assert not shown.exception
        assert api.writes == [("/api/rules/12/status", {"is_active": True}, '"4"')]
        assert [toggle.value for toggle in shown.toggle if toggle.key == "rule-12"] == [True]

    def test_a_refused_switch_goes_back_and_says_why(self, api: StubApi) -> None:
        api.conflict = True
        shown = page()
        next(toggle for toggle in shown.toggle if toggle.key == "rule-12").set_value(True).run()
        assert [toggle.value for toggle in shown.toggle if toggle.key == "rule-12"] == [False]
        assert "Somebody else changed this first" in shown.error[0].value
        assert HOSTILE in [element.value for element in shown.text]


class TestManyRules:
    @pytest.fixture
    def many(self, api: StubApi) -> StubApi:
        api.rules = [api.rule(number, f"amount > {number}", f"rule no {number}") for number in range(100, 135)]
        return api

    def switches(self, shown: AppTest) -> list[str]:
        return [each.key for each in shown.toggle if each.key and each.key.startswith("rule-")]

    def test_they_come_page_by_page(self, many: StubApi) -> None:
        shown = page()
        assert self.switches(shown) == [f"rule-{number}" for number in range(100, 110)]
        assert any(each.value == "1 to 10 of 35" for each in shown.caption)
        for _ in range(3):
            next(each for each in shown.button if each.label == "Next").click().run()
        assert self.switches(shown) == [f"rule-{number}" for number in range(130, 135)]
        assert shown.query_params["rules_from"] == "30"
        assert next(each for each in shown.button if each.label == "Next").disabled

    def test_they_are_found_by_their_text(self, many: StubApi) -> None:
        shown = page()
        next(each for each in shown.button if each.label == "Next").click().run()
        shown.text_input[0].set_value("NO 13").run()
        assert self.switches(shown) == [f"rule-{number}" for number in range(130, 135)]
        assert shown.query_params["rules"] == "NO 13"
        assert "rules_from" not in shown.query_params

    def test_another_text_begins_at_its_first_page(self, many: StubApi) -> None:
        shown = opened(pipeline="7", rules_from="20")
        shown.text_input[0].set_value("rule no").run()
        assert self.switches(shown)[0] == "rule-100"

    def test_a_link_opens_the_same_page(self, many: StubApi) -> None:
        assert self.switches(opened(pipeline="7", rules_from="20"))[0] == "rule-120"
        assert self.switches(opened(pipeline="7", rules_from="9999"))[0] == "rule-130"
        assert self.switches(opened(pipeline="7", rules="no 134")) == ["rule-134"]

    def test_a_text_that_no_rule_has(self, many: StubApi) -> None:
        shown = opened(pipeline="7", rules="nowhere")
        assert not self.switches(shown)
        assert any(each.value == "No rule has this text." for each in shown.caption)


class TestOutdated:
    def test_switches_that_were_drawn_are_held_against_what_is_so(self, api: StubApi) -> None:
        shown = page()

        def rules() -> list[models.Rule]:
            return [models.Rule.model_validate(each) for each in api.rules]

        state = {"rule-switches-drawn": shown.session_state["rule-switches-drawn"]}
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("dashboard.components.rules.switches.st.session_state", state)
            assert not are_outdated(7, rules())
            api.rules[0]["is_active"] = False
            assert are_outdated(7, rules())
            api.rules[0]["is_active"] = True
            api.rules.append(api.rule(13, "true", "new"))
            assert are_outdated(7, rules())
            forget_drawn()
            assert not are_outdated(7, rules())
