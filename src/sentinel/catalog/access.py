"""Use cases on API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sentinel.domain.api_key import ApiKey, Scope, hash_secret, new_secret, shown_prefix
from sentinel.errors import InvalidError, NotFoundError
from sentinel.stores.base import ApiKeyStore


class KeyCatalog:
    """API keys of one tenant."""

    def __init__(self, keys: ApiKeyStore) -> None:
        self._keys = keys

    def create(self, name: str, scopes: Sequence[Scope], *, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
        """Create a key and return it with its secret, which is kept nowhere.

        Raises:
            InvalidError: No name or no scope.
            NotFoundError: The tenant does not exist.
        """
        if not name.strip() or not scopes:
            raise InvalidError("an API key needs a name and at least one scope (read, write, admin)")
        secret = new_secret()
        key = self._keys.add(
            name=name.strip(),
            prefix=shown_prefix(secret),
            key_hash=hash_secret(secret),
            scopes=sorted(set(scopes)),
            expires_at=expires_at,
        )
        return key, secret

    def list(self) -> list[ApiKey]:
        """Return all keys, newest first."""
        return self._keys.list()

    def revoke(self, key_id: int) -> ApiKey:
        """Make a key unusable from now on. Repeating it is harmless.

        Raises:
            NotFoundError: There is no such key.
        """
        key = self._keys.revoke(key_id)
        if key is None:
            raise NotFoundError(f"there is no API key {key_id}; `sentinel keys list` shows those there are")
        return key
