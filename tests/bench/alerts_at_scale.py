"""Measures alerts at scale: `python -m tests.bench.alerts_at_scale [--alerts 20000000] [--home DIR]`.

Starts a PostgreSQL and a Redis of its own (the local stack's definitions), fills `sentinel.alerts` by SQL, and prints
how fast the writer adds batches of 10,000, how fast the API lists, and how long the four questions to the views take.
The filled server is deleted at the end unless --home is given. 20 million alerts need 20 GB.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg

from config_api.app import create_app
from sentinel.clock import utc_now
from sentinel.domain.finding import FindingBatch, Match
from sentinel.domain.generation import Generation
from sentinel.domain.pipeline import PipelineConfig, PipelineSnapshot, PipelineStatus
from sentinel.domain.rule import Severity
from sentinel.domain.schema_definition import FieldDefinition
from sentinel.rules.explanation.evidence import evidence_plan
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.findings import FindingStore, GenerationFindings
from sentinel.stores.postgres.ledger import LedgerStore
from sentinel.stores.postgres.snapshots import CatalogReader
from sentinel.testing.http import serve
from sentinel.testing.servers import start_servers
from sentinel.wiring import Backend

PIPELINES = 4
RULES = 5
DAYS = 30
CHUNK = 1_000_000
BATCH = 10_000
SCHEMA = [
    FieldDefinition("transaction_id", "string", None, frozenset({"event_id"})),
    FieldDefinition("user_id", "string", False, frozenset({"entity"})),
    FieldDefinition("amount", "float", False),
]
SEVERITIES = [Severity.INFO, Severity.INFO, Severity.WARNING, Severity.INFO, Severity.CRITICAL]

FILL = """
INSERT INTO sentinel.alerts
    (tenant_id, pipeline_id, rule_id, rule_version_id, generation_id, event_id, severity, score, entities,
     transaction_data, content_hash, kafka_partition, kafka_offset, kafka_timestamp, alert_timestamp)
SELECT %(tenant)s, r.pipeline_id, r.rule_id, r.rule_version_id, 1, e.event_id, r.severity, 80,
       jsonb_build_object('user_id', e.user_id),
       jsonb_build_object(
           'transaction_id', e.event_id, 'user_id', e.user_id, 'amount', (n %% 1000000) / 100.0,
           'merchant_id', 'm-' || n %% 5000, 'merchant_category', 'electronics', 'currency', 'EUR', 'country', 'DE',
           'channel', 'online', 'card_id', 'c-' || n %% 500000, 'ip', '10.1.2.' || n %% 256, 'created', e.at),
       decode(md5(n::text), 'hex'), n %% 4, n, e.at, e.at
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
CROSS JOIN LATERAL (
    SELECT 'tx-' || md5(n::text) AS event_id, 'u-' || n * 7919 %% 100000 AS user_id,
           now() - make_interval(secs => (%(total)s - n) * %(spacing)s) AS at,
           CASE WHEN n %% 100 = 1 THEN 4 + (n / 100) %% 4 * 5 ELSE n %% 4 * 5 + (n / 4) %% 3 END AS number
) e
JOIN (SELECT * FROM json_to_recordset(%(rules)s) AS x
      (number int, pipeline_id bigint, rule_id bigint, rule_version_id bigint, severity text)) r ON r.number = e.number
ORDER BY n
"""

WORK_ON = """
INSERT INTO sentinel.alert_states (alert_id, tenant_id, alert_timestamp, status, assignee, version, updated_at)
SELECT id, tenant_id, alert_timestamp, %(status)s, CASE WHEN id %% 5000 = 7 THEN 'ann' END, 1, now()
FROM sentinel.alerts WHERE {} ON CONFLICT DO NOTHING
"""

QUESTIONS = {
    "by severity over 24 h, with percentages": """
        SELECT severity, COUNT(*), ROUND(COUNT(*) * 100.0 / SUM(COUNT(*)) OVER (), 2) FROM fraud_alerts
        WHERE alert_timestamp > NOW() - INTERVAL '24 hours' GROUP BY severity""",
    "top users over 24 h": """
        SELECT transaction_data->>'user_id', COUNT(*) FROM fraud_alerts
        WHERE alert_timestamp > NOW() - INTERVAL '24 hours' GROUP BY 1 ORDER BY 2 DESC LIMIT 10""",
    "top users over everything": """
        SELECT transaction_data->>'user_id', COUNT(*) FROM fraud_alerts GROUP BY 1 ORDER BY 2 DESC LIMIT 10""",
    "hourly trend over 7 days": """
        SELECT DATE_TRUNC('hour', alert_timestamp), COUNT(*) FROM fraud_alerts
        WHERE alert_timestamp > NOW() - INTERVAL '7 days' GROUP BY 1 ORDER BY 1""",
    "hourly trend over everything": """
        SELECT DATE_TRUNC('hour', alert_timestamp), COUNT(*) FROM fraud_alerts GROUP BY 1 ORDER BY 1""",
    "pipelines with their alerts, everything": """
        SELECT p.name, p.status, COUNT(a.id) FROM pipelines p LEFT JOIN fraud_alerts a ON a.pipeline_id = p.id
        GROUP BY p.name, p.status""",
}


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=20_000_000)
    parser.add_argument("--home", type=Path, help="Where the server lives; kept and used again.")
    chosen = parser.parse_args()
    with home_of(chosen.home) as home, start_servers(home, ("postgres", "redis")) as servers:
        settings = servers.settings
        database = Database(settings.postgres)
        database.open()
        snapshots = arrange(settings, database)
        fill(settings, snapshots, chosen.alerts)
        measure_inserts(settings, database, snapshots[0])
        measure_lists(settings, snapshots)
        measure_states(settings, snapshots)
        measure_questions(settings)
        database.close()


@contextmanager
def home_of(chosen: Path | None) -> Iterator[Path]:
    """Yield the directory of the servers; a temporary one is deleted afterwards."""
    if chosen is not None:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="sentinel-bench-") as directory:
        yield Path(directory)


def arrange(settings: Settings, database: Database) -> list[PipelineSnapshot]:
    """Have pipelines with rules."""
    backend = Backend(settings)
    backend.open()
    with backend.unit(settings.tenant, "bench") as unit:
        if not unit.pipelines.list():
            for number in range(PIPELINES):
                pipeline = unit.pipelines.create(
                    name=f"Cards {number}",
                    kafka_topic="cards",
                    definitions=SCHEMA,
                    config=PipelineConfig(storm_limit=10_000_000),
                    start_at="earliest",
                    status=PipelineStatus.ACTIVE,
                )
                for rule, severity in enumerate(SEVERITIES):
                    unit.rules.add(
                        pipeline.id, rule_expression=f"amount > {rule}", severity=severity, description=f"rule {rule}"
                    )
        ids = [pipeline.id for pipeline in unit.pipelines.list()]
    backend.close()
    with database.transaction(settings.tenant) as connection:
        return [CatalogReader().snapshot(connection, settings.tenant, pipeline_id) for pipeline_id in ids]


def fill(settings: Settings, snapshots: list[PipelineSnapshot], total: int) -> None:
    """Add alerts up to `total`, without secondary indexes meanwhile, then print sizes."""
    rules = [
        {
            "number": place * RULES + index,
            "pipeline_id": snapshot.pipeline_id,
            "rule_id": rule.rule_id,
            "rule_version_id": rule.rule_version_id,
            "severity": rule.severity,
        }
        for place, snapshot in enumerate(snapshots)
        for index, rule in enumerate(snapshot.rule_set.rules)
    ]
    with psycopg.connect(settings.postgres.conninfo("owner"), autocommit=True) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", (settings.tenant,))
        there = one(connection, "SELECT count(*) FROM sentinel.alerts")
        if there < total:
            began = time.monotonic()
            indexes = connection.execute(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'sentinel' AND tablename = 'alerts' "
                "AND indexname NOT LIKE '%%key' AND indexname NOT LIKE '%%pkey'"
            ).fetchall()
            unique = one(
                connection,
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
                "WHERE conname = 'alerts_pipeline_id_event_id_rule_id_key'",
            )
            for name, _ in indexes:
                connection.execute(f"DROP INDEX sentinel.{name}")
            connection.execute("ALTER TABLE sentinel.alerts DROP CONSTRAINT alerts_pipeline_id_event_id_rule_id_key")
            for first in range(there + 1, total + 1, CHUNK):
                last = min(first + CHUNK - 1, total)
                spacing = DAYS * 86400 / total
                values = {"first": first, "last": last, "total": total, "spacing": spacing, "rules": json.dumps(rules)}
                connection.execute(FILL, {**values, "tenant": settings.tenant})
                say(f"{last:,} alerts after {time.monotonic() - began:.0f} s")
            connection.execute("SET maintenance_work_mem = '1GB'")
            connection.execute(
                f"ALTER TABLE sentinel.alerts ADD CONSTRAINT alerts_pipeline_id_event_id_rule_id_key {unique}"
            )
            for _, definition in indexes:
                connection.execute(definition)
            say(f"indexes after {time.monotonic() - began:.0f} s")
            connection.execute("VACUUM (ANALYZE) sentinel.alerts")
            say(f"vacuumed after {time.monotonic() - began:.0f} s")
        table, index = connection.execute(
            "SELECT pg_table_size('sentinel.alerts') / 1e9, pg_indexes_size('sentinel.alerts') / 1e9"
        ).fetchone() or (0, 0)
        say(
            f"alerts: {one(connection, 'SELECT sum(alert_count) FROM sentinel.alert_counts'):,}, "
            f"table {table:.1f} GB, indexes {index:.1f} GB"
        )


def commit_seconds(
    settings: Settings, database: Database, snapshot: PipelineSnapshot, *, size: int, rounds: int
) -> list[float]:
    """Commit so many new alerts at once, as the alert writer does; return the seconds of each commit."""
    ledger = LedgerStore(database, settings.tenant)
    lease = ledger.acquire_lease(snapshot.pipeline_id, "bench", 600.0)
    if lease is None:
        raise SystemExit("something else holds the pipeline; give it ten minutes")
    generation_id = ledger.create_generation(lease, snapshot, reason="bench", marker_every=1000)
    generation = Generation(generation_id, snapshot, 1000, {0: 0})
    store = FindingStore(
        database, settings.tenant, score_ttl_seconds=settings.redis.score_ttl_seconds, plan_evidence=evidence_plan
    )
    dice = random.Random(time.time_ns())
    seconds = []
    for batch in range(rounds):
        matches = [new_match(dice, batch * size + number) for number in range(size)]
        began = time.monotonic()
        inserted = store.commit(lease, [GenerationFindings(generation, FindingBatch(matches=matches))])
        seconds.append(time.monotonic() - began)
        if inserted != size:
            raise SystemExit(f"{inserted} of {size} alerts were new")
    ledger.release_lease(lease)
    return seconds


def measure_inserts(settings: Settings, database: Database, snapshot: PipelineSnapshot) -> None:
    """Time the writer's own commit of batches of 10,000 alerts."""
    steady = sorted(commit_seconds(settings, database, snapshot, size=BATCH, rounds=12)[2:])
    say(
        f"a batch of {BATCH:,} alerts: median {statistics.median(steady) * 1000:.0f} ms, "
        f"slowest {steady[-1] * 1000:.0f} ms, {BATCH / statistics.median(steady):,.0f} alerts/s"
    )


def new_match(dice: random.Random, offset: int) -> Match:
    """Return a match of one rule for an event that is new."""
    event_id = f"tx-{dice.getrandbits(128):032x}"
    event = {
        "transaction_id": event_id,
        "user_id": f"u-{dice.randrange(100_000)}",
        "amount": 12.5,
        "merchant_id": "m-17",
        "merchant_category": "electronics",
        "currency": "EUR",
        "country": "DE",
        "channel": "online",
        "card_id": "c-123456",
        "ip": "10.1.2.3",
        "created": "2026-01-31T12:00:00.000Z",
    }
    now_ms = int(utc_now().timestamp() * 1000)
    return Match(0, offset, now_ms, event_id, (0,), {"user_id": event["user_id"]}, json.dumps(event).encode())


def measure_lists(settings: Settings, snapshots: list[PipelineSnapshot]) -> None:
    """Time GET /api/alerts and GET /api/pipelines over HTTP."""
    rules = snapshots[1].rule_set.rules
    now = utc_now()
    week_ago = {"since": (now - timedelta(days=8)).isoformat(), "until": (now - timedelta(days=7)).isoformat()}
    old = {"since": (now - timedelta(days=29)).isoformat(), "until": (now - timedelta(days=28)).isoformat()}
    with serve(create_app(settings)) as url, httpx.Client(base_url=url, timeout=60) as client:
        middle = client.get("/api/alerts", params={**week_ago, "limit": 1}).json()[0]
        cases: dict[str, dict[str, Any]] = {
            "newest 50": {},
            "50 from the middle (before)": {"before": middle["id"]},
            "one pipeline": {"pipeline_id": snapshots[1].pipeline_id},
            "severity critical (1 %)": {"severity": "critical"},
            "one rule": {"rule_id": rules[1].rule_id},
            "a rule without alerts": {"rule_id": rules[3].rule_id},
            "a day, a week ago": week_ago,
            "a day, a week ago, one pipeline, critical": {
                **week_ago,
                "pipeline_id": snapshots[3].pipeline_id,
                "severity": "critical",
            },
            "a day, four weeks ago, one rule": {**old, "rule_id": rules[1].rule_id},
            "one pipeline, critical (0.25 %)": {"pipeline_id": snapshots[0].pipeline_id, "severity": "critical"},
            "one rule, a severity it never had": {"rule_id": rules[1].rule_id, "severity": "critical"},
            "a pipeline and another's rule": {"pipeline_id": snapshots[0].pipeline_id, "rule_id": rules[0].rule_id},
            "one event": {"event_id": middle["event_id"]},
            "text that is frequent": {"text": "electronics"},
            "text of one user": {"text": '"u-77"'},
        }
        for name, wanted in cases.items():
            report(f"list: {name}", lambda wanted=wanted: check(client.get("/api/alerts", params=wanted)), 30)
        report("list: text that is nowhere, one page", lambda: check(client.get("/api/alerts?text=nowhere")), 5)
        report("list of pipelines with alert_count", lambda: check(client.get("/api/pipelines")), 50)


def measure_states(settings: Settings, snapshots: list[PipelineSnapshot]) -> None:
    """Time lists by state, when one alert in 5000 is acknowledged, and when all but the oldest 10 are done as well."""
    cases: dict[str, dict[str, Any]] = {
        "open": {"status": "open"},
        "open, one pipeline": {"status": "open", "pipeline_id": snapshots[1].pipeline_id},
        "acknowledged": {"status": "acknowledged"},
        "of ann": {"assignee": "ann"},
        "resolved": {"status": "resolved"},
        "resolved, one pipeline": {"status": "resolved", "pipeline_id": snapshots[1].pipeline_id},
        "acknowledged, one rule": {"status": "acknowledged", "rule_id": snapshots[1].rule_set.rules[1].rule_id},
        "a disposition that never was": {"disposition": "benign"},
    }
    with serve(create_app(settings)) as url, httpx.Client(base_url=url, timeout=60) as client:
        for share, status, chosen in (("few", "acknowledged", "id %% 5000 = 7"), ("nearly all", "resolved", "id > 10")):
            with psycopg.connect(settings.postgres.conninfo("owner"), autocommit=True) as connection:
                connection.execute("SELECT set_config('app.tenant_id', %s, false)", (settings.tenant,))
                connection.execute(WORK_ON.format(chosen), {"status": status})
                connection.execute("VACUUM (ANALYZE) sentinel.alert_states")
            for name, wanted in cases.items():
                asked = f"list, {share} {status}: {name}"
                report(asked, lambda wanted=wanted: check(client.get("/api/alerts", params=wanted)), 10)


def measure_questions(settings: Settings) -> None:
    """Time the questions to the views, as the application role."""
    with psycopg.connect(settings.postgres.conninfo("app"), autocommit=True) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", (settings.tenant,))
        for name, question in QUESTIONS.items():
            report(f"view: {name}", lambda question=question: connection.execute(question).fetchall(), 3)


def check(answer: httpx.Response) -> None:
    """Stop when an answer is an error."""
    answer.raise_for_status()


def report(name: str, call: Callable[[], object], times: int) -> None:
    """Call so many times and print p50 and p95."""
    seconds = []
    for _ in range(times):
        began = time.monotonic()
        call()
        seconds.append(time.monotonic() - began)
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    say(f"{name}: p50 {statistics.median(ordered) * 1000:,.0f} ms, p95 {p95 * 1000:,.0f} ms")


def one(connection: psycopg.Connection[Any], statement: Any) -> Any:
    """Return the only value of a statement."""
    row = connection.execute(statement).fetchone()
    return row[0] if row else None


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
