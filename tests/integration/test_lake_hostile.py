"""SQL that tries to reach more than the tenant's tables: a lake in a directory, the real process, things to steal."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from sentinel.errors import InvalidError, InvalidQueryError, NotFoundError, SentinelError
from sentinel.settings import LakeSettings
from sentinel.stores.lake.location import events_uri
from sentinel.stores.lake.query import QueryLimits, QueryResult, run_query

pytestmark = pytest.mark.integration

CANARY = "what-is-not-yours"
OWN = {"events_1": 1, "cards": 1}


@dataclass(frozen=True)
class House:
    """A lake of two tenants, a file beside it, and a web server.

    Attributes:
        root: Where all of it lies; nothing may be written to it.
        requests: What the web server was asked for.
    """

    lake: LakeSettings
    root: Path
    url: str
    requests: list[str]

    def ask(self, sql: str, **limits: int) -> QueryResult:
        """Run a query as the tenant acme, with the places of things that are not its own filled in."""
        text = sql.format(
            file=self.root / "canary.csv",
            other=self.root / "lake" / "tenant=other" / "pipeline=1" / "events",
            mine=self.root / "lake" / "tenant=acme" / "pipeline=1" / "events",
            out=self.root / "written",
            url=self.url,
        )
        return run_query(self.lake, "acme", text, OWN, QueryLimits(**{"timeout_seconds": 10, "threads": 1, **limits}))

    def files(self) -> set[Path]:
        """Return all files there are."""
        return {each for each in self.root.rglob("*") if each.is_file()}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    root = tmp_path_factory.mktemp("house")
    lake = LakeSettings(uri=f"file://{root}/lake", access_key="AKIA-of-the-lake")
    write_deltalake(events_uri(lake, "acme", 1), pa.table({"id": ["a", "b"], "amount": [1.5, 2.5]}))
    write_deltalake(events_uri(lake, "other", 1), pa.table({"id": [CANARY]}))
    (root / "canary.csv").write_text(f"id\n{CANARY}\n")
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"id\n{CANARY}\n".encode())

        do_HEAD = do_GET  # noqa: N815 - the server's name for it

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield House(lake, root, f"http://127.0.0.1:{server.server_address[1]}", asked)
    server.shutdown()
    server.server_close()


REFUSED = {
    "a file by read_csv": "SELECT * FROM read_csv('{file}')",
    "a file by its name": "SELECT * FROM '{file}'",
    "a file by its quoted name": 'SELECT * FROM "{file}"',
    "a file by read_text": "SELECT content FROM read_text('{file}')",
    "a file by read_blob": "SELECT content FROM read_blob('{file}')",
    "a file by read_json": "SELECT * FROM read_json('{file}')",
    "a file by sniff_csv": "FROM sniff_csv('{file}')",
    "a file in a subquery": "SELECT (SELECT max(id) FROM read_csv('{file}')) FROM events_1",
    "a file in a common table": "WITH events_1 AS (FROM read_csv('{file}')) FROM events_1",
    "a file in a recursive one": (
        "WITH RECURSIVE x AS (SELECT id FROM read_text('{file}') UNION ALL SELECT id FROM x) FROM x"
    ),
    "a file in a lateral join": "FROM events_1, LATERAL (SELECT * FROM read_csv('{file}'))",
    "a file behind a comment": "SELECT * FROM /* harmless */ read_csv /* */ ('{file}') -- really",
    "a file in other case": "SELECT * FROM ReAd_CsV('{file}')",
    "a file by a schema's function": "SELECT * FROM main.read_csv('{file}')",
    "a file by query()": "FROM query('FROM read_csv(''{file}'')')",
    "a file by query_table()": "FROM query_table('{file}')",
    "a file by a serialized statement": "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "a list of files": "SELECT * FROM glob('{out}/../*')",
    "Parquet's footers": "FROM parquet_metadata('{other}/*.parquet')",
    "another tenant's files": "SELECT * FROM read_parquet('{other}/*.parquet')",
    "another tenant's directory": "SELECT * FROM '{other}/*.parquet'",
    "another tenant's table": "SELECT * FROM delta_scan('{other}')",
    "a path out of one's own": "SELECT * FROM '{mine}/../../../tenant=other/pipeline=1/events/*.parquet'",
    "the web by read_csv": "SELECT * FROM read_csv('{url}/x.csv')",
    "the web by its name": "SELECT * FROM '{url}/x.parquet'",
    "a bucket": "SELECT * FROM 's3://sentinel/lake/x.parquet'",
    "memory": "SELECT * FROM arrow_scan(1::pointer, 1::pointer, 1::pointer)",
    "Python's variables": "SELECT * FROM request",
    "Python's modules": "SELECT * FROM sys",
    "write a file": "COPY (SELECT 1) TO '{out}'",
    "write a table to a file": "COPY events_1 TO '{out}' (FORMAT parquet)",
    "read a file into a table": "COPY events_1 FROM '{file}'",
    "export": "EXPORT DATABASE '{out}'",
    "import": "IMPORT DATABASE '{out}'",
    "attach a file": "ATTACH '{out}' AS x",
    "attach the web": "ATTACH '{url}/x.db' AS x (READ_ONLY)",
    "detach": "DETACH memory",
    "use": "USE memory.main",
    "install": "INSTALL httpfs",
    "install from somewhere": "INSTALL x FROM '{url}'",
    "load": "LOAD httpfs",
    "load a library": "LOAD '{out}.so'",
    "open the lock": "SET lock_configuration = false",
    "open the outside": "SET enable_external_access = true",
    "more memory": "SET memory_limit = '100GB'",
    "reset": "RESET memory_limit",
    "a pragma": "PRAGMA database_list",
    "a pragma that sets": "PRAGMA threads = 64",
    "a call": "CALL pragma_version()",
    "a checkpoint": "CHECKPOINT",
    "a secret": "CREATE SECRET (TYPE s3, KEY_ID 'x', SECRET 'y')",
    "the secrets": "SELECT * FROM duckdb_secrets()",
    "which secret": "SELECT * FROM which_secret('s3://x', 's3')",
    "the settings": "SELECT * FROM duckdb_settings()",
    "one setting": "SELECT current_setting('secret_directory')",
    "one setting by a schema": "SELECT system.main.current_setting('extension_directory')",
    "the environment": "SELECT getenv('HOME')",
    "the log": "SELECT write_log('x')",
    "a variable": "SET VARIABLE x = 1",
    "a variable's value": "SELECT getvariable('x')",
    "a macro": "CREATE MACRO f() AS TABLE FROM read_csv('{file}')",
    "a view": "CREATE VIEW x AS SELECT 1",
    "a table": "CREATE TABLE x AS SELECT 1",
    "insert": "INSERT INTO events_1 VALUES ('x', 1)",
    "delete": "DELETE FROM events_1",
    "update in a common table": "WITH x AS (UPDATE events_1 SET amount = 1 RETURNING *) FROM x",
    "drop": "DROP VIEW events_1",
    "two statements": "SELECT 1; SELECT 2",
    "a second one that writes": "SELECT 1; COPY (SELECT 1) TO '{out}'",
    "a second one behind a comment": "SELECT 1 /* ; */ ; -- \nATTACH '{out}'",
    "an explanation": "EXPLAIN ANALYZE SELECT 1",
    "a prepared one": "PREPARE x AS SELECT 1",
    "a transaction": "BEGIN",
    "nothing": "-- nothing",
    "half a character": "SELECT '\ud800'",
    "a NUL": "SELECT 'x\0'",
    "an unclosed comment": "SELECT 1 /*",
    "very deep": "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
    "very many terms": "SELECT " + "+".join("1" * 3_000),
    "very long": "SELECT '" + "x" * 100_000 + "'",
}
LOOKS = {
    "tables of the catalog": "SELECT * FROM information_schema.tables",
    "columns of the catalog": "SELECT * FROM duckdb_columns",
    "the databases": "SELECT * FROM pragma_database_list",
    "PostgreSQL's settings": "SELECT * FROM pg_catalog.pg_settings",
    "SQLite's master": "SELECT * FROM sqlite_master",
    "all tables": "SHOW ALL TABLES",
    "a table of one's own": "SUMMARIZE events_1",
    "a comment that ends nothing": "SELECT id /* '; DROP TABLE x */ FROM events_1 -- ; COPY",
    "a text that is no statement": "SELECT 'COPY (SELECT 1) TO ''{out}''' FROM events_1",
}
BOMBS = {
    "a cross join": "SELECT count(*) FROM range(10000000) a, range(10000000) b, range(10000000) c",
    "a range without end": "SELECT sum(range) FROM range(1000000000000)",
    "a recursion without end": "WITH RECURSIVE x AS (SELECT 1 a UNION ALL SELECT a + 1 FROM x) SELECT max(a) FROM x",
    "a long text": "SELECT length(repeat('x', 2000000000))",
    "texts in texts": "SELECT length(repeat(repeat(repeat('x', 10000), 10000), 10000))",
    "a long list": "SELECT list_sum(range(3000000000))",
    "a list of all": "SELECT list(a.range) FROM range(100000) a, range(100000) b",
    "a sort of all": "SELECT * FROM range(200000000) ORDER BY hash(range) DESC",
    "a comparison of long texts": "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))",
    "a wide number": "SELECT format('{{:2000000000d}}', 1)",
}


class TestHostile:
    @pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED)
    def test_it_is_refused_and_nothing_was_reached(self, house: House, sql: str) -> None:
        before = house.files()
        with pytest.raises(InvalidError) as refused:
            house.ask(sql)
        tell_nothing(house, refused.value, sql)
        assert house.files() == before
        assert house.requests == []

    @pytest.mark.parametrize("sql", LOOKS.values(), ids=LOOKS)
    def test_what_may_be_looked_at_holds_nothing_of_others(self, house: House, sql: str) -> None:
        try:
            found = str(house.ask(sql).rows)
        except InvalidQueryError as error:
            found = error.message
        for secret in (CANARY, str(house.root), "AKIA", "tenant="):
            # The query's own text may come back.
            assert secret not in found.replace(str(house.root / "written"), "")

    @pytest.mark.parametrize("sql", BOMBS.values(), ids=BOMBS)
    def test_what_would_take_everything_is_ended(self, house: House, sql: str) -> None:
        with pytest.raises(InvalidError, match=r"longer than 2 s|MiB of memory|Error|cannot be answered") as ended:
            house.ask(sql, timeout_seconds=2, memory_mib=128)
        tell_nothing(house, ended.value, sql)
        assert house.ask("SELECT count(*) FROM events_1").rows == [[2]]

    def test_another_tenant_s_pipeline_has_no_name(self, house: House) -> None:
        with pytest.raises(InvalidQueryError, match="does not exist"):
            house.ask("SELECT * FROM events_2")

    def test_one_s_own_is_answered(self, house: House) -> None:
        assert house.ask("SELECT sum(amount) FROM cards").rows == [[4.0]]


class TestLimits:
    def test_an_answer_that_is_too_large_is_cut_and_said_so(self, house: House) -> None:
        found = house.ask("SELECT repeat('x', 1000) FROM range(1000)", answer_bytes=10_500)
        assert (len(found.rows), found.is_cut, found.cut_by) == (10, True, "bytes")

    def test_one_value_that_is_too_large_is_no_answer(self, house: House) -> None:
        found = house.ask("SELECT repeat('x', 20000000)", answer_bytes=1_000_000)
        assert (found.rows, found.cut_by) == ([], "bytes")

    def test_rows_beyond_the_limit(self, house: House) -> None:
        assert house.ask("SELECT 1 FROM range(100)", rows=99).cut_by == "rows"
        assert house.ask("SELECT 1 FROM range(100)", rows=100).cut_by == ""


class TestErrors:
    @pytest.mark.parametrize(
        ("sql", "marked"),
        [
            ("SELEC 1", "SELEC"),
            ("SELECT\n  amuont\nFROM events_1", "amuont"),
            ("SELECT 'Ünï', '日本語', amuont FROM events_1", "amuont"),
            (f"SELECT '{'x' * 300}', amuont, '{'y' * 300}' FROM events_1", "amuont"),
            ("SELECT foo(1)", "foo"),
            ("SELECT 1 FROM eventz", "eventz"),
            ("SELECT 1, getenv('x')", "getenv"),
        ],
        ids=["syntax", "second line", "wide characters", "a long line", "function", "table", "refused"],
    )
    def test_they_say_where(self, house: House, sql: str, marked: str) -> None:
        with pytest.raises(InvalidQueryError) as refused:
            house.ask(sql)
        assert refused.value.position == sql.index(marked)

    def test_a_file_that_is_gone_is_not_the_query_s_fault(self, house: House) -> None:
        write_deltalake(events_uri(house.lake, "acme", 9), pa.table({"id": ["a"]}))
        with contextlib.suppress(FileNotFoundError):
            for each in (house.root / "lake/tenant=acme/pipeline=9/events").glob("*.parquet"):
                each.unlink()
        with pytest.raises(SentinelError) as refused:
            run_query(house.lake, "acme", "FROM events_9", {"events_9": 9}, QueryLimits(timeout_seconds=10))
        assert refused.value.slug == "unavailable"
        assert str(house.root) not in refused.value.message

    def test_a_table_without_archive(self, house: House) -> None:
        with pytest.raises(NotFoundError, match="holds nothing for 'events_2' yet"):
            run_query(house.lake, "acme", "FROM events_2", {"events_2": 2})


def tell_nothing(house: House, error: InvalidError, sql: str) -> None:
    """An error may repeat the query's words, but not what they lead to."""
    assert CANARY not in error.message
    assert "AKIA" not in error.message
    assert "tenant=" not in error.message or "{" in sql
