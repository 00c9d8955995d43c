"""The parts of the page of alerts: counts, what is about the same, explanation, snooze, file."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.alerts.export import rows_of
from dashboard.components.alerts.facets import filter_of
from sentinel.client.alert_finding import FacetCount
from sentinel.clock import utc_now
from sentinel.domain.label_matcher import matcher_of
from tests.unit.dashboard.alert_data import RELATED, alert, answer_alerts, facets
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
from tests.unit.dashboard.page_data import silence
from tests.unit.dashboard.test_alerts import STATE, listed


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    answer_alerts(stub, [alert(3), alert(2, severity="info"), alert(1)])
    return stub


FILE = b'id,event_id\r\n1,"\'=cmd()\r\nx"\r\n'


class TestExport:
    @pytest.fixture
    def file(self, api: StubApi) -> bytes:
        api.answers["GET /api/alerts.csv"] = httpx.Response(200, content=FILE)
        return FILE

    def test_the_bytes_of_the_api(self, api: StubApi, file: bytes) -> None:
        page = open_page("alerts", severity="critical")
        ran(widget(page, "button", "Make a CSV file").click().run())
        chosen, rows, content = page.session_state["export-ready"]
        assert (chosen.severity, rows, content) == ("critical", 1, file)
        assert api.asked("/api/alerts.csv") == [{"severity": "critical", "limit": "50000"}]
        assert "Download 1 rows" in [each.label for each in page.get("download_button")]

    @pytest.mark.parametrize(
        ("content", "rows"),
        [
            (b"id\r\n", 0),
            (b'id\r\n"a\r\nb"\r\n', 1),
            (b'id\r\n"say ""x\r\n"""\r\n"""",1\r\n', 2),
            (b'id\r\n"' + b"x" * 200_000 + b'"\r\n', 1),
        ],
        ids=range(4),
    )
    def test_rows_are_counted_not_lines(self, content: bytes, rows: int) -> None:
        assert rows_of(content) == rows

    def test_a_cut_is_said(self, api: StubApi, file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dashboard.components.alerts.export.MAX_ROWS", 1)
        page = open_page("alerts")
        ran(widget(page, "button", "Make a CSV file").click().run())
        assert "older ones are left out" in page.warning[0].value

    def test_another_filter_gives_the_file_back(self, api: StubApi, file: bytes) -> None:
        page = open_page("alerts")
        ran(widget(page, "button", "Make a CSV file").click().run())
        ran(widget(page, "pills", "Severity").set_value("info").run())
        assert "export-ready" not in page.session_state

    def test_an_api_that_goes_away_is_said(self, api: StubApi) -> None:
        api.answers["GET /api/alerts.csv"] = problem(503, "unavailable", "x does not answer: y")
        page = open_page("alerts")
        ran(widget(page, "button", "Make a CSV file").click().run())
        assert "does not answer" in page.error[0].value
        assert "export-ready" not in page.session_state


class TestCounts:
    def test_beside_the_filters(self, api: StubApi) -> None:
        page = open_page("alerts")
        said = [each.value for each in page.caption]
        assert "critical 34 · warning 0 · info 1,200" in said
        assert "open 1,000 · acknowledged 0 · resolved 234 · suppressed 0" in said
        assert "1,234 alerts fit" in page.expander[1].label

    def test_of_exactly_the_filter_of_the_list(self, api: StubApi) -> None:
        open_page("alerts", severity="critical", text="a b", judged="benign")
        assert api.asked("/api/alerts/facets") == [{"severity": "critical", "text": "a b", "disposition": "benign"}]

    def test_kept_for_a_moment_but_not_after_an_act(self, api: StubApi) -> None:
        api.answers["PATCH /api/alerts/3"] = STATE
        page = open_page("alerts", alert="3")
        ran(widget(page, "button", "Refresh").click().run())
        assert len(api.asked("/api/alerts/facets")) == 1
        ran(widget(page, "button", "Acknowledge").click().run())
        assert len(api.asked("/api/alerts/facets")) == 2

    def test_names_are_shown_as_text(self, api: StubApi) -> None:
        page = open_page("alerts")
        assert is_clean(page)
        rules = next(each.value for each in page.dataframe if list(each.value) == ["rule", "alerts"])
        assert list(rules["alerts"]) == [1200, 34]
        assert rules["rule"][0].startswith("=1+1 **bold** <script>")

    def test_lower_bounds_are_said_to_be_such(self, api: StubApi) -> None:
        api.answers["GET /api/alerts/facets"] = facets(since=NOW)
        page = open_page("alerts")
        said = [each.value for each in page.caption]
        assert "critical 34+ · warning 0+ · info 1,200+" in said
        assert any("newest 1,234 alerts, those since 2026-01-31 08:00:00" in each for each in said)

    def test_too_many_to_count_leaves_the_list(self, api: StubApi) -> None:
        api.answers["GET /api/alerts/facets"] = problem(422, "too-broad", "not counted within 4 s")
        page = open_page("alerts")
        assert listed(page) == ["t3", "t2", "t1"]
        assert any("narrow the filter by time" in each.value for each in page.caption)

    @pytest.mark.parametrize(
        ("facet", "value", "chosen"),
        [
            ("pipeline", "7", {"pipeline": 7, "rule": None}),
            ("rule", "11", {"pipeline": 7, "rule": 11}),
            ("raised by", "amount_spike", {"by": "amount_spike"}),
            ("it was", "benign", {"judged": "benign"}),
            ("it was", "", {"judged": None}),
        ],
    )
    def test_a_row_that_is_clicked_becomes_the_filter(self, facet: str, value: str, chosen: dict[str, Any]) -> None:
        assert filter_of(facet, FacetCount(value=value, name="", pipeline_id=7, count=1)) == chosen


class TestRelated:
    def test_before_this_and_after_with_the_score(self, api: StubApi) -> None:
        page = open_page("alerts", alert="3", show="same")
        assert "score 88 now, of 1 critical, 1 warning and 0 info alerts" in texts(page)
        table = next(each.value for each in page.dataframe if "the same" in each.value or "shared" in each.value)
        assert next(iter(table["what"])) == "this alert"
        assert list(table["shared"]) == ["", "user_id"]
        assert any("Looked back to 2026-01-31" in each.value for each in page.caption)
        assert is_clean(page)

    def test_none_is_said(self, api: StubApi) -> None:
        none = {"scores": [], "before": [], "after": [], "searched_since": None, "searched_until": None}
        api.answers["GET /api/alerts/3/entity-history"] = none
        assert any("No other alert" in each.value for each in open_page("alerts", alert="3", show="same").info)

    def test_an_event_without_entities_says_what_to_do(self, api: StubApi) -> None:
        answer_alerts(api, [alert(3, entities={})])
        api.answers["GET /api/alerts/3/entity-history"] = {**RELATED, "scores": [], "before": []}
        assert any("role `entity`" in each.value for each in open_page("alerts", alert="3", show="same").info)

    def test_only_what_is_looked_at_is_asked_for(self, api: StubApi) -> None:
        open_page("alerts", alert="3")
        assert not api.asked("/api/alerts/3/entity-history")
        assert not api.asked("/api/alerts/3/why")


EXPLAINED = {
    "rule_id": 11, "rule_name": "large", "rule_expression": HOSTILE, "verdict": "match", "decided_by": [],
    "missing": [], "not_computable": [], "tree": None, "dead_letter": None, "event": {"note": HOSTILE},
    "event_id": "t3", "source": "lake", "partition": 0, "offset": 1, "rule_version": 1, "schema_version": 1,
    "generation_id": 1, "was_in_force": True, "alert_id": 3, "notes": [HOSTILE],
}  # fmt: skip


class TestExplanation:
    def test_of_that_event_by_the_version_that_matched(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/explain"] = EXPLAINED
        page = open_page("alerts", alert="3", show="explain")
        assert not api.asked("/api/pipelines/7/explain")
        ran(widget(page, "button", "Explain this match").click().run())
        assert api.asked("/api/pipelines/7/explain") == [{"event": "t3", "rule": "11", "version": "1"}]
        assert any("It matches." in each.value for each in page.info)
        assert is_clean(page)
        ran(widget(page, "button", "Refresh").click().run())
        assert any("It matches." in each.value for each in page.info)
        assert len(api.asked("/api/pipelines/7/explain")) == 1

    def test_a_rule_worker_that_is_away_is_said(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/explain"] = problem(503, "engine-unavailable", "the rule worker is away")
        page = open_page("alerts", alert="3", show="explain")
        ran(widget(page, "button", "Explain this match").click().run())
        assert "The rule worker is away" in page.error[0].value

    def test_an_anomaly_says_where_its_reasons_are(self, api: StubApi) -> None:
        answer_alerts(api, [alert(3, pipeline_id=None, rule_id=None, detector="amount_spike", subject="s")])
        page = open_page("alerts", alert="3", show="explain")
        assert any("A detector raised this" in each.value for each in page.info)


class TestSnooze:
    LABELS: ClassVar = {
        "pipeline": "Cards", "rule": 'a"b\\c', "severity": "critical", "source": "rule", "alert": "3",
        "entity.user_id": HOSTILE,
    }  # fmt: skip

    @pytest.fixture
    def offered(self, api: StubApi) -> AppTest:
        api.answers["POST /api/notifications/dry-route"] = {
            "policy_version": 1, "labels": self.LABELS, "targets": [], "refused": []
        }  # fmt: skip
        page = open_page("alerts", alert="3")
        assert not api.writes()
        return ran(widget(page, "toggle", "Snooze…").set_value(True).run())

    def test_what_would_be_held_back_is_shown_first(self, api: StubApi, offered: AppTest) -> None:
        shown = next(each.value for each in offered.code if 'rule="' in each.value)
        assert shown.splitlines()[:2] == ['pipeline="Cards"', 'rule="a\\"b\\\\c"']
        assert "\\u202e" in shown
        assert is_clean(offered)
        assert any("raised and listed all the same" in each.value for each in offered.caption)

    def test_a_silence_of_its_labels_until_a_time(self, api: StubApi, offered: AppTest) -> None:
        api.answers["POST /api/silences"] = silence()
        ran(widget(offered, "selectbox", "For").set_value("1 day").run())
        ran(widget(offered, "text_input", "Why").set_value("load test").run())
        before = utc_now()
        ran(widget(offered, "button", "Snooze them").click().run())
        method, path, body = api.writes()[-1]
        assert (method, path) == ("POST", "/api/silences")
        assert body["matchers"] == ['pipeline="Cards"', 'rule="a\\"b\\\\c"', f'entity.user_id="{HOSTILE}"']
        assert body["comment"] == "snoozed from alert 3: load test"
        gap = datetime.fromisoformat(body["ends_at"]) - before
        assert timedelta(hours=24) <= gap < timedelta(hours=24, minutes=5)
        assert matcher_of(body["matchers"][1]).value == self.LABELS["rule"]
        assert matcher_of(body["matchers"][2]).value == HOSTILE

    def test_all_of_the_same_rule(self, api: StubApi, offered: AppTest) -> None:
        api.answers["POST /api/silences"] = silence()
        ran(widget(offered, "selectbox", "Alerts that are").set_value("all of the same rule or detector").run())
        ran(widget(offered, "button", "Snooze them").click().run())
        assert len(api.writes()[-1][2]["matchers"]) == 2

    def test_a_refusal_is_said(self, api: StubApi, offered: AppTest) -> None:
        api.refused["POST /api/silences"] = problem(409, "conflict", "there are 1000 silences")
        ran(widget(offered, "button", "Snooze them").click().run())
        assert "refused this" in offered.error[0].value
        assert "1000 silences" in texts(offered)

    def test_a_key_that_only_looks_is_not_offered_it(self, looking: StubApi) -> None:
        answer_alerts(looking, [alert(3)])
        assert "Snooze…" not in labels(open_page("alerts", alert="3"), "toggle")
