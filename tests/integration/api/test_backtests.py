"""Backtests, refills and labels over HTTP. What the worker does with them is tested beside the lake."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import Client

from sentinel.client import Client as SentinelClient
from sentinel.domain.api_key import Scope
from sentinel.domain.labels import MAX_LABEL_SETS
from sentinel.errors import ConflictError, NotFoundError
from sentinel.settings import PROJECT_ROOT
from sentinel.stores.postgres.database import Database
from sentinel.wiring import Backend
from tests.integration.api.conftest import FIELDS, add_rule, create_pipeline, pointers

pytestmark = pytest.mark.integration

RANGE = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
GUIDE = (PROJECT_ROOT / "docs" / "backtests.md").read_text()


def body(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"rules": list(rules) or [{"expression": "amount > 500"}], **RANGE, **more}


def start(client: Client, pipeline: dict[str, Any], *rules: dict[str, Any], **more: Any) -> Any:
    return client.post(f"/api/pipelines/{pipeline['id']}/backtests", json=body(*rules, **more))


class TestAccess:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "pipelines/1/backtests"),
            ("GET", "pipelines/1/backtests"),
            ("GET", "backtests/1"),
            ("POST", "backtests/1/cancel"),
            ("POST", "pipelines/1/refills"),
            ("GET", "refills/1"),
            ("POST", "pipelines/1/labels?name=x"),
            ("DELETE", "labels/1"),
        ],
    )
    def test_anonymous_gets_401(self, anonymous: Client, method: str, path: str) -> None:
        assert anonymous.request(method, f"/api/{path}").status_code == 401

    def test_another_tenant_gets_404(self, client: Client, stranger: Client, pipeline: dict[str, Any]) -> None:
        task = start(client, pipeline).json()
        labels = client.post(f"/api/pipelines/{pipeline['id']}/labels?name=x", content=b"id,l\na,1").json()
        assert start(stranger, pipeline).status_code == 404
        for path in (f"pipelines/{pipeline['id']}/backtests", f"backtests/{task['id']}", f"refills/{task['id']}"):
            assert stranger.get(f"/api/{path}").status_code == 404
        assert stranger.post(f"/api/backtests/{task['id']}/cancel").status_code == 404
        assert stranger.post(f"/api/pipelines/{pipeline['id']}/refills", json=RANGE).status_code == 404
        assert stranger.post(f"/api/pipelines/{pipeline['id']}/labels?name=x", content=b"id,l\na,1").status_code == 404
        assert stranger.delete(f"/api/labels/{labels['id']}").status_code == 404
        own = create_pipeline(stranger)
        rule = add_rule(client, pipeline["id"])
        assert start(stranger, own, {"rule_id": rule["id"]}).status_code == 404
        assert start(stranger, own, label_set_id=labels["id"]).status_code == 404

    def test_a_key_that_may_only_read_starts_nothing(
        self, client_of: Callable[..., Client], tenant: str, pipeline: dict[str, Any]
    ) -> None:
        reader = client_of(tenant, Scope.READ)
        assert start(reader, pipeline).status_code == 403
        assert reader.get(f"/api/pipelines/{pipeline['id']}/backtests").json() == []


class TestBacktests:
    def test_it_waits_for_a_worker_with_all_that_it_needs(self, client: Client, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"], "amount > 100")
        client.put(f"/api/rules/{rule['id']}", json={"rule_expression": "amount > 200", "severity": "info"})
        answer = start(
            client,
            pipeline,
            {"rule_id": rule["id"]},
            {"rule_id": rule["id"], "version": 1, "name": "before"},
            {"expression": 'when amount > 7 and country == "DE" then tag("x")'},
            sweep={"rule": 2, "constant": "7", "values": [1, 2.5, "3"]},
        )
        assert answer.status_code == 202, answer.text
        task = answer.json()
        assert answer.headers["Location"] == f"/api/backtests/{task['id']}"
        assert (task["state"], task["result"], task["progress"]) == ("queued", None, {})
        versions = client.get(f"/api/rules/{rule['id']}/versions").json()
        rules = task["request"]["rules"]
        assert [(each["name"], each["condition"], each["version"]) for each in rules] == [
            (f"rule {rule['id']} version 2", "amount > 200", 2),
            ("before", "amount > 100", 1),
            ('when amount > 7 and country == "DE" then tag("x")', "amount > 7 AND country = 'DE'", None),
        ]
        assert [each["content_hash"] for each in rules[:2]] == [version["content_hash"] for version in versions]
        assert task["request"]["sweep"]["conditions"][1] == "amount > 2.5 AND country = 'DE'"
        assert client.get(f"/api/backtests/{task['id']}").json() == task
        assert [each["id"] for each in client.get(f"/api/pipelines/{pipeline['id']}/backtests").json()] == [task["id"]]

    def test_it_can_be_cancelled_once(self, client: Client, pipeline: dict[str, Any]) -> None:
        task = start(client, pipeline).json()
        assert client.post(f"/api/backtests/{task['id']}/cancel").json()["state"] == "cancelled"
        assert client.post(f"/api/backtests/{task['id']}/cancel").status_code == 409

    def test_the_list_goes_on(self, client: Client, pipeline: dict[str, Any]) -> None:
        ids = [start(client, pipeline).json()["id"] for _ in range(3)]
        first = client.get(f"/api/pipelines/{pipeline['id']}/backtests?limit=2")
        assert [each["id"] for each in first.json()] == ids[:0:-1]
        rest = client.get(first.links["next"]["url"])
        assert ([each["id"] for each in rest.json()], rest.links) == (ids[:1], {})

    def test_the_same_request_twice_is_one(self, client: Client, pipeline: dict[str, Any]) -> None:
        path, headers = f"/api/pipelines/{pipeline['id']}/backtests", {"Idempotency-Key": "k"}
        first, second = (client.post(path, json=body(), headers=headers).json() for _ in range(2))
        assert first["id"] == second["id"]

    def test_the_example_of_the_guide(self, client: Client) -> None:
        fields = [*FIELDS, {"name": "is_fraud", "type": "boolean"}]
        pipeline = create_pipeline(client, schema=fields)
        found = re.search(r"```json request\n(.*?)```", GUIDE, re.DOTALL)
        assert found is not None
        example = json.loads(found[1])
        rule = add_rule(client, pipeline["id"])
        client.put(f"/api/rules/{rule['id']}", json={"rule_expression": "amount > 200", "severity": "info"})
        example["rules"][1]["rule_id"] = rule["id"]
        answer = client.post(f"/api/pipelines/{pipeline['id']}/backtests", json=example)
        assert answer.status_code == 202, answer.text


class TestRefused:
    def test_every_issue_of_a_rule_with_its_place(self, client: Client, pipeline: dict[str, Any]) -> None:
        answer = start(client, pipeline, {"expression": "amount > 1"}, {"expression": "nowhere > 1 AND x"})
        assert answer.status_code == 422
        problem = answer.json()
        assert "'nowhere > 1 AND x' has 2 errors" in problem["detail"]
        assert {(item["pointer"], item["code"]) for item in problem["errors"]} == {("/rules/1", "unknown-column")}

    @pytest.mark.parametrize(
        ("more", "pointer"),
        [
            ({"from": "2026-02-01T00:00:00Z"}, "/from"),
            ({"from": "1926-01-01T00:00:00Z"}, "/from"),
            ({"to": "2099-01-01T00:00:00Z"}, "/from"),
            ({"from": "2026-01-01T00:00:00"}, "/from"),
            ({"rules": []}, "/rules"),
            ({"rules": [{"expression": "amount > 1"}] * 51}, "/rules"),
            ({"rules": [{}]}, "/rules/0"),
            ({"rules": [{"expression": "amount > 1", "rule_id": 1}]}, "/rules/0"),
            ({"label_column": "country"}, "/label_column"),
            ({"label_column": "x", "label_set_id": 1}, "/label_set_id"),
            ({"clock": "wall"}, "/clock"),
            ({"samples": 11}, "/samples"),
            ({"sweep": {"constant": "7", "values": [1]}}, "/sweep/constant"),
            ({"sweep": {"constant": "500", "values": []}}, "/sweep/values"),
            ({"sweep": {"constant": "500", "values": ["NaN"]}}, "/sweep/values/0"),
            ({"sweep": {"constant": "500", "values": [1], "rule": 1}}, "/sweep/rule"),
            ({"sweep": {"constant": "500", "values": [1] * 101}}, "/sweep/values"),
            ({"other": 1}, "/other"),
        ],
    )
    def test_what_cannot_work(
        self, client: Client, pipeline: dict[str, Any], more: dict[str, Any], pointer: str
    ) -> None:
        answer = client.post(f"/api/pipelines/{pipeline['id']}/backtests", json={**body(), **more})
        assert answer.status_code == 422, answer.text
        assert pointers(answer) == {pointer}

    def test_a_value_with_which_the_rule_does_not_pass(self, client: Client, pipeline: dict[str, Any]) -> None:
        sweep = {"constant": "2", "values": ["1", "2.5"]}
        answer = start(client, pipeline, {"expression": "round(amount, 2) > 5.75"}, sweep=sweep)
        assert (answer.status_code, pointers(answer)) == (422, {"/sweep/values/1"})

    def test_a_rule_of_another_pipeline_or_version(self, client: Client, pipeline: dict[str, Any]) -> None:
        other = create_pipeline(client)
        rule = add_rule(client, other["id"])
        assert start(client, pipeline, {"rule_id": rule["id"]}).status_code == 404
        answer = start(client, other, {"rule_id": rule["id"], "version": 9})
        assert (answer.status_code, "its newest is 1" in answer.json()["detail"]) == (404, True)

    def test_more_than_may_wait(self, client: Client, pipeline: dict[str, Any]) -> None:
        codes = [start(client, pipeline).status_code for _ in range(21)]
        assert codes == [202] * 20 + [429]


class TestRefills:
    def test_all_active_rules_or_one(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/refills"
        assert client.post(path, json=RANGE).status_code == 409
        rules = [add_rule(client, pipeline["id"], f"amount > {n}", is_active=n != 3) for n in (1, 2, 3)]
        every = client.post(path, json=RANGE)
        assert every.status_code == 202, every.text
        wanted = [rule["rule_version_id"] for rule in rules]
        assert every.json()["request"]["rule_version_ids"] == wanted[:2]
        one = client.post(path, json={**RANGE, "rule_id": rules[2]["id"], "clock": "record_time"}).json()
        assert (one["request"]["rule_version_ids"], one["request"]["range"]["clock"]) == (wanted[2:], "record_time")
        assert client.get(f"/api/refills/{one['id']}").json() == one
        assert client.get(f"/api/backtests/{one['id']}").status_code == 404
        assert [each["id"] for each in client.get(path).json()] == [one["id"], every.json()["id"]]
        assert client.post(f"/api/refills/{one['id']}/cancel").json()["state"] == "cancelled"

    def test_a_rule_that_no_longer_fits(self, client: Client, pipeline: dict[str, Any]) -> None:
        rule = add_rule(client, pipeline["id"], "country = 'DE'")
        path = f"/api/pipelines/{pipeline['id']}"
        fields = [field for field in FIELDS if field["name"] != "country"]
        plan = client.put(f"{path}/schema", json={"schema": fields}).json()["plan"]
        assert client.put(f"{path}/schema?confirm={plan['confirm']}", json={"schema": fields}).status_code == 200
        answer = client.post(f"{path}/refills", json={**RANGE, "rule_id": rule["id"]})
        assert (answer.status_code, "does not fit" in answer.json()["detail"]) == (409, True)


class TestLabels:
    def test_they_are_kept_listed_and_forgotten(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/labels"
        content = b"note,tx,fraud\nx,t-1,yes\ny,t-2,no\n"
        answer = client.post(f"{path}?name=march&id_column=tx&label_column=fraud", content=content)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert (made["name"], made["label_count"], made["true_count"]) == ("march", 2, 1)
        assert client.get(path).json() == [made]
        assert start(client, pipeline, label_set_id=made["id"]).json()["request"]["label_set_id"] == made["id"]
        assert client.delete(f"/api/labels/{made['id']}").status_code == 204
        assert client.delete(f"/api/labels/{made['id']}").status_code == 404
        assert start(client, pipeline, label_set_id=made["id"]).status_code == 404

    def test_a_broken_file_changes_nothing_and_names_its_lines(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/labels"
        answer = client.post(f"{path}?name=x", content=b"id,label\na,1\nb,maybe\n,0\n")
        assert answer.status_code == 422
        assert [item["detail"][:7] for item in answer.json()["errors"]] == ["line 3:", "line 4:"]
        assert client.get(path).json() == []

    def test_they_may_be_larger_than_other_bodies(self, client: Client, pipeline: dict[str, Any]) -> None:
        rows = "".join(f"transaction-{number:012d},0\n" for number in range(60_000))
        path = f"/api/pipelines/{pipeline['id']}/labels?name=many"
        answer = client.post(path, content=f"id,label\n{rows}".encode())
        assert (answer.status_code, answer.json()["label_count"]) == (201, 60_000)

    def test_there_are_not_more_than_may_be(self, client: Client, pipeline: dict[str, Any]) -> None:
        path = f"/api/pipelines/{pipeline['id']}/labels?name=x"
        codes = [client.post(path, content=b"id,l\na,1").status_code for _ in range(MAX_LABEL_SETS + 1)]
        assert codes == [201] * MAX_LABEL_SETS + [409]


class TestDemanded:
    """A condition goes into force only with a fresh backtest, where the pipeline says so."""

    @pytest.fixture
    def demanding(self, client: Client, pipeline: dict[str, Any]) -> dict[str, Any]:
        answer = client.patch(f"/api/pipelines/{pipeline['id']}", json={"fresh_backtest_hours": 2})
        assert answer.json()["config"]["fresh_backtest_hours"] == 2
        return pipeline

    def finish(
        self, database: Database, tenant: str, task_id: int, *, hours_ago: float, schema_version: int = 1
    ) -> None:
        with database.transaction(tenant) as tx:
            tx.execute(
                "UPDATE sentinel.engine_tasks SET state = 'done', "
                "result = jsonb_build_object('schema_version', %s::int), "
                "finished_at = now() - make_interval(secs => %s) WHERE id = %s",
                (schema_version, hours_ago * 3600, task_id),
            )

    def write(self, client: Client, pipeline: dict[str, Any], expression: str, **more: Any) -> int:
        body = {"rule_expression": expression, "severity": "info", **more}
        return client.post(f"/api/pipelines/{pipeline['id']}/rules", json=body).status_code

    def test_without_one_it_is_refused_and_a_draft_is_not(
        self, client: Client, demanding: dict[str, Any], database: Database, tenant: str
    ) -> None:
        assert self.write(client, demanding, "amount > 500") == 409
        task = start(client, demanding).json()
        assert self.write(client, demanding, "amount > 500") == 409
        self.finish(database, tenant, task["id"], hours_ago=1)
        assert self.write(client, demanding, "amount > 500") == 201
        assert self.write(client, demanding, "amount > 501") == 409
        assert self.write(client, demanding, "amount > 501", is_active=False) == 201

    @pytest.mark.parametrize("more", [{"hours_ago": 3}, {"hours_ago": 1, "schema_version": 2}])
    def test_one_that_is_old_or_of_another_schema_does_not_count(
        self, client: Client, demanding: dict[str, Any], database: Database, tenant: str, more: dict[str, Any]
    ) -> None:
        self.finish(database, tenant, start(client, demanding).json()["id"], **more)
        assert self.write(client, demanding, "amount > 500") == 409

    def test_a_new_version_a_switch_and_a_rollback_need_one_too(
        self, client: Client, demanding: dict[str, Any], database: Database, tenant: str
    ) -> None:
        self.finish(database, tenant, start(client, demanding).json()["id"], hours_ago=1)
        rule = add_rule(client, demanding["id"], "amount > 500")
        path = f"/api/rules/{rule['id']}"
        again = {"rule_expression": "amount > 500", "severity": "info", "description": "other words"}
        assert client.put(path, json=again).status_code == 200
        other = {"rule_expression": "amount > 7", "severity": "info"}
        assert client.put(path, json=other).status_code == 409
        assert client.patch(f"{path}/status", json={"is_active": False}).status_code == 200
        assert client.put(path, json=other).status_code == 200
        assert client.patch(f"{path}/status", json={"is_active": True}).status_code == 409
        assert client.post(f"{path}/rollback", json={"version": 1}).status_code == 200
        assert client.patch(f"{path}/status", json={"is_active": True}).status_code == 200


def test_the_typed_client(base_url: str, key_of: Callable[..., str], tenant: str, backend: Backend) -> None:
    first, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    with SentinelClient(base_url, api_key=key_of(tenant)) as sentinel:
        pipeline_id = sentinel.create_pipeline("Cards", "cards", FIELDS)
        rule = sentinel.add_rule(pipeline_id, "amount > 5", "info")
        labels = sentinel.add_labels(pipeline_id, "x", b"id,label\na,1\n")
        assert sentinel.list_labels(pipeline_id) == [labels]
        task = sentinel.start_backtest(pipeline_id, ["amount > 7", rule.id], first, last, label_set_id=labels.id)
        assert sentinel.get_backtest(task.id) == task == sentinel.list_backtests(pipeline_id)[0]
        assert sentinel.cancel_backtest(task.id).state == "cancelled"
        refill = sentinel.start_refill(pipeline_id, first, last, rule_id=rule.id)
        assert sentinel.get_refill(refill.id) == refill == sentinel.list_refills(pipeline_id)[0]
        sentinel.cancel_refill(refill.id)
        with pytest.raises(ConflictError):
            sentinel.cancel_refill(refill.id)
        sentinel.delete_labels(labels.id)
        with pytest.raises(NotFoundError):
            sentinel.delete_labels(labels.id)
