"""The dashboard's pages against the real API: from nothing to a rule, an alert that is worked on, a policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sentinel.client import Client as ApiClient
from sentinel.domain.api_key import Scope
from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import add_rule
from tests.integration.api.findings import Findings
from tests.unit.dashboard.conftest import HOSTILE, is_clean, labels, open_page, ran, texts, widget

pytestmark = pytest.mark.integration


@pytest.fixture
def act_as(
    monkeypatch: pytest.MonkeyPatch, base_url: str, key_of: Callable[..., str], tenant: str
) -> Callable[..., None]:
    """Lets the pages act with a key of the tenant."""

    def become(scope: Scope = Scope.WRITE, tenant_id: str = tenant) -> None:
        client = ApiClient(base_url, api_key=key_of(tenant_id, scope))
        monkeypatch.setattr("dashboard.session._shared_client", lambda: (client, True))

    become()
    return become


@pytest.fixture
def findings(database: Database, tenant: str) -> Findings:
    """Writes findings of the tenant."""
    return Findings(database, tenant)


def area(page: AppTest, key: str) -> Any:
    return next(each for each in page.text_area if each.key == key)


class TestDashboard:
    def test_anonymous_is_asked_for_a_key(self, monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
        monkeypatch.setattr("dashboard.session._shared_client", lambda: (ApiClient(base_url), True))
        assert widget(open_page("alerts"), "text_input", "API key").value == ""

    def test_another_tenant_sees_nothing(
        self, act_as: Callable[..., None], stranger: Any, client: Any, pipeline: dict[str, Any], findings: Findings
    ) -> None:
        found = findings.alert(add_rule(client, pipeline["id"], "amount > 100"), "e1")
        act_as(tenant_id=stranger.get("/api/me").json()["tenant_id"])
        page = open_page("alerts", alert=str(found))
        assert "does not exist" in page.error[0].value
        assert "e1" not in texts(page)

    def test_from_nothing_to_a_rule(self, act_as: Callable[..., None], api: ApiClient, tenant: str) -> None:
        page = open_page("pipelines")
        assert "No pipeline yet" in page.info[0].value
        area(page, "create-sample").set_value(json.dumps({"order_id": "o-1", "user_id": "u", "amount": 1.5}))
        ran(widget(page, "button", "Propose fields").click().run())
        widget(page, "text_input", "Name").set_value(f"Orders {tenant}")
        ran(widget(page, "text_input", "Kafka topic").set_value("orders").run())
        ran(widget(page, "button", "Create the pipeline").click().run())
        assert not page.error
        (pipeline,) = api.list_pipelines()
        rules = open_page("rules", pipeline=str(pipeline.id))
        key = f"rule-add-{pipeline.id}-expression"
        ran(area(rules, key).set_value("amuont > 10").run())
        assert any("line 1: amuont > 10\n        ^^^^^^" in each.value for each in rules.code)
        ran(area(rules, key).set_value("amount > 10").run())
        ran(widget(rules, "button", "Add the rule").click().run())
        assert not rules.error
        (rule,) = api.list_rules(pipeline.id)
        assert (rule.rule_expression, rule.state) == ("amount > 10", "active")
        assert rules.query_params["rule"] == str(rule.id)
        ran(widget(rules, "button", "Pause").click().run())
        assert api.get_rule(rule.id).state == "paused"

    def test_an_alert_is_worked_on(
        self, act_as: Callable[..., None], client: Any, api: ApiClient, pipeline: dict[str, Any], findings: Findings
    ) -> None:
        rule = add_rule(client, pipeline["id"], "amount > 100", description=HOSTILE)
        first, second = (findings.alert(rule, f"e{number}", {"note": HOSTILE}) for number in range(2))
        page = open_page("alerts", pipeline=str(pipeline["id"]), rule=str(rule["id"]), alert=str(first))
        assert is_clean(page)
        ran(widget(page, "button", "Acknowledge").click().run())
        area(page, f"alert-note-text-{first}").set_value("called")
        ran(widget(page, "button", "Add the note").click().run())
        detail = api.get_alert(first)
        assert (detail.status, [note.text for note in detail.notes]) == ("acknowledged", ["called"])
        ran(next(each for each in page.selectbox if each.key == "bulk-status").set_value("resolved").run())
        ran(widget(page, "button", "Count first").click().run())
        ran(widget(page, "button", "Change 2 alerts").click().run())
        assert [api.get_alert(each).status for each in (first, second)] == ["resolved", "resolved"]
        ran(widget(page, "button", "Make a CSV file").click().run())
        assert page.session_state["export-ready"][1] == 2

    def test_a_key_that_only_looks(
        self, act_as: Callable[..., None], client: Any, pipeline: dict[str, Any], findings: Findings
    ) -> None:
        rule = add_rule(client, pipeline["id"], "amount > 100")
        found = findings.alert(rule, "e1")
        act_as(Scope.READ)
        page = open_page("alerts", alert=str(found))
        assert not page.error
        assert "Acknowledge" not in labels(page)

    def test_a_policy_with_what_is_wrong_at_its_line(self, act_as: Callable[..., None], api: ApiClient) -> None:
        api.create_channel("siem", "webhook", {"url": "https://example.com/alerts"})
        page = open_page("notifications", show="policy")
        wrong = "defaults:\n  channels: [siem]\nroutes:\n- name: a\n  match: ['severity~']\n"
        ran(area(page, "policy-text").set_value(wrong).run())
        assert "line 5" in list(page.dataframe[0].value["where"]), texts(page)
        ran(area(page, "policy-text").set_value("defaults:\n  channels: [siem]\n").run())
        ran(widget(page, "button", "Put it in force").click().run())
        assert api.get_notification_policy().policy == {"defaults": {"channels": ["siem"]}}

    @pytest.mark.parametrize("view", ["overview", "pipelines", "rules", "detectors", "dead_letters", "notifications"])
    def test_a_page_of_a_tenant_that_has_something(
        self, act_as: Callable[..., None], client: Any, pipeline: dict[str, Any], view: str
    ) -> None:
        rule = add_rule(client, pipeline["id"], "amount > 100")
        page = open_page(view, pipeline=str(pipeline["id"]), rule=str(rule["id"]), detector="amount_spike")
        assert not page.error, texts(page)

    @pytest.mark.parametrize("section", ["channels", "policy", "try", "silences"])
    def test_a_part_of_notifications(self, act_as: Callable[..., None], section: str) -> None:
        assert not open_page("notifications", show=section).error
