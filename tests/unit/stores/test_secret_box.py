"""Secrets at rest."""

from __future__ import annotations

import base64

import pytest
from pydantic import SecretStr

from sentinel.errors import ConfigurationError
from sentinel.settings import WebhookSettings
from sentinel.stores.postgres.secret_box import SecretBox

# The same in every process of a test run: they are in names of tests.
OLD, NEW = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2))


def box(*keys: str) -> SecretBox:
    """Return a box with keys."""
    return SecretBox(WebhookSettings(encryption_key=SecretStr(",".join(keys))))


def test_without_a_key_it_is_in_clear() -> None:
    assert box().seal("whsec_x") == (b"whsec_x", False)
    assert box(NEW).unseal(b"whsec_x", is_encrypted=False) == "whsec_x"


def test_with_a_key_it_is_not() -> None:
    sealed, is_encrypted = box(OLD).seal("whsec_x")
    assert is_encrypted
    assert b"whsec_x" not in sealed
    assert box(OLD).unseal(sealed, is_encrypted=True) == "whsec_x"
    assert box(NEW, OLD).unseal(sealed, is_encrypted=True) == "whsec_x"
    assert box(NEW).unseal(sealed, is_encrypted=True) is None
    assert box().unseal(sealed, is_encrypted=True) is None


@pytest.mark.parametrize("key", ["x", "ä", OLD[:-3], f"{OLD},y"])
def test_what_is_no_key_is_said_at_the_start_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="openssl rand") as refused:
        box(key)
    assert OLD not in str(refused.value)
