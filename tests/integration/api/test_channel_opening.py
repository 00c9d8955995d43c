"""Channels of the API, opened for sending."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from httpx import Client
from pydantic import SecretStr

from sentinel.errors import ChannelUnusableError, NotFoundError, SealedSecretError
from sentinel.notify.channels.base import Fate
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.testing.channel_contract import failure_of, notification
from sentinel.wiring_channels import Channels, build_channels
from tests.integration.api.test_channels import BOT, SIEM, add, allowing, api_of
from tests.support.receivers import http_receiver

pytestmark = pytest.mark.integration


@pytest.fixture
def local(settings: Settings, tenant: str) -> Iterator[Client]:
    """A caller of an API whose operator allows channels to this machine."""
    with api_of(allowing(settings, tenant)) as client:
        yield client


class TestOpening:
    @pytest.fixture
    def channels(self, settings: Settings, database: Database, tenant: str) -> Iterator[Channels]:
        built = build_channels(allowing(settings, tenant), database)
        yield built
        built.close()

    def test_a_tenants_channel_is_opened_and_sends(self, local: Client, channels: Channels, tenant: str) -> None:
        with http_receiver() as receiver:
            made = add(local, SIEM, options={"url": receiver.url}, rate_per_minute=7)
            opened = channels.opener.open_channel(tenant, made["id"])
            assert (opened.name, opened.kind, opened.version, opened.rate_per_minute) == (
                "siem", "webhook", made["version"], 7,
            )  # fmt: skip
            assert opened.send(notification()).status == 200
            assert made["new_secret"] not in repr(opened)

    def test_what_can_not_be_opened_says_why(
        self, local: Client, channels: Channels, tenant: str, settings: Settings, database: Database
    ) -> None:
        made = add(local, SIEM)
        with pytest.raises(NotFoundError):
            channels.opener.open_channel(settings.tenant, made["id"])
        with pytest.raises(NotFoundError):
            channels.opener.open_named(tenant, "other")
        local.post("/api/channels/siem/disable", json={"reason": "answered 410"})
        with pytest.raises(ChannelUnusableError, match="disabled: answered 410"):
            channels.opener.open_channel(tenant, made["id"])
        local.post("/api/channels/siem/enable")
        with database.transaction(tenant) as connection:
            connection.execute("UPDATE sentinel.channel_secrets SET expires_at = now()")
        with pytest.raises(ChannelUnusableError, match="has no secret"):
            channels.opener.open_channel(tenant, made["id"])
        with database.transaction(tenant) as connection:
            connection.execute("UPDATE sentinel.notification_channels SET options = '{\"old\": 1}'")
        with pytest.raises(ChannelUnusableError, match="options of the channel"):
            channels.opener.open_channel(tenant, made["id"])

    def test_a_key_that_is_lost_is_said_and_may_come_back(
        self, settings: Settings, tenant: str, database: Database, channels: Channels
    ) -> None:
        key = SecretStr(Fernet.generate_key().decode())
        keyed = allowing(settings, tenant)
        keyed = keyed.model_copy(update={"webhooks": keyed.webhooks.model_copy(update={"encryption_key": key})})
        with api_of(keyed) as client:
            made = add(client, SIEM)
            assert made["secrets"][0]["is_encrypted"]
        with database.transaction(tenant) as connection:
            row = connection.execute("SELECT sealed FROM sentinel.channel_secrets").fetchone()
        assert row is not None
        assert made["new_secret"].encode() not in row["sealed"]
        with pytest.raises(SealedSecretError):
            channels.opener.open_channel(tenant, made["id"])
        with_key = build_channels(keyed, database)
        assert with_key.opener.open_channel(tenant, made["id"]).name == "siem"
        with_key.close()

    def test_another_target_is_reached_where_the_kind_allows_it(
        self, local: Client, channels: Channels, tenant: str
    ) -> None:
        with http_receiver() as receiver:
            receiver.answers = [(200, {}, b'{"ok": true, "ts": "1.2"}')]
            made = add(local, BOT, options={"mode": "bot", "channel": "#ops", "api_url": receiver.url})
            opened = channels.opener.open_channel(tenant, made["id"]).with_target("#big")
            assert opened.send(notification()).thread == "1.2"
            assert b'"channel":"#big"' in receiver.received[0].body
            assert opened.with_target(None) is opened

    def test_an_address_that_is_closed_meanwhile_is_not_reached(
        self, local: Client, settings: Settings, tenant: str, database: Database
    ) -> None:
        with http_receiver() as receiver:
            made = add(local, SIEM, options={"url": receiver.url})
            closed = build_channels(allowing(settings, tenant, allowed_networks=""), database)
            failure = failure_of(closed.opener.open_channel(tenant, made["id"]).channel, notification())
            closed.close()
            assert (failure.fate, failure.reason, receiver.received) == (Fate.DEAD, "address_not_allowed", [])
