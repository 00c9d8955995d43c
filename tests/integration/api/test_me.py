"""A caller asks who it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from httpx import Client

from sentinel.client import Client as ApiClient
from sentinel.domain.api_key import Scope

pytestmark = pytest.mark.integration


class TestMe:
    def test_anonymous_gets_401(self, anonymous: Client) -> None:
        assert anonymous.get("/api/me").status_code == 401

    def test_another_tenant_is_told_of_itself(self, client: Client, stranger: Client) -> None:
        assert client.get("/api/me").json()["tenant_id"] != stranger.get("/api/me").json()["tenant_id"]

    @pytest.mark.parametrize(
        ("scope", "allowed"),
        [
            (Scope.READ, ["read"]),
            (Scope.WRITE, ["ingest", "read", "write"]),
            (Scope.ADMIN, ["ingest", "read", "write", "admin"]),
        ],
    )
    def test_it_says_what_the_key_allows(
        self, client_of: Callable[..., Client], tenant: str, scope: Scope, allowed: list[str]
    ) -> None:
        found = client_of(tenant, scope).get("/api/me").json()
        assert found["tenant_id"] == tenant
        assert found["name"].startswith("test (key:")
        assert (found["scopes"], found["open"], found["expires_at"]) == (allowed, False, None)

    def test_a_key_that_only_sends_events_is_refused(self, client_of: Callable[..., Client], tenant: str) -> None:
        assert client_of(tenant, Scope.INGEST).get("/api/me").status_code == 403

    def test_the_typed_client_asks(self, api: ApiClient, tenant: str) -> None:
        caller = api.who_am_i()
        assert caller.tenant_id == tenant
        assert caller.may("write")
        assert not caller.may("more")
