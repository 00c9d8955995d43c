"""The page of alerts: found, opened, worked on, changed many at once, exported."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.alerts.filters import DISPOSITIONS, SEVERITIES
from dashboard.components.alerts.work import NEXT
from sentinel.clock import utc_now
from sentinel.domain import alert_state
from sentinel.domain.rule import Severity
from tests.unit.dashboard.alert_data import alert, answer_alerts, pipeline
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

STATE = {
    "id": 3, "status": "acknowledged", "assignee": None, "disposition": None, "acknowledged_by": "ann (key:3)",
    "acknowledged_at": NOW, "resolved_by": None, "resolved_at": None, "version": 1, "updated_at": NOW,
}  # fmt: skip


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    answer_alerts(stub, [alert(3), alert(2, severity="info"), alert(1)])
    return stub


def listed(page: AppTest) -> list[str]:
    found = listing(page)
    return [] if found is None else list(found["event id"])


def listing(page: AppTest) -> Any:
    return next((each.value for each in page.dataframe if "assignee" in each.value), None)


class TestList:
    def test_newest_first(self, api: StubApi) -> None:
        assert listed(open_page("alerts")) == ["t3", "t2", "t1"]

    def test_a_filter_asks_the_api_and_stands_in_the_address(self, api: StubApi) -> None:
        page = open_page("alerts")
        ran(widget(page, "pills", "Severity").set_value("info").run())
        assert listed(page) == ["t2"]
        assert page.query_params["severity"] == "info"
        ran(widget(page, "selectbox", "Pipeline").set_value(7).run())
        ran(widget(page, "selectbox", "Rule").set_value(11).run())
        ran(widget(page, "text_input", "Text in the event").set_value("a b").run())
        assert api.asked("/api/alerts")[-1] == {
            "limit": "50", "severity": "info", "pipeline_id": "7", "rule_id": "11", "text": "a b"
        }  # fmt: skip

    def test_a_link_shows_what_its_sender_saw(self, api: StubApi) -> None:
        page = open_page(
            "alerts", status="open", pipeline="7", rule="11", by="detector", time="24h", judged="benign", alert="3"
        )
        asked = api.asked("/api/alerts")[-1]
        assert asked.pop("since")
        assert asked == {
            "limit": "50", "status": "open", "pipeline_id": "7", "rule_id": "11", "source": "detector",
            "disposition": "benign",
        }  # fmt: skip
        assert "Alert 3" in [each.value for each in page.subheader]

    def test_a_link_with_times_keeps_them(self, api: StubApi) -> None:
        since, until = "2026-01-30T06:00:00+00:00", "2026-01-31T07:30:00+00:00"
        page = open_page("alerts", time="between", since=since, until=until)
        asked = api.asked("/api/alerts")[-1]
        assert (asked["since"], asked["until"]) == (since, until)
        assert page.query_params["since"] == since

    @pytest.mark.parametrize(
        "parameter",
        [
            {"severity": "<script>"},
            {"text": "x" * 501},
            {"by": "x" * 101},
            {"pipeline": "9" * 40},
            {"time": "-1"},
            {"since": "soon"},
        ],
    )
    def test_what_a_link_cannot_mean_is_left_out_and_said(self, api: StubApi, parameter: dict[str, str]) -> None:
        page = open_page("alerts", **parameter)
        assert f"`{next(iter(parameter))}` means nothing here" in page.warning[0].value
        assert set(api.asked("/api/alerts")[-1]) == {"limit"}

    @pytest.mark.parametrize("named", ["0", "x", "9" * 30, "-3"])
    def test_a_link_to_no_alert_opens_none(self, api: StubApi, named: str) -> None:
        assert not open_page("alerts", alert=named).subheader

    def test_a_deleted_pipeline_in_a_link_is_said_to_be_gone(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/99/rules"] = problem(404, "not-found", "there is no pipeline 99")
        page = open_page("alerts", pipeline="99")
        assert "does not exist" in page.error[0].value

    def test_pages_go_on_and_back(self, api: StubApi) -> None:
        answer_alerts(api, [alert(number) for number in range(120, 0, -1)])
        page = open_page("alerts")
        ran(widget(page, "button", "Older").click().run())
        assert listed(page)[0] == "t70"
        assert page.query_params["before"] == "71"
        ran(widget(page, "button", "Older").click().run())
        assert listed(page)[0] == "t20"
        assert widget(page, "button", "Older").disabled
        ran(widget(page, "button", "Newer").click().run())
        ran(widget(page, "button", "Newer").click().run())
        assert listed(page)[0] == "t120"
        assert widget(page, "button", "Newer").disabled

    def test_another_filter_begins_at_its_newest(self, api: StubApi) -> None:
        answer_alerts(api, [alert(number) for number in range(120, 0, -1)])
        page = open_page("alerts")
        ran(widget(page, "button", "Older").click().run())
        ran(widget(page, "pills", "Severity").set_value("critical").run())
        assert listed(page)[0] == "t120"

    def test_a_search_that_found_nothing_yet_goes_on(self, api: StubApi) -> None:
        def slow(request: httpx.Request) -> httpx.Response:
            before = int(request.url.params.get("before", 1000))
            found = [alert(5)] if before == 800 else []
            return httpx.Response(200, json=found, headers={"Link": f'</api/alerts?before={before - 100}>; rel="next"'})

        api.answers["GET /api/alerts"] = slow
        assert listed(open_page("alerts", text="rare")) == ["t5"]

    def test_no_alert_yet_says_what_to_do(self, api: StubApi) -> None:
        answer_alerts(api, [])
        api.answers["GET /api/progress"] = []
        page = open_page("alerts")
        assert "No alert yet" in page.info[0].value
        assert any("Four steps" in each.value for each in page.markdown)

    def test_nothing_that_fits_says_so_and_the_filter_can_be_cleared(self, api: StubApi) -> None:
        answer_alerts(api, [alert(1)])
        page = open_page("alerts", severity="info")
        assert "No alert fits" in page.info[0].value
        ran(widget(page, "button", "Clear the filter").click().run())
        assert listed(page) == ["t1"]
        assert "severity" not in page.query_params

    def test_what_tenants_wrote_is_shown_as_text(self, api: StubApi) -> None:
        answer_alerts(
            api, [alert(3, event_id="x" * 10_000, assignee=HOSTILE)],
            notes=[{"id": 1, "author": HOSTILE, "text": HOSTILE, "created_at": NOW}],
        )  # fmt: skip
        page = open_page("alerts", alert="3", show="past")
        assert is_clean(page)
        assert "**bold** <script>" in texts(page)
        assert "\u202e" not in texts(page)
        assert "\\u202e" in texts(page)
        assert listed(page)[0].endswith("… (10,000 characters)")


class TestDetail:
    def test_the_event_the_version_that_matched_and_the_evidence(self, api: StubApi) -> None:
        page = open_page("alerts", alert="3")
        assert "version 1, the rule is at version 2 by now" in texts(page)
        blocks = [each.value for each in page.code]
        assert "amount > 100" in blocks
        assert any('"amount": 900' in block for block in blocks)
        assert next(list(each.value["what held"]) for each in page.dataframe if "what held" in each.value) == [
            "amount > 800"
        ]

    def test_digits_of_large_numbers_stay(self, api: StubApi) -> None:
        answer_alerts(api, [alert(3, transaction_data={"id": 2**63 + 1})])
        assert any(str(2**63 + 1) in each.value for each in open_page("alerts", alert="3").code)

    def test_why_somebody_was_told(self, api: StubApi) -> None:
        page = open_page("alerts", alert="3", show="told")
        assert "Sent to" in texts(page)
        assert any("fired 4 times" in each.value for each in page.caption)
        assert any("outcome" in table.value and list(table.value["outcome"]) == ["sent"] for table in page.dataframe)

    def test_an_alert_that_is_gone_leaves_the_list(self, api: StubApi) -> None:
        api.answers["GET /api/alerts/99"] = problem(404, "not-found", "there is no alert 99")
        page = open_page("alerts", alert="99")
        assert listed(page) == ["t3", "t2", "t1"]
        assert "does not exist" in page.error[0].value

    def test_an_anomaly_has_its_window_and_what_it_said_before(self, api: StubApi) -> None:
        anomaly = alert(
            3, pipeline_id=None, rule_id=None, detector="amount_spike", window_start=NOW, window_end=NOW,
            subject="cus_1", revision=2, kafka_partition=None, kafka_offset=None, kafka_timestamp=None,
        )  # fmt: skip
        answer_alerts(api, [anomaly])
        api.answers["GET /api/alerts/3/amendments"] = [
            {"version": 1, "severity": "info", "level": "low", "evidence": [], "reason": "late", "amended_at": NOW}
        ]
        page = open_page("alerts", alert="3")
        assert "about: cus_1" in texts(page)
        assert "of the window" in texts(page)
        assert any("level" in table.value for table in page.dataframe)


class TestWork:
    def test_acknowledged_with_the_version_that_was_seen(self, api: StubApi) -> None:
        api.answers["PATCH /api/alerts/3"] = STATE
        page = open_page("alerts", alert="3")
        ran(widget(page, "button", "Acknowledge").click().run())
        assert api.writes() == [("PATCH", "/api/alerts/3", {"status": "acknowledged"})]
        assert [each.if_match for each in api.requests if each.method == "PATCH"] == ['"0"']

    @pytest.mark.parametrize(
        ("status", "offered"),
        [
            ("open", {"Acknowledge", "Resolve", "Suppress"}),
            ("acknowledged", {"Resolve", "Suppress", "Open again"}),
            ("suppressed", {"Acknowledge", "Resolve", "Open again"}),
            ("resolved", {"Open again"}),
        ],
    )
    def test_only_what_may_follow_is_offered(self, api: StubApi, status: str, offered: set[str]) -> None:
        answer_alerts(api, [alert(3, status=status)])
        words = {"Acknowledge", "Resolve", "Suppress", "Open again"}
        assert words & set(labels(open_page("alerts", alert="3"))) == offered

    def test_what_somebody_else_changed_first_is_said(self, api: StubApi) -> None:
        api.refused["PATCH /api/alerts/3"] = problem(412, "version-mismatch", HOSTILE)
        page = open_page("alerts", alert="3")
        ran(widget(page, "button", "Resolve").click().run())
        assert "Somebody else changed this first" in page.error[0].value
        assert is_clean(page)

    def test_an_acknowledgement_of_somebody_else_is_taken_over_on_demand(self, api: StubApi) -> None:
        answer_alerts(api, [alert(3, status="acknowledged", acknowledged_by="bob (key:4)", acknowledged_at=NOW)])
        api.answers["PATCH /api/alerts/3"] = STATE
        ran(widget(open_page("alerts", alert="3"), "button", "Take it over").click().run())
        assert api.writes() == [("PATCH", "/api/alerts/3", {"status": "acknowledged", "force": True})]

    def test_judged_assigned_and_noted(self, api: StubApi) -> None:
        api.answers["PATCH /api/alerts/3"] = STATE
        api.answers["POST /api/alerts/3/notes"] = {"id": 1, "author": "ann", "text": "called", "created_at": NOW}
        page = open_page("alerts", alert="3")
        judge = next(each for each in page.selectbox if each.key == "alert-judged-3-0")
        ran(judge.set_value("benign").run())
        assignee = next(each for each in page.text_input if each.key == "alert-assignee-3-0")
        ran(assignee.set_value(" ann ").run())
        widget(page, "text_area", "Note").set_value("called")
        ran(widget(page, "button", "Add the note").click().run())
        assert [body for _, _, body in api.writes()] == [
            {"disposition": "benign"},
            {"assignee": "ann"},
            {"text": "called"},
        ]
        assert widget(page, "text_area", "Note").value == ""

    def test_a_note_that_was_not_written_stays_in_its_field(self, api: StubApi) -> None:
        api.refused["POST /api/alerts/3/notes"] = problem(503, "unavailable", "PostgreSQL does not answer: away")
        page = open_page("alerts", alert="3")
        widget(page, "text_area", "Note").set_value("called")
        ran(widget(page, "button", "Add the note").click().run())
        assert widget(page, "text_area", "Note").value == "called"
        assert "does not answer" in page.error[0].value

    def test_a_key_that_only_looks_is_offered_nothing(self, looking: StubApi) -> None:
        answer_alerts(looking, [alert(3)])
        page = open_page("alerts", alert="3")
        assert not {"Acknowledge", "Resolve", "Add the note", "Count first"} & set(labels(page))
        assert listed(page) == ["t3"]

    def test_a_key_that_lost_its_scope_is_told_in_words(self, api: StubApi) -> None:
        api.refused["PATCH /api/alerts/3"] = problem(403, "forbidden", "this needs the scope 'write'")
        page = open_page("alerts", alert="3")
        ran(widget(page, "button", "Acknowledge").click().run())
        assert "needs the scope" in page.error[0].value


def done(changed: int, following: int | None = None, **more: Any) -> dict[str, Any]:
    return {
        "changed": changed, "unchanged": 1, "conflicts": 1, "missing": [], "dry_run": False, "next": following,
        "conflict_details": [{"alert_id": 2, "reason": HOSTILE}], **more,
    }  # fmt: skip


class TestBulk:
    @pytest.fixture
    def counted(self, api: StubApi) -> AppTest:
        answers = iter([done(1000, 5, dry_run=True), done(7, dry_run=True)])
        api.answers["POST /api/alerts/actions"] = lambda _: next(answers)
        page = open_page("alerts", severity="critical")
        ran(next(each for each in page.selectbox if each.key == "bulk-status").set_value("resolved").run())
        return ran(widget(page, "button", "Count first").click().run())

    def test_nothing_is_changed_before_it_was_counted(self, api: StubApi, counted: AppTest) -> None:
        assert [body["dry_run"] for _, _, body in api.writes()] == [True, True]
        assert "Change 1,007 alerts" in labels(counted)

    def test_exactly_what_was_counted_is_changed(self, api: StubApi, counted: AppTest) -> None:
        was = api.writes()[0][2]["filter"]
        assert set(was) == {"severity", "until"}
        answers = iter([done(1000, 5), done(7)])
        api.answers["POST /api/alerts/actions"] = lambda _: next(answers)
        ran(widget(counted, "button", "Change 1,007 alerts").click().run())
        bodies = [body for _, _, body in api.writes()[2:]]
        assert [(body["filter"], body["status"], body.get("before")) for body in bodies] == [
            (was, "resolved", None), (was, "resolved", 5)
        ]  # fmt: skip
        assert "1,007 were changed" in counted.success[0].value
        assert is_clean(counted)

    def test_what_comes_after_the_count_is_left_alone(self, api: StubApi) -> None:
        api.answers["POST /api/alerts/actions"] = done(1, dry_run=True)
        page = open_page("alerts", time="between", until="2999-01-01T00:00:00+00:00")
        ran(next(each for each in page.selectbox if each.key == "bulk-status").set_value("resolved").run())
        ran(widget(page, "button", "Count first").click().run())
        assert datetime.fromisoformat(api.writes()[0][2]["filter"]["until"]) <= utc_now()

    def test_another_filter_or_change_must_be_counted_anew(self, api: StubApi, counted: AppTest) -> None:
        ran(widget(counted, "pills", "Severity").set_value("info").run())
        assert "Change 1,007 alerts" not in labels(counted)

    def test_what_was_done_before_it_broke_is_said(self, api: StubApi, counted: AppTest) -> None:
        answers = iter([httpx.Response(200, json=done(1000, 5)), problem(503, "unavailable", "x does not answer: y")])
        api.answers["POST /api/alerts/actions"] = lambda _: next(answers)
        ran(widget(counted, "button", "Change 1,007 alerts").click().run())
        assert "1,000 were changed before that" in counted.warning[0].value


class TestWords:
    def test_what_may_follow_is_what_the_api_allows(self) -> None:
        assert {status: set(offered) for status, offered in NEXT.items()} == {
            status.value: {each.value for each in following} for status, following in alert_state.NEXT.items()
        }
        assert set(DISPOSITIONS) == set(alert_state.Disposition)
        assert set(SEVERITIES) == set(Severity)


class TestTrouble:
    def test_the_api_is_down_and_comes_back(self, api: StubApi) -> None:
        api.is_down = True
        page = open_page("alerts")
        assert "does not answer" in page.error[0].value
        api.is_down = False
        assert listed(ran(page.run())) == ["t3", "t2", "t1"]

    def test_nobody_is_known_by_a_pipeline_that_is_gone(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines"] = [pipeline(id=8, name="other")]
        assert list(listing(open_page("alerts"))["pipeline"]) == ["7", "7", "7"]
