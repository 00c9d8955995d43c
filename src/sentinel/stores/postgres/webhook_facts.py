"""Reads the facts of webhook events: a few members as columns, so that detectors compute in SQL.

Not in SQL from the stored bytes: `jsonb` refuses what JSON allows (an escaped NUL, half a surrogate pair, a number of
a million digits), and one such event would stop every detector of its tenant.
"""

from __future__ import annotations

import logging
from typing import Any

import orjson

from sentinel.domain.stripe_event import stripe_record
from sentinel.domain.webhook import WebhookKind
from sentinel.stores.postgres.database import Connection, Database, Row
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("webhook_facts")
_LOG = logging.getLogger(__name__)

# Of up to a megabyte each.
BATCH = 50
_MEMBERS = (
    "livemode",
    "object_type",
    "object_id",
    "customer",
    "amount",
    "currency",
    "status",
    "previous_status",
    "failure_code",
    "reason",
    "subscription",
    "invoice",
    "charge",
    "payment_intent",
)
# An index holds no longer ones, and no id of Stripe's comes near.
MAX_CHARACTERS = 500


def unread_tenants(database: Database) -> list[str]:
    """Return the tenants of which events were not read yet."""
    with database.transaction("", detector_loop="all") as connection:
        return [row["tenant_id"] for row in connection.execute(_SQL["unread_tenants"])]


def read_events(database: Database, tenant_id: str) -> int:
    """Read some events, and return how many; 0: none is left. An event is read once, in one transaction with its mark.

    Raises:
        StoreUnavailableError: PostgreSQL does not answer.
    """
    with database.transaction(tenant_id) as connection:
        connection.execute(_SQL["lock"])
        return _read(connection)


def _read(connection: Connection) -> int:
    rows = connection.execute(_SQL["unread"], {"limit": BATCH}).fetchall()
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_SQL["add"], [_facts(row) for row in rows])
        connection.execute(_SQL["forget"], {"ids": [row["id"] for row in rows]})
    return len(rows)


def _facts(row: Row) -> dict[str, Any]:
    members: dict[str, Any] = dict.fromkeys(_MEMBERS)
    if row["kind"] == WebhookKind.STRIPE:
        try:
            record = stripe_record(orjson.loads(row["raw"]))
        except Exception:
            # One event that cannot be read must not keep those behind it from being read.
            _LOG.exception("the facts of webhook event %d cannot be read", row["id"])
        else:
            members = {name: _storable(record[name]) for name in _MEMBERS}
    return {
        "event_id": row["id"],
        "source_id": row["source_id"],
        "event_type": row["event_type"],
        # Without a time of its own it happened when it came.
        "occurred_at": row["occurred_at"] or row["received_at"],
        "received_at": row["received_at"],
        **members,
    }


def _storable(value: Any) -> Any:
    """Return a value that PostgreSQL takes; nothing in place of a text that no provider means."""
    if isinstance(value, str) and ("\x00" in value or len(value) > MAX_CHARACTERS or not _is_unicode(value)):
        return None
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
