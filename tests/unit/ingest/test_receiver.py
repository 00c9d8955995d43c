"""Taking in deliveries, with an inbox in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sentinel.domain.webhook import (
    Delivery,
    EventIdentity,
    KnownSource,
    ReceiptStatus,
    RefusalReason,
    SourceStatus,
    TokenOptions,
    WebhookKind,
)
from sentinel.errors import NotFoundError, SealedSecretError, UnsignedDeliveryError
from sentinel.ingest.webhooks.receiver import Receipt, WebhookReceiver, refusal
from tests.support.webhooks import STRIPE_SECRET, delivery, stripe_headers

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PUBLIC_ID = "whs_" + "a" * 22
SOURCE = KnownSource(1, WebhookKind.STRIPE, SourceStatus.ACTIVE, TokenOptions(), (STRIPE_SECRET,))
BODY = b'{"id": "evt_1"}'


class Inbox:
    """One source of the tenant `t`, named `s`."""

    def __init__(self, source: KnownSource | None, status: ReceiptStatus = ReceiptStatus.STORED) -> None:
        self.held = source
        self.status = status
        self.refused: list[RefusalReason] = []
        self.committed = False

    def find(self, public_id: str) -> tuple[str, int] | None:
        """Return where the source is."""
        return ("t", 1) if public_id == PUBLIC_ID else None

    def find_named(self, tenant_id: str, name: str) -> int | None:
        """Return the source's id."""
        return 1 if (tenant_id, name) == ("t", "s") else None

    @contextmanager
    def opened(self, tenant_id: str, source_id: int) -> Iterator[Inbox]:
        """Begin and commit."""
        assert (tenant_id, source_id) == ("t", 1)
        yield self
        self.committed = True

    def source(self) -> KnownSource | None:
        """Return the source."""
        return self.held

    def store(self, identity: EventIdentity, _: Delivery) -> ReceiptStatus:
        """Return what was told."""
        assert identity.event_id == "evt_1"
        return self.status

    def refuse(self, reason: RefusalReason, _: Delivery) -> None:
        """Note the reason."""
        self.refused.append(reason)


def receive(
    inbox: Inbox, sent: Delivery, name: str = PUBLIC_ID, tenant: str | None = None
) -> tuple[Receipt, list[str]]:
    """Take in a delivery; return the receipt, and what the publisher was told after the commit."""
    told: list[str] = []

    def on_stored(tenant_id: str) -> None:
        assert inbox.committed
        told.append(tenant_id)

    receiver = WebhookReceiver(inbox, on_stored, lambda: NOW)
    return receiver.receive(name, sent, is_stripe=True, local_tenant=tenant), told


SENT = delivery(BODY, stripe_headers(BODY, at=NOW.timestamp()))


def test_the_publisher_is_told_of_what_is_new_after_the_commit() -> None:
    assert receive(Inbox(SOURCE), SENT) == (Receipt(ReceiptStatus.STORED, "evt_1"), ["t"])
    for status in (ReceiptStatus.DUPLICATE, ReceiptStatus.CONFLICT):
        assert receive(Inbox(SOURCE, status), SENT) == (Receipt(status, "evt_1"), [])


def test_a_refused_delivery_is_committed_as_an_attempt() -> None:
    inbox = Inbox(SOURCE)
    with pytest.raises(UnsignedDeliveryError):
        receive(inbox, delivery(BODY, {}))
    assert (inbox.refused, inbox.committed) == ([RefusalReason.MISSING_HEADER], True)


@pytest.mark.parametrize("name", ["s", "whs_" + "b" * 22, "whs_short", "", "é", "a\x00"])
def test_what_is_no_source_leaves_nothing(name: str) -> None:
    inbox = Inbox(SOURCE)
    with pytest.raises(NotFoundError):
        receive(inbox, SENT, name)
    assert (inbox.refused, inbox.committed) == ([], False)


def test_on_this_machine_the_name_does() -> None:
    assert receive(Inbox(SOURCE), SENT, "s", "t")[0].event_id == "evt_1"


@pytest.mark.parametrize("source", [None, replace(SOURCE, kind=WebhookKind.GITHUB)])
def test_a_source_that_is_gone_or_of_another_kind_is_not_found(source: KnownSource | None) -> None:
    with pytest.raises(NotFoundError):
        receive(Inbox(source), SENT)


class TestSealedSecrets:
    def test_one_that_can_be_read_is_enough(self) -> None:
        assert receive(Inbox(replace(SOURCE, has_sealed_secrets=True)), SENT)[0].event_id == "evt_1"

    @pytest.mark.parametrize("secrets", [(), ("whsec_another_one",)])
    def test_otherwise_the_provider_is_to_come_again(self, secrets: tuple[str, ...]) -> None:
        inbox = Inbox(replace(SOURCE, secrets=secrets, has_sealed_secrets=True))
        with pytest.raises(SealedSecretError, match="ENCRYPTION_KEY"):
            receive(inbox, SENT)
        assert inbox.refused == []

    def test_what_needs_no_secret_to_be_told_is_told(self) -> None:
        inbox = Inbox(replace(SOURCE, has_sealed_secrets=True))
        with pytest.raises(UnsignedDeliveryError):
            receive(inbox, delivery(BODY, {}))


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_reason_has_a_sentence_and_none_names_a_secret(reason: RefusalReason) -> None:
    assert len(refusal(reason).message) > 10
    assert STRIPE_SECRET not in repr(SOURCE) + repr(SENT)
