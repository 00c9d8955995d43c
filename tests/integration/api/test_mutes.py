"""Mutes and snoozes through the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Client

from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.snapshots import CatalogReader
from tests.integration.api.conftest import add_rule, create_pipeline, pointers

pytestmark = pytest.mark.integration

SOON = (datetime.now(UTC) + timedelta(days=1)).isoformat()
SNOOZE = {"field": "user_id", "value": "u1", "expires_at": SOON, "reason": "known traveller"}
CALLS = [
    ("POST", "/api/pipelines/{pipeline}/mutes", SNOOZE),
    ("GET", "/api/pipelines/{pipeline}/mutes", None),
    ("GET", "/api/pipelines/{pipeline}/suppressed", None),
    ("DELETE", "/api/mutes/{mute}", None),
]


def mute(client: Client, pipeline_id: int, **body: Any) -> Any:
    """Ask for a mute or snooze and return the answer."""
    return client.post(f"/api/pipelines/{pipeline_id}/mutes", json={"reason": "noise", **body})


def silences(database: Database, tenant: str, pipeline_id: int) -> list[tuple[int | None, str | None, str | None]]:
    """Return what the job would silence now."""
    with database.transaction(tenant) as connection:
        found = CatalogReader().snapshot(connection, tenant, pipeline_id).rule_set.mutes
    return [(silence.rule_id, silence.field, silence.value) for silence in found]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    assert anonymous.request(method, path.format(pipeline=1, mute=1), json=body).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_another_tenant_gets_404(  # noqa: PLR0917 - three fixtures, three parameters
    client: Client, stranger: Client, pipeline: dict[str, Any], method: str, path: str, body: Any
) -> None:
    made = mute(client, pipeline["id"], **SNOOZE).json()
    path = path.format(pipeline=pipeline["id"], mute=made["id"])
    assert stranger.request(method, path, json=body).status_code == 404


def test_a_mute_is_in_the_next_rule_set_until_it_ends(
    client: Client, database: Database, tenant: str, pipeline: dict[str, Any]
) -> None:
    rule = add_rule(client, pipeline["id"])
    made = mute(client, pipeline["id"], rule_id=rule["id"])
    assert (made.status_code, made.headers["location"]) == (201, f"/api/mutes/{made.json()['id']}")
    snoozed = mute(client, pipeline["id"], **SNOOZE).json()
    assert snoozed.items() >= {"field": "user_id", "value": "u1", "ended_at": None}.items()
    assert silences(database, tenant, pipeline["id"]) == [(rule["id"], None, None), (None, "user_id", "u1")]
    for _ in range(2):
        ended = client.delete(f"/api/mutes/{made.json()['id']}")
        assert (ended.status_code, ended.json()["ended_by"]) == (200, snoozed["created_by"])
    assert silences(database, tenant, pipeline["id"]) == [(None, "user_id", "u1")]
    listed = client.get(f"/api/pipelines/{pipeline['id']}/mutes").json()
    assert [item["id"] for item in listed] == [snoozed["id"]]
    assert len(client.get(f"/api/pipelines/{pipeline['id']}/mutes?ended=true").json()) == 2


def test_the_list_is_paged(client: Client, pipeline: dict[str, Any]) -> None:
    for number in range(3):
        mute(client, pipeline["id"], **{**SNOOZE, "value": f"u{number}"})
    first = client.get(f"/api/pipelines/{pipeline['id']}/mutes?limit=2")
    second = client.get(first.links["next"]["url"])
    assert [item["value"] for item in first.json() + second.json()] == ["u2", "u1", "u0"]
    assert "next" not in second.links


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"reason": " ", "rule_id": 1}, "/reason"),
        ({**SNOOZE, "expires_at": None}, "/expires_at"),
        ({**SNOOZE, "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({**SNOOZE, "expires_at": "2999-01-01T00:00:00Z"}, "/expires_at"),
        ({**SNOOZE, "expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
        ({**SNOOZE, "field": "country"}, "/field"),
        ({**SNOOZE, "value": None}, "/value"),
        ({**SNOOZE, "value": ""}, "/value"),
        ({**SNOOZE, "value": "x" * 257}, "/value"),
        ({**SNOOZE, "value": "a\x00b"}, "/value"),
        ({**SNOOZE, "field": None}, "/field"),
    ],
)
def test_refused(client: Client, pipeline: dict[str, Any], body: dict[str, Any], pointer: str) -> None:
    answer = mute(client, pipeline["id"], **body)
    assert answer.status_code == 422, answer.text
    assert pointer in pointers(answer)


def test_a_rule_of_another_pipeline_or_an_archived_one(client: Client, pipeline: dict[str, Any]) -> None:
    elsewhere = add_rule(client, create_pipeline(client)["id"])
    assert mute(client, pipeline["id"], rule_id=elsewhere["id"]).status_code == 404
    archived = add_rule(client, pipeline["id"])
    client.post(f"/api/rules/{archived['id']}/state", json={"state": "archived"})
    assert mute(client, pipeline["id"], rule_id=archived["id"]).status_code == 409


def test_there_are_only_so_many(client: Client, database: Database, tenant: str, pipeline: dict[str, Any]) -> None:
    with database.transaction(tenant) as connection:
        connection.execute(
            "INSERT INTO sentinel.mutes (tenant_id, pipeline_id, field, value, expires_at, reason, created_by) "
            "SELECT %s, %s, 'user_id', n::text, now() - interval '1 day', 'x', 'x' FROM generate_series(1, 1000) n",
            (tenant, pipeline["id"]),
        )
    answer = mute(client, pipeline["id"], **SNOOZE)
    assert (answer.status_code, "1000 mutes and snoozes" in answer.json()["detail"]) == (409, True)
    with database.transaction(tenant) as connection:
        connection.execute("UPDATE sentinel.mutes SET expires_at = now() - interval '8 days'")
    assert mute(client, pipeline["id"], **SNOOZE).status_code == 201
    assert silences(database, tenant, pipeline["id"]) == [(None, "user_id", "u1")]
