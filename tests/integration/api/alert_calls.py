"""Calls on alerts that tests make."""

from __future__ import annotations

from typing import Any

from httpx import Client, Response

from sentinel.stores.postgres.database import Database

ACK = {"status": "acknowledged"}


def change(client: Client, alert_id: int, body: dict[str, Any], **headers: str) -> Response:
    """Send a change."""
    return client.patch(f"/api/alerts/{alert_id}", json=body, headers=headers)


def act(client: Client, **body: Any) -> dict[str, Any]:
    """Do a bulk action and return the answer."""
    answer = client.post("/api/alerts/actions", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids(client: Client, **wanted: Any) -> list[int]:
    """Return the ids of one page."""
    answer = client.get("/api/alerts", params=wanted)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()]


def told(database: Database, tenant: str) -> list[tuple[int, str]]:
    """Return what the outbox is told, in its order, without what findings wrote."""
    with database.transaction(tenant) as connection:
        rows = connection.execute("SELECT alert_id, event FROM sentinel.alert_outbox ORDER BY id").fetchall()
    return [(row["alert_id"], row["event"]) for row in rows]
