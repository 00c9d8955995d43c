"""The first page, run by Streamlit's own test runner against a stub of the API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.live import REFRESH_SECONDS
from dashboard.components.overview.figures import ago
from dashboard.components.overview.period_figures import change
from sentinel.client import models
from sentinel.client.client import Client
from sentinel.settings import PROJECT_ROOT
from tests.unit.dashboard.overview_api import HOSTILE, NOW, StubApi, opened, page, served, totals


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubApi]:
    yield from served(monkeypatch)


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
