"""Bring the database to the newest schema, as the owner role."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from sentinel.errors import ConfigurationError, InvalidError, StoreUnavailableError
from sentinel.settings import PostgresSettings
from sentinel.stores.postgres.database import Connection, first_line

# Any constant does: it only has to be the same in every process that migrates.
_MIGRATION_LOCK = 7_236_410_551

# As the table's own check.
_TENANT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def upgrade(settings: PostgresSettings) -> None:
    """Apply the missing migrations, all in one transaction. Processes that try at once wait for each other.

    Raises:
        StoreUnavailableError: PostgreSQL does not answer.
        ConfigurationError: The database is newer than this code, or the owner role may not do it.
    """
    engine = _engine(settings)
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            config = _config()
            _refuse_unknown_revision(config, MigrationContext.configure(connection).get_current_revision())
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except sqlalchemy.exc.OperationalError as error:
        raise StoreUnavailableError("PostgreSQL", first_line(error.orig or error)) from error
    except (sqlalchemy.exc.ProgrammingError, psycopg.ProgrammingError) as error:
        cause = getattr(error, "orig", None) or error
        raise ConfigurationError(
            f"the role {settings.owner_user!r} cannot migrate the database {settings.database!r}: "
            f"{first_line(cause)}; it must own the database, and the role sentinel_app must exist"
        ) from error
    finally:
        engine.dispose()


@cache
def head_revision() -> str:
    """Return the newest revision this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def schema_problem(connection: Connection) -> str | None:
    """Return what is wrong with the database's schema for this code, None when it is at the newest revision."""
    try:
        row = connection.execute("SELECT version_num FROM public.alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return "the database has no schema yet; run `sentinel up`, which migrates it"
    found = row["version_num"] if row else None
    if found == head_revision():
        return None
    return f"the database is at schema revision {found!r}, this code needs {head_revision()!r}; migrate it"


def ensure_tenant(settings: PostgresSettings, tenant_id: str, name: str) -> None:
    """Create the tenant if it does not exist; its name is left as it is otherwise.

    Raises:
        InvalidError: The identifier is not one.
        StoreUnavailableError: PostgreSQL does not answer.
    """
    if not _TENANT_ID.fullmatch(tenant_id):
        raise InvalidError(
            f"{tenant_id!r} is not a tenant id: lower-case letters, digits and hyphens, at most 63 characters"
        )
    try:
        with psycopg.connect(settings.conninfo("owner")) as connection:
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant_id,))
            connection.execute(
                "INSERT INTO sentinel.tenants (tenant_id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (tenant_id, name),
            )
    except psycopg.OperationalError as error:
        raise StoreUnavailableError("PostgreSQL", first_line(error)) from error


def _engine(settings: PostgresSettings) -> sqlalchemy.Engine:
    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(settings.conninfo("owner"))

    return sqlalchemy.create_engine("postgresql+psycopg://", creator=connect, poolclass=sqlalchemy.pool.NullPool)


def _config() -> Config:
    config = Config()
    config.set_main_option(
        "script_location",
        str(resources.files("sentinel.stores.postgres").joinpath("migrations")).replace("%", "%%"),
    )
    config.set_main_option("path_separator", "os")
    return config


def _refuse_unknown_revision(config: Config, current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise ConfigurationError(
            f"the database is at schema revision {current!r}, which this version of Sentinel does not know "
            f"(newest known: {max(known)!r}); run the newer version of Sentinel"
        )
