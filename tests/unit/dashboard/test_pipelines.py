"""The page of pipelines: how far they are, paused, resumed, created, and their schemas."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
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

FIELDS = [
    {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
    {"name": "amount", "type": "float", "nullable": False},
]


def progress(*, is_running: bool = True, **details: Any) -> dict[str, Any]:
    job = {"is_running": is_running, "holder": "h", "heartbeat_at": NOW, "expires_at": NOW, "details": details}
    return {"pipeline_id": 7, "decided_records": 60_000, "partitions": [], "job": job}


def schema(version: int, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"pipeline_id": 7, "version": version, "schema": fields, "created_at": NOW, "created_by": HOSTILE}


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    return filled(stub)


def history(request: Any) -> dict[str, Any]:
    span = {"1": 60, "6": 300, "24": 900, "168": 7200}[request.url.params["hours"]]
    until = datetime(2026, 1, 31, 8, tzinfo=UTC)
    points = [
        {
            "at": (until - timedelta(seconds=span * (3 - number))).isoformat(), "decided": 900 * number,
            "dead_letters": number, "lag": None if number == 1 else number, "critical": number, "warning": 0, "info": 0,
            "p50_ms": 10.0, "p95_ms": None if number == 1 else 31.0,
        }
        for number in range(3)
    ]  # fmt: skip
    return {
        "pipeline_id": 7, "since": points[0]["at"], "until": until.isoformat(), "span_seconds": span, "points": points
    }  # fmt: skip


def filled(stub: StubApi) -> StubApi:
    generation = {
        "id": 1, "state": "active", "mode": "realtime", "schema_version": 2, "rule_set_version": 3, "reason": HOSTILE,
        "error": HOSTILE, "started_at": NOW, "activated_at": NOW, "retired_at": None, "borders": [],
    }  # fmt: skip
    stub.answers |= {
        "GET /api/pipelines": [pipeline(), pipeline(id=8, name="other", status="stopped")],
        "GET /api/progress": [
            {"pipeline_id": 8, "decided_records": 0, "per_second": 0.0, "job": None},
            {"pipeline_id": 7, "decided_records": 9, "per_second": 20.04, "job": progress(lag_records=1234)["job"]},
        ],
        "GET /api/pipelines/7/progress": progress(lag_records=1234),
        "GET /api/pipelines/8/progress": {**progress(), "job": None},
        "GET /api/pipelines/7/schema": schema(2, FIELDS),
        "GET /api/pipelines/7/schema/versions": [schema(2, FIELDS), schema(1, FIELDS[:1])],
        "GET /api/pipelines/7/generations": [generation],
        "GET /api/pipelines/7/history": history,
        "GET /api/pipelines/7/recent-records": [
            {
                "partition": 1,
                "offset": 4711,
                "kafka_timestamp": NOW,
                "text": HOSTILE,
                "size_bytes": 90_000,
                "is_cut": True,
            },
            {"partition": 0, "offset": 3, "kafka_timestamp": NOW, "text": None, "size_bytes": 0, "is_cut": False},
        ],
    }
    return stub


class TestList:
    def test_how_far_each_is(self, api: StubApi) -> None:
        table = open_page("pipelines").dataframe[0].value
        assert list(table["id"]) == [8, 7]
        assert list(table["job"]) == ["not running", "running"]
        assert table["lag"][1] == 1234
        assert list(table["rate"]) == [0.0, 20.04]
        assert list(table["status"]) == ["stopped", "active"]

    def test_however_many_cost_two_requests(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines"] = [pipeline(id=number, name=f"p{number}") for number in range(100, 160)]
        open_page("pipelines")
        asked = [each.path for each in api.requests if "pipelines" in each.path or "progress" in each.path]
        assert sorted(asked) == ["/api/pipelines", "/api/progress"]

    def test_a_job_that_is_gone_has_no_lag(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/progress"] = progress(is_running=False, lag_records=5)
        assert open_page("pipelines", pipeline="7").metric[2].value == "unknown"

    def test_none_yet_opens_the_form(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines"] = []
        page = open_page("pipelines")
        assert "No pipeline yet" in page.info[0].value
        assert "Create the pipeline" in labels(page)

    def test_a_link_to_one_that_is_gone(self, api: StubApi) -> None:
        assert "no pipeline 99" in open_page("pipelines", pipeline="99").warning[0].value

    def test_the_api_is_down(self, api: StubApi) -> None:
        api.is_down = True
        assert "does not answer" in open_page("pipelines").error[0].value

    def test_a_key_that_only_looks_is_offered_nothing(self, looking: StubApi) -> None:
        page = open_page("pipelines", pipeline="7") if filled(looking) else None
        assert page is not None
        assert not {"Pause", "Stop", "Create the pipeline", "Write it", "Propose fields"} & set(labels(page))


class TestDetail:
    def test_what_tenants_wrote_is_shown_as_text(self, api: StubApi) -> None:
        page = open_page("pipelines", pipeline="7")
        assert is_clean(page)
        assert "**bold**" in texts(page)

    @pytest.mark.parametrize(
        ("status", "words", "wanted"),
        [
            ("active", "Pause", "paused"),
            ("active", "Stop", "stopped"),
            ("paused", "Resume", "active"),
            ("stopped", "Start again", "active"),
        ],
    )
    def test_its_status_is_changed_as_it_was_seen(self, api: StubApi, status: str, words: str, wanted: str) -> None:
        api.answers["GET /api/pipelines"] = [pipeline(status=status)]
        api.answers["PATCH /api/pipelines/7/status"] = {}
        ran(widget(open_page("pipelines", pipeline="7"), "button", words).click().run())
        assert api.writes() == [("PATCH", "/api/pipelines/7/status", {"status": wanted})]
        assert [each.if_match for each in api.requests if each.method == "PATCH"] == ['"5"']

    def test_a_refusal_is_shown(self, api: StubApi) -> None:
        api.refused["PATCH /api/pipelines/7/status"] = problem(403, "forbidden", HOSTILE)
        page = open_page("pipelines", pipeline="7")
        ran(widget(page, "button", "Pause").click().run())
        assert "needs the scope" in page.error[0].value
        assert is_clean(page)

    def test_what_a_schema_version_changed(self, api: StubApi) -> None:
        page = open_page("pipelines", pipeline="7")
        tables = [each.value for each in page.dataframe]
        changed = next(table for table in tables if "before" in table)
        assert changed.to_dict("records") == [
            {"field": "amount", "before": "(not there)", "after": "float, always there"}
        ]

    def test_a_link_to_a_version_of_the_schema(self, api: StubApi) -> None:
        page = open_page("pipelines", pipeline="7", schema="1")
        assert widget(page, "selectbox", "Version").value == 1
        assert page.query_params["schema"] == "1"
        # The one in force is what the page shows without a word in the address.
        ran(widget(page, "selectbox", "Version").set_value(2).run())
        assert "schema" not in page.query_params
        assert widget(open_page("pipelines", pipeline="7", schema="99"), "selectbox", "Version").value == 2

    def test_without_a_job_it_says_how_to_start_one(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/progress"] = {**progress(), "job": None}
        assert "sentinel submit 7" in open_page("pipelines", pipeline="7").info[0].value


class TestCreate:
    def test_fields_from_a_sample(self, api: StubApi) -> None:
        api.answers["POST /api/pipelines"] = {"id": 7}
        page = open_page("pipelines")
        assert widget(page, "button", "Create the pipeline").disabled
        widget(page, "text_area", "One event as JSON, an array of them, or one per line").set_value(
            json.dumps({"order_id": "o", "amount": 1.5, "user_id": None})
        )
        ran(widget(page, "button", "Propose fields").click().run())
        widget(page, "text_input", "Name").set_value(" Orders ")
        ran(widget(page, "text_input", "Kafka topic").set_value("orders").run())
        ran(widget(page, "button", "Create the pipeline").click().run())
        _, _, body = api.writes()[0]
        assert (body["name"], body["kafka_topic"], body["start_at"]) == ("Orders", "orders", "earliest")
        assert body["schema"] == [
            {"name": "order_id", "type": "string", "nullable": False, "role": "event_id"},
            {"name": "amount", "type": "float", "nullable": False},
            {"name": "user_id", "type": "string", "nullable": True, "role": "entity"},
        ]
        assert page.query_params["pipeline"] == "7"
        assert widget(page, "text_input", "Name").value == ""

    def test_what_is_no_sample_is_said(self, api: StubApi) -> None:
        page = open_page("pipelines")
        widget(page, "text_area", "One event as JSON, an array of them, or one per line").set_value("{")
        ran(widget(page, "button", "Propose fields").click().run())
        assert "this is no JSON" in texts(page)
        # Beside the box that it is about, and once.
        (box,) = [each for each in page.expander if each.label == "Propose fields from a sample"]
        assert [each.value for each in box.error] == ["No fields can be read out of this."]
        ran(page.run())
        assert not page.error

    def test_fields_that_cannot_be_are_said_before_they_are_sent(self, api: StubApi) -> None:
        page = open_page("pipelines")
        widget(page, "text_area", "One event as JSON, an array of them, or one per line").set_value('{"date": "x"}')
        widget(page, "text_input", "Name").set_value("n")
        widget(page, "text_input", "Kafka topic").set_value("t")
        ran(widget(page, "button", "Propose fields").click().run())
        assert "cannot be a schema yet" in page.error[0].value
        assert widget(page, "button", "Create the pipeline").disabled

    def test_a_name_that_is_taken_keeps_the_form(self, api: StubApi) -> None:
        api.refused["POST /api/pipelines"] = problem(409, "conflict", "the name is taken")
        page = open_page("pipelines")
        widget(page, "text_input", "Name").set_value("n")
        ran(widget(page, "text_input", "Kafka topic").set_value("t").run())
        ran(widget(page, "button", "Create the pipeline").click().run())
        assert "the name is taken" in texts(page)
        assert widget(page, "text_input", "Name").value == "n"


PLAN = {
    "confirm": "9f2c", "from_version": 2, "added": [],
    "breaking": [{"kind": "removed", "field": "amount", "before": "float", "after": None, "effect": HOSTILE}],
    "rules": [{"rule_id": 3, "deactivated": True, "reasons": [HOSTILE]}], "lake_columns": [],
}  # fmt: skip


class TestSchemaChange:
    def test_a_breaking_change_is_planned_then_confirmed(self, api: StubApi) -> None:
        refusal = problem(409, "breaking-change", "it breaks")
        document = {**json.loads(refusal.content), "plan": PLAN}
        api.refused["PUT /api/pipelines/7/schema"] = type(refusal)(409, json=document)
        page = open_page("pipelines", pipeline="7")
        sample = next(each for each in page.text_area if each.key == "schema-7-2-sample")
        sample.set_value('{"id": "x"}')
        button = next(each for each in page.button if each.key == "schema-7-2-propose")
        ran(button.click().run())
        ran(widget(page, "button", "Write it").click().run())
        assert "breaks something" in page.warning[0].value
        assert is_clean(page)
        del api.refused["PUT /api/pipelines/7/schema"]
        api.answers["PUT /api/pipelines/7/schema"] = {
            **schema(3, FIELDS[:1]), "changed": True, "deactivated_rules": [3], "message": ""
        }  # fmt: skip
        ran(widget(page, "button", "Make exactly this change").click().run())
        assert [body["confirm"] for _, _, body in api.writes()] == [None, "9f2c"]
        assert [each.if_match for each in api.requests if each.method == "PUT"] == ['"2"', '"2"']
        assert "1 rules are off now" in page.toast[0].value

    def test_the_same_fields_are_no_change(self, api: StubApi) -> None:
        page = open_page("pipelines", pipeline="7")
        assert any("the schema in force" in each.value for each in page.caption)
        assert "Write it" not in labels(page)


class TestOverTime:
    def test_throughput_delay_lag_alerts_and_dead_letters(self, api: StubApi) -> None:
        page = open_page("pipelines", pipeline="7", show="charts")
        titles = [each.value for each in page.markdown]
        assert [each for each in titles if each.startswith("**")] == [
            "**Throughput**, events/s", "**Delay from the record in Kafka to its alert**, ms",
            "**Records waiting, the most**, records", "**Alerts**, alerts", "**Dead letters**, records",
        ]  # fmt: skip
        assert len(page.get("vega_lite_chart")) == 5
        assert is_clean(page)

    def test_rates_are_per_second_of_each_span(self, api: StubApi) -> None:
        page = open_page("pipelines", pipeline="7", show="charts")
        ran(next(each for each in page.toggle if each.key == "rate-as-table").set_value(True).run())
        assert list(page.dataframe[-1].value["events/s"]) == [2.0, 1.0, 0.0]

    def test_another_period_stands_in_the_address(self, api: StubApi) -> None:
        page = open_page("pipelines", pipeline="7", show="charts", hours="168")
        assert page.query_params["hours"] == "168"
        assert api.asked("/api/pipelines/7/history") == [{"hours": "168"}]
        assert any("stands for 2 h" in each.value for each in page.caption)

    def test_nothing_was_processed(self, api: StubApi) -> None:
        empty = {"pipeline_id": 7, "since": NOW, "until": NOW, "span_seconds": 900, "points": []}
        api.answers["GET /api/pipelines/7/history"] = empty
        page = open_page("pipelines", pipeline="7", show="charts")
        assert any("Nothing was processed" in each.value for each in page.info)

    def test_the_ledger_is_away(self, api: StubApi) -> None:
        api.refused["GET /api/pipelines/7/history"] = problem(503, "unavailable", "PostgreSQL does not answer")
        page = open_page("pipelines", pipeline="7", show="charts")
        assert "does not answer" in page.error[0].value


class TestRecentRecords:
    def test_they_are_shown_as_text(self, api: StubApi) -> None:
        page = open_page("pipelines", pipeline="7", show="records")
        table = page.dataframe[-1].value
        assert list(table["place"]) == ["1:4711", "0:3"]
        assert "<script>" in table["record"][0]
        assert table["record"][1] == "(no value)"
        assert is_clean(page)

    def test_a_link_shows_one_of_them(self, api: StubApi) -> None:
        page = open_page("pipelines", pipeline="7", show="records", record="1:4711")
        assert any("90,000 bytes" in each.value for each in page.caption)
        page = open_page("pipelines", pipeline="7", show="records", record="1:4710")
        assert any("is not among the newest" in each.value for each in page.info)
        assert is_clean(open_page("pipelines", pipeline="7", show="records", record=HOSTILE))

    def test_no_record_yet(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/recent-records"] = []
        page = open_page("pipelines", pipeline="7", show="records")
        assert any("no record yet" in each.value for each in page.info)
        assert widget(page, "text_area", "Event as JSON").value

    def test_a_topic_that_is_not_there_yet_is_no_error(self, api: StubApi) -> None:
        api.refused["GET /api/pipelines/7/recent-records"] = problem(404, "not-found", "there is no topic")
        page = open_page("pipelines", pipeline="7", show="records")
        assert not page.error
        assert any("the first event makes it" in each.value for each in page.info)

    def test_kafka_is_away(self, api: StubApi) -> None:
        api.refused["GET /api/pipelines/7/recent-records"] = problem(503, "unavailable", "Kafka does not answer")
        page = open_page("pipelines", pipeline="7", show="records")
        assert "Kafka does not answer" in texts(page)
