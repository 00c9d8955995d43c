"""What may be asked of the lake: one SELECT, over named tables and harmless functions."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from sentinel.errors import InvalidError
from sentinel.stores.lake.query_guard import tables_of


@pytest.fixture(scope="module")
def parser() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(":memory:")
    yield connection
    connection.close()


class TestTablesOf:
    @pytest.mark.parametrize(
        ("sql", "names"),
        [
            ("SELECT 1", set()),
            ("select count(*) from Events_7;", {"events_7"}),
            ('SELECT * FROM "my events" a JOIN events_2 b USING (user_id)', {"my events", "events_2"}),
            ("WITH x AS (SELECT * FROM events_1) SELECT * FROM x", {"x", "events_1"}),
            ("SELECT (SELECT max(amount) FROM events_3) FROM events_1", {"events_1", "events_3"}),
            ("DESCRIBE events_1", {"events_1"}),
            ("SUMMARIZE events_1", {"events_1"}),
            ("FROM events_1 SELECT amount", {"events_1"}),
            ("SELECT * FROM events_1 WHERE EXISTS (FROM range(3))", {"events_1"}),
            ("SELECT 'it''s', unnest([1, 2])", set()),
            ("SELECT 1 UNION ALL SELECT 2", set()),
            ("PIVOT events_1 ON country IN ('DE', 'FR') USING sum(amount)", {"events_1"}),
        ],
    )
    def test_reads_are_allowed(self, parser: duckdb.DuckDBPyConnection, sql: str, names: set[str]) -> None:
        assert tables_of(parser, sql) == names

    @pytest.mark.parametrize(
        "function",
        [
            "read_csv('/etc/passwd')",
            "read_text('/etc/passwd')",
            "READ_BLOB('/etc/passwd')",
            "read_parquet('s3://x/y')",
            "parquet_scan('x')",
            "delta_scan('s3://x')",
            "glob('*')",
            "sniff_csv('x')",
            "arrow_scan(1::pointer, 2::pointer, 3::pointer)",
            "arrow_scan_dumb(1, 2, 3)",
            "pandas_scan(1)",
            "python_map_function()",
            "query('SELECT 1')",
            "query_table('x')",
            "duckdb_secrets()",
            "duckdb_settings()",
            "which_secret('s3://x', 's3')",
            "json_execute_serialized_sql('{}')",
            "enable_logging()",
            "checkpoint()",
        ],
    )
    def test_other_table_functions_are_refused_wherever_they_stand(
        self, parser: duckdb.DuckDBPyConnection, function: str
    ) -> None:
        for sql in (
            f"SELECT * FROM {function}",
            f"WITH x AS (SELECT * FROM {function}) SELECT 1",
            f"SELECT (SELECT count(*) FROM {function})",
            f"SELECT 1 WHERE EXISTS (FROM {function})",
            f"SELECT 1 UNION ALL SELECT 1 FROM {function}",
            f"SELECT * FROM range(1), LATERAL (SELECT * FROM {function})",
            f"SELECT sum(1) FILTER (WHERE 1 IN (SELECT 1 FROM {function}))",
            f"DESCRIBE SELECT * FROM {function}",
        ):
            with pytest.raises(InvalidError, match=r"table function .* is not allowed"):
                tables_of(parser, sql)

    @pytest.mark.parametrize(
        "sql",
        [
            "INSERT INTO events_1 VALUES (1)",
            "DELETE FROM events_1",
            "CREATE TABLE x AS SELECT 1",
            "COPY (SELECT 1) TO '/tmp/x'",
            "COPY events_1 FROM '/etc/passwd'",
            "ATTACH '/tmp/x.db'",
            "DETACH memory",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET memory_limit = '100GB'",
            "CALL pragma_version()",
            "EXPORT DATABASE '/tmp/x'",
            "IMPORT DATABASE '/tmp/x'",
            "EXPLAIN ANALYZE SELECT 1",
            "PREPARE p AS SELECT 1",
            "BEGIN",
            "CREATE MACRO f() AS TABLE SELECT 1",
            "CREATE SECRET (TYPE s3)",
            "USE memory",
            "VACUUM",
        ],
    )
    def test_anything_but_a_select_is_refused(self, parser: duckdb.DuckDBPyConnection, sql: str) -> None:
        with pytest.raises(InvalidError, match="only a SELECT"):
            tables_of(parser, sql)

    @pytest.mark.parametrize(
        ("sql", "words"),
        [
            ("", "is empty"),
            ("  \n", "is empty"),
            ("SELECT 1; SELECT 2", "has 2"),
            ("SELEC 1", "does not parse"),
            ("SELECT 'x", "does not parse"),
            ("SELECT '\0'", "NUL"),
            ("SELECT " + "+".join("1" * 3_000), "does not parse"),
            ("SELECT " + "x" * 100_001, "100,000 are allowed"),
            ("-- nothing", "has 0"),
        ],
    )
    def test_what_is_no_statement_is_said_so(self, parser: duckdb.DuckDBPyConnection, sql: str, words: str) -> None:
        with pytest.raises(InvalidError, match=words):
            tables_of(parser, sql)
