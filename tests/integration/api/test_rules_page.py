"""The pages of rules and lists against the real API: what they write is there afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sentinel.client import Client as ApiClient
from tests.integration.api.conftest import add_rule
from tests.unit.dashboard.conftest import HOSTILE, is_clean, labels, open_page, ran, texts, widget

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def acting(monkeypatch: pytest.MonkeyPatch, api: ApiClient) -> None:
    """The pages act as the tenant."""
    monkeypatch.setattr("dashboard.session._shared_client", lambda: (api, True))


def named(page: AppTest, kind: str, key: str) -> Any:
    return next(each for each in getattr(page, kind) if each.key == key)


def table(page: AppTest, column: str) -> Any:
    return next(each.value for each in page.dataframe if column in each.value)


class TestRules:
    def test_a_candidate_from_its_text_to_the_rule(self, api: ApiClient, client: Any, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"], name="large")
        page = open_page("rules", rule=str(rule["id"]), show="trial")
        ran(named(page, "text_area", f"rule-propose-{rule['id']}-1-expression").set_value("amount > 200").run())
        ran(widget(page, "button", "Write it beside the rule").click().run())
        ran(widget(page, "button", "Try in shadow").click().run())
        found = api.get_rule(rule["id"])
        assert found.candidate is not None
        assert (found.candidate.state, found.rule_expression) == ("shadow", "amount > 100")
        widget(page, "number_input", "Percent").set_value(25.0)
        ran(widget(page, "button", "Roll it out").click().run())
        plan = api.get_rule(rule["id"]).rollout
        assert plan is not None
        assert (plan.share_percent, plan.entity) == (25.0, "user_id")
        ran(widget(page, "button", "Make it the rule").click().run())
        found = api.get_rule(rule["id"])
        assert (found.rule_expression, found.version, found.candidate) == ("amount > 200", 2, None)
        assert not page.error

    def test_a_draft_is_rolled_out_and_given_up(self, api: ApiClient, client: Any, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"], state="draft")
        page = open_page("rules", rule=str(rule["id"]), show="trial")
        ran(widget(page, "button", "Roll it out").click().run())
        assert api.get_rule(rule["id"]).state == "rollout"
        ran(widget(page, "button", "Give it up: pause it").click().run())
        assert api.get_rule(rule["id"]).state == "paused"

    def test_a_test_beside_a_rule(self, api: ApiClient, client: Any, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"])
        page = open_page("rules", rule=str(rule["id"]), show="tests")
        prefix = f"rule-test-{rule['id']}-new"
        named(page, "text_input", f"{prefix}-name").set_value(HOSTILE.replace("\u202e", ""))
        event = '{"transaction_id": "t", "user_id": "u", "amount": 900.10, "nobody": 1}'
        named(page, "text_area", f"{prefix}-event").set_value(event)
        ran(widget(page, "button", "Add it").click().run())
        (test,) = api.list_rule_tests(rule["id"])
        assert (test.event_text, test.expected) == (event, "match")
        assert is_clean(page)

    def test_a_backtest_is_asked_for_and_cancelled(self, api: ApiClient, client: Any, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"])
        page = open_page("rules", rule=str(rule["id"]), show="backtest")
        ran(widget(page, "button", "Test it").click().run())
        (task,) = api.list_backtests(pipeline["id"])
        assert task.state == "queued"
        assert table(page, "range")["id"][0] == task.id
        assert "waiting for a rule worker, 0%" in texts(page)
        ran(widget(page, "button", "Cancel it").click().run())
        assert api.get_backtest(task.id).state == "cancelled"

    def test_a_scorecard(self, api: ApiClient, client: Any, pipeline: dict[str, Any]) -> None:
        add_rule(client, pipeline["id"], name="large")
        card = api.add_scorecard(pipeline["id"], "card_risk", {"large": 60}, review=50, decline=80)
        page = open_page("rules", pipeline=str(pipeline["id"]), part="scorecards", scorecard=str(card.id))
        named(page, "number_input", f"scorecard-{pipeline['id']}-{card.id}-{card.row_version}-review").set_value(40)
        ran(widget(page, "button", "Write the next version").click().run())
        ran(widget(page, "button", "Switch it off").click().run())
        (found,) = api.list_scorecards(pipeline["id"])
        assert (found.version, found.thresholds.review, found.weights) == (2, 40, {"large": 60})
        assert not found.is_active

    def test_quality_and_versions_of_a_rule_that_did_nothing(self, client: Any, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"])
        for section in ("quality", "versions", "explain", "rule"):
            page = open_page("rules", rule=str(rule["id"]), show=section)
            assert not page.error


class TestLists:
    def finished(self, page: AppTest, key: str) -> AppTest:
        if key in page.session_state:
            page.session_state[key].future.exception(timeout=60)
        return ran(page.run())

    def checked(self, content: bytes) -> AppTest:
        page = open_page("lists", list="users", show="upload")
        page.file_uploader[0].set_value(("users.csv", content, "text/csv"))
        ran(page.run())
        ran(widget(page, "button", "See what it changes").click().run())
        return self.finished(page, "list-preview-users")

    @pytest.mark.usefixtures("users")
    def test_an_upload_is_compared_and_then_in_force(self, api: ApiClient) -> None:
        page = self.checked(b"user_id,level\nu1,9\n=1+1,3\n")
        assert [each.value for each in page.metric] == ["1", "1", "1"]
        assert api.get_list("users").version == 1
        ran(widget(page, "button", "Put it in force").click().run())
        self.finished(page, "list-write-users")
        assert [row.key for row in api.list_list_rows("users")] == ["=1+1", "u1"]
        assert list(table(page, "level")["user_id"]) == ["=1+1", "u1"]

    @pytest.mark.usefixtures("users")
    def test_mistakes_are_told_by_line_and_change_nothing(self, api: ApiClient) -> None:
        page = self.checked(b"user_id,level\nu1,many\nu2,2\nu2,3\n")
        assert list(table(page, "place")["place"]) == ["line 2, level", "line 4, user_id"]
        assert "Put it in force" not in labels(page)
        assert api.get_list("users").version == 1

    @pytest.mark.usefixtures("users")
    def test_somebody_was_faster(self, api: ApiClient) -> None:
        page = self.checked(b"user_id\nu7\n")
        api.edit_list("users", delete=["u1"])
        ran(widget(page, "button", "Put it in force").click().run())
        self.finished(page, "list-write-users")
        assert "Somebody else changed this first" in page.error[0].value
        assert [row.key for row in api.list_list_rows("users")] == ["u2"]

    @pytest.mark.usefixtures("users")
    def test_rows_are_written_and_deleted_in_every_type(self, api: ApiClient) -> None:
        page = open_page("lists", list="users")
        typed = {"user_id": HOSTILE.replace("\u202e", ""), "level": "7", "ratio": "0.5", "limit_amount": "12.50"}
        typed |= {"since": "2026-01-31", "seen_at": "2026-01-31T08:00:00Z", "vip": "true"}
        for name, text in typed.items():
            named(page, "text_input", f"list-edit-users-{name}").set_value(text)
        ran(widget(page, "button", "Write the row").click().run())
        assert not page.error
        row = next(each for each in api.list_list_rows("users") if each.values["level"] == 7)
        assert (row.values["limit_amount"], row.values["vip"]) == ("12.50", True)
        widget(page, "text_input", "Key of a row to delete").set_value("u1")
        ran(widget(page, "button", "Delete the row").click().run())
        assert "u1" not in [each.key for each in api.list_list_rows("users")]
        assert is_clean(page)

    def test_one_is_made_and_deleted(self, api: ApiClient) -> None:
        page = open_page("lists")
        widget(page, "text_input", "Name").set_value("known")
        ran(widget(page, "text_input", "Columns by the heading of a CSV file").set_value("card, note").run())
        ran(widget(page, "button", "Make the list").click().run())
        assert api.get_list("known").key == "card"
        page = open_page("lists", list="known", show="delete")
        ran(page.checkbox[0].check().run())
        ran(widget(page, "button", "Delete the list").click().run())
        assert api.list_lists() == []

    @pytest.mark.usefixtures("users")
    def test_versions_of_another_tenant_are_not_shown(
        self, monkeypatch: pytest.MonkeyPatch, stranger: Any, base_url: str
    ) -> None:
        other = ApiClient(base_url, api_key=stranger.headers["Authorization"].removeprefix("Bearer "))
        monkeypatch.setattr("dashboard.session._shared_client", lambda: (other, True))
        assert "not there" in open_page("lists", list="users", show="versions").warning[0].value
