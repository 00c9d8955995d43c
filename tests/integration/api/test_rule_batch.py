"""Many rules in one request."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Client

from sentinel.client import Client as ApiClient
from sentinel.errors import ConflictError, VersionMismatchError
from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import add_rule, create_pipeline, pointers
from tests.integration.api.test_rules import snapshot_rules

pytestmark = pytest.mark.integration


def entry(expression: str, **more: Any) -> dict[str, Any]:
    return {"rule_expression": expression, "severity": "info", **more}


def send(client: Client, pipeline_id: int, *rules: dict[str, Any]) -> Any:
    return client.post(f"/api/pipelines/{pipeline_id}/rules/batch", json={"rules": rules})


def test_all_of_it_is_one_rule_set(client: Client, database: Database, tenant: str, pipeline: dict[str, Any]) -> None:
    old = add_rule(client, pipeline["id"], "amount > 1", name="old")
    answer = send(
        client,
        pipeline["id"],
        entry("amount > 2", rule_id=old["id"], row_version=old["row_version"], comment="twice as much"),
        entry("amount > 3", name="new"),
        entry("rule('new') AND rule('old')", name="both"),
        entry("amuont > 4", name="unfinished", state="draft"),
        entry("amount > 5", state="paused"),
    )
    assert answer.status_code == 200
    body = answer.json()
    assert snapshot_rules(database, tenant, pipeline["id"]) == (
        body["rule_set_version"],
        ["amount > 2", "amount > 3", "rule('new') AND rule('old')"],
    )
    assert body["rule_set_version"] == 2
    assert [(rule["state"], rule["version"]) for rule in body["rules"]] == [
        ("active", 2),
        ("active", 1),
        ("active", 1),
        ("draft", 1),
        ("paused", 1),
    ]
    assert [issue["code"] for issue in body["rules"][3]["issues"]] == ["unknown-column"]
    newest = client.get(f"/api/rules/{old['id']}/versions").json()[0]
    assert newest["comment"] == "twice as much"
    entries = client.get("/api/audit", params={"pipeline_id": pipeline["id"]}).json()
    assert sorted(each["action"] for each in entries if each["object_type"] == "rule") == [
        *["rule.add"] * 5,
        "rule.change",
    ]


def test_everything_wrong_is_told_and_nothing_is_written(
    client: Client, database: Database, tenant: str, pipeline: dict[str, Any]
) -> None:
    old = add_rule(client, pipeline["id"], "amount > 1", name="old")
    answer = send(
        client,
        pipeline["id"],
        entry("amount > 2", name="fine"),
        entry("amuont > 2 AND cuontry = 'DE'"),
        entry("amount > 3", rule_id=old["id"], row_version=99),
        entry("amount > 4", name="fine"),
        entry("amount > 5", rule_id=2**40),
        {"rule_expression": "amount > 6"},
    )
    assert answer.status_code == 422
    assert pointers(answer) == {
        "/rules/1/rule_expression",
        "/rules/2",
        "/rules/3",
        "/rules/3/name",
        "/rules/4",
        "/rules/5",
    }
    assert "5 of 6 rules cannot be written, so none was" in answer.json()["detail"]
    assert [rule["name"] for rule in client.get(f"/api/pipelines/{pipeline['id']}/rules").json()] == ["old"]
    assert snapshot_rules(database, tenant, pipeline["id"]) == (1, ["amount > 1"])


def test_what_refers_to_a_changed_rule_must_still_work(client: Client, pipeline: dict[str, Any]) -> None:
    old = add_rule(client, pipeline["id"], "amount > 1", name="old")
    add_rule(client, pipeline["id"], "rule('old')", name="uses_it")
    answer = send(client, pipeline["id"], entry("rule('uses_it')", rule_id=old["id"]))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/rules/0/rule_expression"


def test_a_rule_of_another_pipeline_is_not_found(client: Client, pipeline: dict[str, Any]) -> None:
    other = create_pipeline(client)
    foreign = add_rule(client, other["id"])
    answer = send(client, pipeline["id"], entry("amount > 2", rule_id=foreign["id"]))
    assert answer.status_code == 409
    assert f"pipeline {pipeline['id']} has no rule {foreign['id']}" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "at least 1 item"),
        ([entry("amount > 1")] * 1001, "at most 1000 items"),
        ([entry("amount > 1", row_version=1)], "give its rule_id, too"),
        ([entry("amount > 1", rule_id=1, state="paused")], "moves no rule to another state"),
        ([entry("amount > 1", state="rollout")], "Input should be"),
        ([entry("amount > 1", rule_id=1)] * 2, "named twice"),
    ],
)
def test_what_can_never_work_is_refused(
    client: Client, pipeline: dict[str, Any], rules: list[dict[str, Any]], said: str
) -> None:
    answer = send(client, pipeline["id"], *rules)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_who_may(anonymous: Client, stranger: Client, pipeline: dict[str, Any]) -> None:
    assert send(anonymous, pipeline["id"], entry("amount > 1")).status_code == 401
    assert send(stranger, pipeline["id"], entry("amount > 1")).status_code == 404


def test_sent_twice_it_is_done_once(client: Client, pipeline: dict[str, Any]) -> None:
    path, body = f"/api/pipelines/{pipeline['id']}/rules/batch", {"rules": [entry("amount > 1", name="once")]}
    first = client.post(path, json=body, headers={"Idempotency-Key": "a"})
    again = client.post(path, json=body, headers={"Idempotency-Key": "a"})
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert len(client.get(f"/api/pipelines/{pipeline['id']}/rules").json()) == 1


def test_the_client_tells_what_the_api_told(api: ApiClient, pipeline: dict[str, Any]) -> None:
    (rule,) = api.write_rules(pipeline["id"], [entry("amount > 1", name="mine")])
    assert (rule.name, rule.state) == ("mine", "active")
    stale = entry("amount > 2", rule_id=rule.id, row_version=rule.row_version + 1)
    with pytest.raises(VersionMismatchError, match="/rules/0"):
        api.write_rules(pipeline["id"], [stale])
    with pytest.raises(ConflictError) as caught:
        api.write_rules(pipeline["id"], [entry("amount > 2", name="mine")])
    assert caught.value.details[0].pointer == "/rules/0"


def test_a_thousand_rules_change_by_one_rule_set(
    client: Client, database: Database, tenant: str, pipeline: dict[str, Any]
) -> None:
    added = send(client, pipeline["id"], *(entry(f"amount > {n}") for n in range(1000))).json()["rules"]
    changed = send(
        client,
        pipeline["id"],
        *(
            entry(f"{rule['rule_expression']} AND amount < 9999", rule_id=rule["id"], row_version=rule["row_version"])
            for rule in added
        ),
    )
    assert changed.status_code == 200
    version, conditions = snapshot_rules(database, tenant, pipeline["id"])
    assert version == 2
    assert conditions == [f"amount > {n} AND amount < 9999" for n in range(1000)]
    more = send(client, pipeline["id"], entry("amount > 1000"))
    assert more.status_code == 409
    assert "has 1000 active rules, as many as one may" in more.json()["detail"]
