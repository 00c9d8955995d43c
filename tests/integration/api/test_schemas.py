"""The event schema of a pipeline."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Client

from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.snapshots import CatalogReader
from tests.integration.api.conftest import FIELDS, add_rule, pointers

pytestmark = pytest.mark.integration

MORE = [*FIELDS, {"name": "channel", "type": "string"}]


def changed(name: str, **change: Any) -> list[dict[str, Any]]:
    """Return the fields with one of them changed."""
    return [{**field, **change} if field["name"] == name else field for field in FIELDS]


def without(name: str) -> list[dict[str, Any]]:
    """Return the fields without one of them."""
    return [field for field in FIELDS if field["name"] != name]


CALLS = [("GET", "", None), ("GET", "/versions", None), ("PUT", "", {"schema": MORE})]


@pytest.mark.parametrize(("method", "rest", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, rest: str, body: Any) -> None:
    assert anonymous.request(method, f"/api/pipelines/1/schema{rest}", json=body).status_code == 401


@pytest.mark.parametrize(("method", "rest", "body"), CALLS)
def test_another_tenant_gets_404(stranger: Client, pipeline: dict[str, Any], method: str, rest: str, body: Any) -> None:
    answer = stranger.request(method, f"/api/pipelines/{pipeline['id']}/schema{rest}", json=body)
    assert answer.status_code == 404


class TestRead:
    def test_the_schema_in_force(self, client: Client, pipeline: dict[str, Any]) -> None:
        answer = client.get(f"/api/pipelines/{pipeline['id']}/schema")
        assert answer.json()["version"] == 1
        assert answer.json()["schema"] == [{"nullable": True, "role": None, **field} for field in FIELDS]
        assert answer.headers["etag"] == '"1"'

    def test_a_version_that_is_not_there(self, client: Client, pipeline: dict[str, Any]) -> None:
        answer = client.get(f"/api/pipelines/{pipeline['id']}/schema", params={"version": 9})
        assert answer.status_code == 404
        assert "newest is 1" in answer.json()["detail"]


class TestAddNullableFields:
    def test_is_accepted_as_the_next_version(
        self, client: Client, database: Database, tenant: str, pipeline: dict[str, Any]
    ) -> None:
        path = f"/api/pipelines/{pipeline['id']}/schema"
        answer = client.put(path, json={"schema": MORE})
        assert (answer.status_code, answer.json()["version"], answer.json()["changed"]) == (200, 2, True)
        assert [item["version"] for item in client.get(f"{path}/versions").json()] == [2, 1]
        assert len(client.get(path, params={"version": 1}).json()["schema"]) == 4
        with database.transaction(tenant) as connection:
            snapshot = CatalogReader().snapshot(connection, tenant, pipeline["id"])
        assert snapshot.schema_version == 2
        assert snapshot.schema.field("channel") is not None

    def test_what_get_answers_may_be_sent_back(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/schema"
        read = client.get(path).json()
        read["schema"].append({"name": "channel", "type": "string"})
        assert client.put(path, json=read).json()["version"] == 2

    def test_the_same_schema_changes_nothing(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/schema"
        answer = client.put(path, json={"schema": list(reversed(FIELDS))})
        assert (answer.json()["version"], answer.json()["changed"]) == (1, False)

    def test_everything_wrong_is_listed(self, client: Client, pipeline: dict[str, Any]) -> None:
        wrong = [*FIELDS, {"name": "Amount", "type": "float"}, {"name": "x", "type": "map<string>"}]
        answer = client.put(f"/api/pipelines/{pipeline['id']}/schema", json={"schema": wrong})
        assert answer.status_code == 422
        assert pointers(answer) == {"/schema/4/name", "/schema/5/type"}

    def test_an_outdated_if_match_is_412(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/schema"
        assert client.put(path, json={"schema": MORE}, headers={"If-Match": '"1"'}).status_code == 200
        answer = client.put(path, json={"schema": FIELDS}, headers={"If-Match": '"1"'})
        assert answer.status_code == 412
        assert "version 2, not 1" in answer.json()["detail"]


class TestBreak:
    @pytest.mark.parametrize(
        ("schema", "kinds"),
        [
            (without("country"), {"removed"}),
            (changed("amount", type="string"), {"retyped"}),
            (changed("country", nullable=False), {"required"}),
            (changed("amount", nullable=True), {"optional"}),
            (changed("user_id", role=None), {"role"}),
            ([*FIELDS, {"name": "must", "type": "string", "nullable": False}], {"added_required"}),
            ([*FIELDS, {"name": "at", "type": "timestamp", "event_time": True}], {"role"}),
        ],
    )
    def test_any_other_change_is_refused_with_a_plan(
        self, client: Client, pipeline: dict[str, Any], schema: Any, kinds: set[str]
    ) -> None:
        path = f"/api/pipelines/{pipeline['id']}/schema"
        answer = client.put(path, json={"schema": schema})
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:sentinel:problem:breaking-change"
        assert {item["kind"] for item in answer.json()["plan"]["breaking"]} == kinds
        assert client.get(path).json()["version"] == 1

    def test_the_plan_names_rules_and_lake_columns(self, client: Client, pipeline: dict[str, Any]) -> None:
        broken = add_rule(client, pipeline["id"], "country = 'DE'")
        add_rule(client, pipeline["id"], "amount > 1")
        answer = client.put(f"/api/pipelines/{pipeline['id']}/schema", json={"schema": without("country")})
        plan = answer.json()["plan"]
        (rule,) = plan["rules"]
        assert (rule["rule_id"], rule["deactivated"]) == (broken["id"], True)
        assert "country" in rule["reasons"][0]
        assert plan["lake_columns"] == [{"column": "country", "change": "removed", "before": "string", "after": None}]

    def test_a_rule_that_still_fits_but_sees_other_values_is_named(
        self, client: Client, pipeline: dict[str, Any]
    ) -> None:
        rule = add_rule(client, pipeline["id"], "amount > 1")
        answer = client.put(
            f"/api/pipelines/{pipeline['id']}/schema", json={"schema": changed("amount", type="integer")}
        )
        (named,) = answer.json()["plan"]["rules"]
        assert (named["rule_id"], named["deactivated"]) == (rule["id"], False)
        assert named["reasons"] == ["uses amount: float becomes integer"]

    @pytest.mark.parametrize("place", ["query", "body"])
    def test_the_confirmed_plan_is_carried_out(
        self, client: Client, database: Database, tenant: str, pipeline: dict[str, Any], place: str
    ) -> None:
        path = f"/api/pipelines/{pipeline['id']}/schema"
        broken = add_rule(client, pipeline["id"], "country = 'DE'")
        kept = add_rule(client, pipeline["id"], "amount > 1")
        body = {"schema": without("country")}
        token = client.put(path, json=body).json()["plan"]["confirm"]
        if place == "query":
            answer = client.put(path, json=body, params={"confirm": token})
        else:
            answer = client.put(path, json={**body, "confirm": token})
        assert answer.status_code == 200
        assert answer.json()["deactivated_rules"] == [broken["id"]]
        assert client.get(f"/api/rules/{broken['id']}").json()["is_active"] is False
        with database.transaction(tenant) as connection:
            snapshot = CatalogReader().snapshot(connection, tenant, pipeline["id"])
        assert snapshot.schema_version == 2
        assert [rule.rule_id for rule in snapshot.rule_set.rules] == [kept["id"]]

    def test_a_plan_that_has_changed_since_is_refused(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/schema"
        body = {"schema": without("country")}
        token = client.put(path, json=body).json()["plan"]["confirm"]
        add_rule(client, pipeline["id"], "country = 'DE'")
        answer = client.put(path, json=body, params={"confirm": token})
        assert answer.status_code == 409
        assert "another plan" in answer.json()["detail"]
        assert answer.json()["plan"]["confirm"] != token

    def test_a_token_is_good_for_one_schema_only(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/schema"
        token = client.put(path, json={"schema": without("country")}).json()["plan"]["confirm"]
        answer = client.put(path, json={"schema": without("amount")}, params={"confirm": token})
        assert answer.status_code == 409
