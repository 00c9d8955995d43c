"""Versions of lists in the rule sets of the pipelines that read them, and their expiry."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Client as Http

from sentinel.client import Client
from sentinel.errors import ConflictError
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.lists import ListSnapshotStore
from sentinel.stores.postgres.snapshots import CatalogReader
from tests.integration.api.conftest import add_rule, create_pipeline
from tests.integration.api.reference_lists import COLUMNS, WHITELISTED, keys

pytestmark = pytest.mark.integration


class TestRules:
    @pytest.mark.usefixtures("users")
    def test_a_new_version_is_in_the_next_rule_set_of_its_readers_only(
        self, api: Client, client: Http, pipeline: dict[str, Any], database: Database, tenant: str
    ) -> None:
        other = create_pipeline(client)
        add_rule(client, other["id"])
        rule = add_rule(client, pipeline["id"], WHITELISTED)
        before = snapshot(database, tenant, pipeline["id"])
        assert [(pinned.definition.name, pinned.version) for pinned in before.lists] == [("users", 1)]
        assert [(r.pipeline_id, r.rule_id) for r in api.get_list("users").read_by] == [(pipeline["id"], rule["id"])]
        change = api.edit_list("users", delete=["u1"])
        assert change.pipelines == [pipeline["id"]]
        after = snapshot(database, tenant, pipeline["id"])
        assert (after.version, after.rules, after.lists[0].version) == (before.version + 1, before.rules, 2)
        assert snapshot(database, tenant, other["id"]).version == 1
        client.patch(f"/api/rules/{rule['id']}/status", json={"is_active": False})
        assert api.edit_list("users", delete=["u2"]).pipelines == []
        assert snapshot(database, tenant, pipeline["id"]).lists == ()

    @pytest.mark.usefixtures("users")
    def test_a_composite_rule_reads_the_lists_of_the_rules_it_refers_to(
        self, api: Client, client: Http, pipeline: dict[str, Any], database: Database, tenant: str
    ) -> None:
        pipeline_id = pipeline["id"]
        trusted = add_rule(client, pipeline_id, WHITELISTED, name="trusted", state="paused")
        assert snapshot(database, tenant, pipeline_id).lists == ()
        rule = api.add_rule(pipeline_id, "rule('trusted') AND amount > 5", "info")
        shadow = api.add_rule(pipeline_id, "user_id IN (SELECT user_id FROM users)", "info", state="shadow")
        before = snapshot(database, tenant, pipeline_id)
        assert [pinned.version for pinned in before.lists] == [1]
        assert [reader.rule_id for reader in api.get_list("users").read_by] == [rule.id, shadow.id]
        assert api.edit_list("users", upsert=[{"user_id": "u9"}]).pipelines == [pipeline_id]
        after = snapshot(database, tenant, pipeline_id)
        assert (after.version, after.rules, after.shadow) == (before.version + 1, before.rules, before.shadow)
        assert (after.references, after.lists[0].version) == (before.references, 2)
        api.change_rule(trusted["id"], "amount < 3", "info")
        assert client.post(f"/api/rules/{shadow.id}/state", json={"state": "paused"}).status_code == 200
        assert snapshot(database, tenant, pipeline_id).lists == ()

    @pytest.mark.usefixtures("users")
    def test_a_change_of_a_rule_that_others_refer_to_is_bounded_too(
        self, client: Http, pipeline: dict[str, Any]
    ) -> None:
        def some(start: int) -> str:
            terms = (f"user_id IN (SELECT user_id FROM users WHERE level > {n})" for n in range(start, start + 8))
            return " OR ".join(terms)

        for start in range(0, 32, 8):
            add_rule(client, pipeline["id"], some(start))
        part = add_rule(client, pipeline["id"], "amount > 1", name="part", state="paused")
        add_rule(client, pipeline["id"], "rule('part') AND amount < 9")
        body = {"rule_expression": some(50), "severity": "info", "description": ""}
        answer = client.put(f"/api/rules/{part['id']}", json=body)
        assert (answer.status_code, "at most 32" in answer.text) == (409, True)

    @pytest.mark.usefixtures("users")
    def test_a_rule_that_is_added_while_a_list_changes_gets_the_newest_version(
        self, api: Client, client: Http, database: Database, tenant: str
    ) -> None:
        pipelines = [create_pipeline(client)["id"] for _ in range(4)]
        edits = threading.Thread(
            target=lambda: [api.edit_list("users", upsert=[{"user_id": f"e{n}"}]) for n in range(20)]
        )
        edits.start()
        for pipeline_id in pipelines:
            add_rule(client, pipeline_id, WHITELISTED)
        edits.join()
        newest = api.get_list("users").version
        assert newest == 21
        assert [snapshot(database, tenant, pipeline_id).lists[0].version for pipeline_id in pipelines] == [newest] * 4

    def test_a_rule_on_a_list_that_is_not_there_is_refused(self, client: Http, pipeline: dict[str, Any]) -> None:
        body = {"rule_expression": WHITELISTED, "severity": "info", "description": ""}
        answer = client.post(f"/api/pipelines/{pipeline['id']}/rules", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown-table")

    @pytest.mark.usefixtures("users")
    def test_a_list_that_a_rule_ever_read_stays(self, api: Client, client: Http, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"], WHITELISTED)
        client.patch(f"/api/rules/{rule['id']}/status", json={"is_active": False})
        with pytest.raises(ConflictError, match="rules read users"):
            api.delete_list("users")
        api.create_list("unread", [{"name": "id", "type": "integer"}], "id", rows=[{"id": 1}])
        api.delete_list("unread")
        assert [found.name for found in api.list_lists()] == ["users"]

    @pytest.mark.usefixtures("users")
    def test_the_number_of_different_look_ups_of_a_pipeline_is_bounded(
        self, client: Http, pipeline: dict[str, Any]
    ) -> None:
        for start in range(0, 32, 8):
            terms = [f"user_id IN (SELECT user_id FROM users WHERE level > {n})" for n in range(start, start + 8)]
            add_rule(client, pipeline["id"], " OR ".join(terms))
        add_rule(client, pipeline["id"], "user_id NOT IN (SELECT user_id FROM users WHERE level > 31)")
        one_more = {"rule_expression": "user_id IN (SELECT user_id FROM users)", "severity": "info", "description": ""}
        answer = client.post(f"/api/pipelines/{pipeline['id']}/rules", json=one_more)
        assert (answer.status_code, "at most 32" in answer.text) == (409, True)


class TestExpiry:
    def test_rows_whose_time_is_over_make_the_next_version(
        self, api: Client, client: Http, pipeline: dict[str, Any], database: Database, tenant: str
    ) -> None:
        soon = datetime.now(UTC) + timedelta(hours=1)
        rows = [{"user_id": "a", "expires_at": soon.isoformat()}, {"user_id": "b", "expires_at": soon.isoformat()}]
        api.create_list("users", COLUMNS, "user_id", rows=[*rows, {"user_id": "c"}])
        add_rule(client, pipeline["id"], "user_id IN (SELECT user_id FROM users)")
        store = ListSnapshotStore(database, tenant)
        assert store.expire(soon - timedelta(seconds=1)) == []
        (expired,) = store.expire(soon)
        assert (expired.name, expired.version, expired.rows) == ("users", 2, 2)
        assert store.expire(soon) == []
        assert keys(client) == ["c"]
        assert keys(client, version=1) == ["a", "b", "c"]
        assert snapshot(database, tenant, pipeline["id"]).lists[0].version == 2
        assert api.list_list_versions("users")[0].cause == "expiry"

    @pytest.mark.usefixtures("users")
    def test_the_expiry_of_a_row_can_be_taken_back(self, api: Client, database: Database, tenant: str) -> None:
        soon = datetime.now(UTC) + timedelta(hours=1)
        api.edit_list("users", upsert=[{"user_id": "u1", "level": 1, "expires_at": soon.isoformat()}])
        change = api.edit_list("users", upsert=[{"user_id": "u1", "level": 1}])
        assert (change.changed, change.changed_count) == (True, 1)
        assert ListSnapshotStore(database, tenant).expire(soon) == []


def snapshot(database: Database, tenant: str, pipeline_id: int) -> Any:
    """Return the rule set that the job would run now."""
    with database.transaction(tenant) as connection:
        return CatalogReader().snapshot(connection, tenant, pipeline_id).rule_set
