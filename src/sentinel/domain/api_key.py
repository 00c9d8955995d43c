"""API keys: how a caller shows which tenant it acts for and what it may do."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

KEY_PREFIX = "snt_"
_SHOWN_CHARACTERS = len(KEY_PREFIX) + 8


class Scope(StrEnum):
    """What a key may do: send events and nothing else; read; also change things, and send events; everything."""

    INGEST = "ingest"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


_INCLUDED = {
    Scope.INGEST: frozenset({Scope.INGEST}),
    Scope.READ: frozenset({Scope.READ}),
    Scope.WRITE: frozenset({Scope.INGEST, Scope.READ, Scope.WRITE}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key. The key itself is not kept: only its SHA-256, and its beginning to recognise it by."""

    id: int
    tenant_id: str
    name: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def usable_at(self, now: datetime) -> bool:
        """Return whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, scope: Scope) -> bool:
        """Return whether one of the key's scopes includes this one."""
        return any(scope in _INCLUDED[held] for held in self.scopes)


def new_secret() -> str:
    """Return a new key: 256 random bits after the prefix."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """Return the SHA-256 under which a key is stored. It has 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(secret.encode()).digest()


def shown_prefix(secret: str) -> str:
    """Return the beginning of a key that lists show."""
    return secret[:_SHOWN_CHARACTERS]
