"""Detectors through the API, and their alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Client

from sentinel.batch.detectors import DETECTORS
from sentinel.client import Client as ApiClient
from sentinel.domain.api_key import Scope
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import add_rule, create_pipeline, pointers
from tests.integration.api.findings import Findings
from tests.support.detectors import DetectorBench

pytestmark = pytest.mark.integration

PATH = "/api/detectors"
OWN = {"name": "own", "kind": "payment_failure_spike", "parameters": {"min_payments": 5}}
SQL = (
    "SELECT customer AS subject, 'medium' AS level, count(*) AS value FROM webhook_events "
    "WHERE occurred_at >= :window_start AND occurred_at < :window_end GROUP BY customer"
)
CALLS = [
    ("GET", "/api/detector-kinds", None),
    ("POST", PATH, OWN),
    ("GET", PATH, None),
    ("GET", f"{PATH}/own", None),
    ("PATCH", f"{PATH}/own", {"mode": "off"}),
    ("DELETE", f"{PATH}/own", None),
    ("POST", f"{PATH}/own/run", None),
    ("GET", f"{PATH}/own/runs", None),
    ("GET", "/api/alerts/1/amendments", None),
]
PAST = datetime(2026, 3, 2, 12, tzinfo=UTC)
HALF = timedelta(minutes=30)


@pytest.fixture
def desk(settings: Settings, database: Database, tenant: str) -> DetectorBench:
    return DetectorBench(settings, database, tenant)


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    assert anonymous.request(method, path, json=body).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), [call for call in CALLS if "/own" in call[1]])
def test_another_tenant_gets_404(client: Client, stranger: Client, method: str, path: str, body: Any) -> None:
    assert client.post(PATH, json=OWN).status_code == 201
    assert stranger.request(method, path, json=body).status_code == 404


def test_amendments_of_another_tenant_are_not_found(client: Client, stranger: Client, desk: DetectorBench) -> None:
    fire(client, desk)
    (alert,) = client.get("/api/alerts").json()
    assert client.get(f"/api/alerts/{alert['id']}/amendments").json() == []
    assert stranger.get(f"/api/alerts/{alert['id']}/amendments").status_code == 404


@pytest.mark.parametrize(("method", "path", "body"), [call for call in CALLS if call[0] != "GET"])
def test_a_reader_may_not_write(client_of: Any, tenant: str, method: str, path: str, body: Any) -> None:
    assert client_of(tenant, Scope.READ).request(method, path, json=body).status_code == 403


def fire(client: Client, desk: DetectorBench, *, at: datetime = PAST, failed: int = 15) -> dict[str, Any]:
    """Store failed payments, run the detector over their window, and return the run as it was answered."""
    source = (desk.rows("SELECT id FROM sentinel.webhook_sources") or [{"id": None}])[0]["id"] or desk.source()
    desk.payments(source, at - HALF + timedelta(minutes=1), failed=failed, succeeded=15)
    answer = client.post(f"{PATH}/payment_failure_spike/run", json={"at": (at + timedelta(minutes=5)).isoformat()})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


class TestBuiltin:
    def test_they_are_there_before_anybody_did_anything(self, client: Client, desk: DetectorBench) -> None:
        found = {each["name"]: each for each in client.get(PATH).json()}
        assert set(found) == {name for name, kind in DETECTORS.items() if kind.builtin_mode is not None}
        assert {name for name, each in found.items() if each["is_enabled"]} == set()
        assert desk.rows("SELECT 1 FROM sentinel.detectors") == []
        desk.source()
        found = {each["name"]: each for each in client.get(PATH).json()}
        assert {name for name, each in found.items() if each["is_enabled"]} == {
            "payment_failure_spike",
            "subscription_churn_spike",
            "webhook_integrity",
        }
        assert found["payment_failure_spike"]["parameters"]["window_minutes"] == 30
        assert found["payment_failure_spike"]["schedule"] == {
            "interval_seconds": 300, "cron": None, "time_zone": "UTC",
        }  # fmt: skip

    def test_the_first_change_keeps_it(self, client: Client) -> None:
        seen = client.get(f"{PATH}/amount_spike")
        assert seen.headers["etag"] == '"0"'
        body = {"mode": "on", "parameters": {"low": 4}}
        changed = client.patch(f"{PATH}/amount_spike", json=body, headers={"If-Match": seen.headers["etag"]})
        assert changed.status_code == 200, changed.text
        assert (changed.json()["is_enabled"], changed.json()["parameters"]["low"]) == (True, "4")
        assert changed.json()["changed_parameters"] == ["low"]
        again = client.patch(f"{PATH}/amount_spike", json=body, headers={"If-Match": seen.headers["etag"]})
        assert again.status_code == 412
        back = client.patch(f"{PATH}/amount_spike", json={"parameters": {"low": None}}).json()
        assert (back["changed_parameters"], back["parameters"]["low"]) == ([], "3")

    def test_one_is_not_deleted_nor_its_name_taken(self, client: Client) -> None:
        answer = client.delete(f"{PATH}/amount_spike")
        assert (answer.status_code, "mode off" in answer.json()["detail"]) == (409, True)
        answer = client.post(PATH, json={**OWN, "name": "amount_spike"})
        assert (answer.status_code, pointers(answer)) == (409, {"/name"})

    def test_kinds_are_told_with_their_defaults(self, client: Client) -> None:
        kinds = {kind["name"]: kind for kind in client.get("/api/detector-kinds").json()}
        assert set(kinds) == set(DETECTORS)
        assert kinds["webhook_integrity"]["defaults"]["low"] == 5
        assert "sql" not in kinds["sql"]["defaults"]


class TestOwn:
    def test_it_is_set_up_changed_and_deleted(self, client: Client) -> None:
        made = client.post(PATH, json=OWN)
        assert (made.status_code, made.headers["location"]) == (201, f"{PATH}/own")
        assert (made.json()["mode"], made.json()["parameters"]["min_payments"]) == ("on", 5)
        assert client.post(PATH, json=OWN).status_code == 409
        schedule = {"cron": "30 6 * * 1-5", "time_zone": "Europe/Berlin"}
        changed = client.patch(f"{PATH}/own", json={"schedule": schedule, "description": "mornings"}).json()
        assert changed["schedule"] == {"interval_seconds": None, **schedule}
        first = datetime.fromisoformat(changed["next_run_at"])
        assert (first.minute, first.astimezone(UTC).hour in {4, 5}) == (30, True)
        assert client.delete(f"{PATH}/own", headers={"If-Match": '"1"'}).status_code == 412
        assert client.delete(f"{PATH}/own").status_code == 204
        assert client.get(f"{PATH}/own").status_code == 404
        assert client.post(PATH, json=OWN).status_code == 201
        entries = client.get("/api/audit", params={"object_type": "detector"}).json()
        assert [entry["action"] for entry in entries[::-1]] == [
            "detector.add", "detector.change", "detector.delete", "detector.add",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("changed", "where"),
        [
            ({"name": "No"}, {"/name"}),
            ({"kind": "nothing"}, {"/kind"}),
            (
                {"parameters": {"min_payments": 0, "low": 9, "more": 1}},
                {"/parameters/min_payments", "/parameters/more"},
            ),
            ({"parameters": {"low": 9}}, {"/parameters"}),
            ({"parameters": {"low": "NaN"}}, {"/parameters/low"}),
            ({"parameters": {"window_minutes": 1, "late_hours": 24}}, {"/parameters"}),
            ({"schedule": {"interval_seconds": 59}}, {"/schedule"}),
            ({"schedule": {"interval_seconds": 300, "cron": "* * * * *"}}, {"/schedule"}),
            ({"schedule": {}}, {"/schedule"}),
            ({"schedule": {"cron": "0 0 31 2 *"}}, {"/schedule"}),
            ({"schedule": {"cron": "* * * * *", "time_zone": "../../etc/passwd"}}, {"/schedule"}),
            ({"kind": "sql", "parameters": {}}, {"/parameters/sql"}),
            ({"kind": "sql", "parameters": {"sql": "SELECT 1"}}, {"/parameters"}),
            (
                {"kind": "sql", "parameters": {"sql": SQL.replace("webhook_events", "sentinel.tenants")}},
                {"/parameters/sql"},
            ),
            ({"kind": "sql", "parameters": {"sql": SQL, "store": "redis"}}, {"/parameters/store"}),
            (
                {
                    "kind": "sql",
                    "parameters": {"sql": f"SELECT * FROM read_text('/etc/passwd') -- {SQL}"[:34], "store": "lake"},
                },
                {"/parameters"},
            ),
            (
                {
                    "kind": "sql",
                    "parameters": {"sql": f"SELECT * FROM read_text('/x') WHERE ({SQL}) = 1", "store": "lake"},
                },
                {"/parameters/sql"},
            ),
        ],
        ids=range(17),
    )
    def test_what_cannot_work_is_refused_with_its_place(
        self, client: Client, changed: dict[str, Any], where: set[str]
    ) -> None:
        answer = client.post(PATH, json={**OWN, **changed})
        assert (answer.status_code, pointers(answer)) == (422, where), answer.text
        assert [each["name"] for each in client.get(PATH).json() if not each["is_builtin"]] == []

    @pytest.mark.parametrize(
        "body",
        [
            b'{"name": "own", "kind": "missing_heartbeat", "parameters": {"names": ["a\\u0000b"]}}',
            b'{"name": "own", "kind": "missing_heartbeat", "parameters": {"names": ["\\ud800"]}}',
            b'{"name": "own", "kind": "missing_heartbeat", "parameters": {"\\ud800": 1}}',
            b'{"name": "own", "kind": "missing_heartbeat", "parameters": {"low": 1e999}}',
            b'{"name": "own", "kind": "amount_spike", "parameters": {"low": ' + b"9" * 5000 + b"}}",
            b'{"name": "own\\u0000", "kind": "missing_heartbeat"}',
            b'{"name": "own", "kind": "sql", "parameters": {"sql": "SELECT \\ud800 :window_start :window_end"}}',
            b'{"name": "own", "kind": "sql", "parameters": {"sql": "SELECT \\u0000 :window_start :window_end"}}',
            b'{"name": "own", "kind": "amount_spike", "parameters": {"low": ' + b"[" * 500 + b"]" * 500 + b"}}",
            b'{"name": "own", "kind": "amount_spike", "schedule": {"cron": "\\u0000 * * * *"}}',
            b'{"name": "own", "kind": "amount_spike", "schedule": {"interval_seconds": 1e300}}',
        ],
        ids=range(11),
    )
    def test_what_json_allows_and_nothing_else_does_is_refused(self, client: Client, body: bytes) -> None:
        answer = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}, answer.text

    def test_there_is_a_limit_to_them(self, client: Client, desk: DetectorBench) -> None:
        desk.add_builtins()
        for number in range(95):
            desk.detector("amount_spike", f"n{number}")
        answer = client.post(PATH, json=OWN)
        assert (answer.status_code, "100 detectors" in answer.json()["detail"]) == (409, True)

    def test_repeating_it_under_its_key_is_harmless(self, client: Client) -> None:
        answers = [client.post(PATH, json=OWN, headers={"Idempotency-Key": "k"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]

    def test_other_windows_begin_where_the_former_ended(self, client: Client, desk: DetectorBench) -> None:
        fire(client, desk)
        desk.one("UPDATE sentinel.detectors SET evaluated_until = %s RETURNING id", (PAST,))
        client.patch(f"{PATH}/payment_failure_spike", json={"parameters": {"window_minutes": 60}})
        run = client.post(f"{PATH}/payment_failure_spike/run", json={"at": (PAST + 2 * HALF).isoformat()}).json()
        assert (run["state"], run["fired_count"], run["window_count"]) == ("done", 0, 0)
        assert len(client.get("/api/alerts").json()) == 1


class TestRun:
    def test_it_answers_what_came_of_it_and_keeps_it(self, client: Client, desk: DetectorBench) -> None:
        run = fire(client, desk)
        assert (run["state"], run["fired_count"], run["cause"], run["requested_by"][:4]) == (
            "done",
            1,
            "request",
            "test",
        )
        assert run["window_end"] == "2026-03-02T12:00:00Z"
        assert client.get(f"{PATH}/payment_failure_spike/runs").json() == [run]
        assert client.get(f"{PATH}/payment_failure_spike").json()["last_run"] == run
        assert fire(client, desk, failed=0)["fired_count"] == 0
        page = client.get(f"{PATH}/payment_failure_spike/runs", params={"limit": 1})
        rest = client.get(page.links["next"]["url"])
        assert [each["id"] for each in page.json() + rest.json()][1:] == [run["id"]]

    def test_one_that_fails_says_why_and_does_not_hurt_others(self, client: Client, desk: DetectorBench) -> None:
        sql = SQL.replace("count(*) AS value", "1 / (count(*) - count(*)) AS value")
        assert client.post(PATH, json={"name": "bad", "kind": "sql", "parameters": {"sql": sql}}).status_code == 201
        desk.payments(desk.source(), PAST - HALF, failed=1, succeeded=0)
        run = client.post(f"{PATH}/bad/run", json={"at": (PAST + HALF).isoformat()}).json()
        assert (run["state"], run["error"]) == ("failed", "the query fails: division by zero")
        assert client.get(f"{PATH}/bad").json()["last_run"]["error"] == run["error"]
        assert fire(client, desk, at=PAST + 4 * HALF)["state"] == "done"

    def test_a_time_in_the_future_is_refused(self, client: Client) -> None:
        at = datetime.now(UTC) + timedelta(minutes=5)
        answer = client.post(f"{PATH}/amount_spike/run", json={"at": at.isoformat()})
        assert (answer.status_code, "future" in answer.json()["detail"]) == (422, True)
        assert client.post(f"{PATH}/amount_spike/run", json={"at": "2026-01-01T00:00:00"}).status_code == 422

    def test_without_a_body_it_evaluates_what_is_due(self, client: Client) -> None:
        run = client.post(f"{PATH}/payment_failure_spike/run").json()
        assert (run["state"], run["window_count"] >= 11) == ("done", True)
        assert client.get(f"{PATH}/payment_failure_spike").json()["evaluated_until"] == run["window_end"]


class TestAlerts:
    def test_an_anomaly_is_an_alert(self, client: Client, desk: DetectorBench, api: ApiClient) -> None:
        fire(client, desk)
        (alert,) = client.get("/api/alerts").json()
        assert (
            alert.items()
            >= {
                "pipeline_id": None,
                "rule_id": None,
                "rule_version_id": None,
                "generation_id": None,
                "kafka_partition": None,
                "kafka_offset": None,
                "kafka_timestamp": None,
                "severity": "critical",
                "score": 80,
                "detector": "payment_failure_spike",
                "window_start": "2026-03-02T11:30:00Z",
                "window_end": "2026-03-02T12:00:00Z",
                "revision": 1,
                "entities": {"webhook_source": "live"},
            }.items()
        )
        assert alert["evidence"][0]["values"]["level"] == "high"
        (typed,) = api.list_alerts(source="detector").alerts
        assert (typed.detector, typed.pipeline_id, typed.subject) == ("payment_failure_spike", None, alert["subject"])
        (told,) = desk.rows("SELECT detector, subject, rule_id FROM public.fraud_alerts")
        assert told == {"detector": "payment_failure_spike", "subject": alert["subject"], "rule_id": None}

    def test_they_are_listed_with_those_of_rules_and_filtered(
        self, client: Client, desk: DetectorBench, database: Database, tenant: str
    ) -> None:
        rule = add_rule(client, create_pipeline(client)["id"])
        by_rule = Findings(database, tenant).alert(rule, "t1")
        fire(client, desk)

        def ids(**wanted: Any) -> list[int]:
            answer = client.get("/api/alerts", params=wanted)
            assert answer.status_code == 200, answer.text
            return [alert["id"] for alert in answer.json()]

        everything = ids()
        (by_detector,) = set(everything) - {by_rule}
        assert ids(source="rule") == [by_rule]
        assert ids(source="detector") == [by_detector]
        assert ids(detector="payment_failure_spike") == [by_detector]
        assert ids(detector="amount_spike") == ids(detector="payment_failure_spike", source="rule") == []
        assert ids(severity="critical") == everything
        assert ids(severity="critical", source="detector", text="FAILURE_spike") == [by_detector]
        assert ids(severity="warning") == []
        assert ids(severity="critical", pipeline_id=rule["pipeline_id"]) == [by_rule]
        assert ids(rule_id=rule["id"]) == [by_rule]
        (pipeline,) = client.get("/api/pipelines").json()
        assert pipeline["alert_count"] == 1
        assert client.get("/metrics").status_code == 200

    def test_what_it_said_before_is_kept(self, client: Client, desk: DetectorBench, api: ApiClient) -> None:
        fire(client, desk, failed=7)
        (before,) = client.get("/api/alerts").json()
        assert fire(client, desk, failed=100)["amended_count"] == 1
        (after,) = client.get("/api/alerts").json()
        (amendment,) = client.get(f"/api/alerts/{after['id']}/amendments").json()
        assert (after["id"], after["revision"], before["revision"], amendment["version"]) == (before["id"], 2, 1, 1)
        assert (amendment["evidence"], amendment["severity"]) == (before["evidence"], before["severity"])
        assert api.list_amendments(after["id"])[0].reason == amendment["reason"]

    def test_the_name_stays_when_the_detector_is_deleted(self, client: Client, desk: DetectorBench) -> None:
        client.post(PATH, json={"name": "mine", "kind": "sql", "parameters": {"sql": SQL}})
        desk.payments(desk.source(), PAST - HALF, failed=1, succeeded=0)
        assert client.post(f"{PATH}/mine/run", json={"at": (PAST + HALF).isoformat()}).json()["fired_count"] == 1
        assert client.delete(f"{PATH}/mine").status_code == 204
        (alert,) = client.get("/api/alerts", params={"detector": "mine"}).json()
        assert (alert["detector"], alert["severity"], alert["subject"]) == ("mine", "warning", "cus_1")


class TestClient:
    def test_every_call(self, api: ApiClient) -> None:
        assert {kind.name for kind in api.list_detector_kinds()} == set(DETECTORS)
        made = api.create_detector("mine", "sql", parameters={"sql": SQL}, schedule={"interval_seconds": 600})
        assert (made.schedule.interval_seconds, made.mode) == (600, "on")
        assert "mine" in {each.name for each in api.list_detectors()}
        changed = api.change_detector("mine", if_version=made.version, mode="off", description="paused")
        assert (changed.is_enabled, changed.description) == (False, "paused")
        run = api.run_detector("mine", at=PAST)
        assert (run.state, api.list_detector_runs("mine")[0].id) == ("done", run.id)
        assert api.get_detector("mine").last_run == run
        api.delete_detector("mine", if_version=changed.version)
        assert "mine" not in {each.name for each in api.list_detectors()}
