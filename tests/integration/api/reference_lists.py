"""A list that several tests share."""

from __future__ import annotations

from typing import Any

from httpx import Client as Http

COLUMNS = [
    {"name": "user_id", "type": "string"},
    {"name": "level", "type": "integer"},
    {"name": "ratio", "type": "float"},
    {"name": "limit_amount", "type": "decimal(10,2)"},
    {"name": "since", "type": "date"},
    {"name": "seen_at", "type": "timestamp"},
    {"name": "vip", "type": "boolean"},
]
LIST = {"name": "users", "columns": COLUMNS, "key": "user_id"}
WHITELISTED = "user_id IN (SELECT user_id FROM users WHERE level > 1)"


def keys(client: Http, **parameters: Any) -> list[str]:
    """Return the keys of a version."""
    answer = client.get("/api/lists/users/rows", params=parameters)
    assert answer.status_code == 200, answer.text
    return [row["key"] for row in answer.json()]
