"""The page of notifications: deliveries, channels, policy, a route that is tried, silences."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from dashboard.components.notifications.policy import place_of, read_policy
from sentinel.clock import utc_now
from sentinel.errors import InvalidError
from tests.unit.dashboard import page_data
from tests.unit.dashboard.conftest import HOSTILE, StubApi, is_clean, labels, open_page, problem, ran, texts, widget


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    page_data.fill(stub)
    return stub


@pytest.fixture
def readable(looking: StubApi) -> StubApi:
    page_data.fill(looking)
    return looking


SECTIONS = ["deliveries", "channels", "policy", "try", "silences"]


@pytest.mark.parametrize("section", SECTIONS)
class TestEverySection:
    def test_what_tenants_wrote_is_shown_as_text(self, api: StubApi, section: str) -> None:
        assert is_clean(open_page("notifications", show=section, delivery="dlv_1"))

    def test_a_key_that_only_looks_is_offered_nothing(self, readable: StubApi, section: str) -> None:
        page = open_page("notifications", show=section, delivery="dlv_1")
        changes = {"Count them first", "Send a test", "Switch it off", "End it", "Silence them", "Put it in force"}
        assert not changes & set(labels(page))
        assert not page.text_area

    def test_the_api_is_down(self, api: StubApi, section: str) -> None:
        api.is_down = True
        assert "does not answer" in open_page("notifications", show=section).error[0].value

    def test_only_what_is_looked_at_is_asked_for(self, api: StubApi, section: str) -> None:
        open_page("notifications", show=section)
        assert len({each.path for each in api.requests}) <= 3


class TestDeliveries:
    def test_filters_ask_the_api_and_stand_in_the_address(self, api: StubApi) -> None:
        page = open_page("notifications")
        ran(widget(page, "pills", "State").set_value("dead").run())
        ran(widget(page, "text_input", "Channel").set_value("siem").run())
        ran(widget(page, "text_input", "Alert").set_value("3").run())
        assert api.asked("/api/deliveries")[-1] == {"state": "dead", "channel": "siem", "alert_id": "3", "limit": "100"}
        assert (page.query_params["state"], page.query_params["of"]) == ("dead", "3")

    def test_a_link_opens_the_delivery_with_every_try(self, api: StubApi) -> None:
        page = open_page("notifications", delivery="dlv_1")
        assert list(page.dataframe[1].value["why"]) == ["status_500"]
        assert any("title" in each.value for each in page.code)

    def test_what_is_no_alert_is_said(self, api: StubApi) -> None:
        assert "by its number" in open_page("notifications", of="x").error[0].value

    def test_a_delivery_that_is_gone(self, api: StubApi) -> None:
        api.answers["GET /api/deliveries/dlv_9"] = problem(404, "not-found", "there is no delivery")
        page = open_page("notifications", delivery="dlv_9")
        assert "does not exist" in page.error[0].value
        assert len(page.dataframe) == 1

    def test_overdue_ones_are_said_with_their_cause(self, api: StubApi) -> None:
        api.answers["GET /api/deliveries/overdue"] = [
            {"id": "d", "channel": "siem", "next_attempt_at": "2026-01-31T08:00:00Z", "cause": "no_worker"}
        ]
        page = open_page("notifications")
        assert "1 deliveries should have been tried" in page.warning[0].value
        assert list(page.dataframe[0].value["cause"]) == ["no_worker"]

    def test_none_yet_says_what_to_do(self, api: StubApi) -> None:
        api.answers["GET /api/deliveries"] = []
        assert "Policy" in open_page("notifications").info[0].value
        assert "No delivery fits" in open_page("notifications", state="sent").info[0].value

    def test_dead_ones_are_counted_before_they_are_sent_again(self, api: StubApi) -> None:
        would = {"count": 5, "delivery_ids": [], "looped": 1, "left": 0, "ends_at": None, "dry_run": True}
        api.answers["POST /api/deliveries/redrive"] = would
        page = open_page("notifications", channel="siem")
        ran(widget(page, "button", "Count them first").click().run())
        ran(widget(page, "button", "Send 5 again").click().run())
        bodies = [body for _, _, body in api.writes()]
        assert [(body["channel"], body.get("dry_run"), body.get("limit")) for body in bodies] == [
            ("siem", True, None), ("siem", None, 5)
        ]  # fmt: skip
        assert "5 are sent again" in page.success[0].value


class TestChannels:
    def test_a_test_says_what_came_of_it(self, api: StubApi) -> None:
        came = {"outcome": "failed", "fate": "retry", "reason": "status_500", "detail": HOSTILE, "status": 500}
        api.answers["POST /api/channels/siem/test"] = {**came, "duration_seconds": 0.5}
        page = open_page("notifications", show="channels")
        ran(widget(page, "button", "Send a test").click().run())
        assert "did not arrive" in page.error[0].value
        assert "status_500 (status 500)" in texts(page)
        assert is_clean(page)

    def test_a_test_that_may_not_run_says_why(self, api: StubApi) -> None:
        api.refused["POST /api/channels/siem/test"] = problem(429, "rate-limited", "too many tests run")
        page = open_page("notifications", show="channels")
        ran(widget(page, "button", "Send a test").click().run())
        assert "Too many requests" in page.error[0].value

    def test_switched_off_with_a_reason(self, api: StubApi) -> None:
        api.answers["POST /api/channels/siem/disable"] = page_data.channel(status="disabled")
        page = open_page("notifications", show="channels")
        widget(page, "text_input", "Why").set_value("they moved")
        ran(widget(page, "button", "Switch it off").click().run())
        assert api.writes() == [("POST", "/api/channels/siem/disable", {"reason": "they moved"})]

    def test_switched_on(self, api: StubApi) -> None:
        api.answers["GET /api/channels"] = [page_data.channel(status="disabled", disabled_reason=HOSTILE)]
        api.answers["POST /api/channels/siem/enable"] = page_data.channel()
        page = open_page("notifications", show="channels")
        assert widget(page, "button", "Send a test").disabled
        assert is_clean(page)
        ran(widget(page, "button", "Switch on").click().run())
        assert api.writes() == [("POST", "/api/channels/siem/enable", {})]

    def test_none_yet(self, api: StubApi) -> None:
        api.answers["GET /api/channels"] = []
        assert "sentinel channels add" in open_page("notifications", show="channels").info[0].value


class TestPolicy:
    def edited(self, text: str) -> AppTest:
        page = open_page("notifications", show="policy")
        return ran(widget(page, "text_area", "Policy (YAML)").set_value(text).run())

    def test_the_policy_in_force_is_shown_as_yaml(self, api: StubApi) -> None:
        page = open_page("notifications", show="policy")
        assert yaml.safe_load(widget(page, "text_area", "Policy (YAML)").value) == page_data.POLICY["policy"]
        assert "Put it in force" not in labels(page)

    def test_a_key_that_only_looks_sees_it(self, readable: StubApi) -> None:
        assert "severity" in open_page("notifications", show="policy").code[0].value

    def test_it_is_checked_before_it_can_be_put_in_force(self, api: StubApi) -> None:
        api.answers["PUT /api/notifications/policy"] = {**page_data.POLICY, "version": 3}
        page = self.edited("defaults: {channels: [ops]}\nquiet_hours: {x: {holidays: [2026-12-25]}}\n")
        wanted = {"defaults": {"channels": ["ops"]}, "quiet_hours": {"x": {"holidays": ["2026-12-25"]}}}
        assert [path for _, path, _ in api.writes()] == ["/api/notifications/dry-route"]
        widget(page, "text_input", "Why, for the record").set_value("because")
        ran(widget(page, "button", "Put it in force").click().run())
        method, _, body = api.writes()[-1]
        assert (method, body) == ("PUT", {"policy": wanted, "comment": "because"})
        assert [each.if_match for each in api.requests if each.method == "PUT"] == ['"2"']

    def test_errors_stand_with_their_lines(self, api: StubApi) -> None:
        errors = [{"pointer": "/policy/routes/1/match", "detail": HOSTILE}, {"pointer": "", "detail": "all of it"}]
        api.refused["POST /api/notifications/dry-route"] = problem(422, "invalid", "2 things are wrong", errors)
        page = self.edited("routes:\n- name: a\n- name: b\n  match: x\n")
        found = page.dataframe[0].value
        assert list(found["where"]) == ["line 4", ""]
        assert "Put it in force" not in labels(page)
        assert is_clean(page)

    @pytest.mark.parametrize(
        "text",
        ["a: [", "a: &x 1\nb: *x", "- 1", "a: 1\na: 2", "---\na: 1\n---\nb: 2", "a: !!python/object:os.system x"],
    )
    def test_what_is_not_yaml_for_us_is_said_and_sent_nowhere(self, api: StubApi, text: str) -> None:
        page = self.edited(text)
        assert "cannot be put in force" in page.error[0].value
        assert api.writes() == []

    def test_a_change_of_somebody_else_is_not_overwritten(self, api: StubApi) -> None:
        page = self.edited("defaults: {channels: [ops]}\n")
        api.answers["GET /api/notifications/policy"] = {**page_data.POLICY, "version": 3}
        ran(page.run())
        assert "Version 3 is in force since you began with version 2" in page.warning[0].value
        assert "Put it in force" not in labels(page)
        assert widget(page, "text_area", "Policy (YAML)").value == "defaults: {channels: [ops]}\n"
        ran(widget(page, "button", "Start from the policy in force").click().run())
        assert not page.warning

    def test_none_yet(self, api: StubApi) -> None:
        api.answers["GET /api/notifications/policy"] = {
            "version": 0, "policy": {}, "comment": "", "created_by": "", "created_at": None
        }  # fmt: skip
        assert "no policy yet" in open_page("notifications", show="policy").info[0].value


class TestReadPolicy:
    @pytest.mark.parametrize("text", ["a: .nan", "a: .inf", "a: 2026-12-25T00:00:00Z"])
    def test_everything_can_be_sent_as_json(self, text: str) -> None:
        assert isinstance(read_policy(text)[0]["a"], str)

    @pytest.mark.parametrize("text", ['a: "\\ud800"', "x" * 200_001, "[" * 5000])
    def test_what_cannot_be_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidError):
            read_policy(text)

    def test_no_text_is_an_empty_policy(self) -> None:
        assert read_policy("# nothing\n") == ({}, None)

    def test_a_place_that_is_not_there_is_the_line_of_what_should_hold_it(self) -> None:
        _, document = read_policy("defaults:\n  channels: [a]\nroutes: []\n")
        assert place_of("/policy/defaults/group_by/0", document) == "line 1"
        assert place_of("/alert_id", document) == place_of("", document) == ""


class TestDryRoute:
    def asked(self, **fields: str) -> AppTest:
        page = open_page("notifications", show="try")
        for label, value in fields.items():
            widget(page, "text_input", label.replace("_", " ")).set_value(value)
        return ran(widget(page, "button", "Where would it go?").click().run())

    def test_an_imagined_alert(self, api: StubApi) -> None:
        page = self.asked(Rule="large", Tags="vip, night", Entities="user_id=u-1, host=a=b")
        assert api.writes()[-1][2] == {
            "pipeline": "", "rule": "large", "severity": "warning", "tags": ["vip", "night"],
            "entities": {"user_id": "u-1", "host": "a=b"},
        }  # fmt: skip
        assert list(page.dataframe[0].value["channel"]) == ["siem"]
        assert list(page.dataframe[1].value["outcome"]) == ["unrouted"]

    def test_an_alert_that_there_is(self, api: StubApi) -> None:
        self.asked(Number_of_an_alert=" 17 ", Rule="left out")
        assert api.writes()[-1][2] == {"alert_id": 17}

    @pytest.mark.parametrize("fields", [{"Number_of_an_alert": "x"}, {"Entities": "user"}])
    def test_what_cannot_be_asked_is_said(self, api: StubApi, fields: dict[str, str]) -> None:
        assert self.asked(**fields).error
        assert api.writes() == []


class TestSilences:
    def test_a_link_to_those_that_are_over(self, api: StubApi) -> None:
        assert api.asked("/api/silences") == []
        page = open_page("notifications", show="silences", over="yes")
        assert widget(page, "toggle", "Those that are over as well").value is True
        ran(widget(page, "toggle", "Those that are over as well").set_value(False).run())
        assert "over" not in page.query_params

    def test_added_with_its_matchers_from_now_on(self, api: StubApi) -> None:
        api.answers["POST /api/silences"] = page_data.silence(3)
        page = open_page("notifications", show="silences")
        widget(page, "text_area", "Alerts with").set_value('rule="a"\n\n entity.user_id=~"b.*" ')
        widget(page, "text_input", "Why").set_value("load test")
        widget(page, "selectbox", "For").set_value("4 hours")
        ran(widget(page, "button", "Silence them").click().run())
        body = api.writes()[-1][2]
        assert body["matchers"] == ['rule="a"', 'entity.user_id=~"b.*"']
        ends_in = datetime.fromisoformat(body["ends_at"]) - utc_now()
        assert timedelta(hours=3, minutes=55) < ends_in <= timedelta(hours=4)
        assert widget(page, "text_area", "Alerts with").value == ""

    def test_what_was_refused_stays_in_the_form(self, api: StubApi) -> None:
        errors = [{"pointer": "/matchers/0", "detail": "is no matcher"}]
        api.refused["POST /api/silences"] = problem(422, "invalid", "1 thing is wrong", errors)
        page = open_page("notifications", show="silences")
        widget(page, "text_area", "Alerts with").set_value("x")
        ran(widget(page, "button", "Silence them").click().run())
        assert "matchers, entry 1: is no matcher" in texts(page)
        assert widget(page, "text_area", "Alerts with").value == "x"

    def test_ended(self, api: StubApi) -> None:
        api.answers["DELETE /api/silences/1"] = page_data.silence(status="expired")
        ran(widget(open_page("notifications", show="silences"), "button", "End it").click().run())
        assert api.writes() == [("DELETE", "/api/silences/1", {})]

    def test_none(self, api: StubApi) -> None:
        api.answers["GET /api/silences"] = []
        assert "No silence" in open_page("notifications", show="silences").info[0].value
