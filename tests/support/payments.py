"""A pipeline of payments for tests of the dashboard."""

from __future__ import annotations

import uuid
from typing import Any

from sentinel.client.client import Client

FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
    {"name": "user_id", "type": "string", "role": "entity"},
    {"name": "amount", "type": "float"},
    {"name": "country", "type": "string"},
]


def create_payments(api: Client, **more: Any) -> int:
    """Create a pipeline with a topic of its own, and return its id."""
    name = f"payments-{uuid.uuid4().hex[:8]}"
    return api.create_pipeline(name, name, FIELDS, **more)
