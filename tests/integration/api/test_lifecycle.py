"""Names, states, candidates and rollout of rules."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Client

from sentinel.domain.rule import RuleSet
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.snapshots import CatalogReader
from tests.integration.api.conftest import FIELDS, add_rule, create_pipeline, pointers

pytestmark = pytest.mark.integration

RULE = {"rule_expression": "amount > 100", "severity": "critical", "description": "large"}
CALLS = [
    ("POST", "/api/rules/{rule}/state", {"state": "paused"}),
    ("PUT", "/api/rules/{rule}/candidate", RULE),
    ("POST", "/api/rules/{rule}/candidate/state", {"state": "shadow"}),
    ("POST", "/api/rules/{rule}/promote", {}),
    ("POST", "/api/rules/{rule}/abort", {}),
    ("GET", "/api/rules/{rule}/rollout", None),
    ("GET", "/api/rules/{rule}/versions/diff?from=1&to=1", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    assert anonymous.request(method, path.format(rule=1), json=body).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_another_tenant_gets_404(  # noqa: PLR0917 - three fixtures, three parameters
    client: Client, stranger: Client, pipeline: dict[str, Any], method: str, path: str, body: Any
) -> None:
    rule = add_rule(client, pipeline["id"])
    assert stranger.request(method, path.format(rule=rule["id"]), json=body).status_code == 404


class Rules:
    """The rules of a pipeline, as a caller and as the job see them."""

    def __init__(self, client: Client, database: Database, tenant: str, pipeline_id: int) -> None:
        self.client = client
        self.database = database
        self.tenant = tenant
        self.pipeline_id = pipeline_id

    def add(self, expression: str = "amount > 100", **more: Any) -> dict[str, Any]:
        return add_rule(self.client, self.pipeline_id, expression, **more)

    def state(self, rule: dict[str, Any], state: str, status: int = 200, **more: Any) -> dict[str, Any]:
        answer = self.client.post(f"/api/rules/{rule['id']}/state", json={"state": state, **more})
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    def propose(self, rule: dict[str, Any], expression: str, state: str = "draft", **more: Any) -> dict[str, Any]:
        body = {**RULE, "rule_expression": expression}
        answer = self.client.put(f"/api/rules/{rule['id']}/candidate", json=body)
        assert answer.status_code == 200, answer.text
        if state != "draft":
            body = {"state": state, **more}
            answer = self.client.post(f"/api/rules/{rule['id']}/candidate/state", json=body)
            assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def rule_set(self, version: int | None = None) -> RuleSet:
        reader = CatalogReader()
        with self.database.transaction(self.tenant) as connection:
            if version is None:
                return reader.snapshot(connection, self.tenant, self.pipeline_id).rule_set
            return reader.rule_set(connection, self.pipeline_id, version)

    @property
    def conditions(self) -> list[str]:
        return [rule.condition for rule in self.rule_set().rules]


@pytest.fixture
def rules(client: Client, database: Database, tenant: str, pipeline: dict[str, Any]) -> Rules:
    return Rules(client, database, tenant, pipeline["id"])


class TestNames:
    def test_a_rule_without_a_name_is_named_by_its_number(self, rules: Rules) -> None:
        rule = rules.add()
        assert rule["name"] == f"rule_{rule['id']}"

    def test_somebody_took_that_name_before(self, rules: Rules) -> None:
        taken = rules.add()["id"] + 2
        rules.add(name=f"rule_{taken}")
        assert rules.add()["name"] == f"rule_{taken}_2"

    def test_a_name_is_unique_in_its_pipeline_only(self, client: Client, rules: Rules) -> None:
        rules.add(name="large")
        answer = client.post(f"/api/pipelines/{rules.pipeline_id}/rules", json={**RULE, "name": "large"})
        assert answer.status_code == 409
        assert pointers(answer) == {"/name"}
        assert add_rule(client, create_pipeline(client)["id"], name="large")["name"] == "large"

    def test_an_archived_rule_gives_its_name_free(self, rules: Rules) -> None:
        rules.state(rules.add(name="large"), "archived")
        assert rules.add(name="large")["state"] == "active"

    @pytest.mark.parametrize("name", ["", "Large", "1st", "a-b", "a b", "ä", "x" * 65, "a\n", "a'b"])
    def test_other_names_are_refused(self, client: Client, rules: Rules, name: str) -> None:
        answer = client.post(f"/api/pipelines/{rules.pipeline_id}/rules", json={**RULE, "name": name})
        assert answer.status_code == 422
        assert pointers(answer) == {"/name"}

    def test_a_rule_can_be_renamed_and_keeps_its_name_without_one(self, client: Client, rules: Rules) -> None:
        rule = rules.add(name="large")
        renamed = client.put(f"/api/rules/{rule['id']}", json={**RULE, "name": "larger"}).json()
        assert (renamed["name"], renamed["version"], renamed["row_version"]) == ("larger", 1, 2)
        assert client.put(f"/api/rules/{rule['id']}", json={**RULE, "severity": "info"}).json()["name"] == "larger"


class TestStates:
    def test_a_rule_goes_from_draft_to_archive(self, client: Client, rules: Rules) -> None:
        rule = rules.add("amount > 5", state="draft")
        assert (rule["state"], rule["is_active"], rules.conditions) == ("draft", False, [])
        assert rules.state(rule, "shadow")["is_active"] is False
        assert ([shadow.condition for shadow in rules.rule_set().shadow], rules.conditions) == (["amount > 5"], [])
        rolled = rules.state(rule, "rollout", share_percent=10)
        assert (rolled["is_active"], rolled["rollout"]["share_percent"], rolled["rollout"]["entity"]) == (
            True, 10, "user_id",
        )  # fmt: skip
        (arms,) = rules.rule_set().arms
        assert (arms.control_id, arms.plan.share) == (None, 1000)
        assert rules.state(rule, "active")["rollout"] is None
        assert (rules.conditions, rules.rule_set().arms) == (["amount > 5"], ())
        rules.state(rule, "paused")
        assert rules.conditions == []
        rules.state(rule, "archived")
        assert client.get(f"/api/pipelines/{rules.pipeline_id}/rules").json() == []
        (kept,) = client.get(f"/api/pipelines/{rules.pipeline_id}/rules?state=archived").json()
        assert kept["id"] == rule["id"]

    def test_a_refusal_names_what_can_follow(self, rules: Rules) -> None:
        refused = rules.state(rules.add(), "draft", status=409)
        assert refused["detail"].endswith("is active, which draft cannot follow; possible are paused, archived")

    def test_an_archived_rule_never_changes(self, client: Client, rules: Rules) -> None:
        rule = rules.add()
        rules.state(rule, "archived")
        for method, path, body in [*CALLS[:5], ("PUT", "/api/rules/{rule}", RULE)]:
            assert client.request(method, path.format(rule=rule["id"]), json=body).status_code == 409, path
        status = client.patch(f"/api/rules/{rule['id']}/status", json={"is_active": True})
        assert (status.status_code, "archived" in status.json()["detail"]) == (409, True)

    def test_a_draft_may_have_errors_and_says_which(self, client: Client, rules: Rules) -> None:
        draft = rules.add("amont > 5 AND", state="draft")
        assert {issue["code"] for issue in draft["issues"]} >= {"syntax"}
        assert rules.state(draft, "active", status=409)["errors"][0]["pointer"] == "/state"
        mended = client.put(f"/api/rules/{draft['id']}", json={**RULE, "rule_expression": "amount > 5"}).json()
        assert (mended["issues"], mended["version"], mended["state"]) == ([], 2, "draft")
        assert rules.state(draft, "active")["is_active"] is True

    def test_a_draft_may_lack_a_severity(self, client: Client, rules: Rules) -> None:
        body = {"rule_expression": "amount >", "state": "draft"}
        answer = client.post(f"/api/pipelines/{rules.pipeline_id}/rules", json=body)
        assert (answer.status_code, answer.json()["severity"]) == (201, "warning")

    def test_is_active_stands_for_active_and_paused(self, client: Client, rules: Rules) -> None:
        assert rules.add(is_active=False)["state"] == "paused"
        shadow = rules.add(state="shadow")
        on = client.patch(f"/api/rules/{shadow['id']}/status", json={"is_active": True})
        assert (on.json()["state"], on.json()["is_active"]) == ("active", True)
        off = client.patch(f"/api/rules/{shadow['id']}/status", json={"is_active": False})
        assert off.json()["state"] == "paused"

    def test_a_draft_is_off_already_and_cannot_be_switched_on_with_errors(self, client: Client, rules: Rules) -> None:
        draft = rules.add("amont > 5", state="draft")
        path = f"/api/rules/{draft['id']}/status"
        assert client.patch(path, json={"is_active": False}).json()["state"] == "draft"
        assert client.patch(path, json={"is_active": True}).status_code == 409

    @pytest.mark.parametrize(
        "body", [{"state": "rollout"}, {"state": "archived"}, {"state": "draft", "is_active": True}]
    )
    def test_a_rule_does_not_begin_so(self, client: Client, rules: Rules, body: dict[str, Any]) -> None:
        assert client.post(f"/api/pipelines/{rules.pipeline_id}/rules", json={**RULE, **body}).status_code == 422

    def test_a_concurrent_change_is_refused(self, client: Client, rules: Rules) -> None:
        rule = rules.add()
        read = client.get(f"/api/rules/{rule['id']}").headers["etag"]
        rules.state(rule, "paused")
        late = client.post(f"/api/rules/{rule['id']}/state", json={"state": "active"}, headers={"If-Match": read})
        assert late.status_code == 412

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"state": "rollout"}, "/share_percent"),
            ({"state": "rollout", "share_percent": 0.001}, "/share_percent"),
            ({"state": "rollout", "share_percent": 101}, "/share_percent"),
            ({"state": "rollout", "share_percent": 5, "entity": "country"}, "/entity"),
            ({"state": "active", "share_percent": 5}, "/share"),
            ({"state": "on"}, "/state"),
        ],
    )
    def test_a_rollout_that_cannot_be(self, client: Client, rules: Rules, body: dict[str, Any], pointer: str) -> None:
        rule = rules.add(state="shadow")
        answer = client.post(f"/api/rules/{rule['id']}/state", json=body)
        assert (answer.status_code, pointers(answer)) == (422, {pointer})


class TestCandidates:
    def test_a_candidate_leaves_the_rule_as_it_is(self, rules: Rules) -> None:
        rule = rules.add("amount > 100")
        changed = rules.propose(rule, "amount > 50")
        assert (changed["version"], changed["candidate"]["version"], changed["candidate"]["state"]) == (1, 2, "draft")
        assert (rules.conditions, rules.rule_set().version) == (["amount > 100"], 1)

    def test_shadow_and_rollout_are_part_of_the_rule_set(self, rules: Rules) -> None:
        rule = rules.add("amount > 100")
        rules.propose(rule, "amount > 50", "shadow")
        assert [version.condition for version in rules.rule_set().shadow] == ["amount > 50"]
        rules.client.post(f"/api/rules/{rule['id']}/candidate/state", json={"state": "rollout", "share_percent": 25})
        rule_set = rules.rule_set()
        (arms,) = rule_set.arms
        assert (rules.conditions, rule_set.shadow) == (["amount > 100", "amount > 50"], ())
        assert [version.rule_version_id for version in rule_set.rules] == [arms.control_id, arms.candidate_id]
        assert rules.rule_set(2).shadow[0].condition == "amount > 50"

    def test_a_larger_share_keeps_the_salt(self, rules: Rules) -> None:
        rule = rules.add()
        small = rules.propose(rule, "amount > 50", "rollout", share_percent=10)["rollout"]
        body = {"state": "rollout", "share_percent": 20}
        large = rules.client.post(f"/api/rules/{rule['id']}/candidate/state", json=body).json()["rollout"]
        assert (small["salt"], large["share_percent"]) == (large["salt"], 20)

    def test_promote_makes_it_the_rule(self, rules: Rules) -> None:
        rule = rules.add()
        rules.propose(rule, "amount > 50", "rollout", share_percent=10)
        promoted = rules.client.post(f"/api/rules/{rule['id']}/promote", json={}).json()
        assert (promoted["version"], promoted["candidate"], promoted["rollout"]) == (2, None, None)
        assert (rules.conditions, rules.rule_set().arms) == (["amount > 50"], ())

    def test_abort_leaves_the_control(self, rules: Rules) -> None:
        rule = rules.add()
        rules.propose(rule, "amount > 50", "rollout", share_percent=10)
        aborted = rules.client.post(f"/api/rules/{rule['id']}/abort", json={}).json()
        assert (aborted["version"], aborted["candidate"], rules.conditions) == (1, None, ["amount > 100"])
        assert len(rules.client.get(f"/api/rules/{rule['id']}/versions").json()) == 2

    def test_nothing_is_tried(self, rules: Rules) -> None:
        rule = rules.add()
        for verb in ("promote", "abort"):
            answer = rules.client.post(f"/api/rules/{rule['id']}/{verb}", json={})
            assert (answer.status_code, "has no candidate" in answer.json()["detail"]) == (409, True)

    def test_a_new_rule_is_promoted_and_aborted_as_well(self, rules: Rules) -> None:
        first, second = rules.add(state="shadow"), rules.add(state="shadow")
        assert rules.client.post(f"/api/rules/{first['id']}/promote", json={}).json()["state"] == "active"
        assert rules.client.post(f"/api/rules/{second['id']}/abort", json={}).json()["state"] == "paused"

    def test_a_candidate_with_errors_stays_a_draft(self, rules: Rules) -> None:
        rule = rules.add()
        changed = rules.propose(rule, "amont > 50")
        assert changed["issues"][0]["code"] == "unknown-column"
        answer = rules.client.post(f"/api/rules/{rule['id']}/candidate/state", json={"state": "shadow"})
        assert answer.status_code == 409
        assert rules.client.post(f"/api/rules/{rule['id']}/promote", json={}).status_code == 409

    def test_a_change_of_the_rule_waits_until_the_trial_is_over(self, rules: Rules) -> None:
        rule = rules.add()
        rules.propose(rule, "amount > 50", "shadow")
        answer = rules.client.put(f"/api/rules/{rule['id']}", json={**RULE, "severity": "info"})
        assert (answer.status_code, "promote or abort" in answer.json()["detail"]) == (409, True)

    def test_a_rollback_ends_the_trial(self, rules: Rules) -> None:
        rule = rules.add("amount > 1")
        rules.client.put(f"/api/rules/{rule['id']}", json={**RULE, "rule_expression": "amount > 2"})
        rules.propose(rule, "amount > 3", "rollout", share_percent=50)
        back = rules.client.post(f"/api/rules/{rule['id']}/rollback", json={"version": 1}).json()
        assert (back["candidate"], rules.conditions, rules.rule_set().arms) == (None, ["amount > 1"], ())

    def test_pausing_the_rule_makes_its_candidate_a_draft(self, rules: Rules) -> None:
        rule = rules.add()
        rules.propose(rule, "amount > 50", "rollout", share_percent=50)
        assert rules.state(rule, "paused")["candidate"]["state"] == "draft"
        assert rules.state(rule, "active")["candidate"]["state"] == "draft"
        assert rules.rule_set().arms == ()

    def test_a_schema_that_it_does_not_fit_makes_it_a_draft(self, rules: Rules) -> None:
        rule = rules.add()
        rules.propose(rule, "country = 'DE'", "shadow")
        without = [field for field in FIELDS if field["name"] != "country"]
        path = f"/api/pipelines/{rules.pipeline_id}/schema"
        plan = rules.client.put(path, json={"schema": without}).json()["plan"]
        assert rules.client.put(path, json={"schema": without, "confirm": plan["confirm"]}).status_code == 200
        now = rules.client.get(f"/api/rules/{rule['id']}").json()
        assert (now["state"], now["candidate"]["state"], rules.rule_set().shadow) == ("active", "draft", ())

    def test_a_rollout_ends_with_the_entity_it_goes_by(self, rules: Rules) -> None:
        rule = rules.add(state="shadow")
        rules.state(rule, "rollout", share_percent=50)
        changed = [{**field, "role": None} if field["name"] == "user_id" else field for field in FIELDS]
        path = f"/api/pipelines/{rules.pipeline_id}/schema"
        plan = rules.client.put(path, json={"schema": changed}).json()["plan"]
        assert rules.client.put(path, json={"schema": changed, "confirm": plan["confirm"]}).status_code == 200
        assert rules.client.get(f"/api/rules/{rule['id']}").json()["state"] == "paused"
        assert rules.rule_set().arms == ()


class TestVersions:
    def test_the_difference_between_two_versions(self, client: Client, rules: Rules) -> None:
        rule = rules.add("amount > 1")
        client.put(f"/api/rules/{rule['id']}", json={**RULE, "rule_expression": "amount > 2"})
        client.put(f"/api/rules/{rule['id']}", json={**RULE, "rule_expression": "amount > 3", "severity": "info"})
        answer = client.get(f"/api/rules/{rule['id']}/versions/diff?from=3&to=1").json()
        assert answer["changes"] == [
            {"field": "rule_expression", "before": "amount > 3", "after": "amount > 1"},
            {"field": "severity", "before": "info", "after": "critical"},
        ]
        assert client.get(f"/api/rules/{rule['id']}/versions/diff?from=1&to=4").status_code == 404
        assert client.get(f"/api/rules/{rule['id']}/versions/diff?from=1").status_code == 422
