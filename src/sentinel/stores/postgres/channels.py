"""Channels and their secrets, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from sentinel.domain.channel import (
    ChannelKind,
    ChannelSecret,
    ChannelStatus,
    KeptSecret,
    KnownChannel,
    NotificationChannel,
)
from sentinel.stores.postgres.database import Connection, Database, Row, required
from sentinel.stores.postgres.secret_box import SecretBox
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("channels")


class PostgresChannels:
    """The channels of the transaction's tenant."""

    def __init__(self, connection: Connection, box: SecretBox) -> None:
        self._connection = connection
        self._box = box

    def get(self, name: str) -> NotificationChannel | None:
        """Return the channel."""
        return next(iter(self._channels(name)), None)

    def list(self) -> Sequence[NotificationChannel]:
        """Return all channels, by name."""
        return self._channels(None)

    def lock(self, name: str) -> NotificationChannel | None:
        """Return the channel, locked until the transaction ends."""
        self._connection.execute(_SQL["lock"], {"name": name})
        return self.get(name)

    def lock_all(self) -> None:
        """Keep others from adding channels until the transaction ends."""
        self._connection.execute(_SQL["lock_all"])

    def add(
        self,
        *,
        name: str,
        kind: ChannelKind,
        options: Mapping[str, Any],
        rate_per_minute: int | None,
        created_by: str,
    ) -> NotificationChannel | None:
        """Create a channel without secrets; None when the name is taken."""
        parameters = {
            "name": name,
            "kind": kind,
            "options": Jsonb(dict(options)),
            "rate_per_minute": rate_per_minute,
            "created_by": created_by,
        }
        row = self._connection.execute(_SQL["add"], parameters).fetchone()
        return self.get(name) if row else None

    def change(self, channel_id: int, *, options: Mapping[str, Any], rate_per_minute: int | None) -> None:
        """Change a channel."""
        parameters = {
            "channel_id": channel_id,
            "options": Jsonb(dict(options)),
            "rate_per_minute": rate_per_minute,
        }
        self._connection.execute(_SQL["change"], parameters)

    def set_status(self, channel_id: int, status: ChannelStatus, reason: str) -> bool:
        """Enable or disable a channel; False when it is so already."""
        parameters = {"channel_id": channel_id, "status": status, "reason": reason}
        return self._connection.execute(_SQL["set_status"], parameters).fetchone() is not None

    def delete(self, channel_id: int, at: datetime) -> None:
        """Delete a channel with its secrets and deliveries; what became of the alerts that these tell of is kept."""
        self._connection.execute(_SQL["note_deletion"], {"channel_id": channel_id, "at": at})
        self._connection.execute(_SQL["delete"], {"channel_id": channel_id})

    def add_secret(self, channel_id: int, secret: str, *, hint: str, added_by: str) -> int:
        """Keep a secret and return its id. Those that expired are deleted on the way."""
        self._connection.execute(_SQL["forget_secrets"], {"channel_id": channel_id, "all": False})
        sealed, is_encrypted = self._box.seal(secret)
        parameters = {
            "channel_id": channel_id,
            "sealed": sealed,
            "is_encrypted": is_encrypted,
            "hint": hint,
            "added_by": added_by,
        }
        row = required(self._connection.execute(_SQL["add_secret"], parameters).fetchone())
        self._connection.execute(_SQL["touch"], {"channel_id": channel_id})
        return int(row["id"])

    def expire_secrets(self, channel_id: int, expires_at: datetime) -> None:
        """Have all secrets end at a time, unless they end earlier."""
        self._connection.execute(_SQL["expire_secrets"], {"channel_id": channel_id, "expires_at": expires_at})

    def delete_secrets(self, channel_id: int) -> None:
        """Delete all secrets."""
        self._connection.execute(_SQL["forget_secrets"], {"channel_id": channel_id, "all": True})
        self._connection.execute(_SQL["touch"], {"channel_id": channel_id})

    def _channels(self, name: str | None) -> Sequence[NotificationChannel]:
        rows = self._connection.execute(_SQL["list"], {"name": name}).fetchall()
        secrets = self._connection.execute(_SQL["secrets"], {"name": name}).fetchall()
        return [_channel(row, (secret for secret in secrets if secret["channel_id"] == row["id"])) for row in rows]


class PostgresChannelReader:
    """Reads channels for sending, each in a short transaction of its tenant."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box

    def known(self, tenant_id: str, channel_id: int) -> KnownChannel | None:
        """Return a tenant's channel with its secrets in clear; None: there is none.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(tenant_id) as connection:
            rows = connection.execute(_SQL["known"], {"channel_id": channel_id}).fetchall()
        if not rows:
            return None
        sealed = [row for row in rows if row["sealed"] is not None]
        opened = [
            (self._box.unseal(row["sealed"], is_encrypted=row["is_encrypted"]), row["expires_at"]) for row in sealed
        ]
        return KnownChannel(
            id=rows[0]["id"],
            name=rows[0]["name"],
            kind=ChannelKind(rows[0]["kind"]),
            options=rows[0]["options"],
            status=ChannelStatus(rows[0]["status"]),
            disabled_reason=rows[0]["disabled_reason"],
            rate_per_minute=rows[0]["rate_per_minute"],
            version=rows[0]["version"],
            secrets=tuple(KeptSecret(value, expires_at) for value, expires_at in opened if value is not None),
            has_sealed_secrets=any(value is None for value, _ in opened),
        )

    def id_of(self, tenant_id: str, name: str) -> int | None:
        """Return the id of a tenant's channel; None: there is none.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(tenant_id) as connection:
            row = connection.execute(_SQL["list"], {"name": name}).fetchone()
        return int(row["id"]) if row else None


def _channel(row: Row, secrets: Iterable[Row]) -> NotificationChannel:
    return NotificationChannel(
        **{
            **row,
            "kind": ChannelKind(row["kind"]),
            "status": ChannelStatus(row["status"]),
            "secrets": tuple(
                ChannelSecret(**{name: value for name, value in secret.items() if name != "channel_id"})
                for secret in secrets
            ),
        }
    )
