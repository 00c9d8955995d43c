"""Connections to PostgreSQL and the unit of work: one transaction, one tenant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from sentinel.errors import ConfigurationError, StoreUnavailableError
from sentinel.settings import PostgresSettings

Row = dict[str, Any]
Connection = psycopg.Connection[Row]

# A host that vanished in the middle of a transaction must not hold its locks until TCP gives up, hours later.
SESSION_OPTIONS = "-c timezone=UTC -c idle_in_transaction_session_timeout=60s -c lock_timeout=10s"
KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}

_ROLE_QUERY = """
SELECT current_user AS role, r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'sentinel' AND c.relowner = r.oid) AS owns_tables
FROM pg_roles r WHERE r.rolname = current_user
"""


class Database:
    """A pool of connections of the application role.

    Every statement runs in a transaction of one tenant (`transaction`). There is no other way to a connection, so
    row-level security cannot be forgotten.
    """

    def __init__(self, settings: PostgresSettings, *, pool_size: int = 4) -> None:
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            settings.conninfo("app"),
            min_size=1,
            max_size=pool_size,
            timeout=float(settings.connect_timeout_seconds),
            kwargs={"row_factory": dict_row, "options": SESSION_OPTIONS, **KEEPALIVE},
            connection_class=psycopg.Connection[Row],
            # An attempt that waits twice as long after each failure would go on waiting when the server is back.
            reconnect_timeout=float(settings.connect_timeout_seconds),
            open=False,
            check=ConnectionPool.check_connection,
            name="sentinel",
        )

    def open(self) -> None:
        """Start the pool. Does not wait for the server."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    @contextmanager
    def transaction(self, tenant_id: str, **settings: str) -> Iterator[Connection]:
        """Run one transaction as one tenant: commit at the end, roll back on any exception.

        Args:
            tenant_id: Whose rows are visible. Empty: none, but those that a setting below opens.
            settings: Further transaction-local settings, e.g. `api_key_hash` becomes `app.api_key_hash`.

        Raises:
            StoreUnavailableError: No connection within the timeout, or the connection broke.
        """
        try:
            with self._pool.connection() as connection:
                for name, value in {"tenant_id": tenant_id, **settings}.items():
                    connection.execute("SELECT set_config(%s, %s, true)", (f"app.{name}", value))
                yield connection
        except PoolTimeout as error:
            raise StoreUnavailableError("PostgreSQL", str(error)) from error
        except (errors.ProgramLimitExceeded, errors.StatementTooComplex):
            raise  # operational by name, but about the data: no retry helps
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StoreUnavailableError("PostgreSQL", first_line(error)) from error

    def refuse_privileged_role(self) -> None:
        """Check that row-level security binds this role.

        Raises:
            ConfigurationError: It is a superuser, has BYPASSRLS, or owns the tables.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self.transaction("") as connection:
            row = connection.execute(_ROLE_QUERY).fetchone()
        if row is None or row["rolsuper"] or row["rolbypassrls"] or row["owns_tables"]:
            role = row["role"] if row else "?"
            raise ConfigurationError(
                f"the database role {role!r} is a superuser, bypasses row-level security or owns the tables, so "
                "tenants would not be isolated; set SENTINEL_POSTGRES__APP_USER to a plain role such as sentinel_app"
            )


def required(row: Row | None) -> Row:
    """Return the row of a statement that always gives one, such as INSERT ... RETURNING.

    Raises:
        LookupError: It gave none: a mistake of ours.
    """
    if row is None:
        raise LookupError("a statement that returns a row always gave none")
    return row


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
