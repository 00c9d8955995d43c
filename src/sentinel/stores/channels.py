"""What use cases on channels, and their sending, ask of the stores. As in `sentinel.stores.base`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sentinel.domain.channel import ChannelKind, ChannelStatus, KnownChannel, NotificationChannel


class ChannelStore(Protocol):
    """Keeps channels and their secrets."""

    def get(self, name: str) -> NotificationChannel | None:
        """Return the channel."""

    def list(self) -> Sequence[NotificationChannel]:
        """Return all channels, by name."""

    def lock(self, name: str) -> NotificationChannel | None:
        """Return the channel and keep others from changing it until the unit of work ends."""

    def lock_all(self) -> None:
        """Keep others from adding channels until the unit of work ends."""

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

    def change(self, channel_id: int, *, options: Mapping[str, Any], rate_per_minute: int | None) -> None:
        """Change a channel."""

    def set_status(self, channel_id: int, status: ChannelStatus, reason: str) -> bool:
        """Enable or disable a channel; False when it is so already."""

    def delete(self, channel_id: int, at: datetime) -> None:
        """Delete a channel with its secrets and deliveries; what became of the alerts that these tell of is kept."""

    def add_secret(self, channel_id: int, secret: str, *, hint: str, added_by: str) -> int:
        """Keep a secret and return its id. Those that expired are deleted on the way."""

    def expire_secrets(self, channel_id: int, expires_at: datetime) -> None:
        """Have all secrets end at a time, unless they end earlier."""

    def delete_secrets(self, channel_id: int) -> None:
        """Delete all secrets."""


class ChannelReader(Protocol):
    """Reads channels for sending."""

    def known(self, tenant_id: str, channel_id: int) -> KnownChannel | None:
        """Return a tenant's channel with its secrets in clear, as it is committed now; None: there is none."""

    def id_of(self, tenant_id: str, name: str) -> int | None:
        """Return the id of a tenant's channel; None: there is none."""
