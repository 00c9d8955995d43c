"""Queries on a real S3 server: right answers, and nothing beyond the tenant's tables whatever is asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pydantic import SecretStr

from sentinel.clock import monotonic_seconds
from sentinel.errors import InvalidError, NotFoundError, StoreUnavailableError
from sentinel.settings import PROJECT_ROOT, Settings
from sentinel.stores.lake.location import events_uri, storage_options
from sentinel.stores.lake.query import QueryLimits, QueryResult, run_query
from sentinel.stores.lake.tables import TableSize, describe_table
from sentinel.wiring import Backend

pytestmark = pytest.mark.integration

COUNTRIES = ("DE", "FR", "GB")
ROWS = 3_000


def sample() -> pa.Table:
    """Return a table as the archive writes it: 3,000 events on three days."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(minutes=at) for at in range(ROWS)]
    return pa.table(
        {
            "transaction_id": [f"t{at}" for at in range(ROWS)],
            "user_id": [f"user-{at % 7}" for at in range(ROWS)],
            "country": [COUNTRIES[at % 3] for at in range(ROWS)],
            "amount": [at / 4 for at in range(ROWS)],
            "event_time": pa.array(times, pa.timestamp("us", "UTC")),
            "tags": pa.array([["a", "b"]] * ROWS, pa.list_(pa.string())),
            "_topic": ["cards"] * ROWS,
            "_partition": pa.array([at % 4 for at in range(ROWS)], pa.int32()),
            "_offset": pa.array([at // 4 for at in range(ROWS)], pa.int64()),
            "_timestamp": pa.array(times, pa.timestamp("us", "UTC")),
            "_schema_version": pa.array([1] * ROWS, pa.int32()),
            "_generation_id": pa.array([1] * ROWS, pa.int64()),
            "date": [moment.date() for moment in times],
        }
    )


@pytest.fixture
def archived(settings: Settings, tenant: str) -> str:
    """A tenant whose pipeline 1 has archived the sample."""
    write_deltalake(
        events_uri(settings.lake, tenant, 1),
        sample(),
        partition_by=["date"],
        storage_options=storage_options(settings.lake),
    )
    return tenant


def ask(settings: Settings, tenant: str, sql: str, **limits: Any) -> QueryResult:
    return run_query(settings.lake, tenant, sql, {"events_1": 1, "events_2": 2}, QueryLimits(**limits))


class TestAnswers:
    def test_aggregates_by_partition(self, settings: Settings, archived: str) -> None:
        sql = (
            "SELECT date, count(*) AS n, max(event_time) AS last FROM events_1 "
            "WHERE date > '2026-01-01' GROUP BY 1 ORDER BY 1"
        )
        assert ask(settings, archived, sql) == QueryResult(
            columns=["date", "n", "last"],
            types=["DATE", "BIGINT", "TIMESTAMP WITH TIME ZONE"],
            rows=[["2026-01-02", 1440, "2026-01-02T23:59:00Z"], ["2026-01-03", 120, "2026-01-03T01:59:00Z"]],
            is_cut=False,
            seconds=pytest.approx(0, abs=30),
        )

    def test_values_keep_what_json_has_no_word_for(self, settings: Settings, archived: str) -> None:
        sql = (
            "SELECT sum(_offset) * 10000000000000000::HUGEINT, 1.10::DECIMAL(10,2), 'nan'::DOUBLE, tags, "
            "{'a': 1}, INTERVAL 1 DAY, NULL FROM events_1 GROUP BY tags"
        )
        assert ask(settings, archived, sql).rows == [
            [
                str(sum(at // 4 for at in range(ROWS)) * 10**16),
                "1.10",
                "nan",
                ["a", "b"],
                {"a": 1},
                "1 day, 0:00:00",
                None,
            ]
        ]

    def test_more_rows_than_the_limit_are_cut_and_said_so(self, settings: Settings, archived: str) -> None:
        result = ask(settings, archived, "SELECT transaction_id FROM events_1", rows=2_500)
        assert (len(result.rows), result.is_cut) == (2_500, True)
        exact = ask(settings, archived, "SELECT transaction_id FROM events_1", rows=ROWS)
        assert (len(exact.rows), exact.is_cut) == (ROWS, False)

    def test_names_have_no_case(self, settings: Settings, archived: str) -> None:
        assert ask(settings, archived, "SELECT count(*) FROM EVENTS_1").rows == [[ROWS]]

    def test_a_pipeline_without_archive_is_said_so(self, settings: Settings, archived: str) -> None:
        with pytest.raises(NotFoundError, match="nothing for 'events_2' yet"):
            ask(settings, archived, "SELECT * FROM events_2")

    def test_an_unknown_table_lists_the_known_ones(self, settings: Settings, archived: str) -> None:
        with pytest.raises(InvalidError, match=r"cards does not exist.*events_1, events_2"):
            ask(settings, archived, "SELECT * FROM cards")

    def test_a_wrong_column_is_the_query_s_fault(self, settings: Settings, archived: str) -> None:
        with pytest.raises(InvalidError, match="amuont"):
            ask(settings, archived, "SELECT amuont FROM events_1")

    def test_an_unreachable_store_is_said_so_soon(self, settings: Settings, archived: str) -> None:
        away = settings.lake.model_copy(update={"endpoint": "http://127.0.0.1:1"})
        with pytest.raises(StoreUnavailableError, match="the lake does not answer"):
            run_query(away, archived, "SELECT 1 FROM events_1", {"events_1": 1}, QueryLimits(timeout_seconds=30))

    def test_wrong_credentials_are_said_so(self, settings: Settings, archived: str) -> None:
        wrong = settings.lake.model_copy(update={"secret_key": SecretStr("wrong")})
        with pytest.raises(StoreUnavailableError, match="the lake does not answer") as refused:
            run_query(wrong, archived, "SELECT 1 FROM events_1", {"events_1": 1})
        assert "wrong" not in str(refused.value)

    def test_the_size_is_known_from_the_log(self, settings: Settings, archived: str) -> None:
        found = describe_table(settings.lake, archived, 1)
        assert found is not None
        assert (found.rows, found.files) == (ROWS, 3)
        assert describe_table(settings.lake, archived, 2) is None
        assert isinstance(found, TableSize)


class TestIsolation:
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM '/etc/hosts.csv'",
            "SELECT content FROM read_text('/etc/passwd')",
            "COPY (SELECT 1) TO '/tmp/sentinel-lake-query-test'",
            "ATTACH '/tmp/sentinel-lake-query-test.db'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "PRAGMA enable_external_access",
            "SET enable_external_access = true",
            "SET lock_configuration = false",
            "SELECT getenv('HOME')",
            "SELECT * FROM glob('/*')",
            "SELECT * FROM duckdb_secrets()",
            "SELECT * FROM duckdb_settings()",
            "SELECT * FROM query('SELECT 1')",
            "SELECT * FROM arrow_scan(1::pointer, 1::pointer, 1::pointer)",
            "SELECT * FROM request",
            "SELECT * FROM connection",
            "SELECT 1; COPY (SELECT 1) TO '/tmp/sentinel-lake-query-test'",
            "INSERT INTO events_1 SELECT * FROM events_1",
            "DELETE FROM events_1",
            "DROP VIEW events_1",
            "EXPORT DATABASE '/tmp/sentinel-lake-query-test'",
        ],
    )
    def test_a_hostile_query_is_refused(self, settings: Settings, archived: str, sql: str) -> None:
        with pytest.raises(InvalidError):
            ask(settings, archived, sql)
        assert not list(Path(tempfile.gettempdir()).glob("sentinel-lake-query-test*"))
        assert ask(settings, archived, "SELECT count(*) FROM events_1").rows == [[ROWS]]

    def test_another_tenants_table_has_no_name(self, settings: Settings, archived: str) -> None:
        other = events_uri(settings.lake, archived, 1)
        for sql in (f"SELECT * FROM '{other}'", f"SELECT * FROM delta_scan('{other}')", "SELECT * FROM events_1"):
            with pytest.raises((InvalidError, NotFoundError)):
                run_query(settings.lake, "somebody-else", sql, {"events_1": 1})

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT count(*) FROM range(1000000000000)",
            "WITH RECURSIVE x AS (SELECT 1 a UNION ALL SELECT a + 1 FROM x) SELECT max(a) FROM x",
            "SELECT list_reduce(range(100000000), (x, y) -> x + y)",
            "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))",
        ],
    )
    def test_a_query_without_end_is_ended(self, settings: Settings, archived: str, sql: str) -> None:
        started = monotonic_seconds()
        with pytest.raises(InvalidError, match=r"longer than 1 s|MiB of memory"):
            ask(settings, archived, sql, timeout_seconds=1)
        assert monotonic_seconds() - started < 15

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT list_sum(range(3000000000))",
            "SELECT length(repeat('x', 2000000000))",
            "SELECT list(a.range) FROM range(100000) a, range(100000) b",
        ],
    )
    def test_a_query_for_all_memory_gets_no_more_than_its_share(
        self, settings: Settings, archived: str, sql: str
    ) -> None:
        with pytest.raises(InvalidError, match=r"MiB of memory|longer than 20 s"):
            ask(settings, archived, sql, timeout_seconds=20, memory_mib=128)


class TestCommand:
    @pytest.fixture
    def pipeline_id(self, settings: Settings, tenant: str) -> int:
        """A pipeline called `cards` with the sample in its lake."""
        backend = Backend(settings, pool_size=1)
        backend.open()
        with backend._database.transaction(tenant) as connection:
            found = connection.execute(
                "INSERT INTO sentinel.pipelines (tenant_id, name, kafka_topic, schema_version) "
                "VALUES (%s, 'cards', 'cards', 1) RETURNING id",
                (tenant,),
            ).fetchone()
        backend.close()
        assert found is not None
        identity = int(found["id"])
        write_deltalake(
            events_uri(settings.lake, tenant, identity),
            sample(),
            partition_by=["date"],
            storage_options=storage_options(settings.lake),
        )
        return identity

    @staticmethod
    def run(settings: Settings, tenant: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sentinel.cli.app", "lake", *arguments],
            env=environment(settings, tenant),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def test_the_three_names_of_a_table(self, settings: Settings, tenant: str, pipeline_id: int) -> None:
        for name in (f"events_{pipeline_id}", "Cards", "events"):
            done = self.run(
                settings, tenant, "query", "--pipeline", str(pipeline_id), "--format", "json",
                f"SELECT count(*) AS n FROM {name}",
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout) == [{"n": ROWS}]

    def test_tables_are_listed(self, settings: Settings, tenant: str, pipeline_id: int) -> None:
        done = self.run(settings, tenant, "tables")
        assert done.returncode == 0, done.stderr
        assert f"events_{pipeline_id}, cards" in done.stdout
        assert "3,000" in done.stdout

    def test_an_error_is_one_line(self, settings: Settings, tenant: str, pipeline_id: int) -> None:
        done = self.run(settings, tenant, "query", "DROP TABLE cards")
        assert done.returncode == 1
        assert done.stderr == "error: only a SELECT may be run here: the lake is read-only\n"


class TestRecipes:
    @pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
    def test_a_documented_recipe_runs(self, settings: Settings, archived: str, engine: str) -> None:
        text = (PROJECT_ROOT / "docs" / "lake.md").read_text()
        found = re.search(rf"```python {engine}\n(.*?)```", text, re.DOTALL)
        assert found is not None
        done = subprocess.run(
            [sys.executable, "-c", found.group(1)],
            env=environment(settings, archived) | {"SENTINEL_JOB__JARS_DIR": str(settings.jars_dir)},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3_000:]
        for place, country in enumerate(COUNTRIES):
            total = sum(at / 4 for at in range(place, ROWS, 3))
            assert re.search(rf"'{country}'.*{re.escape(str(total))}", done.stdout), done.stdout


def environment(settings: Settings, tenant: str) -> dict[str, str]:
    """Return the environment in which a command acts on the test's servers for a tenant."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SENTINEL_")}
    return plain | {"SENTINEL_HOME": str(settings.home), "SENTINEL_TENANT": tenant}
