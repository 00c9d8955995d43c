"""Secrets and names of webhook sources."""

from __future__ import annotations

import pytest

from sentinel.domain.topic import topic_problem
from sentinel.domain.webhook import PUBLIC_ID, WebhookKind, new_public_id, secret_hint, secret_problem, topic_prefix
from tests.support.webhooks import STANDARD_SECRET, STRIPE_SECRET


@pytest.mark.parametrize(
    ("kind", "secret", "wrong"),
    [
        (WebhookKind.STRIPE, STRIPE_SECRET, None),
        (WebhookKind.STRIPE, "short", "8 to 512"),
        (WebhookKind.STRIPE, "with a blank", "8 to 512"),
        (WebhookKind.GITHUB, "x" * 513, "8 to 512"),
        (WebhookKind.TOKEN, "späßchen", "8 to 512"),
        (WebhookKind.STANDARD, STANDARD_SECRET, None),
        (WebhookKind.STANDARD, STANDARD_SECRET.removeprefix("whsec_"), None),
        (WebhookKind.STANDARD, "whsec_not-base64!", "Base64"),
        (WebhookKind.STANDARD, "whsec_AAAA", "24 to 64 bytes, not 3"),
    ],
)
def test_secrets(kind: WebhookKind, secret: str, wrong: str | None) -> None:
    found = secret_problem(kind, secret)
    assert (found is None) == (wrong is None)
    assert wrong is None or wrong in str(found)
    assert secret not in str(found)


def test_a_hint_never_says_most_of_a_secret() -> None:
    assert secret_hint("whsec_abcdefghijkl") == "ijkl"
    assert secret_hint("12345678") == "78"


def test_public_ids_are_what_they_look_like() -> None:
    found = {new_public_id() for _ in range(100)}
    assert len(found) == 100
    assert all(PUBLIC_ID.fullmatch(one) for one in found)


@pytest.mark.parametrize("tenant_id", ["default", "a", "sentinel", "sentinel-2", "x-"])
def test_every_tenant_has_topics_of_its_own(tenant_id: str) -> None:
    assert topic_problem(f"{topic_prefix(tenant_id)}stripe") is None
    assert not f"{topic_prefix(tenant_id)}stripe".startswith(topic_prefix(tenant_id + "-"))
