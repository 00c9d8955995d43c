"""The API on real servers, and callers with keys."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from httpx import Client

from config_api.app import create_app
from sentinel.client import Client as ApiClient
from sentinel.domain.api_key import Scope
from sentinel.settings import Settings
from sentinel.testing.http import serve
from sentinel.wiring import Backend
from tests.integration.api.reference_lists import LIST

FIELDS = [
    {"name": "transaction_id", "type": "string", "nullable": False, "role": "event_id"},
    {"name": "user_id", "type": "string", "nullable": False, "role": "entity"},
    {"name": "amount", "type": "float", "nullable": False},
    {"name": "country", "type": "string"},
]


@pytest.fixture(scope="session")
def backend(settings: Settings) -> Iterator[Backend]:
    """The stores, for arranging what a test needs."""
    opened = Backend(settings)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def base_url(settings: Settings) -> Iterator[str]:
    """Where the API answers, closed to anonymous callers; there is no rule worker to wait for."""
    api = settings.api.model_copy(update={"open": False})
    worker = settings.worker.model_copy(update={"answer_seconds": 1.0})
    closed = settings.model_copy(update={"api": api, "worker": worker})
    with serve(create_app(closed)) as url:
        yield url


@pytest.fixture
def anonymous(base_url: str) -> Iterator[Client]:
    """A caller without a key."""
    with Client(base_url=base_url, timeout=60) as caller:
        yield caller


@pytest.fixture
def key_of(backend: Backend) -> Callable[..., str]:
    """Makes an API key of a tenant."""

    def make(tenant_id: str, scope: Scope = Scope.ADMIN) -> str:
        with backend.unit(tenant_id, "test") as unit:
            return unit.keys.create("test", [scope])[1]

    return make


@pytest.fixture
def client_of(base_url: str, key_of: Callable[..., str]) -> Iterator[Callable[..., Client]]:
    """Makes a caller of a tenant."""
    with ExitStack() as callers:

        def make(tenant_id: str, scope: Scope = Scope.ADMIN) -> Client:
            headers = {"Authorization": f"Bearer {key_of(tenant_id, scope)}"}
            return callers.enter_context(Client(base_url=base_url, headers=headers, timeout=60))

        yield make


@pytest.fixture
def client(client_of: Callable[..., Client], tenant: str) -> Client:
    """A caller who may do everything in a tenant of its own."""
    return client_of(tenant)


@pytest.fixture
def stranger(client_of: Callable[..., Client], settings: Settings) -> Client:
    """A caller who may do everything in the default tenant."""
    return client_of(settings.tenant)


@pytest.fixture
def people(backend: Backend, base_url: str, tenant: str) -> Iterator[Callable[[str], Client]]:
    """Makes callers of the tenant by the names of their keys."""
    with ExitStack() as callers:

        def make(name: str) -> Client:
            with backend.unit(tenant, "test") as unit:
                key = unit.keys.create(name, [Scope.WRITE])[1]
            headers = {"Authorization": f"Bearer {key}"}
            return callers.enter_context(Client(base_url=base_url, headers=headers, timeout=60))

        yield make


@pytest.fixture
def cli_of_tenant(monkeypatch: pytest.MonkeyPatch, base_url: str, key_of: Callable[..., str], tenant: str) -> None:
    """Commands speak to the API as the tenant."""
    key = key_of(tenant)
    monkeypatch.setattr(ApiClient, "of", classmethod(lambda cls, _settings: cls(base_url, api_key=key)))


@pytest.fixture
def pipeline(client: Client) -> dict[str, Any]:
    """A pipeline of the tenant, as it was answered."""
    return create_pipeline(client)


@pytest.fixture
def api(client: Client, base_url: str) -> ApiClient:
    """The typed client of the same caller."""
    return ApiClient(base_url, api_key=client.headers["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def users(client: Client) -> dict[str, Any]:
    """A list of the tenant, with two rows."""
    rows = [{"user_id": "u1", "level": 1}, {"user_id": "u2", "level": 2, "limit_amount": "12.50"}]
    answer = client.post("/api/lists", json={**LIST, "rows": rows})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def create_pipeline(client: Client, **changed: Any) -> dict[str, Any]:
    """Create a pipeline with a name of its own and return the answer."""
    body = {"name": f"p-{uuid.uuid4().hex[:8]}", "kafka_topic": "transactions", "schema": FIELDS, **changed}
    answer = client.post("/api/pipelines", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def add_rule(client: Client, pipeline_id: int, expression: str = "amount > 100", **more: Any) -> dict[str, Any]:
    """Add a rule and return the answer."""
    body = {"rule_expression": expression, "severity": "critical", "description": "large", **more}
    answer = client.post(f"/api/pipelines/{pipeline_id}/rules", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def pointers(answer: Any) -> set[str]:
    """Return the JSON pointers of a problem's errors."""
    return {item["pointer"] for item in answer.json()["errors"]}
