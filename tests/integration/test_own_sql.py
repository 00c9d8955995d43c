"""SQL of a tenant's own over PostgreSQL: what it may be, what it sees, and what it cannot do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.domain.detector import RunState, Window
from sentinel.domain.detector_query import with_window
from sentinel.errors import InvalidError, TooBroadError
from sentinel.settings import Settings
from sentinel.stores.postgres import own_sql
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.stores.postgres.own_sql import check_own_sql, run_own_sql
from tests.support.detectors import NOON, DetectorBench

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)
WINDOW = Window(NOON - HOUR, NOON)

ALLOWED = [
    "SELECT customer AS subject, 'low' AS level, count(*) AS value FROM webhook_events GROUP BY customer",
    "SELECT 'a' AS subject, 'low' AS level, 1 AS value;",
    "SELECT * FROM alerts WHERE severity = 'critical' -- a comment at the end",
    "WITH x AS (SELECT rule_id, sum(alert_count) AS n FROM rule_hours GROUP BY 1) SELECT * FROM x ORDER BY n",
    "SELECT a.id, d.cause, r.hour FROM alerts a LEFT JOIN dead_letters d USING (pipeline_id), rule_outcomes r",
    "SELECT date_trunc('hour', occurred_at) AS hour, extract(epoch FROM occurred_at), occurred_at::date, "
    "to_char(occurred_at, 'YYYY'), occurred_at AT TIME ZONE 'Europe/Berlin' FROM webhook_events",
    "SELECT CASE WHEN amount > 3 THEN 'high' ELSE 'low' END, coalesce(currency, '-'), round(amount / 3.0, 2), "
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY amount), (array_agg(event_id))[:20] FROM webhook_events "
    "GROUP BY 1, 2, 3",
    "SELECT lag(amount) OVER (PARTITION BY customer ORDER BY occurred_at), row_number() OVER () FROM webhook_events",
    "SELECT transaction_data ->> 'x', jsonb_array_length(transaction_data -> 'y'), entities ? 'a' FROM alerts",
    "SELECT e.* FROM alerts a, jsonb_each_text(a.entities) e WHERE a.subject ~ '^x' OR a.subject ILIKE '%y%'",
    "SELECT 1 AS x UNION ALL SELECT 2 EXCEPT SELECT 3",
    "SELECT greatest(a.id, 2), nullif(a.id, 3), a.id IN (1, 2), a.id = ANY(ARRAY[1, 2]), "
    "a.subject IS DISTINCT FROM 'x', EXISTS (SELECT 1 FROM dead_letters d WHERE d.id = a.id), "
    "row(1, 2) < row(2, 3) FROM alerts a",
    "SELECT source, slot, attempt_count FROM webhook_attempts WHERE slot >= :window_start AND slot < :window_end",
    "SELECT source, count(*) FILTER (WHERE status = 'x') FROM webhook_events GROUP BY GROUPING SETS ((source), ()) "
    "HAVING count(*) > 1",
    "VALUES ('a', 'low', 1)",
    "SELECT date_bin('1 hour', occurred_at, :window_start), count(DISTINCT customer) FROM webhook_events GROUP BY 1",
    "SELECT sum(amount) OVER (ORDER BY occurred_at ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) FROM webhook_events",
    "SELECT sum(amount) OVER (ORDER BY occurred_at RANGE BETWEEN interval '1 hour' PRECEDING AND CURRENT "
    "ROW) FROM webhook_events",
    "SELECT DISTINCT ON (customer) customer, amount FROM webhook_events ORDER BY customer, occurred_at DESC",
    "SELECT * FROM webhook_events WHERE occurred_at BETWEEN :window_start - interval '7 days' AND "
    ":window_end AND customer SIMILAR TO 'a|b'",
    "SELECT customer FROM webhook_events WHERE customer IN (SELECT customer FROM webhook_events GROUP BY "
    "1 HAVING avg(amount) > 3)",
    "SELECT w FROM webhook_events w",
    "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n+1 FROM t WHERE n < 100) SELECT sum(n) FROM t",
    "SELECT source, sum(amount) FROM webhook_events GROUP BY ROLLUP (source)",
    "SELECT amount::text || ' ' || currency, amount::numeric / 3, 3::float8, 'a'::varchar(3) FROM webhook_events",
    "SELECT corr(amount, id), mode() WITHIN GROUP (ORDER BY customer), rank(3) WITHIN GROUP (ORDER BY "
    "amount) FROM webhook_events",
    "SELECT first_value(amount) OVER w FROM webhook_events WINDOW w AS (PARTITION BY customer ORDER BY occurred_at)",
    "SELECT entities ->> 'customer', transaction_data #>> '{a,b}', jsonb_typeof(transaction_data) FROM alerts",
    "SELECT occurred_at AT TIME ZONE 'UTC', occurred_at::date = '2026-01-01', EXTRACT(ISODOW FROM "
    "occurred_at AT TIME ZONE 'Europe/Berlin') FROM webhook_events",
]
REFUSED = {
    "SELECT set_config('app.tenant_id', 'other', false)": "set_config",
    "SELECT 1 WHERE set_config('app.tenant_id', 'other', true) IS NOT NULL": "set_config",
    "SELECT pg_catalog.\"set_config\"('a.b', 'c', false)": "set_config",
    "SELECT current_setting('app.tenant_id')": "current_setting",
    "SELECT pg_sleep(10)": "pg_sleep",
    "SELECT * FROM alerts ORDER BY pg_sleep(1)::text": "pg_sleep",
    "SELECT query_to_xml('SELECT 1', true, true, '')": "query_to_xml",
    "SELECT pg_read_file('/etc/passwd')": "pg_read_file",
    "SELECT lo_import('/etc/passwd')": "lo_import",
    "SELECT pg_advisory_lock(1)": "pg_advisory_lock",
    "SELECT pg_notify('sentinel_pipeline', '1')": "pg_notify",
    "SELECT pg_terminate_backend(1)": "pg_terminate_backend",
    "SELECT repeat('x', 1000000000)": "repeat",
    "SELECT * FROM generate_series(1, 1000000000)": "generate_series",
    "SELECT count(*) FROM alerts, LATERAL (SELECT pg_sleep(1)) x": "pg_sleep",
    "SELECT sum(x) OVER (ORDER BY txid_current()) FROM (SELECT 1 AS x) y": "txid_current",
    "SELECT * FROM sentinel.alerts": "sentinel.alerts",
    "SELECT * FROM sentinel.webhook_secrets": "webhook_secrets",
    "SELECT * FROM public.fraud_alerts": "public.fraud_alerts",
    "SELECT * FROM pg_catalog.pg_authid": "pg_authid",
    "SELECT * FROM information_schema.tables": "information_schema.tables",
    "SELECT (SELECT count(*) FROM pg_class)": "pg_class",
    "WITH x AS (SELECT 1 FROM pg_stat_activity) SELECT 1 FROM x": "pg_stat_activity",
    "SELECT sentinel.current_tenant()": "current_tenant",
    "SELECT now()": "now",
    "SELECT current_timestamp": "SQLVALUEFUNCTION",
    "SELECT current_user": "SQLVALUEFUNCTION",
    "SELECT random()": "random",
    "SELECT * FROM alerts FOR UPDATE": "ROWMARKCLAUSE",
    "SELECT xmlelement(name x)": "XML",
    "SELECT nextval('sentinel.alerts_id_seq')": "nextval",
    "SELECT clock_timestamp()": "clock_timestamp",
    "SELECT * FROM ROWS FROM (pg_ls_dir('/'))": "pg_ls_dir",
    "SELECT pg_catalog.set_config(E'app.tenant_\\x69d', 'o', true)": "set_config",
    "SELECT U&\"set\\005fconfig\"('app.tenant_id','o',true)": "set_config",
    "SELECT sum(set_config('app.tenant_id','o',true)::int) OVER ()": "set_config",
    "SELECT array_agg(x ORDER BY set_config('app.tenant_id','o',true)) FROM (VALUES (1)) v(x)": "set_config",
    "SELECT CASE WHEN false THEN set_config('app.tenant_id','o',true) END": "set_config",
    "SELECT 1 FROM alerts LIMIT (SELECT length(set_config('app.tenant_id','o',true)))": "set_config",
    "SELECT 1 FROM (VALUES (set_config('app.tenant_id','o',true))) v": "set_config",
    "SELECT count(*) FILTER (WHERE set_config('app.tenant_id','o',true) = 'o') FROM alerts": "set_config",
    "SELECT 1 GROUP BY set_config('app.tenant_id','o',true)": "set_config",
    "SELECT 1 WHERE 1 IN (SELECT set_config('app.tenant_id','o',true)::int)": "set_config",
    "SELECT (ARRAY[1])[length(set_config('app.tenant_id','o',true))]": "set_config",
    "SELECT ROW(set_config('app.tenant_id','o',true))": "set_config",
    "SELECT set_config('app.tenant_id','o',true) COLLATE \"C\"": "set_config",
    "SELECT set_config('app.tenant_id','o',true)::varchar(3)": "set_config",
    "SELECT greatest(set_config('app.tenant_id','o',true), 'a')": "set_config",
    "SELECT a FROM alerts a JOIN dead_letters d ON set_config('app.tenant_id','o',true) = 'o'": "set_config",
    "SELECT 1; SELECT 2": "syntax error",
    "SELECT 1) AS d; DROP TABLE sentinel.alerts; SELECT * FROM (SELECT 1": "multiple commands",
    "SELECT 1) AS c, (SELECT set_config('app.tenant_id', 'x', false)": "set_config",
    "INSERT INTO sentinel.tenants VALUES ('x', 'y') RETURNING 1": "syntax error",
    "WITH x AS (DELETE FROM sentinel.alerts RETURNING 1) SELECT * FROM x": "WITH clause",
    "SELECT 1 INTO TEMP x": "INTO",
    "COPY sentinel.alerts TO STDOUT": "syntax error",
    "TABLE sentinel.api_keys": "api_keys",
    "SELECT * FROM nothing": "does not exist",
    "SELECT 'x": "unterminated",
    "SELECT 1 /* never closed": "unterminated",
    "SELECT " + "(" * 20_000 + "1" + ")" * 20_000: "memory exhausted",
}


class TestGate:
    @pytest.mark.parametrize("sql", ALLOWED, ids=range(len(ALLOWED)))
    def test_these_may_run(self, database: Database, tenant: str, sql: str) -> None:
        text = with_window(sql, WINDOW)
        with database.transaction(tenant) as connection:
            check_own_sql(connection, text)

    @pytest.mark.parametrize(("sql", "said"), REFUSED.items(), ids=range(len(REFUSED)))
    def test_these_may_not(self, database: Database, tenant: str, sql: str, said: str) -> None:
        with database.transaction(tenant) as connection:
            before = connection.execute("SELECT sentinel.current_tenant() AS tenant").fetchone()
            with pytest.raises(InvalidError) as refused:
                check_own_sql(connection, sql)
            assert said in refused.value.message
            assert connection.execute("SELECT sentinel.current_tenant() AS tenant").fetchone() == before
            # Nothing of the judging is left in the transaction.
            found = connection.execute(
                "SELECT to_regclass('pg_temp.detector_query') AS view, current_setting('search_path') AS path"
            ).fetchone()
        assert found is not None
        assert found["view"] is None
        assert "detector_views" not in found["path"]

    @pytest.mark.parametrize("sql", [sql for sql in REFUSED if len(sql) < 1000], ids=str)
    def test_what_may_not_does_not_run_either(self, database: Database, tenant: str, sql: str) -> None:
        with pytest.raises(InvalidError):
            run_own_sql(database, tenant, sql, rows=10, seconds=5)


class TestRun:
    def test_it_sees_the_tenants_rows_only(self, settings: Settings, database: Database, tenant: str) -> None:
        other = f"{tenant}-o"
        ensure_tenant(settings.postgres, other, "other")
        for name in (tenant, other):
            desk = DetectorBench(settings, database, name)
            desk.payments(desk.source(), NOON - HOUR / 2, failed=2, succeeded=1, customer=f"of {name}")
            while desk.work.read_events(name):
                pass
        sql = "SELECT DISTINCT customer FROM webhook_events"
        assert run_own_sql(database, tenant, sql, rows=10, seconds=5) == [{"customer": f"of {tenant}"}]

    def test_rows_and_time_are_limited(self, database: Database, tenant: str) -> None:
        sql = "SELECT x FROM unnest(ARRAY[1, 2, 3, 4]) AS x"
        assert len(run_own_sql(database, tenant, sql, rows=3, seconds=5)) == 3
        many = f"(SELECT unnest(ARRAY[{', '.join(['1'] * 100)}]))"
        slow = "SELECT count(*) FROM " + ", ".join(f"{many} x{number}" for number in range(8))
        with pytest.raises(TooBroadError, match=r"longer than 0\.5 s"):
            run_own_sql(database, tenant, slow, rows=3, seconds=0.5)

    def test_files_are_limited(self, database: Database, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(own_sql, "WORK_MEM_MB", 1)
        many = f"unnest(ARRAY[{', '.join(map(str, range(60)))}])"
        rows = (
            f"SELECT t1.a::text || t2.b || t3.c AS x FROM {many} t1(a), {many} t2(b), {many} t3(c) ORDER BY 1 OFFSET 5"
        )
        sql = f"SELECT max(x) FROM ({rows}) s"
        assert run_own_sql(database, tenant, sql, rows=1, seconds=30) == [{"max": "999"}]
        monkeypatch.setattr(own_sql, "TEMP_FILES_MB", 2)
        with pytest.raises(TooBroadError, match=r"more than it may.*temp_file_limit"):
            run_own_sql(database, tenant, sql, rows=1, seconds=30)

    def test_an_error_of_the_data_is_told(self, database: Database, tenant: str) -> None:
        with pytest.raises(InvalidError, match="division by zero"):
            run_own_sql(database, tenant, "SELECT 1 / (x - 1) AS y FROM unnest(ARRAY[1]) AS x", rows=3, seconds=5)


class TestWindowBounds:
    def test_texts_names_comments_and_casts_stay_as_they_are(self) -> None:
        sql = """SELECT ':window_start', "a:window_end", x::text, $q$:window_start$q$ /* :window_end */
                 FROM t WHERE at >= :window_start AND at<:window_end -- :window_start"""
        found = with_window(sql, WINDOW)
        assert found.count("TIMESTAMPTZ '") == 2
        assert "at >= TIMESTAMPTZ '2026-03-02T11:00:00Z' AND at<TIMESTAMPTZ '2026-03-02T12:00:00Z'" in found
        assert (
            found.replace("TIMESTAMPTZ '2026-03-02T11:00:00Z'", ":window_start").replace(
                "TIMESTAMPTZ '2026-03-02T12:00:00Z'", ":window_end"
            )
            == sql
        )


SQL = """
SELECT customer AS subject, CASE WHEN count(*) >= 5 THEN 'high' ELSE 'low' END AS level, count(*) AS value,
       3 AS baseline, array_agg(event_id ORDER BY occurred_at) AS sample_ids
FROM webhook_events
WHERE occurred_at >= :window_start AND occurred_at < :window_end AND event_type = 'payment_intent.payment_failed'
GROUP BY customer HAVING count(*) >= 3
"""


class TestDetector:
    def test_its_rows_become_anomalies(self, settings: Settings, database: Database, tenant: str) -> None:
        desk = DetectorBench(settings, database, tenant)
        source, detector = desk.source(), desk.detector("sql", "failed_of_customer", sql=SQL)
        many = desk.payments(source, NOON - HOUR / 4, failed=30, succeeded=0, customer="cus_many")
        desk.payments(source, NOON - HOUR / 4, failed=3, succeeded=5, customer="cus_three")
        desk.payments(source, NOON - HOUR / 4, failed=2, succeeded=5, customer="cus_two")
        desk.done(detector, NOON + HOUR / 12)
        first, second = desk.anomalies()
        assert (first["subject"], first["severity"], second["subject"], second["severity"]) == (
            *("cus_many", "critical"),
            *("cus_three", "info"),
        )
        assert first["values"].items() >= {"value": 30, "baseline": 3, "sample_ids": many[:20]}.items()
        assert first["evidence"][0]["condition"] == "cus_many: 30, against 3"

    @pytest.mark.parametrize(
        ("columns", "said"),
        [
            ("'a' AS subject, 'low' AS level", "no column 'value'"),
            ("'a' AS subject, 'low' AS level, 1 AS value, 2 AS more", "'more'"),
            ("'a' AS subject, 'urgent' AS level, 1 AS value", "'urgent'"),
            ("'a' AS subject, 'low' AS level, 'NaN'::float AS value", "NaN"),
            ("'a' AS subject, 'low' AS level, 'much' AS value", "'much'"),
            ("NULL AS subject, 'low' AS level, 1 AS value", "subject"),
            ("'' AS subject, 'low' AS level, 1 AS value", "subject"),
            ("E'a\\nb' AS subject, 'low' AS level, 1 AS value", "subject"),
            ("'a' AS subject, 'low' AS level, 1 AS value, 'x' AS sample_ids", "sample_ids"),
            ("x AS subject, 'low' AS level, 1 AS value", "twice"),
        ],
        ids=range(10),
    )
    def test_rows_that_are_no_findings_fail_the_run(
        self, settings: Settings, database: Database, tenant: str, columns: str, said: str
    ) -> None:
        desk = DetectorBench(settings, database, tenant)
        sql = f"SELECT {columns} FROM unnest(ARRAY['s', 's']) AS x WHERE :window_start < :window_end"
        run = desk.run(desk.detector("sql", sql=sql), NOON)
        assert run.state is RunState.FAILED
        assert run.error is not None
        assert said in run.error
        assert desk.anomalies() == []
