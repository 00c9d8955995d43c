"""The pipelines resource."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from httpx import Client

from sentinel.domain.api_key import Scope
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.snapshots import CatalogReader
from tests.integration.api.conftest import FIELDS, create_pipeline, pointers

pytestmark = pytest.mark.integration

CALLS = [
    ("GET", "/api/pipelines/{id}", None),
    ("PATCH", "/api/pipelines/{id}", {"mode": "microbatch"}),
    ("PATCH", "/api/pipelines/{id}/status", {"status": "paused"}),
]


@pytest.mark.parametrize(
    ("method", "path", "body"), [*CALLS, ("GET", "/api/pipelines", None), ("POST", "/api/pipelines", {})]
)
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    answer = anonymous.request(method, path.format(id=1), json=body)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["type"] == "urn:sentinel:problem:unauthenticated"


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_another_tenant_gets_404(stranger: Client, pipeline: dict[str, Any], method: str, path: str, body: Any) -> None:
    answer = stranger.request(method, path.format(id=pipeline["id"]), json=body)
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"there is no pipeline {pipeline['id']}"


def test_another_tenant_does_not_see_it_in_the_list(stranger: Client, pipeline: dict[str, Any]) -> None:
    assert pipeline["id"] not in {item["id"] for item in stranger.get("/api/pipelines").json()}


class TestCreate:
    def test_answers_with_id_and_message(self, client: Client) -> None:
        answer = client.post("/api/pipelines", json={"name": "Cards", "kafka_topic": "cards", "schema": FIELDS})
        assert answer.status_code == 201
        assert isinstance(answer.json()["id"], int)
        assert "cards" in answer.json()["message"]
        assert answer.headers["location"] == f"/api/pipelines/{answer.json()['id']}"
        assert answer.headers["etag"] == '"1"'

    def test_is_what_the_job_reads(self, client: Client, database: Database, tenant: str) -> None:
        created = create_pipeline(client, config={"mode": "microbatch", "score_every_event": True}, start_at="latest")
        with database.transaction(tenant) as connection:
            snapshot = CatalogReader().snapshot(connection, tenant, created["id"])
        assert snapshot.config.mode == "microbatch"
        assert snapshot.config.score_every_event
        assert snapshot.start_at == "latest"
        assert (snapshot.schema_version, snapshot.rule_set.version, snapshot.rule_set.rules) == (1, 0, ())
        assert snapshot.schema.as_json() == [{"nullable": True, **field} for field in FIELDS]

    def test_two_pipelines_may_read_one_topic(self, client: Client) -> None:
        first, second = create_pipeline(client), create_pipeline(client)
        assert first["kafka_topic"] == second["kafka_topic"]
        assert first["id"] != second["id"]

    def test_a_taken_name_is_a_conflict(self, client: Client, pipeline: dict[str, Any]) -> None:
        body = {"name": pipeline["name"], "kafka_topic": "t", "schema": FIELDS}
        answer = client.post("/api/pipelines", json=body)
        assert answer.status_code == 409
        assert pipeline["name"] in answer.json()["detail"]

    def test_another_tenant_may_use_the_same_name(self, stranger: Client, pipeline: dict[str, Any]) -> None:
        assert create_pipeline(stranger, name=pipeline["name"])["id"] != pipeline["id"]

    def test_everything_wrong_is_listed_at_once(self, client: Client) -> None:
        schema = [
            {"name": "amount", "type": "banana"},
            {"name": "AMOUNT", "type": "float"},
            {"name": "_private", "type": "string"},
            {"name": "date", "type": "date"},
            {"name": "9lives", "type": "string"},
            {"name": "n" * 129, "type": "string"},
            {"name": "price", "type": "decimal(50,2)"},
            {"name": "when", "type": "string", "event_time": True},
            {"name": "id1", "type": "string", "event_id": True},
            {"name": "id2", "type": "float", "event_id": True, "nullable": True},
        ]
        answer = client.post("/api/pipelines", json={"name": "x", "kafka_topic": "..", "schema": schema})
        assert answer.status_code == 422
        assert pointers(answer) >= {
            "/kafka_topic",
            "/schema/0/type",
            "/schema/1/name",
            "/schema/2/name",
            "/schema/3/name",
            "/schema/4/name",
            "/schema/5/name",
            "/schema/6/type",
            "/schema/7/type",
            "/schema/9",
            "/schema/9/type",
            "/schema/9/nullable",
        }

    def test_wrong_shapes_are_listed_at_once(self, client: Client) -> None:
        schema = [{"name": 5, "type": "string"}, {"type": "string"}, {"name": "a", "type": "float", "nulable": True}]
        answer = client.post("/api/pipelines", json={"name": "", "kafka_topic": "t", "schema": schema})
        assert answer.status_code == 422
        assert pointers(answer) == {"/name", "/schema/0/name", "/schema/1/name", "/schema/2/nulable"}

    @pytest.mark.parametrize(
        "topic", ["", ".", "..", "a b", "t/1", "ü", "x" * 250, "sentinel.a.1.findings", "__offsets"]
    )
    def test_topic_names_that_cannot_be_are_refused(self, client: Client, topic: str) -> None:
        answer = client.post("/api/pipelines", json={"name": "x", "kafka_topic": topic, "schema": FIELDS})
        assert answer.status_code == 422
        assert pointers(answer) == {"/kafka_topic"}

    @pytest.mark.parametrize("schema", [[], [{"name": f"f{i}", "type": "string"} for i in range(301)]])
    def test_no_field_and_too_many_are_refused(self, client: Client, schema: list[Any]) -> None:
        answer = client.post("/api/pipelines", json={"name": "x", "kafka_topic": "t", "schema": schema})
        assert answer.status_code == 422
        assert pointers(answer) == {"/schema"}

    def test_300_fields_are_fine(self, client: Client) -> None:
        create_pipeline(client, schema=[{"name": f"f{i}", "type": "string"} for i in range(300)])

    @pytest.mark.parametrize("name", ["a\u0000b", "line\nbreak", "   ", "n" * 129])
    def test_names_that_cannot_be_are_refused(self, client: Client, name: str) -> None:
        answer = client.post("/api/pipelines", json={"name": name, "kafka_topic": "t", "schema": FIELDS})
        assert answer.status_code == 422
        assert pointers(answer) == {"/name"}

    def test_an_unpaired_surrogate_is_refused(self, client: Client) -> None:
        body = b'{"name": "\\ud800", "kafka_topic": "t", "schema": [{"name": "a", "type": "string"}]}'
        answer = client.post("/api/pipelines", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422


class TestIdempotencyKey:
    def test_the_same_request_again_gets_the_same_answer(self, client: Client) -> None:
        body = {"name": "once", "kafka_topic": "t", "schema": FIELDS}
        first = client.post("/api/pipelines", json=body, headers={"Idempotency-Key": "k1"})
        second = client.post("/api/pipelines", json=body, headers={"Idempotency-Key": "k1"})
        assert (second.status_code, second.json()) == (201, first.json())
        assert second.headers["idempotency-replayed"] == "true"
        assert second.headers["location"] == first.headers["location"]
        assert second.headers["etag"] == first.headers["etag"]
        assert len(client.get("/api/pipelines").json()) == 1

    def test_another_request_under_the_same_key_is_refused(self, client: Client) -> None:
        create = {"name": "once", "kafka_topic": "t", "schema": FIELDS}
        client.post("/api/pipelines", json=create, headers={"Idempotency-Key": "k1"})
        answer = client.post("/api/pipelines", json={**create, "name": "twice"}, headers={"Idempotency-Key": "k1"})
        assert answer.status_code == 422
        assert "'k1'" in answer.json()["detail"]

    def test_a_refused_request_may_be_repeated(self, client: Client) -> None:
        body = {"name": "x", "kafka_topic": "..", "schema": FIELDS}
        assert client.post("/api/pipelines", json=body, headers={"Idempotency-Key": "k"}).status_code == 422
        body["kafka_topic"] = "t"
        assert client.post("/api/pipelines", json=body, headers={"Idempotency-Key": "k"}).status_code == 201

    def test_at_the_same_time_only_one_is_created(self, client: Client) -> None:
        body = {"name": "once", "kafka_topic": "t", "schema": FIELDS}

        def create(_: int) -> int:
            return int(client.post("/api/pipelines", json=body, headers={"Idempotency-Key": "k"}).json()["id"])

        with ThreadPoolExecutor(6) as pool:
            assert len(set(pool.map(create, range(12)))) == 1

    def test_another_tenant_may_use_the_same_key(self, client: Client, stranger: Client) -> None:
        for caller in (client, stranger):
            name = f"once-{id(caller)}"
            body = {"name": name, "kafka_topic": "t", "schema": FIELDS}
            headers = {"Idempotency-Key": f"shared-{id(client)}"}
            assert caller.post("/api/pipelines", json=body, headers=headers).json()["name"] == name


class TestRead:
    def test_the_list_has_what_the_dashboard_needs(self, client: Client, pipeline: dict[str, Any]) -> None:
        (item,) = client.get("/api/pipelines").json()
        assert item.items() >= {"id": pipeline["id"], "name": pipeline["name"], "alert_count": 0}.items()
        assert item["kafka_topic"] == "transactions"
        assert item["status"] == "active"
        assert item["created_at"].endswith("Z")

    def test_one_has_its_schema_and_etag(self, client: Client, pipeline: dict[str, Any]) -> None:
        answer = client.get(f"/api/pipelines/{pipeline['id']}")
        assert [field["name"] for field in answer.json()["schema"]] == [field["name"] for field in FIELDS]
        assert answer.headers["etag"] == '"1"'

    @pytest.mark.parametrize("wrong", ["0", "-1", "x", str(2**63)])
    def test_an_id_that_is_none_is_refused(self, client: Client, wrong: str) -> None:
        answer = client.get(f"/api/pipelines/{wrong}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "pipeline_id"


class TestChange:
    def test_status(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}"
        for status in ("paused", "stopped", "active"):
            answer = client.patch(f"{path}/status", json={"status": status})
            assert (answer.status_code, answer.json()["status"]) == (200, status)
            assert client.get(path).json()["status"] == status

    def test_an_unknown_status_is_refused(self, client: Client, pipeline: dict[str, Any]) -> None:
        answer = client.patch(f"/api/pipelines/{pipeline['id']}/status", json={"status": "asleep"})
        assert answer.status_code == 422
        assert pointers(answer) == {"/status"}

    def test_the_same_status_again_changes_no_version(self, client: Client, pipeline: dict[str, Any]) -> None:
        answer = client.patch(f"/api/pipelines/{pipeline['id']}/status", json={"status": "active"})
        assert answer.json()["version"] == 1

    def test_config_keeps_what_is_not_named(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}"
        client.patch(path, json={"mode": "microbatch"})
        answer = client.patch(path, json={"config": {"max_record_bytes": 2000}})
        assert answer.json()["config"] == {
            "mode": "microbatch",
            "score_every_event": False,
            "future_tolerance_seconds": 3600,
            "max_record_bytes": 2000,
            "storm_limit": 10_000,
            "fresh_backtest_hours": 0,
            "rollout_max_ratio": 2.0,
            "edge_check": "strict",
        }

    @pytest.mark.parametrize("config", [{"mode": "fast"}, {"max_record_bytes": 0}, {"storm_limit": 0}])
    def test_settings_that_cannot_work_are_refused(
        self, client: Client, pipeline: dict[str, Any], config: dict[str, Any]
    ) -> None:
        answer = client.patch(f"/api/pipelines/{pipeline['id']}", json=config)
        assert answer.status_code == 422
        assert pointers(answer) == {f"/{next(iter(config))}"}

    def test_an_outdated_if_match_is_412(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/status"
        assert client.patch(path, json={"status": "paused"}, headers={"If-Match": '"1"'}).headers["etag"] == '"2"'
        answer = client.patch(path, json={"status": "active"}, headers={"If-Match": '"1"'})
        assert answer.status_code == 412
        assert answer.json()["type"] == "urn:sentinel:problem:version-mismatch"

    def test_an_if_match_that_is_no_etag_is_refused(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/status"
        assert client.patch(path, json={"status": "paused"}, headers={"If-Match": "abc"}).status_code == 422

    def test_the_job_is_notified(self, client: Client, pipeline: dict[str, Any], settings: Settings) -> None:
        with psycopg.connect(settings.postgres.conninfo("app"), autocommit=True) as listener:
            listener.execute("LISTEN sentinel_pipeline")
            client.patch(f"/api/pipelines/{pipeline['id']}/status", json={"status": "paused"})
            heard = {notice.payload for notice in listener.notifies(timeout=10, stop_after=1)}
        assert heard == {str(pipeline["id"])}


class TestScopes:
    def test_a_reading_key_may_not_write(
        self, client_of: Callable[..., Client], tenant: str, pipeline: dict[str, Any]
    ) -> None:
        reader = client_of(tenant, Scope.READ)
        assert reader.get("/api/pipelines").status_code == 200
        answer = reader.patch(f"/api/pipelines/{pipeline['id']}/status", json={"status": "paused"})
        assert answer.status_code == 403
        assert "'write'" in answer.json()["detail"]

    def test_a_writing_key_may(self, client_of: Callable[..., Client], tenant: str) -> None:
        create_pipeline(client_of(tenant, Scope.WRITE))

    def test_x_api_key_works_too(self, anonymous: Client, key_of: Callable[..., str], tenant: str) -> None:
        assert anonymous.get("/api/pipelines", headers={"X-API-Key": key_of(tenant)}).status_code == 200

    def test_a_wrong_key_gets_401(self, anonymous: Client) -> None:
        answer = anonymous.get("/api/pipelines", headers={"X-API-Key": "snt_" + "x" * 43})
        assert answer.status_code == 401
