"""API keys in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg.errors import ForeignKeyViolation

from sentinel.domain.api_key import ApiKey, Scope
from sentinel.errors import NotFoundError
from sentinel.stores.postgres.database import Connection, Database, Row, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("api_keys")
_TOUCH_AFTER = timedelta(minutes=1)


class PostgresApiKeys:
    """The API keys of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self, *, name: str, prefix: str, key_hash: bytes, scopes: Sequence[Scope], expires_at: datetime | None
    ) -> ApiKey:
        """Keep a key.

        Raises:
            NotFoundError: The tenant does not exist.
        """
        parameters = {
            "name": name,
            "prefix": prefix,
            "key_hash": key_hash,
            "scopes": [str(scope) for scope in scopes],
            "expires_at": expires_at,
        }
        try:
            row = self._connection.execute(_SQL["add"], parameters).fetchone()
        except ForeignKeyViolation as error:
            raise NotFoundError(
                "the tenant does not exist; `sentinel up` creates the one in SENTINEL_TENANT"
            ) from error
        return _api_key(required(row))

    def list(self) -> list[ApiKey]:
        """Return all keys of the tenant, newest first."""
        return [_api_key(row) for row in self._connection.execute(_SQL["list"])]

    def revoke(self, key_id: int) -> ApiKey | None:
        """Make a key unusable from now on; None when there is no such key."""
        row = self._connection.execute(_SQL["revoke"], {"key_id": key_id}).fetchone()
        return _api_key(row) if row else None


def find_presented(database: Database, key_hash: bytes, now: datetime) -> ApiKey | None:
    """Return the key of this hash, usable or not, whatever tenant it belongs to, and note its use.

    Two transactions: the tenant is not known before the first.
    """
    with database.transaction("", api_key_hash=key_hash.hex()) as connection:
        row = connection.execute(_SQL["presented"], {"key_hash": key_hash}).fetchone()
    if row is None:
        return None
    key = _api_key(row)
    if key.usable_at(now) and (key.last_used_at is None or now - key.last_used_at > _TOUCH_AFTER):
        with database.transaction(key.tenant_id) as connection:
            connection.execute(_SQL["touch"], {"key_id": key.id})
    return key


def _api_key(row: Row) -> ApiKey:
    return ApiKey(**{**row, "scopes": frozenset(Scope(scope) for scope in row["scopes"])})
