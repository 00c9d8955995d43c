"""The rules resource."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Client

from sentinel.domain.rule import RuleContent, RuleState, Severity
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.rules import PostgresRules
from sentinel.stores.postgres.snapshots import CatalogReader
from tests.integration.api.conftest import FIELDS, add_rule, create_pipeline

pytestmark = pytest.mark.integration

RULE = {"rule_expression": "amount > 100", "severity": "critical", "description": "large"}


def snapshot_rules(database: Database, tenant: str, pipeline_id: int) -> tuple[int, list[str]]:
    """Return what the job would run now: rule set version and conditions."""
    with database.transaction(tenant) as connection:
        rule_set = CatalogReader().snapshot(connection, tenant, pipeline_id).rule_set
    return rule_set.version, [rule.condition for rule in rule_set.rules]


CALLS = [
    ("GET", "/api/pipelines/{pipeline}/rules", None),
    ("POST", "/api/pipelines/{pipeline}/rules", RULE),
    ("GET", "/api/rules/{rule}", None),
    ("PUT", "/api/rules/{rule}", RULE),
    ("PATCH", "/api/rules/{rule}/status", {"is_active": False}),
    ("GET", "/api/rules/{rule}/versions", None),
    ("POST", "/api/rules/{rule}/rollback", {"version": 1}),
    ("POST", "/api/rules/check", {"rule_expression": "amount > 1", "pipeline_id": "{pipeline}"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    assert anonymous.request(method, path.format(pipeline=1, rule=1), json=body).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_another_tenant_gets_404(  # noqa: PLR0917 - three fixtures, three parameters
    client: Client, stranger: Client, pipeline: dict[str, Any], method: str, path: str, body: Any
) -> None:
    rule = add_rule(client, pipeline["id"])
    if body and "pipeline_id" in body:
        body = {**body, "pipeline_id": pipeline["id"]}
    answer = stranger.request(method, path.format(pipeline=pipeline["id"], rule=rule["id"]), json=body)
    assert answer.status_code == 404


class TestAdd:
    def test_answers_with_id_and_status(self, client: Client, pipeline: dict[str, Any]) -> None:
        answer = client.post(f"/api/pipelines/{pipeline['id']}/rules", json=RULE)
        assert answer.status_code == 201
        assert answer.json().items() >= {**RULE, "status": "active", "is_active": True, "version": 1}.items()
        assert answer.headers["location"] == f"/api/rules/{answer.json()['id']}"

    def test_the_job_sees_each_change_as_the_next_rule_set(
        self, client: Client, database: Database, tenant: str, pipeline: dict[str, Any]
    ) -> None:
        first = add_rule(client, pipeline["id"], "amount > 1")
        add_rule(client, pipeline["id"], "amount > 2")
        assert snapshot_rules(database, tenant, pipeline["id"]) == (2, ["amount > 1", "amount > 2"])
        client.patch(f"/api/rules/{first['id']}/status", json={"is_active": False})
        assert snapshot_rules(database, tenant, pipeline["id"]) == (3, ["amount > 2"])
        client.put(f"/api/rules/{first['id']}", json={**RULE, "rule_expression": "amount > 3"})
        assert snapshot_rules(database, tenant, pipeline["id"]) == (3, ["amount > 2"])
        client.patch(f"/api/rules/{first['id']}/status", json={"is_active": True})
        assert snapshot_rules(database, tenant, pipeline["id"]) == (4, ["amount > 3", "amount > 2"])

    def test_earlier_rule_sets_can_still_be_read(
        self, client: Client, database: Database, tenant: str, pipeline: dict[str, Any]
    ) -> None:
        rule = add_rule(client, pipeline["id"], "amount > 1")
        client.put(f"/api/rules/{rule['id']}", json={**RULE, "rule_expression": "amount > 2"})
        with database.transaction(tenant) as connection:
            reader = CatalogReader()
            sets = [reader.rule_set(connection, pipeline["id"], version).rules for version in (0, 1, 2)]
        assert [[rule.condition for rule in rules] for rules in sets] == [[], ["amount > 1"], ["amount > 2"]]

    def test_an_inactive_rule_leaves_the_rule_set_alone(
        self, client: Client, database: Database, tenant: str, pipeline: dict[str, Any]
    ) -> None:
        add_rule(client, pipeline["id"], is_active=False)
        assert snapshot_rules(database, tenant, pipeline["id"]) == (0, [])

    def test_a_rule_with_errors_is_refused_with_all_of_them(self, client: Client, pipeline: dict[str, Any]) -> None:
        text = "amuont > 100 AND cuontry = 'DE'"
        answer = client.post(f"/api/pipelines/{pipeline['id']}/rules", json={**RULE, "rule_expression": text})
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:sentinel:problem:invalid-rule"
        found = [(text[item["start"] : item["end"]], item["pointer"]) for item in answer.json()["errors"]]
        assert found == [("amuont", "/rule_expression"), ("cuontry", "/rule_expression")]
        assert client.get(f"/api/pipelines/{pipeline['id']}/rules").json() == []

    @pytest.mark.parametrize(
        "change",
        [{"severity": "high"}, {"severity": None}, {"rule_expression": 5}, {"description": "x" * 2001}, {"x": 1}],
    )
    def test_a_wrong_shape_is_refused(self, client: Client, pipeline: dict[str, Any], change: Any) -> None:
        answer = client.post(f"/api/pipelines/{pipeline['id']}/rules", json={**RULE, **change})
        assert answer.status_code == 422
        assert [item["pointer"] for item in answer.json()["errors"]] == [f"/{next(iter(change))}"]

    def test_repeating_it_under_one_key_adds_one(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/rules"
        ids = {client.post(path, json=RULE, headers={"Idempotency-Key": "r"}).json()["id"] for _ in range(3)}
        assert len(ids) == 1
        assert len(client.get(path).json()) == 1


class TestChange:
    def test_put_writes_the_next_version(self, client: Client, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"])
        body = {"rule_expression": "amount > 5", "severity": "info", "description": "other"}
        answer = client.put(f"/api/rules/{rule['id']}", json=body)
        assert answer.json().items() >= {**body, "version": 2}.items()
        assert answer.json()["rule_version_id"] > rule["rule_version_id"]
        assert client.get(f"/api/rules/{rule['id']}").json() == answer.json()

    def test_the_same_content_again_is_the_same_version(self, client: Client, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"], RULE["rule_expression"])
        assert client.put(f"/api/rules/{rule['id']}", json=RULE).json()["version"] == 1

    def test_it_keeps_its_severity_without_one(self, client: Client, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"])
        changed = client.put(f"/api/rules/{rule['id']}", json={"rule_expression": "amount > 7"}).json()
        assert (changed["severity"], changed["version"]) == (rule["severity"], 2)

    def test_an_outdated_if_match_is_412(self, client: Client, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"])
        read = client.get(f"/api/rules/{rule['id']}").headers["etag"]
        body = {**RULE, "rule_expression": "amount > 7"}
        assert client.put(f"/api/rules/{rule['id']}", json=body, headers={"If-Match": read}).status_code == 200
        late = client.patch(f"/api/rules/{rule['id']}/status", json={"is_active": False}, headers={"If-Match": read})
        assert late.status_code == 412
        assert client.get(f"/api/rules/{rule['id']}").json()["is_active"] is True

    def test_is_active_must_be_a_boolean(self, client: Client, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"])
        assert client.patch(f"/api/rules/{rule['id']}/status", json={"is_active": "no"}).status_code == 422

    def test_a_rule_that_no_longer_fits_cannot_be_switched_on(self, client: Client) -> None:
        pipeline = create_pipeline(client)
        rule = add_rule(client, pipeline["id"], "country = 'DE'", is_active=False)
        path = f"/api/pipelines/{pipeline['id']}/schema"
        without = {"schema": [field for field in FIELDS if field["name"] != "country"]}
        plan = client.put(path, json=without).json()["plan"]
        assert client.put(path, json=without, params={"confirm": plan["confirm"]}).status_code == 200
        answer = client.patch(f"/api/rules/{rule['id']}/status", json={"is_active": True})
        assert answer.status_code == 409
        assert "does not fit schema version 2" in answer.json()["detail"]


class TestWarnings:
    DOUBTFUL = "amount > 1 AND country = NULL"

    def test_a_new_rule_is_answered_with_them(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/rules"
        body = {**RULE, "rule_expression": self.DOUBTFUL}
        rule = client.post(path, json=body).json()
        assert [(rule["state"], issue["severity"], issue["code"]) for issue in rule["issues"]] == [
            ("active", "warning", "null-comparison")
        ]

    def test_a_changed_rule_is(self, client: Client, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"])
        body = {**RULE, "rule_expression": self.DOUBTFUL}
        changed = client.put(f"/api/rules/{rule['id']}", json=body).json()
        assert [issue["code"] for issue in changed["issues"]] == ["null-comparison"]

    def test_each_rule_of_a_batch_is(self, client: Client, pipeline: dict[str, Any]) -> None:
        rules = [{**RULE, "rule_expression": text} for text in (self.DOUBTFUL, "amount > 5")]
        answer = client.post(f"/api/pipelines/{pipeline['id']}/rules/batch", json={"rules": rules}).json()
        assert [[issue["code"] for issue in rule["issues"]] for rule in answer["rules"]] == [["null-comparison"], []]


class TestStoredTexts:
    """A text that a new rule is refused for is not in the way of a rule that has it."""

    STORED = r"country = 'D\.'"

    def test_it_is_switched_off_and_on(
        self, client: Client, pipeline: dict[str, Any], database: Database, tenant: str
    ) -> None:
        content = RuleContent(self.STORED, Severity.INFO, "")
        with database.transaction(tenant) as connection:
            rule = PostgresRules(connection).add(
                pipeline["id"], content, name="stored", state=RuleState.PAUSED, created_by="test", comment=""
            )
        for is_active in (True, False, True):
            answer = client.patch(f"/api/rules/{rule.id}/status", json={"is_active": is_active})
            assert (answer.status_code, answer.json()["is_active"]) == (200, is_active)
        body = {"rule_expression": self.STORED, "severity": "critical"}
        changed = client.put(f"/api/rules/{rule.id}", json=body)
        assert (changed.status_code, changed.json()["severity"]) == (200, "critical")
        assert [(issue["severity"], issue["code"]) for issue in changed.json()["issues"]] == [("warning", "escape")]
        assert self.STORED in snapshot_rules(database, tenant, pipeline["id"])[1]

    def test_it_is_refused_when_new(self, client: Client, pipeline: dict[str, Any]) -> None:
        answer = client.post(f"/api/pipelines/{pipeline['id']}/rules", json={**RULE, "rule_expression": self.STORED})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "escape")

    def test_a_draft_of_it_stays_one(self, client: Client, pipeline: dict[str, Any]) -> None:
        body = {**RULE, "rule_expression": self.STORED, "state": "draft"}
        rule = client.post(f"/api/pipelines/{pipeline['id']}/rules", json=body).json()
        assert [issue["code"] for issue in rule["issues"]] == ["escape"]
        assert client.post(f"/api/rules/{rule['id']}/state", json={"state": "active"}).status_code == 409


class TestCheck:
    def test_a_good_expression(self, client: Client, pipeline: dict[str, Any]) -> None:
        body = {"rule_expression": "amount > 100 AND country = 'DE'", "pipeline_id": pipeline["id"]}
        answer = client.post("/api/rules/check", json=body)
        assert (answer.status_code, answer.json()["valid"]) == (200, True)
        assert answer.json()["columns"] == ["amount", "country"]

    def test_a_bad_one_is_an_answer_too(self, client: Client) -> None:
        body = {"rule_expression": "a > 1 AND b > 2", "schema": [{"name": "a", "type": "integer"}]}
        answer = client.post("/api/rules/check", json=body)
        assert (answer.status_code, answer.json()["valid"]) == (200, False)
        (issue,) = answer.json()["issues"]
        assert (issue["severity"], issue["start"], issue["end"]) == ("error", 10, 11)

    @pytest.mark.parametrize("more", [{}, {"pipeline_id": 1, "schema": [{"name": "a", "type": "integer"}]}])
    def test_needs_exactly_one_schema(self, client: Client, more: dict[str, Any]) -> None:
        assert client.post("/api/rules/check", json={"rule_expression": "a > 1", **more}).status_code == 422

    def test_a_schema_that_is_none_is_refused(self, client: Client) -> None:
        body = {"rule_expression": "a > 1", "schema": [{"name": "a", "type": "banana"}]}
        answer = client.post("/api/rules/check", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/schema/0/type"


class TestShortForm:
    TEXT = 'when amount > 100 and user_id == "u1" then notify("slack:#big"), severity("critical")'

    def test_both_texts_and_the_actions_are_answered_and_the_job_gets_the_condition(
        self, client: Client, database: Database, tenant: str, pipeline: dict[str, Any]
    ) -> None:
        answer = client.post(f"/api/pipelines/{pipeline['id']}/rules", json={"rule_expression": self.TEXT})
        assert answer.status_code == 201, answer.text
        rule = client.get(f"/api/rules/{answer.json()['id']}").json()
        assert (
            rule.items()
            >= {
                "rule_expression": "amount > 100 AND user_id = 'u1'",
                "short_form": self.TEXT,
                "severity": "critical",
                "actions": [{"kind": "notify", "value": "slack:#big"}, {"kind": "severity", "value": "critical"}],
            }.items()
        )
        assert snapshot_rules(database, tenant, pipeline["id"])[1] == ["amount > 100 AND user_id = 'u1'"]

    def test_other_actions_are_another_version_and_the_same_text_is_none(
        self, client: Client, pipeline: dict[str, Any]
    ) -> None:
        path = f"/api/pipelines/{pipeline['id']}/rules"
        rule_id = client.post(path, json={"rule_expression": self.TEXT}).json()["id"]
        again = client.put(f"/api/rules/{rule_id}", json={"rule_expression": self.TEXT}).json()
        other = self.TEXT.replace("#big", "#other")
        changed = client.put(f"/api/rules/{rule_id}", json={"rule_expression": other}).json()
        assert (again["version"], changed["version"], changed["actions"][0]["value"]) == (1, 2, "slack:#other")

    def test_a_mistake_is_told_with_its_place(self, client: Client, pipeline: dict[str, Any]) -> None:
        body = {"rule_expression": "when amount > then tag('x')"}
        answer = client.post(f"/api/pipelines/{pipeline['id']}/rules", json=body)
        assert answer.status_code == 422
        (issue,) = answer.json()["errors"]
        assert (issue["code"], issue["start"], issue["end"]) == ("syntax", 14, 18)

    def test_check_tells_the_condition_and_the_actions(self, client: Client, pipeline: dict[str, Any]) -> None:
        body = {"rule_expression": self.TEXT, "pipeline_id": pipeline["id"]}
        answer = client.post("/api/rules/check", json=body).json()
        assert (answer["valid"], answer["rule_expression"]) == (True, "amount > 100 AND user_id = 'u1'")
        assert [action["kind"] for action in answer["actions"]] == ["notify", "severity"]

    @pytest.mark.parametrize(
        ("body", "status", "severity"),
        [
            ({"rule_expression": "when amount > 1 then tag('x')"}, 201, "warning"),
            ({"rule_expression": "when amount > 1 then tag('x')", "severity": "info"}, 201, "info"),
            ({"rule_expression": "when amount > 1 then severity('info')", "severity": "info"}, 201, "info"),
            ({"rule_expression": "when amount > 1 then severity('info')", "severity": "critical"}, 422, None),
            ({"rule_expression": "amount > 1"}, 422, None),
        ],
    )
    def test_one_severity_counts(
        self, client: Client, pipeline: dict[str, Any], body: dict[str, Any], status: int, severity: str | None
    ) -> None:
        answer = client.post(f"/api/pipelines/{pipeline['id']}/rules", json=body)
        assert (answer.status_code, answer.json().get("severity")) == (status, severity)
        assert status == 201 or answer.json()["errors"][0]["pointer"] == "/severity"


class TestVersions:
    def changed(self, client: Client, pipeline_id: int) -> int:
        """Add a rule and change it twice; return its id."""
        rule_id = int(add_rule(client, pipeline_id, **RULE)["id"])
        client.put(f"/api/rules/{rule_id}", json={**RULE, "rule_expression": "amount > 200", "comment": "too many"})
        client.put(f"/api/rules/{rule_id}", json={**RULE, "rule_expression": "amount > 200", "severity": "info"})
        return rule_id

    def test_each_says_who_made_it_why_and_what_it_changed(self, client: Client, pipeline: dict[str, Any]) -> None:
        rule_id = self.changed(client, pipeline["id"])
        third, second, first = client.get(f"/api/rules/{rule_id}/versions").json()
        assert [each["version"] for each in (first, second, third)] == [1, 2, 3]
        assert (first["changes"], second["comment"]) == ([], "too many")
        assert second["changes"] == [{"field": "rule_expression", "before": "amount > 100", "after": "amount > 200"}]
        assert third["changes"] == [{"field": "severity", "before": "critical", "after": "info"}]
        assert third["created_by"]
        assert len({each["content_hash"] for each in (first, second, third)}) == 3

    def test_rolling_back_writes_the_old_content_as_the_next_version(
        self, client: Client, database: Database, tenant: str, pipeline: dict[str, Any]
    ) -> None:
        rule_id = self.changed(client, pipeline["id"])
        sets_before, _ = snapshot_rules(database, tenant, pipeline["id"])
        answer = client.post(f"/api/rules/{rule_id}/rollback", json={"version": 1})
        assert (
            answer.json().items() >= {"version": 4, "rule_expression": "amount > 100", "severity": "critical"}.items()
        )
        assert snapshot_rules(database, tenant, pipeline["id"]) == (sets_before + 1, ["amount > 100"])
        newest, *_, first = client.get(f"/api/rules/{rule_id}/versions").json()
        assert (newest["comment"], newest["content_hash"]) == ("back to version 1", first["content_hash"])
        again = client.post(f"/api/rules/{rule_id}/rollback", json={"version": 1})
        assert again.json()["version"] == 4

    def test_what_is_not_there_or_was_changed_meanwhile_is_refused(
        self, client: Client, pipeline: dict[str, Any]
    ) -> None:
        rule_id = self.changed(client, pipeline["id"])
        missing = client.post(f"/api/rules/{rule_id}/rollback", json={"version": 9})
        assert (missing.status_code, "newest is 3" in missing.json()["detail"]) == (404, True)
        late = client.post(f"/api/rules/{rule_id}/rollback", json={"version": 1}, headers={"If-Match": '"1"'})
        assert late.status_code == 412

    def test_a_version_that_does_not_fit_the_schema_any_more_is_refused(
        self, client: Client, pipeline: dict[str, Any]
    ) -> None:
        rule_id = self.changed(client, pipeline["id"])
        client.put(f"/api/rules/{rule_id}", json={**RULE, "rule_expression": "user_id = 'x'"})
        fields = [field for field in FIELDS if field["name"] != "amount"]
        path = f"/api/pipelines/{pipeline['id']}/schema"
        plan = client.put(path, json={"schema": fields}).json()["plan"]
        assert client.put(path, json={"schema": fields, "confirm": plan["confirm"]}).status_code == 200
        answer = client.post(f"/api/rules/{rule_id}/rollback", json={"version": 1})
        assert answer.status_code == 409
        assert "does not fit schema version" in answer.json()["detail"]
