"""The page of dead letters: found by filters, mended, sent again, discarded; one or all that fit."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from dashboard.components.dead_letters.counts import points
from sentinel.client.dead_letters import CauseCount
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

PATH = "/api/pipelines/7/dead-letters"
RAW = f"{HOSTILE} \x00"
EVENT = {"is_event": True, "cause": None, "field": None, "detail": ""}
NO_EVENT = {"is_event": False, "cause": "not_json", "field": None, "detail": HOSTILE}


def letter(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number, "cause": "not_json", "field": HOSTILE, "detail": HOSTILE, "kafka_partition": 0,
        "kafka_topic": "t", "kafka_offset": number, "raw_base64": None, "raw_text": None, "raw_size_bytes": 10,
        "created_at": NOW, "state": "open", "reason": "", "changed_by": "", "changed_at": None, "redrive_of": None,
        "first_id": None, "redrive_count": 0, **more,
    }  # fmt: skip


def whole(number: int, text: str | None = RAW, **more: Any) -> dict[str, Any]:
    raw = None if text is None else text.encode()
    kept = {
        "raw_text": text, "raw_base64": None if raw is None else base64.b64encode(raw).decode(),
        "raw_size_bytes": len(raw or b""),
    }  # fmt: skip
    return letter(number, **{**kept, "redrives": [], **more})


def redriven(**more: Any) -> dict[str, Any]:
    return {
        "dead_letter_id": 45, "redrive_count": 1, "is_edited": True, "value_sha256": "00", "size_bytes": 3,
        "kafka_topic": "t", "kafka_partition": 1, "kafka_offset": 99, "redriven_by": HOSTILE, "redriven_at": NOW,
        "failed_as": None, **more,
    }  # fmt: skip


def report(**more: Any) -> dict[str, Any]:
    return {
        "dry_run": False, "looked_at": 1, "sent": 0, "redrives": [], "events": 0, "by_cause": {}, "left": 0,
        "left_by": {}, "left_details": [], "next": None, "stopped": "", "is_repeated": False, **more,
    }  # fmt: skip


def letters(request: httpx.Request) -> httpx.Response:
    parameters = request.url.params
    before, limit = int(parameters.get("before", 1000)), int(parameters["limit"])
    fits = parameters.get("cause") in {None, "not_json"} and parameters.get("state") in {None, "open"}
    found = [letter(number) for number in range(45, 0, -1) if fits and number < before]
    link = f'<{PATH}?before={found[limit - 1]["id"]}>; rel="next"' if len(found) > limit else ""
    return httpx.Response(200, json=found[:limit], headers={"Link": link} if link else {})


def counts() -> dict[str, Any]:
    causes = [
        {"cause": "not_json", "state": "open", "count": 3},
        {"cause": "not_json", "state": "discarded", "count": 4},
        {"cause": HOSTILE, "state": "open", "count": 1},
    ]
    return {
        "total": 8, "causes": causes, "hours": [{**each, "hour": NOW} for each in causes], "hours_since": NOW
    }  # fmt: skip


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    stub.answers |= {
        "GET /api/pipelines": [pipeline()],
        f"GET {PATH}": letters,
        f"GET {PATH}/45": whole(45),
        f"GET {PATH}/3": whole(3),
    }
    return stub


class TestLooking:
    def test_open_ones_newest_first_page_by_page(self, api: StubApi) -> None:
        page = open_page("dead_letters")
        assert page.dataframe[0].value["record"][0] == "0:45"
        assert api.asked(PATH) == [{"state": "open", "limit": "20", "raw": "false"}]
        ran(widget(page, "button", "Older").click().run())
        assert page.dataframe[0].value["record"][0] == "0:25"
        ran(widget(page, "button", "Older").click().run())
        assert widget(page, "button", "Older").disabled
        ran(widget(page, "button", "Newer").click().run())
        ran(widget(page, "button", "Newer").click().run())
        assert page.dataframe[0].value["record"][0] == "0:45"

    def test_filters_stand_in_the_address(self, api: StubApi) -> None:
        page = open_page("dead_letters", cause="not_json", state="all", time="24h")
        (asked,) = api.asked(PATH)
        assert asked.keys() == {"cause", "since", "limit", "raw"}
        assert any("well-formed JSON" in each.value for each in page.caption)
        ran(widget(page, "selectbox", "Cause").set_value("empty").run())
        assert "fits this filter" in page.info[0].value
        ran(widget(page, "selectbox", "State").set_value("discarded").run())
        assert {name: str(page.query_params[name]).strip("[']") for name in ("cause", "state", "time")} == {
            "cause": "empty",
            "state": "discarded",
            "time": "24h",
        }

    @pytest.mark.parametrize("number", ["45", "3"])
    def test_a_link_shows_the_record_also_one_of_another_page(self, api: StubApi, number: str) -> None:
        page = open_page("dead_letters", letter=number)
        assert f"record {number} of partition 0" in texts(page)
        assert "\\u202e" in page.code[0].value
        assert "\\u0000" in page.code[0].value
        assert is_clean(page)

    def test_a_link_to_one_that_is_gone(self, api: StubApi) -> None:
        api.refused[f"GET {PATH}/99"] = problem(404, "not-found", "none")
        assert "no dead letter 99" in open_page("dead_letters", letter="99").warning[0].value

    def test_what_became_of_one(self, api: StubApi) -> None:
        api.answers[f"GET {PATH}/45"] = whole(
            45, state="redriven", changed_by=HOSTILE, changed_at=NOW, redrive_of=3, first_id=3, redrive_count=1,
            redrives=[redriven(failed_as=46)],
        )  # fmt: skip
        page = open_page("dead_letters", letter="45")
        assert "sent edited as record 99 of partition 1" in texts(page)
        assert "dead letter 46" in texts(page)
        assert "Send it again" not in labels(page)
        assert is_clean(page)
        ran(widget(page, "button", "Show dead letter 3").click().run())
        assert "record 3 of partition 0" in texts(page)

    def test_a_record_without_value(self, api: StubApi) -> None:
        api.answers[f"GET {PATH}/45"] = whole(45, None, field=None)
        assert any("no value" in each.value for each in open_page("dead_letters", letter="45").caption)

    def test_none(self, api: StubApi) -> None:
        api.answers[f"GET {PATH}"] = []
        assert "every record so far is an event" in open_page("dead_letters").info[0].value

    def test_no_pipeline_yet(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines"] = []
        assert "Pipelines" in open_page("dead_letters").info[0].value

    def test_the_api_is_down(self, api: StubApi) -> None:
        api.is_down = True
        assert "does not answer" in open_page("dead_letters").error[0].value

    def test_a_key_that_only_looks_is_offered_nothing_else(self, looking: StubApi, api: StubApi) -> None:
        page = open_page("dead_letters", letter="45")
        assert len(page.dataframe[0].value) == 20
        assert not {"Send it again", "Discard it", "Dry run", "Check it"} & set(labels(page))
        assert labels(page, "expander") == []


class TestCounting:
    def test_by_cause_and_state_with_a_chart(self, api: StubApi) -> None:
        api.answers[f"GET {PATH}/counts"] = counts()
        page = open_page("dead_letters", show="counts", state="all")
        table = page.dataframe[0].value
        assert list(table.columns) == ["cause", "records", "open", "redriven", "discarded"]
        assert list(table.iloc[0]) == ["not json", 7, 3, 0, 4]
        assert api.asked(PATH) == []
        assert is_clean(page)
        ran(widget(page, "selectbox", "State").set_value("open").run())
        assert list(page.dataframe[0].value["records"]) == [3, 1]

    def test_none(self, api: StubApi) -> None:
        api.answers[f"GET {PATH}/counts"] = {"total": 0, "causes": [], "hours": [], "hours_since": NOW}
        assert "No dead letter" in open_page("dead_letters", show="counts").info[0].value

    def test_states_of_an_hour_are_summed_up_and_rare_causes_too(self) -> None:
        def count(cause: str, state: str, number: int) -> CauseCount:
            return CauseCount.model_validate({"cause": cause, "state": state, "count": number, "hour": NOW})

        found = points([count("a", "open", 5), count("a", "redriven", 2), *(count(f"c{n}", "open", 1) for n in "12")])
        assert [(each.series, each.value) for each in found] == [("a", 7.0), ("c1", 1.0), ("c2", 1.0)]
        many = points([count(f"c{n}", "open", 20 - n) for n in range(10)])
        assert [each.series for each in many] == ["c0", "c1", "c2", "c3", "c4", "other"]
        assert many[-1].value == sum(20 - n for n in range(5, 10))


class TestMending:
    def test_an_edited_record_is_checked_as_it_changes_and_sent(self, api: StubApi) -> None:
        api.answers |= {f"POST {PATH}/45/check": NO_EVENT, f"POST {PATH}/45/redrive": report(sent=1)}
        page = open_page("dead_letters", letter="45")
        assert api.writes() == []
        ran(widget(page, "text_area", "Record to send").set_value("{").run())
        assert "dead letter again" in page.warning[0].value
        assert widget(page, "button", "Send it again").disabled
        assert is_clean(page)
        api.answers[f"POST {PATH}/45/check"] = EVENT
        ran(widget(page, "text_area", "Record to send").set_value('{"id": "e"}').run())
        assert "would be an event" in page.success[0].value
        ran(page.run())
        ran(widget(page, "button", "Send it again").click().run())
        assert api.writes() == [
            ("POST", f"{PATH}/45/check", {"text": "{"}),
            ("POST", f"{PATH}/45/check", {"text": '{"id": "e"}'}),
            ("POST", f"{PATH}/45/redrive", {"text": '{"id": "e"}', "only_events": True}),
        ]
        assert "was sent again" in page.toast[0].value

    def test_as_it_came(self, api: StubApi) -> None:
        api.answers |= {f"POST {PATH}/45/check": EVENT, f"POST {PATH}/45/redrive": report(sent=1)}
        page = open_page("dead_letters", letter="45")
        ran(widget(page, "button", "Check it").click().run())
        ran(widget(page, "button", "Send it again").click().run())
        assert api.writes()[1] == ("POST", f"{PATH}/45/redrive", {"text": None, "only_events": True})

    def test_a_record_of_which_only_the_beginning_is_kept(self, api: StubApi) -> None:
        api.answers[f"GET {PATH}/45"] = whole(45, raw_size_bytes=999_999)
        page = open_page("dead_letters", letter="45")
        assert "Only the beginning" in page.info[0].value
        assert "Send it again" not in labels(page)

    def test_without_the_rule_worker_it_is_said(self, api: StubApi) -> None:
        api.refused[f"POST {PATH}/45/check"] = problem(503, "engine-unavailable", "no rule worker")
        page = open_page("dead_letters", letter="45")
        ran(widget(page, "button", "Check it").click().run())
        assert "rule worker" in page.error[0].value
        assert "Send it again" not in labels(page)

    def test_a_refusal_is_shown(self, api: StubApi) -> None:
        api.answers[f"POST {PATH}/45/check"] = EVENT
        api.refused[f"POST {PATH}/45/redrive"] = problem(409, "conflict", HOSTILE)
        page = open_page("dead_letters", letter="45")
        ran(widget(page, "button", "Check it").click().run())
        ran(widget(page, "button", "Send it again").click().run())
        assert "as things stand" in page.error[0].value
        assert is_clean(page)


class TestDiscarding:
    def test_needs_a_reason(self, api: StubApi) -> None:
        api.answers[f"POST {PATH}/discard"] = {
            "dry_run": False, "changed": 1, "unchanged": [], "missing": [], "next": None
        }  # fmt: skip
        page = open_page("dead_letters", letter="45")
        assert widget(page, "button", "Discard it").disabled
        ran(widget(page, "text_input", "Why").set_value(HOSTILE).run())
        ran(widget(page, "button", "Discard it").click().run())
        ((_, path, body),) = api.writes()
        assert (path, body["ids"], body["reason"]) == (f"{PATH}/discard", [45], HOSTILE)

    def test_is_taken_back(self, api: StubApi) -> None:
        api.answers[f"GET {PATH}/45"] = whole(
            45, state="discarded", reason=HOSTILE, changed_by="ann", changed_at=NOW
        )  # fmt: skip
        api.answers[f"POST {PATH}/reopen"] = {
            "dry_run": False, "changed": 1, "unchanged": [], "missing": [], "next": None
        }  # fmt: skip
        page = open_page("dead_letters", letter="45", state="all")
        assert is_clean(page)
        ran(widget(page, "button", "Take it back").click().run())
        assert api.writes() == [("POST", f"{PATH}/reopen", {"ids": [45]})]


class TestAllThatFit:
    def test_a_dry_run_first_then_exactly_that(self, api: StubApi) -> None:
        left = {"id": 1, "why": "no_event", "detail": HOSTILE}

        def answer(request: httpx.Request) -> dict[str, Any]:
            body = request.content.decode()
            if '"dry_run":true' in body.replace(" ", ""):
                return report(
                    events=2, by_cause={"not_json": 1}, left=1, left_by={"no_event": 1}, left_details=[left]
                )  # fmt: skip
            return report(sent=1, next=44) if '"after":0' in body.replace(" ", "") else report(sent=1)

        api.answers[f"POST {PATH}/redrive"] = answer
        page = open_page("dead_letters", cause="not_json")
        ran(widget(page, "button", "Dry run").click().run())
        assert any("2 would be events now, 1 dead letters again, 0 cannot" in each.value for each in page.markdown)
        assert is_clean(page)
        ran(widget(page, "button", "Send 2 again").click().run())
        dry, first, second = (body for _, _, body in api.writes())
        assert (dry["dry_run"], first["dry_run"], second["after"]) == (True, False, 44)
        assert dry["filter"] == first["filter"] == second["filter"]
        assert dry["filter"]["cause"] == "not_json"
        assert "2 were sent again" in page.toast[0].value

    def test_another_filter_needs_another_dry_run(self, api: StubApi) -> None:
        api.answers[f"POST {PATH}/redrive"] = report(events=2)
        page = open_page("dead_letters")
        ran(widget(page, "button", "Dry run").click().run())
        assert "Send 2 again" in labels(page)
        ran(widget(page, "selectbox", "Cause").set_value("not_json").run())
        assert "Send 2 again" not in labels(page)

    def test_what_was_refused_is_said(self, api: StubApi) -> None:
        api.refused[f"POST {PATH}/redrive"] = problem(503, "engine-unavailable", "no rule worker")
        page = open_page("dead_letters")
        ran(widget(page, "button", "Dry run").click().run())
        assert "rule worker" in page.error[0].value

    def test_discarded_with_a_reason_after_they_were_counted(self, api: StubApi) -> None:
        def answer(request: httpx.Request) -> dict[str, Any]:
            first = b'"after":0' in request.content.replace(b" ", b"")
            found: dict[str, Any] = {"dry_run": False, "changed": 20, "unchanged": [], "missing": [], "next": 25}
            return found if first else {**found, "changed": 5, "next": None}

        api.answers[f"POST {PATH}/discard"] = answer
        page = open_page("dead_letters")
        assert widget(page, "button", "Count what fits").disabled
        ran(widget(page, "text_input", "Why they are discarded").set_value("a test").run())
        ran(widget(page, "button", "Count what fits").click().run())
        ran(widget(page, "button", "Discard 25").click().run())
        bodies = [body for _, _, body in api.writes()]
        assert [(body["dry_run"], body["after"]) for body in bodies] == [
            (True, 0),
            (True, 25),
            (False, 0),
            (False, 25),
        ]
        assert bodies[0]["filter"] == bodies[3]["filter"]
        assert "25 were discarded" in page.toast[0].value
