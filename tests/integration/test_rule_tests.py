"""Tests beside rules end to end: kept, run by a real worker, and in the way of a version that fails them."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from config_api.app import create_app
from sentinel.client import Client
from sentinel.domain.api_key import Scope
from sentinel.domain.rule import Severity
from sentinel.domain.rule_test import MAX_TESTS, Outcome
from sentinel.errors import (
    ConflictError,
    EngineUnavailableError,
    InvalidError,
    NotFoundError,
    RuleTestsFailedError,
    RuleTestsNotRunError,
    VersionMismatchError,
)
from sentinel.files.export import documents, write
from sentinel.files.loading import load
from sentinel.files.plan import StoppedError, apply_plan, make_plan
from sentinel.settings import PROJECT_ROOT
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.testing.http import serve
from sentinel.testing.servers import ServerSet
from tests.support.detection import Workbench, payment

pytestmark = [pytest.mark.integration, pytest.mark.spark, pytest.mark.timeout(600)]
TENANT, OTHER, ALONE = "ruletests", "ruletests-other", "ruletests-alone"
LARGE = payment(0).decode()
SMALL = payment(1).decode()
NOBODY = '{"id": "7"}'


@pytest.fixture(scope="module")
def world(servers: ServerSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    for tenant_id in (TENANT, OTHER, ALONE):
        ensure_tenant(servers.settings.postgres, tenant_id, "test")
    bench = Workbench(servers, TENANT, tmp_path_factory.mktemp("ruletests"))
    with bench.worker():
        yield bench
    bench.close()


@pytest.fixture(scope="module")
def url(servers: ServerSet, world: Workbench) -> Iterator[str]:
    api = servers.settings.api.model_copy(update={"open": False})
    worker = servers.settings.worker.model_copy(update={"answer_seconds": 200.0})
    with serve(create_app(servers.settings.model_copy(update={"api": api, "worker": worker}))) as address:
        yield address


def client_of(bench: Workbench, url: str, tenant_id: str, scope: Scope = Scope.ADMIN) -> Client:
    with bench.backend.unit(tenant_id, "test") as unit:
        key = unit.keys.create("test", [scope])[1]
    return Client(url, api_key=key, timeout_seconds=220)


@pytest.fixture(scope="module")
def client(world: Workbench, url: str) -> Iterator[Client]:
    with client_of(world, url, TENANT) as opened:
        yield opened


@pytest.fixture
def rule_id(world: Workbench) -> int:
    """A rule with a test of each outcome."""
    pipeline_id = world.create_pipeline("nothing", {"large": "amount > 1000"})
    with world.backend.unit(TENANT, "test") as unit:
        rule_id = unit.rules.list(pipeline_id)[0].id
        for name, event, expected in (
            ("large", LARGE, Outcome.MATCH),
            ("small", SMALL, Outcome.NO_MATCH),
            ("without amount", NOBODY, Outcome.UNKNOWN),
        ):
            unit.tests.add(rule_id, name=name, event=event, expected=expected)
    return rule_id


class TestKeeping:
    def test_a_test_is_added_listed_changed_and_deleted(self, client: Client, rule_id: int) -> None:
        added = client.add_rule_test(rule_id, "huge", {"id": "1", "amount": 1e9}, "match")
        assert json.loads(added.event_text) == {"id": "1", "amount": 1e9}
        assert [test.name for test in client.list_rule_tests(rule_id)] == ["large", "small", "without amount", "huge"]
        changed = client.change_rule_test(rule_id, added.id, "tiny", '{"id":"1","amount":1}', "no_match", if_version=1)
        assert (changed.name, changed.expected, changed.row_version) == ("tiny", "no_match", 2)
        with pytest.raises(VersionMismatchError):
            client.change_rule_test(rule_id, added.id, "again", "{}", "unknown", if_version=1)
        client.delete_rule_test(rule_id, added.id)
        with pytest.raises(NotFoundError, match=f"rule {rule_id} has no test {added.id}"):
            client.delete_rule_test(rule_id, added.id)

    def test_an_event_that_does_not_fit_the_schema_is_noted(self, client: Client, rule_id: int) -> None:
        made = client.add_rule_test(rule_id, "odd", {**json.loads(LARGE), "colour": "red"}, "match")
        assert made.notes == ["the schema has no field colour: it is not read"]
        assert client.add_rule_test(rule_id, "none", "no event", "unknown").notes == [
            "the event is no JSON object, so it is a dead letter"
        ]
        assert client.add_rule_test(rule_id, "even", LARGE, "match").notes == []

    def test_an_event_keeps_its_digits(self, client: Client, rule_id: int) -> None:
        body = '{"name": "exact", "expected": "match", "event": {"id": "1",  "amount": 1.10000000000000000001}}'
        path = f"/api/rules/{rule_id}/tests"
        kept = client._request("POST", path, content=body, headers={"Content-Type": "application/json"}).json()
        assert kept["event_text"] == '{"id": "1",  "amount": 1.10000000000000000001}'

    @pytest.mark.parametrize(
        "body",
        [
            {"name": "x", "expected": "match"},
            {"name": "x", "expected": "match", "event": {}, "event_text": "{}"},
            {"name": "x", "expected": "dead_letter", "event": {}},
            {"name": "", "expected": "match", "event": {}},
            {"name": "x" * 129, "expected": "match", "event": {}},
            {"name": "x", "expected": "match", "event_text": "\u0000"},
            {"name": "x", "expected": "match", "event_text": "x" * 65_537},
            {"name": "x", "expected": "match", "event": {"a": "x" * 65_537}},
            {"name": "x", "expected": "match", "event": {}, "more": 1},
        ],
    )
    def test_what_is_no_test_is_refused(self, client: Client, rule_id: int, body: dict[str, Any]) -> None:
        with pytest.raises(InvalidError):
            client._request("POST", f"/api/rules/{rule_id}/tests", json=body)

    def test_a_name_is_taken_once(self, client: Client, rule_id: int) -> None:
        with pytest.raises(ConflictError, match="named 'large' already"):
            client.add_rule_test(rule_id, "large", {}, "match")
        second = client.list_rule_tests(rule_id)[1]
        with pytest.raises(ConflictError, match="named 'large' already"):
            client.change_rule_test(rule_id, second.id, "large", {}, "match")

    def test_there_is_a_bound(self, world: Workbench, client: Client, rule_id: int) -> None:
        with world.backend.unit(TENANT, "test") as unit:
            for number in range(MAX_TESTS - 3):
                unit.tests.add(rule_id, name=f"t{number}", event="{}", expected=Outcome.MATCH)
        with pytest.raises(ConflictError, match="as many as one may"):
            client.add_rule_test(rule_id, "one more", {}, "match")

    def test_anonymous_gets_401(self, url: str, rule_id: int) -> None:
        assert httpx.get(f"{url}/api/rules/{rule_id}/tests", timeout=60).status_code == 401
        assert httpx.post(f"{url}/api/rules/{rule_id}/tests/run", json={}, timeout=60).status_code == 401

    def test_another_tenant_gets_404(self, world: Workbench, url: str, rule_id: int, client: Client) -> None:
        test_id = client.list_rule_tests(rule_id)[0].id
        with client_of(world, url, OTHER) as stranger:
            for attempt in (
                lambda: stranger.list_rule_tests(rule_id),
                lambda: stranger.add_rule_test(rule_id, "x", {}, "match"),
                lambda: stranger.change_rule_test(rule_id, test_id, "x", {}, "match"),
                lambda: stranger.delete_rule_test(rule_id, test_id),
                lambda: stranger.run_rule_tests(rule_id),
            ):
                with pytest.raises(NotFoundError):
                    attempt()
        assert len(client.list_rule_tests(rule_id)) == 3

    def test_a_reader_may_run_and_not_change(self, world: Workbench, url: str, rule_id: int) -> None:
        with client_of(world, url, TENANT, Scope.READ) as reader:
            assert reader.run_rule_tests(rule_id).passed
            refused = reader._raw(
                "POST", f"/api/rules/{rule_id}/tests", json={"name": "x", "event": {}, "expected": "match"}
            )
            assert refused.status_code == 403


class TestRunning:
    def test_each_outcome_is_the_engines(self, client: Client, rule_id: int) -> None:
        run = client.run_rule_tests(rule_id)
        assert run.passed
        assert [(each.name, each.outcome, each.passed) for each in run.tests] == [
            ("large", "match", True),
            ("small", "no_match", True),
            ("without amount", "unknown", True),
        ]

    def test_with_another_expression_each_failure_says_why(self, client: Client, rule_id: int) -> None:
        client.add_rule_test(rule_id, "not even an event", "nonsense", "match")
        run = client.run_rule_tests(rule_id, 'when amount > 4 then tag("x")')
        assert run.rule_expression == "amount > 4"
        assert not run.passed
        assert {each.name: (each.outcome, each.detail) for each in run.tests if not each.passed} == {
            "small": ("match", "amount > 4 is true (amount = 10.0)"),
            "not even an event": ("dead_letter", "it is no event: not_json: " + run.tests[3].detail.split(": ", 2)[2]),
        }

    def test_hostile_events_are_dead_letters_or_judged(self, client: Client, rule_id: int) -> None:
        for number, text in enumerate(
            ['{"id":"\\ud800"}', "[" * 50_000, '{"id":"a\\u0000","amount":2000}', '{"id":"x","amount":1e999}', "null"]
        ):
            client.add_rule_test(rule_id, f"hostile {number}", text, "match")
        run = client.run_rule_tests(rule_id)
        outcomes = {each.name: each.outcome for each in run.tests}
        assert outcomes["hostile 2"] == "match"
        assert {outcomes[f"hostile {number}"] for number in (1, 3, 4)} == {"dead_letter"}

    def test_a_text_that_is_no_rule_is_refused_with_its_issues(self, client: Client, rule_id: int) -> None:
        with pytest.raises(InvalidError, match="reflect"):
            client.run_rule_tests(rule_id, "reflect('a', 'b') = 1")

    def test_by_the_command(self, world: Workbench, url: str, rule_id: int, client: Client) -> None:
        port = url.rpartition(":")[2]
        with world.backend.unit(TENANT, "test") as unit:
            key = unit.keys.create("test", [Scope.READ])[1]
        at = {"SENTINEL_API__PORT": port, "SENTINEL_DASHBOARD__API_KEY": key}
        said = world.command("rule", "test", str(rule_id), environment=at)
        assert said.count("passed") == 3
        said = world.command("rule", "test", str(rule_id), "--expression", "amount > 1", environment=at, code=1)
        assert (said.count("passed"), said.count("FAILED")) == (2, 1)
        assert "amount > 1 is true (amount = 10.0)" in said


class TestPublishing:
    def test_a_version_that_passes_is_published_and_one_that_fails_is_not(self, client: Client, rule_id: int) -> None:
        changed = client.change_rule(rule_id, "amount > 100", "critical")
        assert changed.version == 2
        with pytest.raises(RuleTestsFailedError) as failed:
            client.change_rule(rule_id, "amount > 1", "critical")
        assert [detail.detail for detail in failed.value.details] == [
            "test 'small' expects no_match and gives match: amount > 1 is true (amount = 10.0)"
        ]
        assert client.get_rule(rule_id).rule_expression == "amount > 100"

    def test_a_roll_back_to_what_fails_is_refused(self, client: Client, rule_id: int) -> None:
        client.change_rule(rule_id, "amount > 2000", "critical")
        client.add_rule_test(rule_id, "in between", '{"id": "1", "amount": 1500}', "no_match")
        with pytest.raises(RuleTestsFailedError, match="1 of 4 tests"):
            client.roll_back_rule(rule_id, 1)
        assert client.get_rule(rule_id).version == 2

    def test_a_draft_may_fail_and_is_not_switched_on(self, client: Client, rule_id: int) -> None:
        client.set_rule_status(rule_id, False)
        client.change_rule(rule_id, "amount > 1", "critical")
        with pytest.raises(RuleTestsFailedError):
            client.set_rule_status(rule_id, True)
        client.change_rule(rule_id, "amount > 500", "critical")
        assert client.set_rule_status(rule_id, True).is_active

    def test_a_change_of_the_tests_asks_for_another_run(self, world: Workbench, client: Client, rule_id: int) -> None:
        assert client.run_rule_tests(rule_id, "amount > 100").passed
        client.add_rule_test(rule_id, "in between", '{"id": "1", "amount": 500}', "no_match")
        with world.backend.unit(TENANT, "test") as unit, pytest.raises(RuleTestsNotRunError, match="4 tests"):
            unit.rules.change(
                rule_id,
                rule_expression="amount > 100",
                severity=Severity.CRITICAL,
                description="",
                expected_version=None,
            )

    def test_what_is_wrong_with_the_change_itself_is_told_first(self, client: Client, rule_id: int) -> None:
        with pytest.raises(InvalidError, match="no field nothing"):
            client.change_rule(rule_id, "nothing > 1", "critical")
        with pytest.raises(NotFoundError, match="has no version 99"):
            client.roll_back_rule(rule_id, 99)

    def test_two_at_once_give_one_winner(self, client: Client, rule_id: int) -> None:
        version = client.get_rule(rule_id).row_version
        outcomes: list[str] = []

        def change(expression: str) -> None:
            try:
                client.change_rule(rule_id, expression, "critical", if_version=version)
                outcomes.append("changed")
            except VersionMismatchError:
                outcomes.append("refused")

        threads = [threading.Thread(target=change, args=(f"amount > {bound}",)) for bound in (100, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["changed", "refused"]


IN_A_FILE = """
kind: pipeline
name: {name}
kafka_topic: nothing
schema: [{{name: id, type: string, role: event_id}}, {{name: amount, type: float}}]
---
kind: rule
pipeline: {name}
name: large
rule_expression: amount > 1000
severity: info
tests:
  - {{name: large, event: {{id: a, amount: 1500.5}}, expected: match}}
  - {{name: missing, event: {{id: a}}, expected: unknown}}
  - {{name: not an event, event_text: '{{"id": "a", "amount": 5.00}}', expected: {expected}}}
"""


class TestInFiles:
    def test_they_are_in_the_way_of_a_rule_that_fails_them(self, client: Client, tmp_path: Path) -> None:
        file = tmp_path / "rules.yaml"
        name = uuid.uuid4().hex

        def apply(expected: str) -> int:
            file.write_text(IN_A_FILE.format(name=name, expected=expected))
            declared = load(file)
            return apply_plan(client, declared, make_plan(client, declared, prune=False), prune=False)

        with pytest.raises(
            StoppedError, match=r"(?s)1 of 3 tests .*\n  .*not an event.*\nstopped after 1 of 2 changes"
        ):
            apply("match")
        (pipeline,) = [pipeline for pipeline in client.list_pipelines() if pipeline.name == name]
        (rule,) = client.list_rules(pipeline.id)
        assert rule.state == "draft"
        assert apply("no_match") == 1
        assert apply("no_match") == 0
        (rule,) = client.list_rules(pipeline.id)
        assert rule.state == "active"
        tests = {test.name: test for test in client.list_rule_tests(rule.id)}
        assert tests["not an event"].event_text == '{"id": "a", "amount": 5.00}'

        # What is changed elsewhere is drift; what is exported is what was applied.
        client.delete_rule_test(rule.id, tests["missing"].id)
        (change,) = make_plan(client, load(file), prune=False).changes
        assert [(item.name, item.before, item.after) for item in change.differences] == [
            ("tests.missing", None, 'unknown: {"id": "a"}')
        ]
        assert apply("no_match") == 1
        write(documents(client, [name]), tmp_path / "out", overwrite=False)
        assert make_plan(client, load(tmp_path / "out"), prune=False).changes == ()
        file.write_text(file.read_text().partition("tests:")[0])
        assert make_plan(client, load(file), prune=False).changes == ()


def test_the_guide_runs(client: Client) -> None:
    guide = (PROJECT_ROOT / "docs" / "explain.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    exec(example, {"client": client})  # noqa: S102 - our own documentation


@pytest.fixture(scope="module")
def impatient(servers: ServerSet, world: Workbench) -> Iterator[Client]:
    api = servers.settings.api.model_copy(update={"open": False})
    worker = servers.settings.worker.model_copy(update={"answer_seconds": 1.0})
    with (
        serve(create_app(servers.settings.model_copy(update={"api": api, "worker": worker}))) as address,
        client_of(world, address, ALONE) as opened,
    ):
        yield opened


class TestWithoutAWorker:
    """A tenant that no worker serves."""

    def test_a_rule_without_tests_is_published_and_one_with_tests_is_told_to_wait(
        self, world: Workbench, impatient: Client
    ) -> None:
        fields = [{"name": "id", "type": "string", "role": "event_id"}, {"name": "amount", "type": "float"}]
        pipeline_id = impatient.create_pipeline("p", "nothing", fields)
        rule = impatient.add_rule(pipeline_id, "amount > 1", "critical")
        assert impatient.change_rule(rule.id, "amount > 2", "critical").version == 2
        impatient.add_rule_test(rule.id, "large", {"id": "1", "amount": 5}, "match")
        with pytest.raises(EngineUnavailableError, match="must pass before it is published, and no rule worker"):
            impatient.change_rule(rule.id, "amount > 3", "critical")
        assert impatient.get_rule(rule.id).version == 2
        assert not impatient.set_rule_status(rule.id, False).is_active
        answer = impatient._raw("POST", f"/api/rules/{rule.id}/tests/run", json={}, timeout=60)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
