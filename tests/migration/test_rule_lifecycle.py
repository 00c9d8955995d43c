"""Rules that were there before they had names and states."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from sentinel.settings import PostgresSettings
from sentinel.stores.postgres import migrate
from tests.migration.test_migration import empty_database

pytestmark = pytest.mark.integration

__all__ = ["empty_database"]


def upgrade_to(settings: PostgresSettings, revision: str) -> None:
    """Apply the migrations up to one."""
    with migrate._engine(settings).begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_rules_of_every_tenant_get_a_name_and_a_state(empty_database) -> None:  # type: ignore[no-untyped-def]
    settings: PostgresSettings = empty_database()
    upgrade_to(settings, "0003")
    with psycopg.connect(settings.conninfo("owner")) as connection:
        for tenant in ("a", "b"):
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
            connection.execute("INSERT INTO sentinel.tenants (tenant_id, name) VALUES (%s, %s)", (tenant, tenant))
            connection.execute(
                "WITH p AS (INSERT INTO sentinel.pipelines (tenant_id, name, kafka_topic, schema_version)"
                " VALUES (%s, 'p', 't', 1) RETURNING id)"
                " INSERT INTO sentinel.rules (tenant_id, pipeline_id, is_active)"
                " SELECT %s, id, active FROM p, unnest(ARRAY[true, false]) AS active",
                (tenant, tenant),
            )
    migrate.upgrade(settings)
    with psycopg.connect(settings.conninfo("owner")) as connection:
        for tenant in ("a", "b"):
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
            rows = connection.execute("SELECT name = 'rule_' || id, state, is_active FROM sentinel.rules ORDER BY id")
            assert rows.fetchall() == [(True, "active", True), (True, "paused", False)]
