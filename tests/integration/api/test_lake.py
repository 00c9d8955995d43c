"""SQL over the lake through the API."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from httpx import Client
from pydantic import SecretStr

from config_api.app import create_app
from sentinel.client import Client as ApiClient
from sentinel.domain.api_key import Scope
from sentinel.errors import InvalidQueryError, NotFoundError, RateLimitedError, SentinelError, StoreUnavailableError
from sentinel.settings import PROJECT_ROOT, LakeQuerySettings, Settings
from sentinel.stores.lake.location import events_uri, storage_options
from sentinel.testing.http import serve
from tests.integration.api.conftest import create_pipeline
from tests.unit.dashboard.conftest import open_page, ran, widget

pytestmark = pytest.mark.integration

QUERY, TABLES = "/api/lake/query", "/api/lake/tables"
SLOW = "SELECT count(*) FROM range(1000000000000)"
AT = datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)


def archive(settings: Settings, tenant_id: str, pipeline_id: int, **columns: Any) -> None:
    """Write events of a pipeline to the lake."""
    rows = pa.table({"transaction_id": ["t1", "t2"], "amount": [1.5, 2.5], "date": [date(2026, 1, 31)] * 2, **columns})
    write_deltalake(
        events_uri(settings.lake, tenant_id, pipeline_id), rows, storage_options=storage_options(settings.lake)
    )


@pytest.fixture
def table(settings: Settings, tenant: str, pipeline: dict[str, Any]) -> str:
    """The name of a table of the tenant that holds two events."""
    archive(settings, tenant, pipeline["id"])
    return f"events_{pipeline['id']}"


@pytest.fixture
def short_url(settings: Settings) -> Iterator[str]:
    """Where an API answers that gives queries two seconds, and 2,000 bytes."""
    closed = settings.api.model_copy(update={"open": False})
    limits = LakeQuerySettings(seconds=2, memory_mib=128, answer_bytes=2_000, at_once=1)
    with serve(create_app(settings.model_copy(update={"api": closed, "lake_query": limits}))) as url:
        yield url


@pytest.mark.parametrize(("method", "path", "body"), [("GET", TABLES, None), ("POST", QUERY, {"sql": "SELECT 1"})])
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    assert anonymous.request(method, path, json=body).status_code == 401


class TestIsolation:
    def test_another_tenant_gets_404_for_the_pipeline(self, stranger: Client, table: str) -> None:
        pipeline_id = int(table.removeprefix("events_"))
        answer = stranger.post(QUERY, json={"sql": "SELECT * FROM events", "pipeline_id": pipeline_id})
        assert (answer.status_code, answer.json()["detail"]) == (404, f"there is no pipeline {pipeline_id}")

    def test_another_tenant_s_table_does_not_exist(self, stranger: Client, table: str) -> None:
        answer = stranger.post(QUERY, json={"sql": f"SELECT * FROM {table}"})
        assert answer.status_code == 422
        assert "does not exist" in answer.json()["detail"]
        assert table not in {name for each in stranger.get(TABLES).json() for name in each["names"]}

    def test_its_files_cannot_be_reached_by_their_place(
        self, settings: Settings, tenant: str, stranger: Client, table: str
    ) -> None:
        place = events_uri(settings.lake, tenant, int(table.removeprefix("events_")))
        for sql in (f"SELECT * FROM '{place}/*.parquet'", f"SELECT * FROM delta_scan('{place}')"):
            assert stranger.post(QUERY, json={"sql": sql}).status_code == 422


class TestTables:
    def test_columns_are_those_of_all_schema_versions(self, client: Client, pipeline: dict[str, Any]) -> None:
        fields = [
            {"name": "transaction_id", "type": "string", "nullable": False, "role": "event_id"},
            {"name": "user_id", "type": "string", "nullable": False, "role": "entity"},
            {"name": "amount", "type": "float", "nullable": False},
            {"name": "country", "type": "string"},
            {"name": "items", "type": "array<struct<sku: string, price: decimal(10,2)>>"},
        ]
        assert client.put(f"/api/pipelines/{pipeline['id']}/schema", json={"schema": fields}).status_code == 200
        (found,) = client.get(TABLES).json()
        assert found["names"] == [f"events_{pipeline['id']}"]
        assert found["archived_at"] is None
        types = {each["name"]: each["type"] for each in found["columns"]}
        assert types["amount"] == "DOUBLE"
        assert types["items"] == 'STRUCT("sku" VARCHAR, "price" DECIMAL(10,2))[]'
        assert list(types)[-2:] == ["_generation_id", "date"]

    def test_a_name_that_is_an_identifier_is_a_name(self, client: Client) -> None:
        made = create_pipeline(client, name="Cards")
        assert client.get(TABLES).json()[0]["names"] == [f"events_{made['id']}", "cards"]

    def test_pages(self, client: Client) -> None:
        made = [create_pipeline(client)["id"] for _ in range(3)]
        first = client.get(TABLES, params={"limit": 2})
        assert [each["pipeline_id"] for each in first.json()] == made[:2]
        second = client.get(first.links["next"]["url"])
        assert [each["pipeline_id"] for each in second.json()] == made[2:]
        assert "next" not in second.links

    def test_the_client_reads_them(self, api: ApiClient, pipeline: dict[str, Any]) -> None:
        page = api.list_lake_tables()
        assert ([each.pipeline_id for each in page.tables], page.next_after) == ([pipeline["id"]], None)


class TestQuery:
    def test_a_reader_may_ask(self, client_of: Any, tenant: str, table: str) -> None:
        answer = client_of(tenant, Scope.READ).post(QUERY, json={"sql": f"SELECT sum(amount) AS total FROM {table}"})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found.pop("seconds") >= 0
        assert found == {"columns": [{"name": "total", "type": "DOUBLE"}], "rows": [[4.0]], "truncated": None}

    def test_types_survive(self, settings: Settings, tenant: str, client: Client, pipeline: dict[str, Any]) -> None:
        archive(
            settings,
            tenant,
            pipeline["id"],
            price=pa.array([Decimal("1.10"), Decimal("-0.00")], pa.decimal128(38, 2)),
            seen=pa.array([AT, None], pa.timestamp("us", "UTC")),
            items=[[{"sku": "a", "tags": ["x", None]}], None],
        )
        sql = "SELECT price, seen, items, date, 9007199254740993 AS big, amount / 0 AS none FROM events ORDER BY amount"
        answer = client.post(QUERY, json={"sql": sql, "pipeline_id": pipeline["id"]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["rows"] == [
            [
                "1.10",
                "2026-01-31T08:00:00.123456Z",
                [{"sku": "a", "tags": ["x", None]}],
                "2026-01-31",
                2**53 + 1,
                "inf",
            ],
            ["0.00", None, None, "2026-01-31", 2**53 + 1, "inf"],
        ]

    def test_more_rows_than_asked_for(self, client: Client, table: str) -> None:
        answer = client.post(QUERY, json={"sql": f"SELECT * FROM {table}", "limit": 1}).json()
        assert (len(answer["rows"]), answer["truncated"]) == (1, "rows")

    def test_more_bytes_than_allowed(self, short_url: str, key_of: Any, tenant: str) -> None:
        with ApiClient(short_url, api_key=key_of(tenant)) as api:
            answer = api.query_lake("SELECT repeat('x', 300) FROM range(100)")
        assert (len(answer.rows), answer.truncated) == (6, "bytes")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/sql"),
            ({"sql": 1}, "/sql"),
            ({"sql": "x" * 100_001}, "/sql"),
            ({"sql": "SELECT 1", "limit": 0}, "/limit"),
            ({"sql": "SELECT 1", "limit": 10_001}, "/limit"),
            ({"sql": "SELECT 1", "pipeline_id": 0}, "/pipeline_id"),
            ({"sql": "SELECT 1", "timeout": 1}, "/timeout"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_wrong_input(self, client: Client, body: Any, pointer: str) -> None:
        answer = client.post(QUERY, json=body)
        assert answer.status_code == 422
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]

    @pytest.mark.parametrize(
        ("sql", "words"),
        [
            ("DROP VIEW x", "read-only"),
            ("SELECT * FROM read_csv('/etc/passwd')", "not allowed here"),
            ("", "is empty"),
            ("SELECT 1; SELECT 2", "has 2"),
        ],
        ids=["drop", "file", "empty", "two"],
    )
    def test_what_may_not_be_asked(self, client: Client, sql: str, words: str) -> None:
        answer = client.post(QUERY, json={"sql": sql})
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:sentinel:problem:invalid-query")
        assert words in answer.json()["detail"]

    def test_an_error_says_where(self, api: ApiClient, table: str) -> None:
        sql = f"SELECT\n amuont FROM {table}"
        with pytest.raises(InvalidQueryError, match="amuont") as refused:
            api.query_lake(sql)
        assert refused.value.position == sql.index("amuont")

    def test_a_table_that_is_empty(self, api: ApiClient, pipeline: dict[str, Any]) -> None:
        with pytest.raises(NotFoundError, match="has not archived"):
            api.query_lake("SELECT * FROM events", pipeline_id=pipeline["id"])

    def test_a_query_that_takes_too_long_is_ended(self, short_url: str, key_of: Any, tenant: str) -> None:
        with ApiClient(short_url, api_key=key_of(tenant)) as api:
            with pytest.raises(Exception, match=r"longer than 2 s"):
                api.query_lake(SLOW)
            assert api.query_lake("SELECT 1").rows == [[1]]

    def test_the_store_is_away_and_says_nothing_of_itself(
        self, settings: Settings, tenant: str, table: str, key_of: Any
    ) -> None:
        away = settings.lake.model_copy(
            update={"endpoint": "http://127.0.0.1:1", "secret_key": SecretStr("canary-secret")}
        )
        with (
            serve(create_app(settings.model_copy(update={"lake": away}))) as url,
            ApiClient(url, api_key=key_of(tenant)) as api,
            pytest.raises(StoreUnavailableError) as refused,
        ):
            api.query_lake(f"SELECT * FROM {table}")
        assert refused.value.message == "the lake does not answer: its store is away or refuses us; the log says more"


class TestPlaces:
    def test_one_of_a_tenant_and_few_at_once(
        self, short_url: str, key_of: Any, tenant: str, settings: Settings
    ) -> None:
        with (
            ApiClient(short_url, api_key=key_of(tenant)) as mine,
            ApiClient(short_url, api_key=key_of(settings.tenant)) as other,
        ):
            ended = threading.Event()

            def ask_long() -> None:
                said = "another query"
                while "longer than 2 s" not in said:
                    # The short ones below may have come first.
                    with pytest.raises(SentinelError) as refused:
                        mine.query_lake(SLOW)
                    said = refused.value.message
                ended.set()

            asking = threading.Thread(target=ask_long)
            asking.start()
            assert refused_until(mine, ended) == "another query of this tenant is running; wait until it has ended"
            assert "as many as may be at a time" in refused_until(other, ended)
            asking.join(60)
            assert ended.is_set()
            assert other.query_lake("SELECT 1").rows == [[1]]


def refused_until(caller: ApiClient, ended: threading.Event) -> str:
    """Ask until there is no place, and return what is said then."""
    while not ended.is_set():
        try:
            caller.query_lake("SELECT 1")
        except RateLimitedError as error:
            return error.message
    return "it never was"


class TestPage:
    def test_from_the_tables_to_an_answer(self, monkeypatch: pytest.MonkeyPatch, api: ApiClient, table: str) -> None:
        monkeypatch.setattr("dashboard.session._shared_client", lambda: (api, True))
        page = open_page("lake")
        ran(widget(page, "button", "Query this table").click().run())
        assert table in widget(page, "text_area", "SQL").value
        widget(page, "text_area", "SQL").set_value(f"SELECT transaction_id, amount FROM {table} ORDER BY amount")
        ran(widget(page, "button", "Run").click().run())
        assert list(page.dataframe[1].value["amount"]) == [1.5, 2.5]


class TestGuide:
    def test_its_commands_run(self, client: Client, table: str, tenant: str) -> None:
        text = (PROJECT_ROOT / "docs" / "lake.md").read_text()
        found = re.search(r"<!-- tested -->\n```sh\n(.*?)```", text, re.DOTALL)
        assert found is not None
        tables, query = [shlex.split(f"curl{part}") for part in found[1].split("curl")[1:]]
        assert client.get(tables[2].removeprefix("localhost:8000")).json()[0]["names"] == [table]
        body = json.loads(query[query.index("-d") + 1]) | {"pipeline_id": int(table.removeprefix("events_"))}
        # The sample has no countries.
        body["sql"] = body["sql"].replace("country", "transaction_id")
        answer = client.post(query[2].removeprefix("localhost:8000"), json=body)
        assert answer.status_code == 200, answer.text
        assert sorted(answer.json()["rows"]) == [["t1", 1], ["t2", 1]]
