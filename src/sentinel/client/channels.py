"""The calls about channels, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import Field

from sentinel.client.models import Model
from sentinel.client.transport import Transport

_PATH = "/api/channels"


class ChannelSecret(Model):
    """A secret, without the secret."""

    id: int
    hint: str
    is_encrypted: bool
    added_at: datetime
    added_by: str
    expires_at: datetime | None


class Channel(Model):
    """A channel. After it was written, `new_secret` holds the secret that was made for it, this once."""

    id: int
    name: str
    kind: str
    options: dict[str, Any]
    status: str
    disabled_reason: str
    rate_per_minute: int | None
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    secrets: list[ChannelSecret]
    new_secret: str | None = None
    remarks: list[str] = Field(default_factory=list)


class ChannelTest(Model):
    """What came of a test. `outcome` is `sent` or `failed`."""

    outcome: str
    fate: str | None
    reason: str
    detail: str
    status: int | None
    duration_seconds: float


class ChannelCalls(Transport):
    """Part of the client."""

    def create_channel(
        self,
        name: str,
        kind: str,
        options: Mapping[str, Any] | None = None,
        *,
        secret: str | None = None,
        rate_per_minute: int | None = None,
    ) -> Channel:
        """Add a channel of kind `slack`, `webhook`, `email`, `pagerduty`, `teams` or `apprise`.

        Raises:
            InvalidError: It cannot work; `details` lists everything.
            AddressNotAllowedError: It would connect where requests may not go.
            ConflictError: The name is taken.
        """
        body = {
            "name": name,
            "kind": kind,
            "options": dict(options or {}),
            "secret": secret,
            "rate_per_minute": rate_per_minute,
        }
        return Channel.model_validate(self._send("POST", _PATH, body).json())

    def list_channels(self) -> list[Channel]:
        """Return all channels, by name."""
        return [Channel.model_validate(item) for item in self._get(_PATH).json()]

    def get_channel(self, name: str) -> Channel:
        """Return a channel."""
        return Channel.model_validate(self._get(_path(name)).json())

    def change_channel(self, name: str, *, if_version: int | None = None, **changes: Any) -> Channel:
        """Change `options` (those that are named), `rate_per_minute` or `secret`."""
        answer = self._send("PATCH", _path(name), changes, if_version=if_version)
        return Channel.model_validate(answer.json())

    def delete_channel(self, name: str) -> None:
        """Delete a channel with its secrets."""
        self._request("DELETE", _path(name))

    def rotate_channel_secret(
        self, name: str, *, secret: str | None = None, overlap: timedelta | None = None
    ) -> Channel:
        """Give a channel another secret. For a webhook one is made; the earlier ones sign until the overlap is over."""
        body = {"secret": secret, "overlap_seconds": None if overlap is None else int(overlap.total_seconds())}
        return Channel.model_validate(self._send("POST", f"{_path(name)}/secrets", body).json())

    def enable_channel(self, name: str) -> Channel:
        """Send through a channel again."""
        return Channel.model_validate(self._send("POST", f"{_path(name)}/enable", {}).json())

    def disable_channel(self, name: str, *, reason: str = "") -> Channel:
        """Send nothing through a channel until it is enabled."""
        return Channel.model_validate(self._send("POST", f"{_path(name)}/disable", {"reason": reason}).json())

    def test_channel(self, name: str) -> ChannelTest:
        """Send a test through a channel and return what came of it.

        Raises:
            ChannelUnusableError: It has no secret, or the operator does not allow its kind.
        """
        return ChannelTest.model_validate(self._request("POST", f"{_path(name)}/test").json())


def _path(name: str) -> str:
    return f"{_PATH}/{quote(name, safe='')}"
