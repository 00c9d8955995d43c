"""The lists resource."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from httpx import Client as Http

from sentinel.client import Client
from sentinel.domain.api_key import Scope
from sentinel.errors import InvalidError, NotFoundError, VersionMismatchError
from sentinel.settings import Settings
from tests.integration.api.conftest import add_rule, create_pipeline, pointers
from tests.integration.api.reference_lists import LIST, WHITELISTED, keys

pytestmark = pytest.mark.integration

HEADING = "user_id,level,ratio,limit_amount,since,seen_at,vip"

CALLS = [
    ("POST", "/api/lists", LIST),
    ("GET", "/api/lists", None),
    ("GET", "/api/lists/users", None),
    ("DELETE", "/api/lists/users", None),
    ("GET", "/api/lists/users/versions", None),
    ("GET", "/api/lists/users/rows", None),
    ("PUT", "/api/lists/users/rows", {"rows": []}),
    ("POST", "/api/lists/users/rows", {"upsert": []}),
    ("POST", "/api/lists/users/rows/preview", None),
    ("GET", "/api/lists/users/diff?from=1", None),
]


def upload(client: Http, text: str | bytes, **headers: str) -> Any:
    """Upload a CSV text as all rows of `users`."""
    content = text.encode() if isinstance(text, str) else text
    return client.put("/api/lists/users/rows", content=content, headers={"Content-Type": "text/csv", **headers})


class TestAccess:
    @pytest.mark.parametrize(("method", "path", "body"), CALLS)
    def test_anonymous_gets_401(self, anonymous: Http, method: str, path: str, body: Any) -> None:
        assert anonymous.request(method, path, json=body).status_code == 401

    @pytest.mark.usefixtures("users")
    @pytest.mark.parametrize(("method", "path", "body"), CALLS[2:])
    def test_another_tenant_gets_404(self, stranger: Http, method: str, path: str, body: Any) -> None:
        assert stranger.request(method, path, json=body).status_code == 404

    def test_a_reader_may_not_write(self, client_of: Callable[..., Http], tenant: str) -> None:
        reader = client_of(tenant, Scope.READ)
        assert reader.post("/api/lists", json=LIST).status_code == 403
        assert reader.get("/api/lists").json() == []

    @pytest.mark.usefixtures("users")
    def test_two_tenants_have_lists_of_one_name_and_rules_see_their_own(self, client: Http, stranger: Http) -> None:
        pipeline = create_pipeline(stranger)
        check = {"rule_expression": WHITELISTED, "pipeline_id": pipeline["id"]}
        answer = stranger.post("/api/rules/check", json=check).json()
        assert [issue["code"] for issue in answer["issues"]] == ["unknown-table"]
        assert keys(client) == ["u1", "u2"]

    @pytest.mark.usefixtures("users")
    def test_row_level_security_hides_rows_from_others(self, settings: Settings, tenant: str) -> None:
        with psycopg.connect(settings.postgres.conninfo("app")) as connection:
            for table in ("lists", "list_versions", "list_rows"):
                counts = []
                for name in (tenant, settings.tenant, ""):
                    connection.execute("SELECT set_config('app.tenant_id', %s, true)", (name,))
                    row = connection.execute(f"SELECT count(*) FROM sentinel.{table} WHERE tenant_id = %s", (tenant,))  # type: ignore[arg-type]
                    counts.append(row.fetchone()[0])  # type: ignore[index]
                assert counts[0] > 0
                assert counts[1:] == [0, 0]


class TestDefinition:
    def test_a_list_is_answered_with_its_first_version(self, client: Http, users: dict[str, Any]) -> None:
        assert users.items() >= {"version": 1, "row_count": 2, "added_count": 2, "changed": True}.items()
        answer = client.get("/api/lists/users")
        assert answer.headers["etag"] == '"1"'
        assert answer.json()["columns"][0] == {"name": "user_id", "type": "string", "nullable": False}
        assert [found["name"] for found in client.get("/api/lists").json()] == ["users"]

    def test_everything_wrong_is_told_at_once(self, client: Http) -> None:
        columns = [
            {"name": "a b", "type": "string"},
            {"name": "tags", "type": "array<string>"},
            {"name": "x", "type": "number"},
            {"name": "expires_at", "type": "timestamp"},
            {"name": "ratio", "type": "float", "nullable": True},
        ]
        answer = client.post("/api/lists", json={"name": "Users!", "columns": columns, "key": "ratio"})
        assert answer.status_code == 422
        assert pointers(answer) == {
            "/name",
            "/columns/0/name",
            "/columns/1/type",
            "/columns/2/type",
            "/columns/3/name",
            "/columns/4/nullable",
            "/columns/4/type",
        }

    def test_a_key_that_is_no_column(self, client: Http) -> None:
        answer = client.post("/api/lists", json={**LIST, "key": "nobody"})
        assert (answer.status_code, pointers(answer)) == (422, {"/key"})

    @pytest.mark.usefixtures("users")
    def test_a_name_is_given_once(self, client: Http) -> None:
        assert client.post("/api/lists", json=LIST).status_code == 409

    def test_a_broken_first_row_leaves_no_list(self, client: Http) -> None:
        rows = [{"user_id": "u1", "level": "many"}]
        assert client.post("/api/lists", json={**LIST, "rows": rows}).status_code == 422
        assert client.get("/api/lists").json() == []


class TestUpload:
    @pytest.mark.usefixtures("users")
    def test_all_types_arrive_as_they_were_sent(self, client: Http) -> None:
        full = '"é,\'\n",-9223372036854775808,-1e-3,0.5,0001-01-01,2026-01-31 12:00,TRUE'
        text = f"\ufeff{HEADING}\r\n{full}\r\nu9,,,,,,\r\n"
        answer = upload(client, text)
        assert answer.status_code == 200, answer.text
        assert answer.json().items() >= {"version": 2, "added_count": 2, "removed_count": 2, "row_count": 2}.items()
        rows = {row["key"]: row["values"] for row in client.get("/api/lists/users/rows").json()}
        assert rows["é,'\n"] == {
            "user_id": "é,'\n",
            "level": -(2**63),
            "ratio": -0.001,
            "limit_amount": "0.50",
            "since": "0001-01-01",
            "seen_at": "2026-01-31 12:00:00Z",
            "vip": True,
        }
        assert set(rows["u9"].values()) == {"u9", None}

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("u3,many,,,,,", "line 3, column level: 'many' is not a whole number"),
            ("u3,9223372036854775808,,,,,", "column level"),
            ("u3,,NaN,,,,", "line 3, column ratio: 'NaN' is not a finite number"),
            ("u3,,1e999,,,,", "column ratio"),
            ("u3,,,1.005,,,", "line 3, column limit_amount: '1.005' is not a decimal(10,2)"),
            ("u3,,,123456789.00,,,", "column limit_amount"),
            ("u3,,,,2026-02-30,,", "line 3, column since: '2026-02-30' is not a date"),
            ("u3,,,,,yesterday,", "line 3, column seen_at: 'yesterday' is not a timestamp"),
            ("u3,,,,,,yes", "line 3, column vip: 'yes' is not true or false"),
            (",1,,,,,", "line 3, column user_id: there is no value, and the key cannot be null"),
            ("u1,1,,,,,", "line 3, column user_id: 'u1' is there already in line 2"),
            ("u3,1", "line 3: 2 cells, but the heading has 7 columns"),
            ('u3,"1,,,,,', "this is not CSV"),
            ("a\x00b,1,,,,,", "column user_id"),
            ("=" * 600 + ",1,,,,,", "600 characters; at most 512"),
            (f"u3,{'9' * 200_000},,,,,", "this is not CSV"),
        ],
    )
    @pytest.mark.usefixtures("users")
    def test_a_broken_row_changes_nothing_and_is_named(self, client: Http, line: str, told: str) -> None:
        answer = upload(client, f"{HEADING}\nu1,1,,,,,\n{line}\nu4,1,,,,,\n")
        assert answer.status_code == 422, answer.text
        assert any(told in item["detail"] for item in answer.json()["errors"]), answer.text
        assert keys(client) == ["u1", "u2"]
        assert client.get("/api/lists/users").json()["version"] == 1

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "the upload is empty"),
            ("user_id,user_id\n", "appears twice"),
            ("user_id,nobody\nu1,1\n", "has no column 'nobody'"),
            ("level\n1\n", "'user_id' is missing"),
            (b"user_id\nu1\n\xff\n", "line 3: the upload is not UTF-8"),
        ],
    )
    @pytest.mark.usefixtures("users")
    def test_a_broken_heading_or_encoding(self, client: Http, text: str | bytes, told: str) -> None:
        answer = upload(client, text)
        assert answer.status_code == 422
        assert told in answer.text
        assert keys(client) == ["u1", "u2"]

    @pytest.mark.usefixtures("users")
    def test_a_hundred_mistakes_are_told_and_no_more(self, client: Http) -> None:
        answer = upload(client, "user_id,level\n" + "".join(f"u{n},x\n" for n in range(5000)))
        assert len(answer.json()["errors"]) == 100

    @pytest.mark.parametrize(
        "rows",
        [
            [{"user_id": "u1", "nobody": 1}],
            [{"user_id": 5}],
            [{"user_id": "u1", "level": 1.5}],
            [{"user_id": "u1", "level": True}],
            [{"user_id": "u1", "vip": 1}],
            [{"user_id": "u1", "level": {"$gt": 1}}],
            [{"user_id": "\ud800"}],
            [{"user_id": "a\u0000b"}],
            [{"level": 1}],
            [{"user_id": "u1"}, {"user_id": "u1"}],
            ["u1"],
            {"user_id": "u1"},
        ],
    )
    @pytest.mark.usefixtures("users")
    def test_hostile_json_changes_nothing(self, client: Http, rows: Any) -> None:
        headers = {"Content-Type": "application/json"}
        content = json.dumps({"rows": rows}).encode()
        assert client.put("/api/lists/users/rows", content=content, headers=headers).status_code == 422
        assert keys(client) == ["u1", "u2"]

    @pytest.mark.usefixtures("users")
    def test_other_content_types_and_texts_that_are_no_json(self, client: Http) -> None:
        for kind, content in (("text/plain", b"x"), ("application/json", b"{oops"), ("application/json", b"[" * 5000)):
            answer = client.put("/api/lists/users/rows", content=content, headers={"Content-Type": kind})
            assert answer.status_code == 422

    @pytest.mark.usefixtures("users")
    def test_the_same_rows_again_make_no_version(self, client: Http) -> None:
        text = "user_id,level,limit_amount\nu2,2,12.5\nu1,1,\n"
        assert upload(client, text).json().items() >= {"changed": False, "version": 1, "pipelines": []}.items()

    def test_equal_rows_have_equal_hashes_whatever_their_way(self, client: Http, users: dict[str, Any]) -> None:
        other = upload(client, "user_id\nu7\n").json()
        again = upload(client, "user_id,level,limit_amount\nu1,1,\nu2,2,12.5\n").json()
        assert other["content_hash"] != users["content_hash"] == again["content_hash"]
        assert again["version"] == 3

    @pytest.mark.usefixtures("users")
    def test_an_upload_may_be_larger_than_other_bodies(self, client: Http) -> None:
        text = "user_id,level\n" + "".join(f"user-number-{n},{n}\n" for n in range(60_000))
        assert len(text) > 1_000_000
        answer = upload(client, text)
        assert (answer.status_code, answer.json()["row_count"]) == (200, 60_000)
        assert client.post("/api/lists/users/rows", json={"upsert": [{"user_id": "x" * 1_100_000}]}).status_code == 413

    @pytest.mark.usefixtures("users")
    def test_an_expired_row_is_left_out_and_counted(self, client: Http) -> None:
        answer = upload(client, "user_id,expires_at\nold,2020-01-01\nnew,2999-01-01T00:00:00Z\nstays,\n").json()
        assert (answer["expired_count"], keys(client)) == (1, ["new", "stays"])


class TestPreview:
    @pytest.mark.usefixtures("users")
    def test_what_would_change_is_told_and_nothing_changes(self, api: Client, client: Http) -> None:
        csv = b"user_id,level,expires_at\nu1,9,\nu3,3,\nold,1,2020-01-01\n"
        found = api.preview_upload("users", csv)
        assert (found.version, found.row_count, found.expired_count, found.pipelines) == (1, 2, 1, [])
        assert (found.added_count, found.changed_count, found.removed_count) == (1, 1, 1)
        assert [(each.key, each.change) for each in found.changes] == [
            ("u1", "changed"),
            ("u2", "removed"),
            ("u3", "added"),
        ]
        assert found.changes[0].before is not None
        assert found.changes[0].before.values["level"] == 1
        assert (keys(client), api.get_list("users").version) == (["u1", "u2"], 1)
        done = api.upload_list("users", csv, if_version=found.version)
        assert (done.added_count, done.changed_count, done.removed_count) == (1, 1, 1)
        assert done.row_count == found.row_count

    @pytest.mark.usefixtures("users")
    def test_the_same_rows_change_nothing(self, api: Client) -> None:
        found = api.preview_upload("users", b"user_id,level,limit_amount\nu2,2,12.5\nu1,1,\n")
        assert (found.added_count, found.changed_count, found.removed_count, found.changes) == (0, 0, 0, [])

    @pytest.mark.usefixtures("users")
    def test_the_pipelines_whose_rules_read_it_are_named(self, api: Client, client: Http) -> None:
        pipeline = create_pipeline(client)
        add_rule(client, pipeline["id"], WHITELISTED)
        assert api.preview_upload("users", b"user_id\nu3\n").pipelines == [pipeline["id"]]

    @pytest.mark.usefixtures("users")
    def test_mistakes_are_told_by_line(self, api: Client) -> None:
        with pytest.raises(InvalidError) as refused:
            api.preview_upload("users", b"user_id,level\nu1,many\nu1,2\n")
        assert [each.detail.split(",")[0] for each in refused.value.details] == ["line 2"]

    @pytest.mark.usefixtures("users")
    def test_so_many_changes_are_shown_and_all_are_counted(self, api: Client, client: Http) -> None:
        text = "user_id,level\n" + "".join(f"user-number-{n},{n}\n" for n in range(60_000))
        found = api.preview_upload("users", text.encode(), limit=3)
        assert (found.added_count, len(found.changes)) == (60_000, 3)
        assert client.post("/api/lists/users/rows/preview", params={"limit": 1001}).status_code == 422

    def test_a_reader_may_not(self, client_of: Callable[..., Http], tenant: str) -> None:
        reader = client_of(tenant, Scope.READ)
        assert reader.post("/api/lists/users/rows/preview", content=b"user_id\n").status_code == 403


class TestEdit:
    @pytest.mark.usefixtures("users")
    def test_rows_are_added_changed_and_deleted_in_one_version(self, api: Client) -> None:
        change = api.edit_list(
            "users", upsert=[{"user_id": "u1", "level": 9}, {"user_id": "u3"}], delete=["u2"], comment="clean up"
        )
        assert (change.version, change.added_count, change.changed_count, change.removed_count) == (2, 1, 1, 1)
        assert {row.key: row.values["level"] for row in api.iterate_list_rows("users")} == {"u1": 9, "u3": None}
        assert {row.key: row.values["level"] for row in api.iterate_list_rows("users", version=1)} == {"u1": 1, "u2": 2}
        assert [(v.version, v.cause, v.comment) for v in api.list_list_versions("users")] == [
            (2, "edit", "clean up"),
            (1, "created", ""),
        ]

    @pytest.mark.usefixtures("users")
    def test_what_cannot_be_is_refused(self, api: Client) -> None:
        with pytest.raises(NotFoundError, match="no row of key 'u9'"):
            api.edit_list("users", delete=["u9"])
        with pytest.raises(InvalidError, match="to be written and to be deleted"):
            api.edit_list("users", upsert=[{"user_id": "u1"}], delete=["u1"])
        with pytest.raises(InvalidError, match="row 0, column level"):
            api.edit_list("users", upsert=[{"user_id": "u1", "level": "x"}], delete=["u2"])
        assert api.get_list("users").version == 1

    @pytest.mark.usefixtures("users")
    def test_another_version_than_expected_gives_412(self, api: Client, client: Http) -> None:
        api.edit_list("users", delete=["u1"], if_version=1)
        with pytest.raises(VersionMismatchError, match="at version 2, not 1"):
            api.edit_list("users", delete=["u2"], if_version=1)
        assert upload(client, "user_id\nu5\n", **{"If-Match": '"1"'}).status_code == 412
        assert client.delete("/api/lists/users", headers={"If-Match": '"1"'}).status_code == 412
        assert keys(client) == ["u2"]

    @pytest.mark.usefixtures("users")
    def test_concurrent_edits_all_count_and_make_a_version_each(self, api: Client) -> None:
        def edit(number: int) -> None:
            api.edit_list("users", upsert=[{"user_id": f"c{number}", "level": number}])

        threads = [threading.Thread(target=edit, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = api.get_list("users")
        assert (found.version, found.row_count) == (9, 10)

    @pytest.mark.usefixtures("users")
    def test_an_idempotency_key_edits_once(self, client: Http) -> None:
        body = {"upsert": [{"user_id": "u3"}]}
        answers = [client.post("/api/lists/users/rows", json=body, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
        assert [answer.json()["version"] for answer in answers] == [2, 2]


class TestReading:
    @pytest.mark.usefixtures("users")
    def test_rows_and_differences_are_paged(self, api: Client, client: Http) -> None:
        upload(client, "user_id,level\n" + "".join(f"k{n:04},{n}\n" for n in range(250)))
        first = client.get("/api/lists/users/rows", params={"limit": 100})
        assert len(first.json()) == 100
        assert "after=k0099" in first.links["next"]["url"]
        assert [row.key for row in api.iterate_list_rows("users")] == [f"k{n:04}" for n in range(250)]
        changes = list(api.iterate_list_diff("users", 1))
        assert sorted({change.change for change in changes}) == ["added", "removed"]
        assert len(changes) == 252
        assert keys(client, key="k0007") == ["k0007"]
        assert [row.key for row in api.list_list_rows("users", after="k0099", limit=2)] == ["k0100", "k0101"]
        assert [each.key for each in api.list_list_diff("users", 1, from_key="k0249", limit=2)] == ["u1", "u2"]

    @pytest.mark.usefixtures("users")
    def test_what_was_changed_back_is_no_difference(self, api: Client) -> None:
        api.edit_list("users", upsert=[{"user_id": "u1", "level": 5}, {"user_id": "u3"}])
        api.edit_list("users", upsert=[{"user_id": "u1", "level": 1}])
        assert [(c.key, c.change) for c in api.iterate_list_diff("users", 1, 3)] == [("u3", "added")]
        (changed, added) = api.iterate_list_diff("users", 1, 2)
        assert changed.before is not None
        assert changed.after is not None
        assert (changed.before.values["level"], changed.after.values["level"], added.key) == (1, 5, "u3")
        assert list(api.iterate_list_diff("users", 2, 2)) == []

    @pytest.mark.usefixtures("users")
    def test_versions_that_are_not_there(self, client: Http) -> None:
        assert client.get("/api/lists/users/rows", params={"version": 2}).status_code == 404
        assert client.get("/api/lists/users/diff", params={"from": 1, "to": 9}).status_code == 404
        assert client.get("/api/lists/users/diff").status_code == 422
        assert client.get("/api/lists/users/rows", params={"version": 0}).status_code == 422
        assert client.get("/api/lists/nobody/rows").status_code == 404
