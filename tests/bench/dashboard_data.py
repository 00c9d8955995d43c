"""A tenant with very much of everything, for measuring the dashboard."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from sentinel.clock import utc_now
from sentinel.domain.alert import AlertFilter
from sentinel.domain.alert_facets import MAX_COUNTED, MAX_VALUES
from sentinel.domain.alert_state import AlertStatus
from sentinel.domain.notification_history import DeliveryFilter
from sentinel.domain.pipeline import PipelineConfig, PipelineStatus
from sentinel.domain.rule import Severity
from sentinel.settings import Settings
from sentinel.stores.postgres.statements import load_statements
from sentinel.wiring import Backend
from tests.bench.alerts_at_scale import SCHEMA, one, say

PIPELINES, RULES = 50, 10
DAYS = 30
# Nearly all is done, as it is after a year: lists of what is open look through what is not.
DONE_SHARE = 0.999
REASONS = ("timeout", "status_500", "status_404")

_ALERTS = (
    "tenant_id, pipeline_id, rule_id, rule_version_id, generation_id, event_id, severity, score, entities, "
    "transaction_data, content_hash, kafka_partition, kafka_offset, kafka_timestamp, alert_timestamp, evidence"
)
_STATES = """
INSERT INTO sentinel.alert_states
    (alert_id, tenant_id, alert_timestamp, status, assignee, disposition, version, updated_at)
SELECT id, tenant_id, alert_timestamp, 'resolved', CASE WHEN id % 3 = 0 THEN 'ann' END,
       (ARRAY['true_positive', 'false_positive', 'benign'])[id % 3 + 1], 1, now()
FROM sentinel.alerts WHERE random() < %s
"""
_DELIVERIES = (
    "id, tenant_id, channel_id, kind, severity, state, content, alert_count, attempt_count, round_began_at, "
    "next_attempt_at, created_at, finished_at, last_reason"
)
_ATTEMPTS = "delivery_id, attempt, tenant_id, outcome, reason, started_at, seconds"


@dataclass(frozen=True, slots=True)
class Filled:
    """What there is to look at."""

    pipeline_id: int
    rule_id: int
    alert_id: int

    def statements(self) -> Iterator[tuple[str, tuple[str, ...], LiteralString, dict[str, Any]]]:
        """Yield name, what is switched off, statement and values of what looks through many rows."""
        alerts, facets = load_statements("alerts"), load_statements("alert_facets")
        wanted = {name: getattr(AlertFilter(), name) for name in AlertFilter.__dataclass_fields__}
        here = {
            **wanted, "status": AlertStatus.OPEN, "detector_ids": None, "before_id": None, "before_timestamp": None,
            "last_id": None, "last_timestamp": None, "limit": 51, "pattern": None,
        }  # fmt: skip
        yield "open alerts", ("enable_hashjoin", "enable_nestloop", "enable_sort"), alerts["absent"], here
        yield "facets", (), facets["facets"], {**wanted, "pattern": None, "limit": MAX_COUNTED, "most": MAX_VALUES}
        yield "reach of facets", (), facets["reach"], {**wanted, "limit": MAX_COUNTED}
        found = {name: getattr(DeliveryFilter(), name) for name in DeliveryFilter.__dataclass_fields__}
        config = load_statements("notification_config")
        for reason in (REASONS[-1], "nothing"):
            values = {**found, "reason": reason, "id": None, "before": None, "limit": 51}
            yield f"deliveries by the reason {reason}", (), config["deliveries"], values


def fill(settings: Settings, *, alerts: int, deliveries: int) -> Filled:
    """Have pipelines, rules, alerts and deliveries, unless they are there."""
    rules = _rules(settings)
    dice, now = random.Random(7), utc_now()
    with psycopg.connect(settings.postgres.conninfo("owner"), autocommit=True) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", (settings.tenant,))
        there = one(connection, "SELECT count(*) FROM sentinel.alerts")
        if there < alerts:
            rows = (
                _alert(
                    settings.tenant,
                    rules[dice.randrange(len(rules))],
                    number,
                    now - timedelta(days=DAYS) * (1 - number / alerts),
                    dice,
                )
                for number in range(there, alerts)
            )
            load(connection, "alerts", _ALERTS, rows)
            connection.execute(_STATES.replace("id % 3", "id %% 3"), (DONE_SHARE,))
            say(f"{alerts:,} alerts")
        if one(connection, "SELECT count(*) FROM sentinel.deliveries") < deliveries:
            _fill_deliveries(connection, settings.tenant, deliveries, now)
            say(f"{deliveries:,} deliveries")
        connection.execute("VACUUM (ANALYZE) sentinel.alerts")
        connection.execute("VACUUM (ANALYZE) sentinel.alert_states")
        connection.execute("VACUUM (ANALYZE) sentinel.deliveries")
        connection.execute("VACUUM (ANALYZE) sentinel.delivery_attempts")
        newest = one(connection, "SELECT max(id) FROM sentinel.alerts")
    return Filled(rules[0]["pipeline_id"], rules[0]["rule_id"], newest)


def _rules(settings: Settings) -> list[dict[str, Any]]:
    backend = Backend(settings)
    backend.open()
    severities = list(Severity)
    try:
        with backend.unit(settings.tenant, "bench") as unit:
            if not unit.pipelines.list():
                for number in range(PIPELINES):
                    pipeline = unit.pipelines.create(
                        name=f"Cards {number}",
                        kafka_topic="cards",
                        definitions=SCHEMA,
                        config=PipelineConfig(),
                        start_at="earliest",
                        status=PipelineStatus.ACTIVE,
                    )
                    for rule in range(RULES):
                        unit.rules.add(
                            pipeline.id,
                            rule_expression=f"amount > {rule}",
                            severity=severities[rule % len(severities)],
                            description=f"rule {rule} of pipeline {number}",
                        )
            return [
                {
                    "pipeline_id": pipeline.id,
                    "rule_id": rule.id,
                    "rule_version_id": rule.current.rule_version_id,
                    "severity": rule.current.severity.value,
                }
                for pipeline in unit.pipelines.list()
                for rule in unit.rules.list(pipeline.id)
            ]
    finally:
        backend.close()


def _alert(tenant: str, rule: dict[str, Any], number: int, at: datetime, dice: random.Random) -> tuple[Any, ...]:
    user = f"u-{dice.randrange(20_000)}"
    event = {
        "transaction_id": f"tx-{number:012d}", "user_id": user, "amount": 12.5, "merchant_id": "m-17",
        "merchant_category": "electronics", "currency": "EUR", "country": "DE", "channel": "online",
        "card_id": "c-123456", "ip": "10.1.2.3", "created": "2026-01-31T12:00:00.000Z", "note": "x" * 100,
    }  # fmt: skip
    evidence = [{"condition": "amount > 1", "values": {"amount": 12.5}}]
    return (
        tenant, rule["pipeline_id"], rule["rule_id"], rule["rule_version_id"], 1, event["transaction_id"],
        rule["severity"], 80, json.dumps({"user_id": user}), json.dumps(event), b"\x00", 0, number, at, at,
        json.dumps(evidence),
    )  # fmt: skip


def _fill_deliveries(connection: psycopg.Connection[Any], tenant: str, total: int, now: datetime) -> None:
    """Add deliveries: most succeeded at the second try, some are dead for frequent reasons, ten for a rare one."""
    channel = connection.execute(
        "INSERT INTO sentinel.notification_channels (tenant_id, name, kind, options, created_by) "
        "VALUES (%s, 'siem', 'webhook', '{\"url\": \"https://example.com\"}', 'bench') RETURNING id",
        (tenant,),
    ).fetchone()
    assert channel is not None
    kinds = [_kind(number, total) for number in range(total)]
    times = [now - timedelta(seconds=total - number) for number in range(total)]
    load(
        connection, "deliveries", _DELIVERIES, (
            (
                f"dlv_{number:09d}", tenant, channel[0], "alerts", "critical", state, "{}", 1, 2, at, at, at, at,
                reason,
            )
            for number, ((state, reason), at) in enumerate(zip(kinds, times, strict=True))
        ),
    )  # fmt: skip
    load(
        connection, "delivery_attempts", _ATTEMPTS, (
            row
            for number, ((state, reason), at) in enumerate(zip(kinds, times, strict=True))
            for row in (
                (f"dlv_{number:09d}", 1, tenant, "retried", "timeout", at, 0.1),
                (f"dlv_{number:09d}", 2, tenant, "sent" if state == "sent" else "dead_lettered", reason, at, 0.1),
            )
        ),
    )  # fmt: skip


def load(connection: psycopg.Connection[Any], table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Add rows by COPY. Row-level security allows none into the table itself, so they go by a table of this session."""
    name, members = (
        sql.Identifier("sentinel", table),
        sql.SQL(", ").join([sql.Identifier(each) for each in columns.split(", ")]),
    )
    connection.execute(sql.SQL("CREATE TEMP TABLE loaded AS SELECT {} FROM {} LIMIT 0").format(members, name))
    with connection.cursor().copy(sql.SQL("COPY loaded ({}) FROM STDIN").format(members)) as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute(sql.SQL("INSERT INTO {} ({}) SELECT {} FROM loaded").format(name, members, members))
    connection.execute("DROP TABLE loaded")


def _kind(number: int, total: int) -> tuple[str, str]:
    if number * 10 // total != (number + 1) * 10 // total:
        return "dead", REASONS[2]
    return ("dead", REASONS[number % 2]) if number % 2 else ("sent", "")
