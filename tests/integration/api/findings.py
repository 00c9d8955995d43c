"""Puts findings into PostgreSQL as the job would, row by row."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sentinel.stores.postgres.database import Database

KAFKA_TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)

_ALERT = """
INSERT INTO sentinel.alerts
    (tenant_id, pipeline_id, rule_id, rule_version_id, generation_id, event_id, severity, score, entities,
     transaction_data, content_hash, kafka_partition, kafka_offset, kafka_timestamp, alert_timestamp)
VALUES
    (%(tenant)s, %(pipeline_id)s, %(rule_id)s, %(rule_version_id)s, 1, %(event_id)s, %(severity)s, %(score)s,
     %(entities)s, %(data)s, '\\x00', 0, %(offset)s, %(kafka_timestamp)s, COALESCE(%(at)s, now()))
RETURNING id
"""


class Findings:
    """Findings of one tenant."""

    def __init__(self, database: Database, tenant: str) -> None:
        self._database = database
        self._tenant = tenant

    def alert(
        self,
        rule: dict[str, Any],
        event_id: str,
        data: Any = None,
        *,
        at: datetime | None = None,
        entities: dict[str, Any] | None = None,
    ) -> int:
        """Write the alert of a rule (as the API answered it) for an event and return its id.

        Args:
            data: The event, or its JSON text.
        """
        text = data if isinstance(data, str) else json.dumps(data or {"transaction_id": event_id})
        values = {
            "tenant": self._tenant,
            "pipeline_id": rule["pipeline_id"],
            "rule_id": rule["id"],
            "rule_version_id": rule["rule_version_id"],
            "event_id": event_id,
            "severity": rule["severity"],
            "score": 80,
            "entities": json.dumps(entities or {}),
            "data": text,
            "offset": 0,
            "kafka_timestamp": KAFKA_TIME,
            "at": at,
        }
        with self._database.transaction(self._tenant) as connection:
            row = connection.execute(_ALERT, values).fetchone()
        assert row is not None
        return int(row["id"])

    def anomaly(self, subject: str, *, at: datetime, name: str = "spike") -> int:
        """Write an alert of a detector, which is made where there is none of this name, and return its id."""
        with self._database.transaction(self._tenant) as connection:
            connection.execute(
                "INSERT INTO sentinel.detectors (tenant_id, name, kind, mode, schedule, next_run_at) "
                "SELECT %(tenant)s, %(name)s, 'sql', 'off', '{}', now() "
                "WHERE NOT EXISTS (SELECT FROM sentinel.detectors WHERE name = %(name)s)",
                {"tenant": self._tenant, "name": name},
            )
            row = connection.execute(
                "INSERT INTO sentinel.alerts (tenant_id, event_id, severity, score, transaction_data, content_hash, "
                "detector_id, window_start, window_end, subject, alert_timestamp) "
                "SELECT %(tenant)s, 'e', 'warning', 40, '{}', '', id, %(at)s::timestamptz - interval '5 min', %(at)s, "
                "%(subject)s, %(at)s FROM sentinel.detectors WHERE name = %(name)s RETURNING id",
                {"tenant": self._tenant, "name": name, "at": at, "subject": subject},
            ).fetchone()
        assert row is not None
        return int(row["id"])

    def progress(self, pipeline_id: int, first: int, following: int, partition: int = 0) -> None:
        """Have offsets [first, following) of a partition decided."""
        self.run(
            "INSERT INTO sentinel.progress (pipeline_id, tenant_id, partition, first_offset, next_offset) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (pipeline_id, partition) DO UPDATE "
            "SET next_offset = excluded.next_offset",
            (pipeline_id, self._tenant, partition, first, following),
        )

    def dead_letter(self, pipeline_id: int, offset: int, cause: str, raw: bytes | None = b"{") -> None:
        """Write a dead letter."""
        self.run(
            "INSERT INTO sentinel.dead_letters (tenant_id, pipeline_id, generation_id, source_epoch, kafka_topic, "
            "kafka_partition, kafka_offset, kafka_timestamp, cause, detail, raw, raw_size_bytes) "
            "VALUES (%s, %s, 1, 0, 'transactions', 0, %s, %s, %s, 'a sentence', %s, %s)",
            (self._tenant, pipeline_id, offset, KAFKA_TIME, cause, raw, len(raw or b"")),
        )

    def generation(self, pipeline_id: int, state: str, borders: list[tuple[int, int, int | None]]) -> int:
        """Write a generation with borders (partition, start, end) and return its id."""
        with self._database.transaction(self._tenant) as connection:
            row = connection.execute(
                "INSERT INTO sentinel.generations (tenant_id, pipeline_id, mode, schema_version, rule_set_version, "
                "lease_epoch, reason, state) VALUES (%s, %s, 'realtime', 1, 0, 1, 'test', %s) RETURNING id",
                (self._tenant, pipeline_id, state),
            ).fetchone()
            assert row is not None
            for partition, start, end in borders:
                connection.execute(
                    "INSERT INTO sentinel.borders (generation_id, tenant_id, partition, start_offset, end_offset) "
                    "VALUES (%s, %s, %s, %s, %s)",
                    (row["id"], self._tenant, partition, start, end),
                )
        return int(row["id"])

    def run(self, statement: Any, values: tuple[Any, ...]) -> None:
        """Run one statement as the tenant."""
        with self._database.transaction(self._tenant) as connection:
            connection.execute(statement, values)
