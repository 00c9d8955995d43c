"""Alerts listed by what people did about them, and changed many at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Client

from sentinel.stores.postgres import alerts as alerts_store
from sentinel.stores.postgres.database import Database
from tests.integration.api.alert_calls import ACK, act, change, ids, told
from tests.integration.api.conftest import add_rule
from tests.integration.api.findings import Findings

pytestmark = pytest.mark.integration


@pytest.fixture
def findings(database: Database, tenant: str) -> Findings:
    """Writes findings of the tenant."""
    return Findings(database, tenant)


@pytest.fixture
def rule(client: Client, pipeline: dict[str, Any]) -> dict[str, Any]:
    """A rule of the tenant."""
    return add_rule(client, pipeline["id"], "amount > 100", description="large")


class TestFilters:
    @pytest.fixture
    def six(self, client: Client, findings: Findings, rule: dict[str, Any]) -> list[int]:
        """Alerts, oldest first: one open, acknowledged, resolved, suppressed, reopened; one is benign and ann's."""
        start = datetime(2026, 1, 1, tzinfo=UTC)
        found = [findings.alert(rule, f"e{number}", at=start + timedelta(hours=number)) for number in range(6)]
        for alert_id, status in zip(found[1:4], ("acknowledged", "resolved", "suppressed"), strict=True):
            change(client, alert_id, {"status": status})
        change(client, found[4], {"status": "resolved"})
        change(client, found[4], {"status": "open"})
        change(client, found[5], {"assignee": "ann", "disposition": "benign"})
        return found

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            ({"status": "open"}, [5, 4, 0]),
            ({"status": "acknowledged"}, [1]),
            ({"status": "resolved"}, [2]),
            ({"status": "suppressed"}, [3]),
            ({"assignee": "ann"}, [5]),
            ({"assignee": "ANN"}, []),
            ({"assignee": ""}, [4, 3, 2, 1, 0]),
            ({"assignee": "", "status": "open"}, [4, 0]),
            ({"assignee": "", "status": "resolved"}, [2]),
            ({"disposition": "benign"}, [5]),
            ({"disposition": "benign", "status": "resolved"}, []),
            ({"status": "open", "since": "2026-01-01T04:00:00Z"}, [5, 4]),
            ({"status": "resolved", "since": "2026-01-01T03:00:00Z"}, []),
            ({"status": "resolved", "until": "2026-01-01T03:00:00Z"}, [2]),
            ({"status": "open", "text": "e0"}, [0]),
            ({"status": "open", "event_id": "e4"}, [4]),
        ],
    )
    def test_the_list(self, client: Client, six: list[int], wanted: dict[str, Any], expected: list[int]) -> None:
        assert ids(client, **wanted) == [six[place] for place in expected]

    @pytest.mark.parametrize("wanted", [{"status": "open"}, {"status": "resolved"}, {"assignee": ""}])
    def test_pages_follow_each_other_without_gap(
        self, client: Client, findings: Findings, rule: dict[str, Any], wanted: dict[str, str]
    ) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        found = [findings.alert(rule, f"e{number}", at=at + timedelta(hours=number // 3)) for number in range(8)]
        act(client, ids=found[::2], status="resolved")
        expected = {"open": found[1::2], "resolved": found[::2]}.get(wanted.get("status", ""), found)
        seen: list[int] = []
        answer = client.get("/api/alerts", params={**wanted, "limit": 2})
        while True:
            seen += [item["id"] for item in answer.json()]
            if "next" not in answer.links:
                break
            answer = client.get(answer.links["next"]["url"])
        assert seen == expected[::-1]

    def test_a_walk_over_what_is_done_goes_on_where_it_stopped(
        self, monkeypatch: pytest.MonkeyPatch, client: Client, findings: Findings, rule: dict[str, Any]
    ) -> None:
        monkeypatch.setattr(alerts_store, "_FIRST_STRIDE", 1)
        monkeypatch.setattr(alerts_store, "_LONGEST_STRIDE", 3)
        monkeypatch.setattr(alerts_store, "_SEARCH_SECONDS", 0.0)
        found = [findings.alert(rule, f"e{number}") for number in range(10)]
        act(client, ids=found[1:], status="resolved")
        seen, pages = [], 0
        answer = client.get("/api/alerts", params={"status": "open", "limit": 5})
        while True:
            seen += [item["id"] for item in answer.json()]
            pages += 1
            if "next" not in answer.links:
                break
            answer = client.get(answer.links["next"]["url"])
        assert seen == found[:1]
        assert pages > 3

    @pytest.mark.parametrize(
        "wrong", [{"status": "closed"}, {"disposition": ""}, {"assignee": "x" * 129}, {"assignee": "a\x00"}]
    )
    def test_wrong_parameters_are_named(self, client: Client, wrong: dict[str, str]) -> None:
        answer = client.get("/api/alerts", params=wrong)
        assert answer.status_code == 422
        assert answer.json()["errors"]


class TestBulk:
    def test_by_ids_counts_what_became_of_each(
        self,
        findings: Findings,
        rule: dict[str, Any],
        people: Callable[[str], Client],
        database: Database,
        tenant: str,
    ) -> None:
        ann, bob = people("ann"), people("bob")
        found = [findings.alert(rule, f"e{number}") for number in range(4)]
        change(bob, found[0], ACK)
        change(ann, found[1], ACK)
        done = act(ann, ids=[*found, found[3], 2**62], status="acknowledged")
        assert (done["changed"], done["unchanged"], done["conflicts"]) == (2, 1, 1)
        assert (done["missing"], done["next"], done["dry_run"]) == ([2**62], None, False)
        assert done["conflict_details"][0]["alert_id"] == found[0]
        assert ids(ann, status="acknowledged") == found[::-1]
        assert told(database, tenant)[2:] == [(found[2], "acknowledged"), (found[3], "acknowledged")]
        (entry,) = ann.get("/api/audit", params={"action": "alert.bulk_change"}).json()
        assert entry["after"] == {"wanted": {"status": "acknowledged"}, "chosen": {"ids": 5}, "changed": 2}

    def test_a_filter_may_name_detectors(self, client: Client, findings: Findings, rule: dict[str, Any]) -> None:
        found = findings.alert(rule, "e1")
        assert act(client, filter={"source": "detector"}, **ACK)["changed"] == 0
        assert act(client, filter={"detector": "amount_spike"}, **ACK)["changed"] == 0
        assert act(client, filter={"source": "rule"}, dry_run=True, **ACK)["changed"] == 1
        assert ids(client, status="open") == [found]

    def test_a_dry_run_changes_nothing(
        self, client: Client, findings: Findings, rule: dict[str, Any], database: Database, tenant: str
    ) -> None:
        found = [findings.alert(rule, f"e{number}") for number in range(3)]
        done = act(client, ids=found, status="resolved", dry_run=True)
        assert (done["changed"], done["dry_run"]) == (3, True)
        assert ids(client, status="open") == found[::-1]
        assert told(database, tenant) == []
        assert client.get("/api/audit", params={"object_type": "alert"}).json() == []

    def test_ten_thousand_by_filter(
        self, client: Client, findings: Findings, rule: dict[str, Any], database: Database, tenant: str
    ) -> None:
        findings.run(
            "INSERT INTO sentinel.alerts (tenant_id, pipeline_id, rule_id, rule_version_id, generation_id, event_id, "
            "severity, score, transaction_data, content_hash, kafka_partition, kafka_offset, kafka_timestamp, "
            "alert_timestamp) SELECT %s, %s, %s, %s, 1, 'e' || n, 'critical', 80, '{}', '\\x00', 0, n, now(), "
            "now() - make_interval(secs => n / 3) FROM generate_series(1, 10000) n",
            (tenant, rule["pipeline_id"], rule["id"], rule["rule_version_id"]),
        )
        before: int | None = None
        counted, requests = 0, 0
        body = {"filter": {"rule_id": rule["id"], "status": "open"}, "status": "resolved", "disposition": "benign"}
        while True:
            done = act(client, **body, before=before)
            counted += done["changed"]
            assert done["changed"] <= 1000
            assert done["conflicts"] == done["unchanged"] == 0
            requests += 1
            if requests == 3:
                newer = findings.alert(rule, "newer")
            before = done["next"]
            if before is None:
                break
        assert (counted, requests) == (10_000, 10)
        assert ids(client, status="open") == [newer]
        with database.transaction(tenant) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM sentinel.alert_changes) AS changes, "
                "(SELECT count(DISTINCT alert_id) FROM sentinel.alert_outbox WHERE event = 'resolved') AS told"
            ).fetchone()
        assert row == {"changes": 10_000, "told": 10_000}
        quality = client.get(f"/api/rules/{rule['id']}/quality").json()
        assert (quality["total"]["alerts"], quality["total"]["benign"]) == (10_001, 10_000)

    def test_several_at_once_change_each_alert_once(
        self, findings: Findings, rule: dict[str, Any], people: Callable[[str], Client], database: Database, tenant: str
    ) -> None:
        found = [findings.alert(rule, f"e{number}") for number in range(300)]
        orders = [found, found[::-1], found[100:] + found[:100], found[::2] + found[1::2]]
        callers = [people(f"p{number}") for number in range(4)]
        with ThreadPoolExecutor(4) as pool:
            send = lambda caller, chosen: act(caller, ids=chosen, status="acknowledged")  # noqa: E731
            answers = list(pool.map(send, callers, orders))
        assert sum(answer["changed"] for answer in answers) == 300
        assert sum(answer["conflicts"] for answer in answers) == 900
        assert sorted(alert_id for alert_id, _ in told(database, tenant)) == found

    @pytest.mark.parametrize(
        "body",
        [
            {"status": "resolved"},
            {"ids": [], "status": "resolved"},
            {"ids": [1], "filter": {}, "status": "resolved"},
            {"ids": list(range(1, 1002)), "status": "resolved"},
            {"ids": [0], "status": "resolved"},
            {"ids": [1]},
            {"ids": [1], "before": 5, "status": "resolved"},
            {"filter": {}, "limit": 1001, "status": "resolved"},
            {"filter": {"stauts": "open"}, "status": "resolved"},
            {"filter": {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "status": "resolved"},
        ],
    )
    def test_what_cannot_work_is_refused(self, client: Client, body: dict[str, Any]) -> None:
        assert client.post("/api/alerts/actions", json=body).status_code == 422

    def test_it_cannot_go_on_from_what_is_not_there(self, client: Client) -> None:
        body = {"filter": {}, "status": "resolved", "before": 2**62}
        assert client.post("/api/alerts/actions", json=body).status_code == 404
