"""The first page, run by Streamlit's own test runner against a stub of the API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.components.live import REFRESH_SECONDS
from dashboard.components.overview.figures import ago
from dashboard.components.overview.period_figures import change
from dashboard.components.rules.switches import are_outdated, forget_drawn
from sentinel.client import models
from sentinel.client.client import Client
from sentinel.clock import utc_now
from sentinel.settings import PROJECT_ROOT
from tests.unit.dashboard.conftest import ME

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC).isoformat()
HOSTILE = "**bold** <script>alert(1)</script> :red[x] [link](http://x.example) $x^2$"


NOW_STATE = {
    "active": 1, "active_before": 2, "running": 0, "events_per_second": 123.4, "worst_lag": 77,
    "worst_lag_pipeline_id": 7,
}  # fmt: skip


def totals(**known: Any) -> dict[str, Any]:
    """Return the figures of a period; what is not given is nothing."""
    return {
        "decided": 0, "dead_letters": 0, "alerts": 0, "critical": 0, "worst_lag": None, "p95_ms": None, **known
    }  # fmt: skip


class StubApi:
    """Answers like the API, from plain data that a test changes."""

    def __init__(self) -> None:
        self.down = False
        self.unauthorized = False
        self.conflict = False
        self.calls: list[tuple[str, str]] = []
        self.writes: list[tuple[str, dict[str, Any], str | None]] = []
        self.pipelines: list[dict[str, Any]] = [
            {
                "id": 7, "name": HOSTILE, "kafka_topic": "cards", "status": "active", "created_at": NOW,
                "updated_at": NOW, "alert_count": 1_234, "schema_version": 2, "rule_set_version": 3,
                "start_at": "earliest", "version": 5,
                "config": {
                    "mode": "realtime", "score_every_event": False, "future_tolerance_seconds": 3600,
                    "max_record_bytes": 1, "storm_limit": 1,
                },
            }
        ]  # fmt: skip
        self.rules = [self.rule(11, "amount > 800", HOSTILE), self.rule(12, "amount > 1", "small", is_active=False)]
        self.figures: dict[str, Any] = {
            "as_of": utc_now().isoformat(), "before": NOW, "since": NOW, "until": NOW,
            "period": totals(alerts=150, critical=12, decided=8_640_000, worst_lag=900, p95_ms=31.4, dead_letters=3),
            "previous": totals(alerts=100, critical=24, decided=4_320_000, worst_lag=900, p95_ms=21.4),
            "hours": [{"hour": NOW, "critical": 12, "warning": 100, "info": 38}],
        }  # fmt: skip
        self.system: dict[str, Any] = {
            "is_operator": True,
            "processes": [
                {"name": "api", "status": "ok", "checks": 3, "causes": {}},
                {"name": "worker", "status": "degraded", "checks": 2, "causes": {"heartbeat": HOSTILE}},
            ],
            "jobs": [
                {
                    "pipeline_id": 7, "name": HOSTILE, "status": "active", "is_running": False, "phase": "",
                    "lag": None, "heartbeat_at": None,
                }
            ],
        }  # fmt: skip
        self.progress: list[dict[str, Any]] = []
        self.alerts: list[dict[str, Any]] = [
            {
                "id": number, "pipeline_id": 7, "rule_id": 11, "severity": "critical", "rule_description": HOSTILE,
                "alert_timestamp": NOW, "transaction_data": {"note": HOSTILE, "amount": 900}, "event_id": f"t{number}",
                "score": 80, "kafka_partition": 1, "kafka_offset": number, "kafka_timestamp": NOW,
            }
            for number in (3, 2, 1)
        ]  # fmt: skip

    @staticmethod
    def rule(number: int, expression: str, description: str, *, is_active: bool = True) -> dict[str, Any]:
        return {
            "id": number, "pipeline_id": 7, "rule_expression": expression, "severity": "warning",
            "description": description, "is_active": is_active, "version": 1, "row_version": 4,
            "created_at": NOW, "updated_at": NOW,
        }  # fmt: skip

    def answer(self, request: httpx.Request) -> httpx.Response:  # noqa: PLR0911 - one for each kind of question
        if self.down:
            raise httpx.ConnectError("connection refused")
        if self.unauthorized:
            return self.problem(401, "unauthenticated", "no API key")
        self.calls.append((request.method, str(request.url)))
        path = request.url.path
        if request.method == "PATCH":
            return self.patch(path, json.loads(request.content), request.headers.get("If-Match"))
        if path == "/api/progress":
            return httpx.Response(200, json=self.progress)
        lists = {"/api/me": ME, "/api/pipelines": self.pipelines, "/api/pipelines/7/rules": self.rules}
        if path in lists:
            return httpx.Response(200, json=lists[path])
        if path == "/api/figures":
            return httpx.Response(200, json={**self.figures, "now": {**NOW_STATE, "pipelines": len(self.pipelines)}})
        if path == "/api/system":
            return httpx.Response(200, json=self.system)
        assert path == "/api/alerts", path
        wanted = request.url.params.get("severity")
        found = [alert for alert in self.alerts if wanted in (None, alert["severity"])]
        return httpx.Response(200, json=found[: int(request.url.params["limit"])])

    def patch(self, path: str, body: dict[str, Any], if_match: str | None) -> httpx.Response:
        self.writes.append((path, body, if_match))
        if self.conflict:
            return self.problem(412, "version-mismatch", HOSTILE)
        rule = next(rule for rule in self.rules if path == f"/api/rules/{rule['id']}/status")
        rule["is_active"] = body["is_active"]
        return httpx.Response(200, json=rule)

    @staticmethod
    def problem(status: int, slug: str, detail: str) -> httpx.Response:
        document = {"type": f"urn:sentinel:problem:{slug}", "title": slug, "status": status, "detail": detail}
        return httpx.Response(status, json=document, headers={"Content-Type": "application/problem+json"})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubApi]:
    stub = StubApi()
    client = Client("http://api.example", transport=httpx.MockTransport(stub.answer))
    monkeypatch.setattr("dashboard.session._shared_client", lambda: (client, False))
    monkeypatch.setattr("dashboard.session._is_reached_by_others", lambda: False)
    # Each run asks anew, whatever the time between two of them is here.
    monkeypatch.setattr("dashboard.components.shared_reads.SHARED_SECONDS", 0.0)
    yield stub
    client.close()
    st.cache_resource.clear()


def page() -> AppTest:
    return opened(pipeline="7")


def opened(**parameters: str) -> AppTest:
    shown = AppTest.from_file(str(PROJECT_ROOT / "dashboard" / "views" / "overview.py"), default_timeout=60)
    for name, value in parameters.items():
        shown.query_params[name] = value
    shown.run()
    assert not shown.exception
    return shown


def figures(shown: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in shown.metric}


class TestOverview:
    def test_figures_beside_those_of_the_period_before(self, api: StubApi) -> None:
        shown = page()
        found = {metric.label: (metric.value, metric.delta) for metric in shown.metric}
        assert found == {
            "Pipelines active": ("1 of 1", "-1 (-50%)"),
            "Alerts in 24 h": ("150", "+50 (+50%)"),
            "Critical in 24 h": ("12", "-12 (-50%)"),
            "Dead letters in 24 h": ("3", "+3 (0 before)"),
            "Events/s now": ("123", "mean 100/s (+100%)"),
            "Worst lag in 24 h": ("900", "the same"),
            "p95 delay in 24 h": ("31 ms", "+10 ms (+47%)"),
        }

    def test_who_is_furthest_behind_now_as_text(self, api: StubApi) -> None:
        assert any(
            element.value.startswith("Furthest behind now: **bold**") and "77 records" in element.value
            for element in page().text
        )

    def test_what_nobody_knows_is_unknown_and_not_zero(self, api: StubApi) -> None:
        api.figures["period"] = totals()
        found = {metric.label: (metric.value, metric.delta) for metric in page().metric}
        assert found["p95 delay in 24 h"] == ("unknown", "")
        assert found["Worst lag in 24 h"] == ("unknown", "")

    def test_another_period(self, api: StubApi) -> None:
        shown = opened(hours="6")
        assert "Alerts in 6 h" in figures(shown)
        assert any("hours=6" in url for _, url in api.calls)

    def test_alerts_by_hour_and_severity(self, api: StubApi) -> None:
        assert len(page().get("vega_lite_chart")) == 2

    def test_health_in_words_with_causes(self, api: StubApi) -> None:
        shown = page()
        words = " ".join(element.value for element in shown.markdown)
        assert "api :green-badge[:material/check: ok]" in words
        assert "worker :orange-badge[:material/warning: degraded]" in words
        assert "jobs: 0 of 1 run" in words
        said = "\n".join(element.value for element in shown.text)
        assert f"worker, heartbeat: {HOSTILE}" in said
        assert "has never run" in said

    def test_a_process_that_says_nothing_is_not_called_well(self, api: StubApi) -> None:
        api.system["processes"] = api.system["processes"][:1]
        assert any("SENTINEL_TELEMETRY__WORKER_PORT" in caption.value for caption in page().caption)

    def test_latest_alerts(self, api: StubApi) -> None:
        table = page().dataframe[0].value
        assert list(table["event id"]) == ["t3", "t2", "t1"]
        assert json.loads(table["event"][0]) == api.alerts[0]["transaction_data"]

    def test_an_anomaly_is_shown_with_what_held_in_place_of_a_rule(self, api: StubApi) -> None:
        anomaly = {
            **api.alerts[0], "id": 9, "pipeline_id": None, "rule_id": None, "rule_description": "", "event_id": "d/w/s",
            "kafka_partition": None, "kafka_offset": None, "kafka_timestamp": None, "detector": "amount_spike",
            "window_start": NOW, "window_end": NOW, "evidence": [{"condition": "ten times the mean", "values": {}}],
        }  # fmt: skip
        api.alerts = [anomaly, *api.alerts]
        shown = opened()
        table = shown.dataframe[0].value
        assert (table["rule"][0], table["pipeline"][0]) == ("ten times the mean", "detector amount_spike")

    def test_the_alert_that_was_chosen_stays_when_newer_ones_come(self, api: StubApi) -> None:
        shown = page()
        shown.session_state["alerts-7-opened"] = models.Alert.model_validate(api.alerts[1])
        api.alerts.insert(0, {**api.alerts[0], "id": 9})
        shown.run()
        assert not shown.exception
        assert any(element.value.startswith("alert 2:") for element in shown.text)

    def test_alerts_of_one_severity(self, api: StubApi) -> None:
        shown = page()
        shown.pills[0].set_value("warning").run()
        assert not shown.exception
        assert not shown.dataframe
        assert any("severity=warning" in url for _, url in api.calls)

    def test_what_tenants_wrote_is_shown_as_text(self, api: StubApi) -> None:
        shown = page()
        interpreted = [
            element.value for kind in (shown.markdown, shown.info, shown.error, shown.caption) for element in kind
        ]
        labels = [widget.label for widget in shown.toggle] + [metric.label for metric in shown.metric]
        assert not [text for text in (*interpreted, *labels) if "script" in text or "bold" in text]
        assert HOSTILE in [element.value for element in shown.text]
        assert list(shown.dataframe[0].value["rule"]) == [HOSTILE] * 3


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


class TestTrouble:
    def test_the_api_is_down_and_comes_back(self, api: StubApi) -> None:
        api.down = True
        shown = page()
        assert "does not answer" in shown.error[0].value
        assert not shown.metric
        api.down = False
        shown.run()
        assert not shown.error
        assert figures(shown)["Pipelines active"] == "1 of 1"

    def test_the_api_goes_away_under_an_open_page_and_comes_back(
        self, api: StubApi, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shown = page()
        # The page itself was drawn; only what refreshes asks.
        seen = api.pipelines
        monkeypatch.setattr(Client, "list_pipelines", lambda _: [models.Pipeline.model_validate(each) for each in seen])
        api.down = True
        shown.run()
        assert not shown.exception
        assert figures(shown)["Alerts in 24 h"] == "150"
        assert list(shown.dataframe[0].value["event id"]) == ["t3", "t2", "t1"]
        shown.run()
        assert "does not answer" in shown.error[0].value
        assert any("what was last read" in caption.value for caption in shown.caption)
        api.down = False
        shown.run()
        shown.run()
        assert not shown.error

    def test_without_a_key_the_setting_is_named(self, api: StubApi) -> None:
        api.unauthorized = True
        assert "SENTINEL_DASHBOARD__API_KEY" in page().markdown[0].value

    def test_no_pipeline_yet(self, api: StubApi) -> None:
        api.pipelines = []
        shown = page()
        assert "No pipeline yet" in shown.info[0].value
        assert "Create a pipeline" in [each.label for each in shown.button]
        assert not shown.error

    def test_whoever_begins_is_shown_what_comes_next(self, api: StubApi) -> None:
        api.pipelines[0]["alert_count"] = 0
        api.figures["period"], api.alerts, api.rules = totals(), [], []
        shown = opened()
        assert "Write a rule" in [each.label for each in shown.button]
        api.rules = [api.rule(11, "amount > 800", "large")]
        shown.run()
        assert "sentinel submit 7" in [each.value for each in shown.code]
        job = {"is_running": True, "holder": "h", "heartbeat_at": NOW, "expires_at": NOW, "details": {}}
        api.progress = [{"pipeline_id": 7, "decided_records": 0, "per_second": 0.0, "job": job}]
        shown.run()
        assert "Send an event" in [each.label for each in shown.button]
        api.figures["period"] = totals(alerts=1)
        shown.run()
        assert not any("Four steps" in each.value for each in shown.markdown)

    def test_no_alert_and_no_rule_yet(self, api: StubApi) -> None:
        api.alerts, api.rules = [], []
        words = " ".join(info.value for info in page().info)
        assert "No alert yet" in words
        assert "No rule yet" in words


class TestRefresh:
    def test_one_refresh_costs_few_requests(self, api: StubApi, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dashboard.components.shared_reads.SHARED_SECONDS", 60.0)
        page()
        # A run of the page is its two parts, and what frames them once.
        once = ["/api/me", "/api/pipelines"]
        again = [url for _, url in api.calls if not url.split("?")[0].endswith(tuple(once))]
        assert len(again) == 4, again
        assert len(again) / REFRESH_SECONDS < 5

    def test_pages_that_are_open_beside_each_other_ask_once(
        self, api: StubApi, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dashboard.components.shared_reads.SHARED_SECONDS", 60.0)
        page()
        api.calls.clear()
        shown = page()
        assert figures(shown)["Alerts in 24 h"] == "150"
        assert {url.split("?")[0].rsplit("/", 1)[1] for _, url in api.calls} == {"me", "pipelines"}

    def test_what_one_key_got_is_not_given_to_another(self, api: StubApi, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dashboard.components.shared_reads.SHARED_SECONDS", 60.0)
        page()
        other = StubApi()
        other.figures["period"] = totals(alerts=7)
        with Client("http://api.example", api_key="snt_b", transport=httpx.MockTransport(other.answer)) as client:
            monkeypatch.setattr("dashboard.session._shared_client", lambda: (client, True))
            assert figures(page())["Alerts in 24 h"] == "7"

    def test_a_switch_is_seen_at_once_whatever_was_asked_before(
        self, api: StubApi, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dashboard.components.shared_reads.SHARED_SECONDS", 60.0)
        shown = page()
        next(each for each in shown.toggle if each.key == "rule-12").set_value(True).run()
        assert [each.value for each in shown.toggle if each.key == "rule-12"] == [True]

    def test_it_can_pause_and_a_link_keeps_that(self, api: StubApi) -> None:
        shown = page()
        next(each for each in shown.toggle if each.label == "Refresh every 2 s").set_value(False).run()
        assert shown.query_params["refresh"] == "off"
        again = opened(refresh="off")
        assert next(each for each in again.toggle if each.label == "Refresh every 2 s").value is False

    def test_how_old_it_is(self, api: StubApi) -> None:
        shown = page()
        shown.run()
        assert any(re.search(r"updated \d s ago", caption.value) for caption in shown.caption)

    def test_a_pipeline_that_came_meanwhile_is_offered(self, api: StubApi) -> None:
        shown = opened()
        api.pipelines.append({**api.pipelines[0], "id": 8, "name": "new"})
        shown.run()
        assert not shown.exception
        assert shown.sidebar.selectbox[1].options[1] == "new (8)"

    def test_choices_stand_in_the_address(self, api: StubApi) -> None:
        shown = opened(hours="6", severity="warning", pipeline="7")
        assert shown.query_params == {"hours": "6", "severity": "warning", "pipeline": "7"}
        assert any("severity=warning" in url and "pipeline_id=7" in url for _, url in api.calls)

    @pytest.mark.parametrize("wrong", [{"hours": "7"}, {"severity": "huge"}, {"pipeline": "x"}, {"refresh": "x"}])
    def test_a_link_that_means_nothing_is_said(self, api: StubApi, wrong: dict[str, str]) -> None:
        shown = opened(**wrong)
        assert "means nothing here" in shown.warning[0].value
        assert not shown.error


class TestChange:
    @pytest.mark.parametrize(
        ("now", "before", "words"),
        [
            (None, 1, None), (1, None, None), (5, 5, "the same"), (150, 100, "+50 (+50%)"), (0, 3, "-3 (-100%)"),
            (2, 0, "+2 (0 before)"), (1.5, 1.0, "+0.5 (+50%)"), (1_234_567, 1, "+1,234,566 (+123456600%)"),
        ],
    )  # fmt: skip
    def test_what_became_of_a_figure(self, now: float | None, before: float | None, words: str | None) -> None:
        assert change(now, before) == words


class TestAgo:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(-1, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7_199, "1 h ago"), (172_800, "2 d ago")],
    )
    def test_the_largest_unit(self, seconds: int, text: str) -> None:
        assert ago(timedelta(seconds=seconds)) == text


def test_the_router_shows_the_overview(api: StubApi) -> None:
    shown = AppTest.from_file(str(PROJECT_ROOT / "dashboard" / "app.py"), default_timeout=60).run()
    assert not shown.exception
    assert shown.title[0].value == "Overview"
