"""Rules that refer to other rules of their pipeline."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Client

from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.snapshots import CatalogReader
from tests.integration.api.conftest import FIELDS, add_rule, create_pipeline

pytestmark = pytest.mark.integration

RULE = {"severity": "critical", "description": "large"}


def change(client: Client, rule: dict[str, Any], expression: str, **more: Any) -> Any:
    """Write another version and return the answer."""
    return client.put(f"/api/rules/{rule['id']}", json={**RULE, "rule_expression": expression, **more})


def state(client: Client, rule: dict[str, Any], wanted: str) -> Any:
    """Move a rule and return the answer."""
    return client.post(f"/api/rules/{rule['id']}/state", json={"state": wanted})


@pytest.fixture
def base(client: Client, pipeline: dict[str, Any]) -> dict[str, Any]:
    """A rule that others refer to."""
    return add_rule(client, pipeline["id"], "country = 'DE'", name="domestic")


def references(database: Database, tenant: str, pipeline_id: int, version: int | None = None) -> dict[str, str]:
    """Return what names stand for in a rule set."""
    reader = CatalogReader()
    with database.transaction(tenant) as connection:
        current = reader.snapshot(connection, tenant, pipeline_id).rule_set
        rule_set = current if version is None else reader.rule_set(connection, pipeline_id, version)
    return rule_set.conditions_by_name


def test_in_both_forms(client: Client, pipeline: dict[str, Any], base: dict[str, Any]) -> None:
    add_rule(client, pipeline["id"], "rule('domestic') AND amount > 100")
    short = add_rule(client, pipeline["id"], 'when not rule("domestic") and amount > 9 then tag("x")', severity="info")
    assert short["rule_expression"] == "NOT rule('domestic') AND amount > 9"


def test_a_change_of_the_referenced_rule_is_a_new_rule_set(
    client: Client, database: Database, tenant: str, pipeline: dict[str, Any], base: dict[str, Any]
) -> None:
    add_rule(client, pipeline["id"], "rule('domestic') AND amount > 100", name="large")
    add_rule(client, pipeline["id"], "rule('large') AND amount > 200")
    change(client, base, "country IN ('DE', 'AT')")
    assert references(database, tenant, pipeline["id"]) == {
        "domestic": "country IN ('DE', 'AT')",
        "large": "rule('domestic') AND amount > 100",
    }
    assert references(database, tenant, pipeline["id"], 2) == {"domestic": "country = 'DE'"}


def test_a_paused_rule_is_referred_to_all_the_same(
    client: Client, database: Database, tenant: str, pipeline: dict[str, Any], base: dict[str, Any]
) -> None:
    add_rule(client, pipeline["id"], "rule('domestic') AND amount > 100")
    assert state(client, base, "paused").status_code == 200
    assert references(database, tenant, pipeline["id"]) == {"domestic": "country = 'DE'"}
    change(client, base, "country = 'AT'")
    assert references(database, tenant, pipeline["id"]) == {"domestic": "country = 'AT'"}


@pytest.mark.parametrize(
    ("expression", "code", "start", "suggestion"),
    [
        ("amount > 1 AND rule('domestik')", "unknown-rule", 15, "Did you mean domestic?"),
        ("rule('sketch')", "unknown-rule", 0, "Take sketch out of draft first."),
        ("rule(country)", "rule-reference", 0, "Write rule('new_wallet')."),
        ("rule('domestic', 'x')", "rule-reference", 0, "Write rule('new_wallet')."),
        ("rule('me')", "rule-cycle", 0, None),
        ("rule('elsewhere')", "unknown-rule", 0, None),
    ],
)
def test_refused(  # noqa: PLR0917 - two fixtures, four parameters
    client: Client, pipeline: dict[str, Any], base: dict[str, Any], expression: str, code: str, start: int,
    suggestion: str | None,
) -> None:  # fmt: skip
    add_rule(client, pipeline["id"], "amount > 1", name="sketch", state="draft")
    add_rule(client, create_pipeline(client)["id"], "amount > 1", name="elsewhere")
    body = {"rule_expression": expression, "pipeline_id": pipeline["id"], "name": "me"}
    checked = client.post("/api/rules/check", json=body).json()
    (issue,) = checked["issues"]
    assert (checked["valid"], issue["code"], issue["start"]) == (False, code, start)
    assert suggestion is None or issue["suggestion"] == suggestion
    added = client.post(
        f"/api/pipelines/{pipeline['id']}/rules", json={**RULE, "rule_expression": expression, "name": "other"}
    )
    assert added.status_code == 422


def test_a_circle_is_named(client: Client, pipeline: dict[str, Any], base: dict[str, Any]) -> None:
    add_rule(client, pipeline["id"], "rule('domestic')", name="second")
    third = add_rule(client, pipeline["id"], "rule('second')", name="third")
    answer = change(client, base, "rule('third')")
    assert answer.status_code == 422
    assert "domestic -> third -> second -> domestic" in answer.json()["errors"][0]["message"]
    assert change(client, third, "rule('third') OR amount > 1").status_code == 422


def test_a_rule_that_others_refer_to_stays_and_keeps_its_name(
    client: Client, pipeline: dict[str, Any], base: dict[str, Any]
) -> None:
    composite = add_rule(client, pipeline["id"], "rule('domestic') AND amount > 100", name="large")
    assert "large" in state(client, base, "archived").json()["detail"]
    assert "large" in change(client, base, "country = 'DE'", name="national").json()["detail"]
    client.post(f"/api/rules/{base['id']}/state", json={"state": "paused"})
    assert state(client, base, "draft").status_code == 409
    assert state(client, composite, "archived").status_code == 200
    assert state(client, base, "archived").status_code == 200


def test_a_candidate_that_refers_to_it_counts_as_well(
    client: Client, pipeline: dict[str, Any], base: dict[str, Any]
) -> None:
    rule = add_rule(client, pipeline["id"], "amount > 100", name="large")
    client.put(f"/api/rules/{rule['id']}/candidate", json={**RULE, "rule_expression": "rule('domestic')"})
    client.post(f"/api/rules/{rule['id']}/candidate/state", json={"state": "shadow"})
    assert state(client, base, "archived").status_code == 409


def test_a_change_that_breaks_a_dependent_is_refused_and_names_it(
    client: Client, pipeline: dict[str, Any], base: dict[str, Any]
) -> None:
    add_rule(client, pipeline["id"], "country = 'AT'", name="austrian")
    add_rule(client, pipeline["id"], " OR ".join(["rule('domestic')"] * 60), name="fan")
    answer = change(client, base, "rule('austrian') OR country = 'DE'")
    assert answer.status_code == 409
    assert "fan: It refers to more than 100 rules" in answer.json()["detail"]
    assert change(client, base, "country = 'AT'").status_code == 200


def test_a_chain_and_a_fan_are_bounded(client: Client, pipeline: dict[str, Any], base: dict[str, Any]) -> None:
    fan = " OR ".join(["rule('domestic')"] * 60)
    add_rule(client, pipeline["id"], fan, name="fan")
    twice = client.post(
        f"/api/pipelines/{pipeline['id']}/rules", json={**RULE, "rule_expression": "rule('fan') OR rule('fan')"}
    )
    assert twice.json()["errors"][0]["code"] == "too-complex"
    before = "domestic"
    for number in range(9):
        add_rule(client, pipeline["id"], f"rule('{before}')", name=f"link{number}")
        before = f"link{number}"
    too_long = client.post(
        f"/api/pipelines/{pipeline['id']}/rules",
        json={**RULE, "rule_expression": f"rule('{before}')", "name": "last"},
    )
    assert too_long.json()["errors"][0]["code"] == "too-complex"


def test_a_schema_change_that_breaks_the_referenced_rule_breaks_both(
    client: Client, database: Database, tenant: str, pipeline: dict[str, Any], base: dict[str, Any]
) -> None:
    composite = add_rule(client, pipeline["id"], "rule('domestic') AND amount > 100")
    without = {"schema": [field for field in FIELDS if field["name"] != "country"]}
    path = f"/api/pipelines/{pipeline['id']}/schema"
    plan = client.put(path, json=without).json()["plan"]
    assert {rule["rule_id"] for rule in plan["rules"] if rule["deactivated"]} == {base["id"], composite["id"]}
    done = client.put(path, json={**without, "confirm": plan["confirm"]})
    assert sorted(done.json()["deactivated_rules"]) == sorted([base["id"], composite["id"]])
    assert references(database, tenant, pipeline["id"]) == {}
    back = client.patch(f"/api/rules/{composite['id']}/status", json={"is_active": True})
    assert (back.status_code, "domestic" in back.json()["errors"][0]["detail"]) == (409, True)
