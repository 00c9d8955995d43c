"""Errors that every endpoint shares: problems, limits, request identifiers, stores that are away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import Client

from config_api.app import create_app
from sentinel.errors import ConfigurationError
from sentinel.localstack.ports import free_port
from sentinel.settings import Settings
from sentinel.testing.http import serve
from tests.integration.api.conftest import FIELDS

pytestmark = pytest.mark.integration


def closed(settings: Settings, **changed: Any) -> Settings:
    """Return settings of an API that asks for keys."""
    return settings.model_copy(update={"api": settings.api.model_copy(update={"open": False, **changed})})


@pytest.fixture(scope="module")
def open_url(settings: Settings) -> Iterator[str]:
    """Where an open API answers."""
    with serve(create_app(settings)) as url:
        yield url


class TestProblems:
    def test_a_path_that_is_not_there(self, client: Client) -> None:
        answer = client.get("/api/nothing")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json().items() >= {"status": 404, "instance": "/api/nothing", "title": "Not Found"}.items()

    def test_a_method_that_is_not_there(self, client: Client) -> None:
        answer = client.delete("/api/alerts")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET"
        assert answer.json()["type"] == "urn:sentinel:problem:method-not-allowed"

    def test_every_method_that_is_there_is_allowed(self, client: Client) -> None:
        assert client.patch("/api/lists/x").headers["allow"] == "DELETE, GET"
        assert client.get("/api/lists/x/rows/preview").headers["allow"] == "POST"
        assert client.post("/docs").headers["allow"]

    def test_a_body_that_is_not_json(self, client: Client) -> None:
        answer = client.post("/api/pipelines", content=b"{oops", headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
        assert "not JSON" in answer.json()["detail"]

    def test_a_body_that_is_not_an_object(self, client: Client) -> None:
        answer = client.post("/api/pipelines", json=[1])
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == ""

    def test_no_body(self, client: Client) -> None:
        assert client.post("/api/pipelines").status_code == 422

    def test_a_body_that_is_too_large(self, client: Client) -> None:
        answer = client.post("/api/pipelines", content=b" " * 1_000_001)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert "1000000 bytes" in answer.json()["detail"]

    def test_a_body_that_is_too_large_and_does_not_say_so(self, client: Client) -> None:
        def chunks() -> Iterator[bytes]:
            for _ in range(20):
                yield b" " * 100_000

        assert client.post("/api/pipelines", content=chunks()).status_code == 413

    def test_a_json_that_is_nested_too_deeply(self, client: Client) -> None:
        body = b"[" * 100_000
        answer = client.post("/api/pipelines", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}

    def test_a_surprise_tells_nothing_of_the_inside(self, settings: Settings) -> None:
        app: FastAPI = create_app(settings)

        @app.get("/boom")
        def boom() -> None:
            raise RuntimeError("secret inside")

        with serve(app) as url, Client(base_url=url, timeout=60) as caller:
            answer = caller.get("/boom", headers={"X-Request-Id": "r-1"})
        assert answer.status_code == 500
        assert answer.headers["x-request-id"] == "r-1"
        assert "secret" not in answer.text
        assert "r-1" in answer.json()["detail"]


class TestRequestId:
    def test_is_made_where_there_is_none(self, client: Client) -> None:
        first, second = (client.get("/healthz").headers["x-request-id"] for _ in range(2))
        assert first != second

    def test_is_kept_where_there_is_one(self, client: Client) -> None:
        answer = client.get("/api/pipelines/999999", headers={"X-Request-Id": "abc-1"})
        assert answer.headers["x-request-id"] == "abc-1"
        assert answer.json()["request_id"] == "abc-1"

    def test_is_not_taken_from_nonsense(self, client: Client) -> None:
        assert client.get("/healthz", headers={"X-Request-Id": "a b"}).headers["x-request-id"] != "a b"


class TestOpenMode:
    def test_serves_this_machine_as_the_default_tenant(self, open_url: str, stranger: Client) -> None:
        with Client(base_url=open_url, timeout=60) as caller:
            body = {"name": "From curl", "kafka_topic": "t", "schema": FIELDS}
            created = caller.post("/api/pipelines", json=body)
        assert created.status_code == 201
        assert stranger.get(f"/api/pipelines/{created.json()['id']}").status_code == 200

    def test_a_key_still_decides_the_tenant(self, open_url: str, client: Client, pipeline: dict[str, Any]) -> None:
        with Client(base_url=open_url, headers=client.headers, timeout=60) as caller:
            assert [item["id"] for item in caller.get("/api/pipelines").json()] == [pipeline["id"]]

    @pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
    def test_a_web_page_elsewhere_is_refused(self, open_url: str, headers: dict[str, str]) -> None:
        with Client(base_url=open_url, timeout=60) as caller:
            assert caller.get("/api/pipelines", headers=headers).status_code == 401

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "sentinel.example"])  # noqa: S104
    def test_refuses_to_start_on_an_address_that_others_reach(self, settings: Settings, host: str) -> None:
        exposed = settings.model_copy(update={"api": settings.api.model_copy(update={"host": host, "open": True})})
        with pytest.raises(ConfigurationError, match="SENTINEL_API__OPEN=false"):
            create_app(exposed)

    def test_with_keys_it_starts_there(self, settings: Settings) -> None:
        assert create_app(closed(settings, host="0.0.0.0")).routes  # noqa: S104


class TestHealth:
    def test_healthz_needs_no_key(self, anonymous: Client) -> None:
        assert anonymous.get("/healthz").json() == {"status": "ok"}

    def test_readyz_names_each_store(self, anonymous: Client) -> None:
        answer = anonymous.get("/readyz")
        assert answer.status_code == 200
        well = {"ok": True, "cause": None}
        assert answer.json() == {"status": "ok", "checks": {"postgresql": well, "redis": well, "kafka": well}}

    def test_without_kafka_it_is_degraded(self, settings: Settings) -> None:
        kafka = settings.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{free_port()}"})
        app = create_app(settings.model_copy(update={"kafka": kafka}))
        with serve(app) as url, Client(base_url=url, timeout=30) as caller:
            answer = caller.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert "Kafka does not answer" in answer.json()["checks"]["kafka"]["cause"]

    def test_without_redis_it_is_degraded(self, settings: Settings) -> None:
        away = settings.model_copy(update={"redis": settings.redis.model_copy(update={"port": free_port()})})
        with serve(create_app(away)) as url, Client(base_url=url, timeout=30) as caller:
            answer = caller.get("/readyz")
            assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
            assert "Redis does not answer" in answer.json()["checks"]["redis"]["cause"]
            pipeline = caller.post("/api/pipelines", json={"name": "No Redis", "kafka_topic": "t", "schema": FIELDS})
            verdict = caller.get(f"/api/pipelines/{pipeline.json()['id']}/scores/e1").json()
        assert verdict["status"] == "unknown"
        assert "Redis does not answer" in verdict["detail"]

    def test_without_postgresql_it_starts_and_says_so(self, settings: Settings) -> None:
        postgres = settings.postgres.model_copy(update={"port": free_port(), "connect_timeout_seconds": 1})
        app = create_app(settings.model_copy(update={"postgres": postgres}))
        with serve(app) as url, Client(base_url=url, timeout=30) as caller:
            assert caller.get("/healthz").status_code == 200
            ready = caller.get("/readyz")
            listed = caller.get("/api/pipelines")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert (listed.status_code, listed.headers["retry-after"]) == (503, "2")
        assert listed.json()["detail"].startswith("PostgreSQL does not answer")

    def test_a_privileged_role_is_refused(self, settings: Settings) -> None:
        owner = {"app_user": settings.postgres.owner_user, "app_password": settings.postgres.owner_password}
        privileged = settings.model_copy(update={"postgres": settings.postgres.model_copy(update=owner)})
        with pytest.raises(RuntimeError, match="did not start"), serve(create_app(privileged)):
            pass


class TestDocumentation:
    def test_describes_every_endpoint_with_its_errors(self, anonymous: Client) -> None:
        description = anonymous.get("/openapi.json").json()
        assert set(description["paths"]) >= {
            "/api/pipelines",
            "/api/pipelines/{pipeline_id}",
            "/api/pipelines/{pipeline_id}/schema",
            "/api/pipelines/{pipeline_id}/rules",
            "/api/pipelines/{pipeline_id}/status",
            "/api/pipelines/{pipeline_id}/progress",
            "/api/pipelines/{pipeline_id}/generations",
            "/api/pipelines/{pipeline_id}/dead-letters",
            "/api/pipelines/{pipeline_id}/scores/{event_id}",
            "/api/rules/{rule_id}",
            "/api/rules/{rule_id}/status",
            "/api/rules/check",
            "/api/alerts",
        }
        for path, operations in description["paths"].items():
            for method, operation in operations.items():
                assert operation.get("description"), f"{method} {path} says nothing"
                if path.startswith("/api"):
                    assert {"401", "403", "422", "503"} <= set(operation["responses"]), f"{method} {path}"
                    assert "application/problem+json" in operation["responses"]["401"]["content"]

    @pytest.mark.parametrize("path", ["/api/pipelines", "/api/pipelines/{pipeline_id}/rules"])
    def test_its_examples_work(self, anonymous: Client, client: Client, pipeline: dict[str, Any], path: str) -> None:
        description = anonymous.get("/openapi.json").json()
        reference = description["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        example = description["components"]["schemas"][reference.rpartition("/")[2]]["examples"][0]
        target = client.post("/api/pipelines", json={"name": "Example", "kafka_topic": "t", "schema": FIELDS}).json()
        answer = client.post(path.format(pipeline_id=target["id"]), json=example)
        assert answer.status_code == 201, answer.text

    def test_the_page_is_there(self, anonymous: Client) -> None:
        assert "swagger" in anonymous.get("/docs").text.lower()
