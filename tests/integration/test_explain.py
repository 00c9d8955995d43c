"""Explanations end to end: a real job, lake and topic, a real worker process, asked through the API."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import httpx
import psutil
import pytest

from config_api.app import create_app
from sentinel.client import Client
from sentinel.domain.api_key import Scope
from sentinel.domain.engine_task import TaskKind, TaskState
from sentinel.domain.rule import Severity
from sentinel.errors import InvalidError, InvalidRuleError, NotFoundError
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.testing.http import serve
from sentinel.testing.servers import ServerSet
from tests.support.detection import Job, Workbench, payment

pytestmark = [pytest.mark.integration, pytest.mark.spark, pytest.mark.timeout(600)]
LARGE, DIVIDED = "amount > 1000 AND user_id <> 'u9'", "amount / (sent_at - 1) > 100"


class World:
    """A pipeline whose events are decided and archived, but for the last, which only the topic holds."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.topic = bench.create_topic(1)
        self.pipeline_id = bench.create_pipeline(self.topic, {"large": LARGE, "divided": DIVIDED})
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            self.large, self.divided = (rule.id for rule in unit.rules.list(self.pipeline_id))
        events = [payment(0), payment(1, sent_at=2.0), payment(2, sent_at=1.0), b'{"id": "3", "amount": "much"}']
        bench.send(self.topic, events)
        with bench.job(self.pipeline_id) as job:
            bench.wait_settled(self.pipeline_id, self.topic, job)
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            unit.rules.change(
                self.large, rule_expression="amount > 1", severity=Severity.INFO, description="", expected_version=None
            )
            self.later = unit.rules.add(
                self.pipeline_id, rule_expression="amount > 5", severity=Severity.INFO, description=""
            ).id
        bench.send(self.topic, [payment(4, amount=7.5)])


@pytest.fixture(scope="module")
def world(servers: ServerSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    ensure_tenant(servers.settings.postgres, "explain", "test")
    bench = Workbench(servers, "explain", tmp_path_factory.mktemp("explain"))
    yield World(bench)
    bench.close()


@pytest.fixture(scope="module")
def url(servers: ServerSet) -> Iterator[str]:
    api = servers.settings.api.model_copy(update={"open": False})
    worker = servers.settings.worker.model_copy(update={"answer_seconds": 60.0})
    with serve(create_app(servers.settings.model_copy(update={"api": api, "worker": worker}))) as address:
        yield address


def client_of(world: World, url: str, tenant_id: str, scope: Scope = Scope.READ) -> Client:
    with world.bench.backend.unit(tenant_id, "test") as unit:
        key = unit.keys.create("test", [scope])[1]
    return Client(url, api_key=key, timeout_seconds=90)


@pytest.fixture(scope="module")
def worker(world: World) -> Iterator[Job]:
    with world.bench.worker() as running:
        with world.bench.backend.unit("explain", "test") as unit:
            wanted = {"rule": world.large, "event": "0"}
            warming = unit.tasks.submit(world.pipeline_id, TaskKind.EXPLAIN, wanted).id
        done = world.bench.backend.desk("explain", "test").wait(warming, 300)
        assert done.state is TaskState.DONE, running.tail()
        yield running


@pytest.fixture(scope="module")
def client(world: World, url: str, worker: Job) -> Iterator[Client]:
    with client_of(world, url, "explain") as opened:
        yield opened


class TestEventsOfTheLake:
    def test_a_hit_by_its_event_id(self, world: World, client: Client) -> None:
        found = client.explain(world.pipeline_id, world.large, "0")
        assert (found.verdict, found.source, found.event_id) == ("match", "lake", "0")
        assert found.rule_expression == LARGE
        assert (found.rule_version, found.schema_version, found.was_in_force) == (1, 1, True)
        assert found.generation_id == world.bench.generations(world.pipeline_id)[0]["id"]
        assert found.alert_id is not None
        assert [(each.text, each.values) for each in found.decided_by] == [
            ("amount > 1000", {"amount": 5000.0}),
            ("user_id <> 'u9'", {"user_id": "u0"}),
        ]
        assert found.event == {"id": "0", "user_id": "u0", "amount": 5000.0}
        assert found.tree is not None
        assert found.tree.verdict == "true"
        first = found.tree.children[0]
        assert (first.text, first.start, first.end, first.decided) == ("amount > 1000", 0, 13, True)
        assert [(leaf.text, leaf.value) for leaf in first.children] == [("amount", 5000.0), ("1000", 1000)]

    def test_a_miss_by_its_place(self, world: World, client: Client) -> None:
        found = client.explain(world.pipeline_id, world.large, "0:1")
        assert (found.verdict, found.source, found.event_id, found.alert_id) == ("no_match", "lake", "1", None)
        assert [each.text for each in found.decided_by] == ["amount > 1000"]
        assert (found.partition, found.offset) == (0, 1)

    def test_a_rule_by_its_name(self, world: World, client: Client) -> None:
        name = f"rule_{world.large}"
        assert client.explain(world.pipeline_id, name, "0").rule_id == world.large
        assert client.explain_event(world.pipeline_id, payment(0).decode(), rule_id=name).rule_id == world.large
        with pytest.raises(NotFoundError, match="has no rule nobody"):
            client.explain(world.pipeline_id, "nobody", "0")

    def test_a_composite_rule_down_to_the_field_it_lacks(self, world: World, client: Client) -> None:
        divided = f"rule_{world.divided}"
        both = f"rule('rule_{world.large}') AND rule('{divided}')"
        found = client.explain_event(world.pipeline_id, payment(0).decode(), rule_expression=both)
        assert (found.verdict, found.missing, found.not_computable) == ("unknown", ["sent_at"], [])
        assert [(each.text, each.rule) for each in found.decided_by] == [(DIVIDED, divided)]

    def test_a_field_that_is_missing(self, world: World, client: Client) -> None:
        found = client.explain(world.pipeline_id, world.divided, "0")
        assert (found.verdict, found.missing, found.not_computable) == ("unknown", ["sent_at"], [])

    def test_a_value_that_cannot_be_computed(self, world: World, client: Client) -> None:
        found = client.explain(world.pipeline_id, world.divided, f"{world.topic}/0/2")
        assert (found.verdict, found.missing) == ("unknown", [])
        assert [place.text for place in found.not_computable] == ["amount / (sent_at - 1)"]

    def test_another_version_than_the_one_in_force(self, world: World, client: Client) -> None:
        found = client.explain(world.pipeline_id, world.large, "1", version=2)
        assert (found.verdict, found.rule_version, found.was_in_force) == ("match", 2, False)
        assert found.notes == [f"version 1 of rule {world.large} decided this event; explained is version 2"]

    def test_a_rule_that_came_later(self, world: World, client: Client) -> None:
        found = client.explain(world.pipeline_id, world.later, "1")
        assert (found.verdict, found.was_in_force) == ("match", False)
        assert "was not in force" in found.notes[0]


class TestEvidence:
    def test_an_alert_says_why_by_itself(self, world: World, client: Client) -> None:
        (alert,) = client.list_alerts(pipeline_id=world.pipeline_id, rule_id=world.large).alerts
        assert [each.model_dump() for each in alert.evidence] == [
            {"condition": "amount > 1000", "values": {"amount": 5000.0}},
            {"condition": "user_id <> 'u9'", "values": {"user_id": "u0"}},
        ]


class TestOtherEvents:
    def test_a_dead_letter(self, world: World, client: Client) -> None:
        found = client.explain(world.pipeline_id, world.large, "0:3")
        assert (found.verdict, found.source, found.tree) == ("dead_letter", "dead_letter", None)
        assert found.dead_letter is not None
        assert (found.dead_letter.cause, found.dead_letter.field) == ("wrong_type", "amount")

    def test_a_record_that_only_the_topic_holds(self, world: World, client: Client) -> None:
        found = client.explain(world.pipeline_id, world.later, "0:4")
        assert (found.verdict, found.source, found.generation_id, found.event_id) == ("match", "topic", None, "4")
        assert (found.was_in_force, found.rule_version) == (None, 1)

    @pytest.mark.parametrize("name", ["nobody", "0:5", "7:0", "0:99999999999999999", "' OR 1=1 --", "☃", "0:1:2"])
    def test_one_that_is_nowhere(self, world: World, client: Client, name: str) -> None:
        with pytest.raises(NotFoundError, match="has no event"):
            client.explain(world.pipeline_id, world.large, name)

    def test_an_unknown_rule_or_version_or_pipeline(self, world: World, client: Client) -> None:
        with pytest.raises(NotFoundError, match="has no rule 999999"):
            client.explain(world.pipeline_id, 999_999, "0")
        with pytest.raises(NotFoundError, match="has no version 9; its newest is 2"):
            client.explain(world.pipeline_id, world.large, "0", version=9)
        with pytest.raises(NotFoundError, match="no pipeline"):
            client.explain(999_999, world.large, "0")


class TestPastedEvents:
    def test_an_event_is_judged_by_rule_and_schema_of_now(self, world: World, client: Client) -> None:
        found = client.explain_event(world.pipeline_id, {"id": "x", "amount": 0.5}, rule_id=world.large)
        assert (found.verdict, found.source, found.rule_version, found.event_id) == ("no_match", "pasted", 2, "x")

    def test_a_text_that_is_no_rule_yet(self, world: World, client: Client) -> None:
        found = client.explain_event(
            world.pipeline_id, {"id": "x", "amount": 0.5}, rule_expression="when amount < 1 then tag('small')"
        )
        assert (found.verdict, found.rule_id, found.rule_expression) == ("match", None, "amount < 1")

    def test_a_text_that_the_gate_refuses(self, world: World, client: Client) -> None:
        with pytest.raises(InvalidRuleError, match="reflect"):
            client.explain_event(world.pipeline_id, {}, rule_expression="reflect('java.lang.System', 'exit', 1) = 1")

    @pytest.mark.parametrize(
        ("text", "cause"),
        [
            ("", "empty"),
            ("nonsense", "not_json"),
            ("[1]", "not_an_object"),
            ('{"amount": 1}', "missing_field"),
            ('{"id": "x", "amount": 1e400}', "not_finite"),
            ('{"id": "x"} {"id": "y"}', "not_json"),
            ("[" * 100_000, "not_json"),
            ('{"id": "x", "amount": NaN}', "not_json"),
        ],
    )
    def test_what_is_no_event_is_the_dead_letter_it_would_be(
        self, world: World, client: Client, text: str, cause: str
    ) -> None:
        found = client.explain_event(world.pipeline_id, text, rule_id=world.large)
        assert found.verdict == "dead_letter"
        assert found.dead_letter is not None
        assert found.dead_letter.cause == cause, found.dead_letter

    def test_texts_that_no_database_takes(self, world: World, client: Client) -> None:
        odd = {"id": "a\u0000b", "user_id": "\U0001f600 \u202e", "amount": 1.0}
        found = client.explain_event(world.pipeline_id, odd, rule_id=world.large)
        assert found.event["id"] == "a\ufffdb"
        found = client.explain_event(world.pipeline_id, '{"id": "\\ud800", "amount": 3}', rule_id=world.large)
        assert found.verdict in ("match", "dead_letter")

    def test_an_event_keeps_its_digits(self, world: World, url: str, client: Client) -> None:
        body = f'{{"rule": {world.large}, "event": {{"id": "x", "amount": 1e400}}}}'
        answer = client._request(
            "POST",
            f"/api/pipelines/{world.pipeline_id}/explain",
            content=body,
            headers={"Content-Type": "application/json"},
        )
        assert answer.json()["dead_letter"]["cause"] == "not_finite"

    def test_a_body_nested_without_end_is_refused(self, world: World, client: Client) -> None:
        body = f'{{"rule": {world.large}, "event": {"[" * 200_000}{"]" * 200_000}}}'
        path = f"/api/pipelines/{world.pipeline_id}/explain"
        answer = client._raw("POST", path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), answer.text[:300]

    def test_a_question_must_be_one(self, world: World, client: Client) -> None:
        for body in (
            {"event": {}},
            {"rule": 1},
            {"rule": 1, "rule_expression": "amount > 1", "event": {}},
            {"rule": 1, "event": {}, "event_text": "{}"},
            {"rule_expression": "amount > 1", "version": 1, "event": {}},
            {"rule": 0, "event": {}},
        ):
            with pytest.raises(InvalidError):
                client._request("POST", f"/api/pipelines/{world.pipeline_id}/explain", json=body)


class TestWhoMayAsk:
    def test_anonymous_gets_401(self, world: World, url: str) -> None:
        answer = httpx.get(
            f"{url}/api/pipelines/{world.pipeline_id}/explain", params={"event": "0", "rule": 1}, timeout=60
        )
        assert answer.status_code == 401

    def test_another_tenant_gets_404(self, world: World, url: str, worker: Job) -> None:
        ensure_tenant(world.bench.settings.postgres, "explain-other", "test")
        with client_of(world, url, "explain-other") as stranger:
            with pytest.raises(NotFoundError):
                stranger.explain(world.pipeline_id, world.large, "0")
            with pytest.raises(NotFoundError):
                stranger.explain_event(world.pipeline_id, {"id": "x"}, rule_id=world.large)

    def test_a_rule_of_another_pipeline_is_not_found(self, world: World, client: Client) -> None:
        elsewhere = world.bench.create_pipeline(world.topic, {})
        with pytest.raises(NotFoundError, match="has no rule"):
            client.explain(elsewhere, world.large, "0")


class TestTheWorkerProcess:
    def test_killed_in_the_middle_of_a_task_it_leaves_that_to_the_next(self, bench: Workbench) -> None:
        """Also: its Spark ends with it, and a stop is graceful."""
        pipeline_id = bench.create_pipeline("nothing", {"large": LARGE})
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            rule_id = unit.rules.list(pipeline_id)[0].id
            wanted = {"rule": rule_id, "event_base64": base64.b64encode(payment(0)).decode()}
            task_id = unit.tasks.submit(pipeline_id, TaskKind.EXPLAIN, wanted).id
        desk = bench.backend.desk(bench.tenant_id, "test")

        first = bench.start_worker()
        process = psutil.Process(first.process.pid)
        bench.wait_until("it is at work", lambda: desk.wait(task_id, 0).state is TaskState.RUNNING, first)
        bench.wait_until("Spark starts", lambda: bool(process.children(recursive=True)), first)
        assert desk.wait(task_id, 0).state is TaskState.RUNNING
        children = process.children(recursive=True)
        first.kill()
        assert psutil.wait_procs(children, timeout=30)[1] == []

        second = bench.start_worker()
        done = desk.wait(task_id, 300)
        assert (done.state, done.attempts) == (TaskState.DONE, 2), second.tail()
        assert done.result is not None
        assert done.result["verdict"] == "match"
        children = psutil.Process(second.process.pid).children(recursive=True)
        assert children
        assert second.stop() == 0, second.tail()
        assert psutil.wait_procs(children, timeout=30)[1] == []
