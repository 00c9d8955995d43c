"""The page of detectors: listed, switched, run."""

from __future__ import annotations

from typing import Any

import pytest

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

RUN = {
    "id": 1, "detector": "amount_spike", "cause": "schedule", "requested_by": HOSTILE, "run_at": NOW, "state": "done",
    "window_start": NOW, "window_end": NOW, "window_count": 2, "finding_count": 3, "fired_count": 1, "amended_count": 0,
    "error": HOSTILE, "started_at": NOW, "finished_at": NOW,
}  # fmt: skip


def detector(name: str = "amount_spike", **more: Any) -> dict[str, Any]:
    return {
        "name": name, "kind": "amount_spike", "title": HOSTILE, "is_builtin": True, "description": HOSTILE,
        "mode": "auto", "is_enabled": False, "parameters": {"low": "3"}, "changed_parameters": ["low"],
        "schedule": {"interval_seconds": 300, "cron": None, "time_zone": "UTC"}, "next_run_at": None,
        "evaluated_until": NOW, "last_run": RUN, "version": 4, "created_at": None, "updated_at": None, **more,
    }  # fmt: skip


def filled(stub: StubApi) -> StubApi:
    stub.answers |= {
        "GET /api/detectors": [detector(), detector("x/y <b>", last_run=None)],
        "GET /api/detectors/amount_spike/runs": [RUN],
    }
    return stub


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    return filled(stub)


class TestDetectors:
    def test_the_list(self, api: StubApi) -> None:
        table = open_page("detectors").dataframe[0].value
        assert list(table["name"]) == ["amount_spike", "x/y <b>"]
        assert list(table["state"]) == ["done", "never ran"]

    def test_what_tenants_wrote_is_shown_as_text(self, api: StubApi) -> None:
        assert is_clean(open_page("detectors", detector="amount_spike"))

    def test_switched_as_it_was_seen(self, api: StubApi) -> None:
        api.answers["PATCH /api/detectors/amount_spike"] = detector(mode="on")
        page = open_page("detectors", detector="amount_spike")
        ran(widget(page, "selectbox", "It is").set_value("on").run())
        assert api.writes() == [("PATCH", "/api/detectors/amount_spike", {"mode": "on"})]
        assert [each.if_match for each in api.requests if each.method == "PATCH"] == ['"4"']

    def test_run_now(self, api: StubApi) -> None:
        api.answers["POST /api/detectors/amount_spike/run"] = RUN
        page = open_page("detectors", detector="amount_spike")
        ran(widget(page, "button", "Run it now").click().run())
        assert "3 findings, 1 new alerts" in page.success[0].value

    def test_a_run_that_fails_says_why(self, api: StubApi) -> None:
        api.answers["POST /api/detectors/amount_spike/run"] = {**RUN, "state": "failed"}
        page = open_page("detectors", detector="amount_spike")
        ran(widget(page, "button", "Run it now").click().run())
        assert "failed" in page.error[0].value
        assert "**bold**" in texts(page)

    def test_a_run_that_is_refused_says_why(self, api: StubApi) -> None:
        api.refused["POST /api/detectors/amount_spike/run"] = problem(409, "conflict", "another run is under way")
        page = open_page("detectors", detector="amount_spike")
        ran(widget(page, "button", "Run it now").click().run())
        assert "another run is under way" in texts(page)

    def test_a_link_to_one_that_is_gone(self, api: StubApi) -> None:
        page = open_page("detectors", detector=HOSTILE)
        assert "not there" in page.warning[0].value
        assert is_clean(page)

    def test_a_key_that_only_looks_is_offered_nothing(self, looking: StubApi) -> None:
        filled(looking)
        page = open_page("detectors", detector="amount_spike")
        assert "Run it now" not in labels(page)
        assert "It is" not in labels(page, "selectbox")

    def test_none(self, api: StubApi) -> None:
        api.answers["GET /api/detectors"] = []
        assert "POST /api/detectors" in open_page("detectors").info[0].value

    def test_the_api_is_down(self, api: StubApi) -> None:
        api.is_down = True
        assert "does not answer" in open_page("detectors").error[0].value
