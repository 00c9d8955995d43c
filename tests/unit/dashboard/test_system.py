"""System: processes, the ledger, and for the operator settings and logs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dashboard.alert_data import pipeline
from tests.unit.dashboard.conftest import (
    HOSTILE,
    NOW,
    StubApi,
    is_clean,
    labels,
    open_page,
    problem,
    ran,
    texts,
    widget,
)


def job(number: int, **more: Any) -> dict[str, Any]:
    return {
        "pipeline_id": number, "name": HOSTILE, "status": "active", "is_running": True, "phase": "running", "lag": 5,
        "heartbeat_at": NOW, **more,
    }  # fmt: skip


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    return filled(stub)


def filled(stub: StubApi) -> StubApi:
    stub.answers |= {
        "GET /api/pipelines": [pipeline()],
        "GET /api/pipelines/7/generations": [
            {
                "id": 1, "state": "active", "mode": "realtime", "schema_version": 2, "rule_set_version": 3,
                "reason": HOSTILE, "error": HOSTILE, "started_at": NOW, "activated_at": NOW, "retired_at": None,
                "borders": [],
            }
        ],
        "GET /api/system": {
            "is_operator": True,
            "processes": [
                {"name": "api", "status": "ok", "checks": 3, "causes": {}},
                {"name": "rule-worker", "status": "away", "checks": 1, "causes": {"answers": HOSTILE}},
                {"name": "worker", "status": "unavailable", "checks": 4, "causes": {"postgresql": HOSTILE}},
            ],
            "jobs": [job(7), job(8, is_running=False), job(9, phase="source gap")],
        },
        "GET /api/system/settings": [
            {"name": "SENTINEL_API__OPEN", "value": "False", "is_default": False},
            {"name": "SENTINEL_TENANT", "value": HOSTILE, "is_default": True},
        ],
        "GET /api/system/logs": ["api", "worker"],
        "GET /api/system/logs/api": {"name": "api", "lines": [HOSTILE, "second"]},
        "GET /api/system/logs/worker": {"name": "worker", "lines": []},
    }  # fmt: skip
    return stub


class TestProcesses:
    def test_each_in_words_with_what_is_wrong(self, api: StubApi) -> None:
        page = open_page("system")
        words = " ".join(each.value for each in page.markdown)
        assert "worker :red-badge[:material/error: unavailable]" in words
        assert "rule-worker :red-badge[:material/cloud_off: does not answer]" in words
        assert "jobs: 2 of 3 run" in words
        assert "worker, postgresql: =1+1 **bold**" in texts(page)
        assert list(page.dataframe[0].value["job"]) == ["running", "does not run", "source gap"]
        assert is_clean(page)

    def test_no_job_is_to_run(self, api: StubApi) -> None:
        api.answers["GET /api/system"] = {**api.answers["GET /api/system"], "jobs": []}
        assert any("No pipeline is to be run" in each.value for each in open_page("system").info)

    def test_the_api_is_away(self, api: StubApi) -> None:
        page = open_page("system")
        api.is_down = True
        ran(page.run())
        assert "does not answer" in page.error[0].value

    def test_a_key_that_may_not_read_is_told(self, api: StubApi) -> None:
        api.refused["GET /api/system"] = problem(403, "forbidden", "this needs the scope 'read'")
        assert "may not do this" in open_page("system").error[0].value


class TestLedger:
    def test_generations_of_a_pipeline(self, api: StubApi) -> None:
        page = open_page("system", show="ledger", pipeline="7")
        assert list(page.dataframe[0].value["state"]) == ["active"]
        assert is_clean(page)

    def test_no_pipeline_yet(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines"] = []
        assert "No pipeline yet" in open_page("system", show="ledger").info[0].value


class TestOperator:
    def test_settings(self, api: StubApi) -> None:
        page = open_page("system", show="settings")
        assert list(page.dataframe[0].value["setting"]) == ["SENTINEL_API__OPEN", "SENTINEL_TENANT"]
        ran(widget(page, "toggle", "Only what differs from its default").set_value(True).run())
        assert list(page.dataframe[0].value["setting"]) == ["SENTINEL_API__OPEN"]
        assert is_clean(page)

    def test_what_is_chosen_stands_in_the_address(self, api: StubApi) -> None:
        page = open_page("system", show="settings", changed="yes")
        assert list(page.dataframe[0].value["setting"]) == ["SENTINEL_API__OPEN"]
        ran(widget(page, "toggle", "Only what differs from its default").set_value(False).run())
        assert "changed" not in page.query_params
        page = open_page("system", show="logs", lines="500")
        assert api.requests[-1].parameters == {"limit": "500"}
        assert page.query_params["lines"] == "500"
        for wrong in ({"changed": "no", "show": "settings"}, {"lines": "7", "show": "logs"}):
            assert "means nothing here" in open_page("system", **wrong).warning[0].value

    def test_a_log(self, api: StubApi) -> None:
        page = open_page("system", show="logs")
        assert page.code[0].value.startswith("second\n=1+1")
        assert "\u202e" not in page.code[0].value
        assert page.query_params["log"] == "api"
        assert is_clean(page)

    def test_an_empty_log_by_its_link(self, api: StubApi) -> None:
        assert "empty" in open_page("system", show="logs", log="worker").info[0].value

    def test_no_logs_are_kept(self, api: StubApi) -> None:
        api.answers["GET /api/system/logs"] = []
        assert "local stack alone" in open_page("system", show="logs").info[0].value

    @pytest.mark.parametrize("section", ["settings", "logs"])
    def test_others_are_offered_neither(self, api: StubApi, section: str) -> None:
        state = api.answers["GET /api/system"]
        processes = [{**each, "causes": None} for each in state["processes"]]
        api.answers["GET /api/system"] = {**state, "is_operator": False, "processes": processes}
        page = open_page("system", show=section)
        assert not page.error
        assert "operator" in page.info[0].value
        assert not api.asked(f"/api/system/{section}")
        assert "Log" not in labels(page, "selectbox")
