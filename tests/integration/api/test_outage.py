"""PostgreSQL and Redis go away and come back under a running API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx import Client

from config_api.app import create_app
from sentinel.testing.http import serve
from sentinel.testing.servers import ServerSet, start_servers
from tests.integration.api.conftest import FIELDS

pytestmark = pytest.mark.integration


@pytest.fixture
def own_servers(tmp_path: Path) -> Iterator[ServerSet]:
    """PostgreSQL and Redis that this test may stop."""
    with start_servers(tmp_path, ("postgres", "redis")) as running:
        yield running


def test_the_api_answers_503_and_recovers_by_itself(own_servers: ServerSet) -> None:
    settings = own_servers.settings
    quick = settings.model_copy(
        update={"postgres": settings.postgres.model_copy(update={"connect_timeout_seconds": 1})}
    )
    with serve(create_app(quick)) as url, Client(base_url=url, timeout=30) as caller:
        body = {"name": "Survivor", "kafka_topic": "t", "schema": FIELDS}
        created = caller.post("/api/pipelines", json=body).json()

        own_servers.stop("postgres")
        refused = caller.get("/api/pipelines")
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:sentinel:problem:unavailable")
        assert refused.headers["retry-after"]
        assert caller.get("/healthz").status_code == 200
        assert caller.get("/readyz").json()["checks"]["postgresql"]["ok"] is False

        # Attempts that wait ever longer would find the server back only long after it is.
        until = time.monotonic() + 17
        while time.monotonic() < until:
            assert caller.get("/api/pipelines").status_code == 503
        own_servers.start("postgres")
        tries = [caller.get("/api/pipelines") for _ in range(4)]
        answer = next(each for each in tries if each.status_code == 200)
        assert [item["id"] for item in answer.json()] == [created["id"]]

        own_servers.stop("redis")
        assert caller.get("/readyz").json()["checks"]["redis"]["ok"] is False
        score = caller.get(f"/api/pipelines/{created['id']}/scores/e1")
        assert (score.status_code, score.json()["status"]) == (200, "unknown")

        own_servers.start("redis")
        assert caller.get("/readyz").json()["checks"]["redis"]["ok"] is True
