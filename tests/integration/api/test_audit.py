"""Audit entries: every change leaves one, and none can be changed."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
from httpx import Client

from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import FIELDS, add_rule
from tests.integration.api.test_mutes import SNOOZE

pytestmark = pytest.mark.integration

RULE = {"rule_expression": "amount > 200", "severity": "critical", "description": "large"}


def entries(client: Client, **wanted: Any) -> list[dict[str, Any]]:
    """Return audit entries, newest first."""
    answer = client.get("/api/audit", params=wanted)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def test_anonymous_gets_401(anonymous: Client) -> None:
    assert anonymous.get("/api/audit").status_code == 401


def test_another_tenant_sees_none_of_it(client: Client, stranger: Client, pipeline: dict[str, Any]) -> None:
    add_rule(client, pipeline["id"])
    assert entries(stranger, pipeline_id=pipeline["id"]) == []


def test_every_step_of_a_rule_leaves_an_entry(client: Client, pipeline: dict[str, Any]) -> None:
    rule = add_rule(client, pipeline["id"], name="large", comment="first")
    path = f"/api/rules/{rule['id']}"
    client.put(path, json={**RULE, "comment": "too many"})
    client.put(path, json={**RULE, "comment": "nothing new"})
    client.post(f"{path}/rollback", json={"version": 1})
    client.put(f"{path}/candidate", json=RULE)
    client.post(f"{path}/candidate/state", json={"state": "rollout", "share_percent": 5})
    client.post(f"{path}/promote", json={"comment": "as good"})
    client.patch(f"{path}/status", json={"is_active": False})
    client.post(f"{path}/state", json={"state": "archived", "comment": "done"})
    found = entries(client, object_type="rule", object_id=rule["id"])[::-1]
    assert [entry["action"] for entry in found] == [
        "rule.add", "rule.change", "rule.rollback", "rule.propose", "rule.candidate", "rule.promote", "rule.state",
        "rule.state",
    ]  # fmt: skip
    (actor,) = {entry["actor"] for entry in found}
    assert re.fullmatch(r"test \(key:\d+\)", actor)
    assert entries(client, actor=actor, action="rule.add")[0]["object_id"] == rule["id"]
    assert {entry["object_name"] for entry in found} == {"large"}
    assert found[0]["before"] is None
    assert found[0]["after"]["rule_expression"] == "amount > 100"
    changed = found[1]
    assert (changed["before"]["rule_expression"], changed["after"]["rule_expression"]) == (
        "amount > 100", "amount > 200",
    )  # fmt: skip
    assert changed["before"]["content_hash"] != changed["after"]["content_hash"]
    assert (changed["comment"], "severity" in changed["after"]) == ("too many", False)
    assert found[4]["after"]["rollout"]["share"] == 500
    assert (found[-1]["before"], found[-1]["after"]) == ({"state": "paused"}, {"state": "archived"})


def test_what_was_refused_leaves_none(client: Client, pipeline: dict[str, Any]) -> None:
    rule = add_rule(client, pipeline["id"])
    client.put(f"/api/rules/{rule['id']}", json={**RULE, "rule_expression": "amont > 1"})
    client.post(f"/api/rules/{rule['id']}/state", json={"state": "draft"})
    assert [entry["action"] for entry in entries(client, pipeline_id=pipeline["id"])] == ["rule.add", "pipeline.add"]


def test_mutes_scorecards_and_schemas(client: Client, pipeline: dict[str, Any]) -> None:
    rule = add_rule(client, pipeline["id"], "country = 'DE'", name="domestic")
    made = client.post(f"/api/pipelines/{pipeline['id']}/mutes", json=SNOOZE).json()
    client.delete(f"/api/mutes/{made['id']}")
    card = {"name": "risk", "weights": {"domestic": 1}, "thresholds": {"review": 1, "decline": 2}}
    client.post(f"/api/pipelines/{pipeline['id']}/scorecards", json=card)
    without = {"schema": [field for field in FIELDS if field["name"] != "country"]}
    plan = client.put(f"/api/pipelines/{pipeline['id']}/schema", json=without).json()["plan"]
    client.put(f"/api/pipelines/{pipeline['id']}/schema", json={**without, "confirm": plan["confirm"]})
    found = entries(client, pipeline_id=pipeline["id"])
    assert [entry["action"] for entry in found] == [
        "rule.deactivate", "schema.change", "scorecard.add", "mute.end", "mute.add", "rule.add", "pipeline.add",
    ]  # fmt: skip
    assert (found[0]["object_id"], found[0]["comment"]) == (rule["id"], "does not fit schema version 2")
    assert (found[4]["object_name"], found[4]["comment"]) == ("user_id=u1", "known traveller")


def test_the_list_is_paged_and_filtered(client: Client, pipeline: dict[str, Any]) -> None:
    for number in range(3):
        add_rule(client, pipeline["id"], f"amount > {number}")
    first = client.get("/api/audit", params={"pipeline_id": pipeline["id"], "limit": 2})
    second = client.get(first.links["next"]["url"])
    numbers = [entry["id"] for entry in first.json() + second.json()]
    assert (len(numbers), numbers) == (4, sorted(numbers, reverse=True))
    assert "next" not in second.links
    assert entries(client, actor="nobody") == []
    assert entries(client, since="2999-01-01T00:00:00Z") == []
    assert client.get("/api/audit", params={"limit": 0}).status_code == 422


@pytest.mark.parametrize(
    "statement", ["UPDATE sentinel.audit_entries SET actor = 'x'", "DELETE FROM sentinel.audit_entries"]
)
def test_the_application_cannot_change_an_entry(
    client: Client, database: Database, tenant: str, pipeline: dict[str, Any], statement: Any
) -> None:
    add_rule(client, pipeline["id"])
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction(tenant) as connection:
        connection.execute(statement)
    assert len(entries(client, pipeline_id=pipeline["id"])) == 2


def test_pipelines_schemas_and_their_settings_leave_entries(client: Client, pipeline: dict[str, Any]) -> None:
    path = f"/api/pipelines/{pipeline['id']}"
    client.patch(path, json={"storm_limit": 5})
    client.patch(path, json={"storm_limit": 5})
    client.patch(f"{path}/status", json={"status": "paused"})
    client.put(f"{path}/schema", json={"schema": [*FIELDS, {"name": "city", "type": "string"}]})
    found = entries(client, pipeline_id=pipeline["id"])[::-1]
    assert [entry["action"] for entry in found] == [
        "pipeline.add",
        "pipeline.config",
        "pipeline.status",
        "schema.change",
    ]
    assert found[0]["after"]["kafka_topic"] == pipeline["kafka_topic"]
    assert (found[1]["before"], found[1]["after"]) == ({"storm_limit": 10_000}, {"storm_limit": 5})
    assert (found[2]["before"], found[2]["after"]) == ({"status": "active"}, {"status": "paused"})
    assert found[3]["object_type"] == "schema"
    assert found[3]["after"]["version"] == 2
    assert found[3]["after"]["city"] == {"name": "city", "type": "string", "nullable": True}
    assert "amount" not in found[3]["after"]


def test_tests_beside_rules_leave_entries_without_their_events(client: Client, pipeline: dict[str, Any]) -> None:
    rule = add_rule(client, pipeline["id"], state="draft")
    path = f"/api/rules/{rule['id']}/tests"
    test = {"name": "mine", "event": {"amount": 1234.5}, "expected": "match"}
    made = client.post(path, json=test).json()
    client.put(f"{path}/{made['id']}", json={**test, "expected": "no_match"})
    client.delete(f"{path}/{made['id']}")
    found = entries(client, object_type="rule", object_id=rule["id"])[::-1][1:]
    assert [entry["action"] for entry in found] == ["test.add", "test.change", "test.delete"]
    assert (found[1]["before"], found[1]["after"]) == ({"expected": "match"}, {"expected": "no_match"})
    assert found[2]["before"]["name"] == "mine"
    assert "1234.5" not in str(found)


def test_lists_leave_entries_with_their_counts(client: Client, tenant: str, users: dict[str, Any]) -> None:
    name = users["name"]
    client.put(f"/api/lists/{name}/rows", json={"rows": []})
    client.delete(f"/api/lists/{name}")
    found = entries(client, object_type="list")[::-1]
    assert [entry["action"] for entry in found] == ["list.add", "list.upload", "list.delete"]
    assert {entry["object_name"] for entry in found} == {name}
    assert found[1]["after"]["removed"] == found[0]["after"]["row_count"] > 0
    assert found[2]["before"] == {"version": 2, "row_count": 0}
