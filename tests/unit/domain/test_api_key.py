"""API keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinel.domain.api_key import ApiKey, Scope, hash_secret, new_secret, shown_prefix

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def key(scope: Scope = Scope.READ, *, expires: datetime | None = None, revoked: datetime | None = None) -> ApiKey:
    """Return a key."""
    return ApiKey(1, "t", "n", "snt_", frozenset({scope}), NOW, expires, revoked, None)


def test_secrets_differ_and_hold_256_bits() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith("snt_")
    assert len(first) == 4 + 43
    assert shown_prefix(first) == first[:12]
    assert len(hash_secret(first)) == 32


@pytest.mark.parametrize(
    ("held", "allowed"),
    [
        (Scope.INGEST, {Scope.INGEST}),
        (Scope.READ, {Scope.READ}),
        (Scope.WRITE, {Scope.INGEST, Scope.READ, Scope.WRITE}),
        (Scope.ADMIN, set(Scope)),
    ],
)
def test_a_scope_includes_others(held: Scope, allowed: set[Scope]) -> None:
    assert {scope for scope in Scope if key(held).allows(scope)} == allowed


def test_a_key_is_usable_until_it_expires_or_is_revoked() -> None:
    assert key().usable_at(NOW)
    assert key(expires=NOW + timedelta(seconds=1)).usable_at(NOW)
    assert not key(expires=NOW).usable_at(NOW)
    assert not key(revoked=NOW).usable_at(NOW)
