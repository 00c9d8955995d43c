"""setup.sql and the migrations build the same database."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import psycopg
import pytest
from psycopg import sql

from sentinel.errors import ConfigurationError, InvalidError, StoreUnavailableError
from sentinel.settings import PROJECT_ROOT, PostgresSettings, Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import ensure_tenant, head_revision, schema_problem, upgrade
from sentinel.testing.servers import ServerSet
from tests.migration.inventory import inventory

pytestmark = pytest.mark.integration


@pytest.fixture
def empty_database(servers: ServerSet) -> Callable[[], PostgresSettings]:
    """Makes an empty database of the owner role."""

    def make() -> PostgresSettings:
        name = f"m{uuid.uuid4().hex[:12]}"
        server = servers.settings.postgres
        with psycopg.connect(
            host=server.host,
            port=server.port,
            dbname="postgres",
            user="postgres",
            password=servers.stack.context().secret("postgres_superuser"),
            autocommit=True,
        ) as connection:
            owner = server.owner_user
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
            )
        return servers.settings.postgres.model_copy(update={"database": name})

    return make


def run_setup(settings: PostgresSettings) -> None:
    """Build the schema by setup.sql, as the owner."""
    with psycopg.connect(settings.conninfo("owner")) as connection:
        connection.execute((PROJECT_ROOT / "setup.sql").read_bytes())


def test_both_ways_build_the_same_objects(empty_database: Callable[[], PostgresSettings]) -> None:
    by_setup, by_migrations = empty_database(), empty_database()
    run_setup(by_setup)
    upgrade(by_migrations)
    expected = inventory(by_setup.conninfo("owner"))
    found = inventory(by_migrations.conninfo("owner"))
    assert len(expected) > 200
    assert expected["revision revision"] == head_revision()
    differences = {
        name: (expected.get(name), found.get(name))
        for name in expected.keys() | found.keys()
        if expected.get(name) != found.get(name)
    }
    assert not differences


def test_every_table_is_bound_to_its_tenant(settings: Settings) -> None:
    with psycopg.connect(settings.postgres.conninfo("owner")) as connection:
        loose = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'sentinel' AND c.relkind IN ('r', 'p') "
            "AND NOT (c.relrowsecurity AND c.relforcerowsecurity "
            "AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant') "
            "AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' "
            "AND a.attnotnull))"
        ).fetchall()
    assert loose == []


def test_a_second_upgrade_changes_nothing(empty_database: Callable[[], PostgresSettings]) -> None:
    settings = empty_database()
    upgrade(settings)
    before = inventory(settings.conninfo("owner"))
    upgrade(settings)
    assert inventory(settings.conninfo("owner")) == before


def test_a_database_built_by_setup_sql_needs_no_upgrade(empty_database: Callable[[], PostgresSettings]) -> None:
    settings = empty_database()
    run_setup(settings)
    upgrade(settings)
    database = Database(settings)
    database.open()
    with database.transaction("") as connection:
        assert schema_problem(connection) is None
    database.close()


def test_a_newer_database_is_left_alone(empty_database: Callable[[], PostgresSettings]) -> None:
    settings = empty_database()
    upgrade(settings)
    with psycopg.connect(settings.conninfo("owner")) as connection:
        connection.execute("UPDATE public.alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match=r"'9999'.*newer version"):
        upgrade(settings)


def test_a_role_that_may_not_migrate_is_named(empty_database: Callable[[], PostgresSettings]) -> None:
    settings = empty_database()
    as_app = settings.model_copy(update={"owner_user": settings.app_user, "owner_password": settings.app_password})
    with pytest.raises(ConfigurationError, match=settings.app_user):
        upgrade(as_app)


def test_an_empty_database_is_said_to_be_one(empty_database: Callable[[], PostgresSettings]) -> None:
    database = Database(empty_database())
    database.open()
    with database.transaction("") as connection:
        assert "no schema yet" in str(schema_problem(connection))
    database.close()


def test_no_server_is_a_store_that_does_not_answer(settings: Settings) -> None:
    nowhere = settings.postgres.model_copy(update={"port": 1, "connect_timeout_seconds": 1})
    with pytest.raises(StoreUnavailableError, match="PostgreSQL does not answer"):
        upgrade(nowhere)
    with pytest.raises(StoreUnavailableError, match="PostgreSQL does not answer"):
        ensure_tenant(nowhere, "x", "x")


@pytest.mark.parametrize("tenant_id", ["", "Upper", "-a", "a b", "x" * 64])
def test_a_tenant_id_that_is_none_is_refused(settings: Settings, tenant_id: str) -> None:
    with pytest.raises(InvalidError, match="not a tenant id"):
        ensure_tenant(settings.postgres, tenant_id, "name")
