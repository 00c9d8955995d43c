"""What somebody is shown who begins with nothing, and an event of one's own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.pipelines.send_event import sample_event
from dashboard.components.problems import place_of
from sentinel.client import models
from tests.unit.dashboard.alert_data import pipeline
from tests.unit.dashboard.conftest import HOSTILE, NOW, StubApi, labels, open_page, problem, ran, texts, widget
from tests.unit.dashboard.rule_data import rule

JOB = {"is_running": True, "holder": "h", "heartbeat_at": NOW, "expires_at": NOW, "details": {}}
SEND = "POST /events"
FIELDS = [
    {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
    {"name": "amount", "type": "float", "nullable": True},
]
WHEN = datetime(2026, 1, 31, 8, tzinfo=UTC)


def taken(status: str, **more: Any) -> dict[str, Any]:
    """Return what the API says of one event."""
    return {
        "accepted": int(status == "accepted"), "duplicate": int(status == "duplicate"),
        "rejected": int(status == "rejected"), "deduplicated": True, "spooled": False,
        "items": [{"index": 0, "status": status, "event_id": "e", "pipeline_id": 7, "errors": [], **more}],
    }  # fmt: skip


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    stub.answers |= {
        "GET /api/pipelines": [pipeline(alert_count=0)],
        "GET /api/pipelines/7/progress": {"pipeline_id": 7, "decided_records": 0, "partitions": [], "job": None},
        "GET /api/progress": [{"pipeline_id": 7, "decided_records": 0, "per_second": 0.0, "job": None}],
        "GET /api/pipelines/7/rules": [],
        "GET /api/detectors": [],
        "GET /api/pipelines/7/schema": {
            "pipeline_id": 7, "version": 1, "schema": FIELDS, "created_at": NOW, "created_by": "ann"
        },
        "GET /api/pipelines/7/recent-records": [],
        "GET /api/alerts": {"alerts": [], "next_before": None},
        SEND: taken("accepted"),
    }  # fmt: skip
    return stub


def alerts(api: StubApi) -> AppTest:
    api.answers["GET /api/alerts"] = []
    return open_page("alerts")


class TestSteps:
    def test_first_a_rule_then_the_job_then_an_event(self, api: StubApi) -> None:
        page = open_page("pipelines", pipeline="7", show="records")
        assert "Write a rule" in labels(page)
        api.answers["GET /api/pipelines/7/rules"] = [rule()]
        ran(page.run())
        assert "sentinel submit 7" in [each.value for each in page.code]
        assert "Write a rule" not in labels(page)
        api.answers["GET /api/pipelines/7/progress"] = {
            "pipeline_id": 7, "decided_records": 0, "partitions": [], "job": JOB
        }  # fmt: skip
        ran(page.run())
        assert "Send an event" in labels(page)
        assert not page.code

    def test_a_rule_that_is_off_looks_for_nothing(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/rules"] = [rule(is_active=False, state="draft")]
        assert "Write a rule" in labels(open_page("pipelines", pipeline="7", show="records"))

    def test_a_page_without_any_alert_has_no_counts_files_and_bulk_changes(self, api: StubApi) -> None:
        page = alerts(api)
        assert "No alert yet" in page.info[0].value
        assert "Write a rule" in labels(page)
        assert not [each.label for each in page.expander if "fit" in each.label]
        assert not [each for each in api.requests if "facets" in each.path]

    def test_a_key_that_only_looks_is_offered_nothing(self, api: StubApi) -> None:
        api.answers["GET /api/me"] = {**api.answers["GET /api/me"], "scopes": ["read"]}
        page = alerts(api)
        assert "Write a rule" not in labels(page)
        assert any("may write" in each.value for each in page.caption)


class TestSend:
    def page(self) -> AppTest:
        return open_page("pipelines", pipeline="7", show="records")

    def test_a_sample_of_the_schema_is_sent(self, api: StubApi) -> None:
        page = self.page()
        ran(widget(page, "button", "Send it").click().run())
        (request,) = [each for each in api.requests if each.path == "/events"]
        assert request.body[:2] == b"\x1f\x8b"
        assert not page.error

    def test_another_one_has_another_id(self, api: StubApi) -> None:
        page = self.page()
        first = json.loads(widget(page, "text_area", "Event as JSON").value)
        assert first["amount"] == 1500.0
        widget(page, "text_area", "Event as JSON").set_value('{"id": "mine"}')
        ran(widget(page, "button", "Send it").click().run())
        assert json.loads(widget(page, "text_area", "Event as JSON").value)["id"].startswith("sample-")

    @pytest.mark.parametrize("text", ["", "{", "[1]", '"x"'])
    def test_what_is_no_event_is_not_sent(self, api: StubApi, text: str) -> None:
        page = self.page()
        widget(page, "text_area", "Event as JSON").set_value(text)
        ran(widget(page, "button", "Send it").click().run())
        assert page.error
        assert not [each for each in api.requests if each.path == "/events"]
        assert widget(page, "text_area", "Event as JSON").value == text

    def test_what_the_schema_refuses_is_said_at_its_place(self, api: StubApi) -> None:
        api.answers[SEND] = taken("rejected", errors=[{"pointer": "/amount", "detail": HOSTILE}])
        page = self.page()
        ran(widget(page, "button", "Send it").click().run())
        assert "not sent" in page.error[0].value
        assert f"amount: {HOSTILE[:20]}" in texts(page)

    def test_the_same_id_again_is_said(self, api: StubApi) -> None:
        api.answers[SEND] = taken("duplicate")
        page = self.page()
        ran(widget(page, "button", "Send it").click().run())
        assert "another id" in page.warning[0].value

    def test_the_broker_is_away(self, api: StubApi) -> None:
        api.refused[SEND] = problem(503, "unavailable", "Kafka does not answer")
        page = self.page()
        ran(widget(page, "button", "Send it").click().run())
        assert "Kafka does not answer" in texts(page)


class TestSample:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ({"type": "integer"}, 1500), ({"type": "float"}, 1500.0), ({"type": "boolean"}, True),
            ({"type": "decimal(10,2)"}, 1), ({"type": "timestamp"}, "2026-01-31T08:00:00Z"),
            ({"type": "date"}, "2026-01-31"), ({"type": "string"}, "sample"),
            ({"type": "string", "role": "entity"}, "f-1"),
            ({"type": "string", "role": "event_id"}, "sample-20260131-080000"),
            ({"type": "integer", "role": "event_id"}, 1769846400000),
            ({"type": "array<string>", "nullable": False}, []),
        ],
    )  # fmt: skip
    def test_each_type(self, field: dict[str, Any], value: object) -> None:
        assert sample_event([models.SchemaField(name="f", **field)], WHEN) == {"f": value}

    def test_fields_of_fields_are_left_out_where_they_may_be_missing(self) -> None:
        nested = [models.SchemaField(name="f", type=kind) for kind in ("array<string>", "struct<a: string>")]
        assert sample_event(nested, WHEN) == {}


class TestPlace:
    @pytest.mark.parametrize(
        ("pointer", "words"),
        [("", "in general"), ("/kafka_topic", "kafka topic"), ("/schema/0/type", "schema, entry 1, type"),
         ("/a~1b", "a/b")],
    )  # fmt: skip
    def test_a_pointer_in_words(self, pointer: str, words: str) -> None:
        assert place_of(pointer) == words
