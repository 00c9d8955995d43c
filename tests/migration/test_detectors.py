"""What was there before there were detectors."""

from __future__ import annotations

import psycopg
import pytest

from sentinel.settings import PostgresSettings
from sentinel.stores.postgres import migrate
from tests.migration.test_migration import empty_database
from tests.migration.test_rule_lifecycle import upgrade_to

pytestmark = pytest.mark.integration

__all__ = ["empty_database"]

_ALERT = """
INSERT INTO sentinel.alerts (tenant_id, pipeline_id, rule_id, rule_version_id, generation_id, event_id, severity, score,
                             transaction_data, content_hash, kafka_partition, kafka_offset, kafka_timestamp)
VALUES (%s, 1, 1, 1, 1, 'e', 'info', 1, '{}', '', 0, 0, now())
"""
_EVENT = """
WITH s AS (INSERT INTO sentinel.webhook_sources (tenant_id, public_id, name, kind)
           VALUES (%(tenant)s, 'whs_' || repeat(%(tenant)s, 22), 'live', 'stripe') RETURNING id)
INSERT INTO sentinel.webhook_events
    (tenant_id, source_id, provider_event_id, event_type, received_at, content_hash, raw)
SELECT %(tenant)s, id, 'evt', 'x', now(), '', '{}' FROM s RETURNING id
"""


def test_events_of_every_tenant_are_to_be_read_and_alerts_stay(empty_database) -> None:  # type: ignore[no-untyped-def]
    settings: PostgresSettings = empty_database()
    upgrade_to(settings, "0012")
    events = {}
    with psycopg.connect(settings.conninfo("owner")) as connection:
        for tenant in ("a", "b"):
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
            connection.execute("INSERT INTO sentinel.tenants (tenant_id, name) VALUES (%s, %s)", (tenant, tenant))
            events[tenant] = connection.execute(_EVENT, {"tenant": tenant}).fetchone()
        connection.execute(_ALERT, ("b",))
    migrate.upgrade(settings)
    with psycopg.connect(settings.conninfo("owner")) as connection:
        for tenant in ("a", "b"):
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
            assert connection.execute("SELECT event_id FROM sentinel.webhook_unread").fetchall() == [events[tenant]]
        assert connection.execute("SELECT version, detector_id FROM sentinel.alerts").fetchall() == [(1, None)]


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        ("pipeline_id", "1"),
        ("detector_id", "1"),
        ("detector_id, window_start, window_end, subject, pipeline_id", "1, now(), now() + interval '1 s', 's', 1"),
        ("detector_id, window_start, window_end, subject", "1, now(), now(), 's'"),
        ("detector_id, window_start, subject", "1, now(), 's'"),
    ],
    ids=range(5),
)
def test_an_alert_is_of_a_rule_or_of_a_detector(empty_database, columns: str, values: str) -> None:  # type: ignore[no-untyped-def]
    settings: PostgresSettings = empty_database()
    migrate.upgrade(settings)
    with psycopg.connect(settings.conninfo("owner")) as connection:
        connection.execute("SELECT set_config('app.tenant_id', 'a', true)")
        statement = (
            "INSERT INTO sentinel.alerts (tenant_id, event_id, severity, score, transaction_data, content_hash, "
            f"{columns}) VALUES ('a', 'e', 'info', 1, '{{}}', '', {values})"
        )
        with pytest.raises(psycopg.errors.CheckViolation, match="alerts_of_rule_or_detector"):
            connection.execute(statement.encode())
