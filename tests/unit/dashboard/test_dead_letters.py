"""The page of dead letters: by cause, page by page, with the record."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.unit.dashboard.alert_data import pipeline
from tests.unit.dashboard.conftest import HOSTILE, NOW, StubApi, is_clean, open_page, ran, texts, widget


def letter(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number, "cause": "not_json", "field": HOSTILE, "detail": HOSTILE, "kafka_partition": 0,
        "kafka_offset": number, "raw_base64": "AA==", "raw_text": f"{HOSTILE} \x00", "raw_size_bytes": 10,
        "created_at": NOW, **more,
    }  # fmt: skip


def letters(request: httpx.Request) -> list[dict[str, Any]]:
    parameters = request.url.params
    before = int(parameters.get("before", 1000))
    if parameters.get("cause") not in {None, "not_json"}:
        return []
    return [letter(number) for number in range(45, 0, -1) if number < before][: int(parameters["limit"])]


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    stub.answers |= {"GET /api/pipelines": [pipeline()], "GET /api/pipelines/7/dead-letters": letters}
    return stub


class TestDeadLetters:
    def test_newest_first_page_by_page(self, api: StubApi) -> None:
        page = open_page("dead_letters")
        assert page.dataframe[0].value["record"][0] == "0:45"
        ran(widget(page, "button", "Older").click().run())
        assert page.dataframe[0].value["record"][0] == "0:25"
        ran(widget(page, "button", "Older").click().run())
        assert widget(page, "button", "Older").disabled
        ran(widget(page, "button", "Newer").click().run())
        ran(widget(page, "button", "Newer").click().run())
        assert page.dataframe[0].value["record"][0] == "0:45"

    def test_of_one_cause_with_what_it_means(self, api: StubApi) -> None:
        page = open_page("dead_letters", cause="not_json")
        assert api.asked("/api/pipelines/7/dead-letters") == [{"cause": "not_json", "limit": "20"}]
        assert any("well-formed JSON" in each.value for each in page.caption)
        ran(widget(page, "selectbox", "Cause").set_value("empty").run())
        assert "No dead letter of this cause" in page.info[0].value
        assert page.query_params["cause"] == "empty"

    @pytest.mark.parametrize("number", ["45", "3"])
    def test_a_link_shows_the_record_also_one_of_another_page(self, api: StubApi, number: str) -> None:
        page = open_page("dead_letters", letter=number)
        assert f"record {number} of partition 0" in texts(page)
        assert "\\u202e" in page.code[0].value
        assert "\\u0000" in page.code[0].value
        assert is_clean(page)

    def test_a_link_to_one_that_is_gone(self, api: StubApi) -> None:
        assert "no dead letter 99" in open_page("dead_letters", letter="99").warning[0].value

    def test_a_record_without_value(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/dead-letters"] = [letter(1, raw_text=None, raw_base64=None, field=None)]
        assert any("no value" in each.value for each in open_page("dead_letters", letter="1").caption)

    def test_none(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/dead-letters"] = []
        assert "every record so far is an event" in open_page("dead_letters").info[0].value

    def test_no_pipeline_yet(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines"] = []
        assert "Pipelines" in open_page("dead_letters").info[0].value

    def test_the_api_is_down(self, api: StubApi) -> None:
        api.is_down = True
        assert "does not answer" in open_page("dead_letters").error[0].value

    def test_a_key_that_only_looks_sees_all(self, looking: StubApi) -> None:
        looking.answers |= {"GET /api/pipelines": [pipeline()], "GET /api/pipelines/7/dead-letters": letters}
        assert len(open_page("dead_letters").dataframe[0].value) == 20
