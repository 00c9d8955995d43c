"""Deliveries that were tried before they knew the reason of their last try."""

from __future__ import annotations

import psycopg
import pytest

from sentinel.settings import PostgresSettings
from sentinel.stores.postgres import migrate
from tests.migration.test_migration import empty_database
from tests.migration.test_rule_lifecycle import upgrade_to

pytestmark = pytest.mark.integration

__all__ = ["empty_database"]


def test_deliveries_of_every_tenant_get_the_reason_of_their_last_try(empty_database) -> None:  # type: ignore[no-untyped-def]
    settings: PostgresSettings = empty_database()
    upgrade_to(settings, "0022")
    with psycopg.connect(settings.conninfo("owner")) as connection:
        for tenant in ("a", "b"):
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
            connection.execute("INSERT INTO sentinel.tenants (tenant_id, name) VALUES (%s, %s)", (tenant, tenant))
            connection.execute(
                "WITH c AS (INSERT INTO sentinel.notification_channels (tenant_id, name, kind) "
                "VALUES (%(t)s, 'siem', 'webhook') RETURNING id) "
                "INSERT INTO sentinel.deliveries (id, tenant_id, channel_id, kind, severity, state, content, "
                "alert_count, round_began_at, next_attempt_at, created_at) "
                "SELECT %(t)s || s, %(t)s, c.id, 'alerts', 'info', s, '{}', 1, now(), now(), now() "
                "FROM c, unnest(ARRAY['dead', 'sent', 'queued']) AS s",
                {"t": tenant},
            )
            connection.execute(
                "INSERT INTO sentinel.delivery_attempts (delivery_id, attempt, tenant_id, outcome, reason, started_at, "
                "seconds) SELECT %(t)s || x.id, x.attempt, %(t)s, x.outcome, x.reason, now(), 1 FROM (VALUES "
                "('dead', 1, 'retried', 'timeout'), ('dead', 2, 'dead_lettered', 'status_404'), "
                "('sent', 1, 'retried', 'timeout'), ('sent', 2, 'sent', '')) AS x (id, attempt, outcome, reason)",
                {"t": tenant},
            )
    migrate.upgrade(settings)
    with psycopg.connect(settings.conninfo("owner")) as connection:
        for tenant in ("a", "b"):
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
            rows = connection.execute("SELECT state, last_reason FROM sentinel.deliveries ORDER BY state")
            assert rows.fetchall() == [("dead", "status_404"), ("queued", ""), ("sent", "")]
        connection.execute("SELECT set_config('app.tenant_id', '', true)")
        assert connection.execute("SELECT count(*) FROM sentinel.deliveries").fetchone() == (0,)
