"""Dead letters mended end to end: a real job, broker, lake and rule worker; the guide's commands run as printed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from config_api.app import create_app
from sentinel.client import Client, models
from sentinel.domain.engine_task import TaskKind, TaskState
from sentinel.errors import BreakingChangeError, ConflictError
from sentinel.settings import PROJECT_ROOT
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.testing.http import serve
from sentinel.testing.servers import ServerSet
from tests.docs.test_detectors_guide import decoded
from tests.support.detection import Workbench

pytestmark = [pytest.mark.integration, pytest.mark.spark, pytest.mark.timeout(600)]

GUIDE = (PROJECT_ROOT / "docs" / "dead-letters.md").read_text()
COMMANDS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
TENANT = "mended"
FIELDS = [
    {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
    {"name": "user_id", "type": "string", "role": "entity"},
    {"name": "amount", "type": "float"},
    {"name": "country", "type": "string", "nullable": False},
    {"name": "at", "type": "timestamp", "role": "event_time"},
]
RECORDS = [
    b'{"id": "e0", "user_id": "u0", "amount": 10, "country": "DE"}',
    b'{"id": "e1", "user_id": "u1", "amount": 5000}',
    b'{"id": "e2", "user_id": "u2", "amount": 7000}',
    b"this is not JSON",
    b'{"id": "e4", "user_id": "u4", "amount": "6000", "country": "DE"}',
    b'{"id": "e5", "user_id": "u5", "amount": 1, "country": "DE", "at": "2999-01-01T00:00:00Z"}',
]


class World:
    """A pipeline whose job runs, with five dead letters, and a rule worker."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.topic = bench.create_topic(1)
        self.pipeline_id = bench.create_pipeline(self.topic, {"large": "amount > 1000"}, fields=FIELDS)
        bench.send(self.topic, RECORDS)
        self.job = bench.start_job(self.pipeline_id)
        self.worker = bench.start_worker()
        bench.wait_decided(self.pipeline_id, self.topic, self.job)
        rows = bench.query(
            "SELECT id, kafka_offset FROM sentinel.dead_letters WHERE pipeline_id = %s", self.pipeline_id
        )
        self.letters = {row["kafka_offset"]: row["id"] for row in rows}
        with bench.backend.unit(TENANT, "test") as unit:
            wanted = {"ids": list(self.letters.values())}
            warming = unit.tasks.submit(self.pipeline_id, TaskKind.CHECK, wanted).id
        done = bench.backend.desk(TENANT, "test").wait(warming, 300)
        assert done.state is TaskState.DONE, self.worker.tail()

    def alerted(self) -> set[str]:
        rows = self.bench.query("SELECT event_id FROM sentinel.alerts WHERE pipeline_id = %s", self.pipeline_id)
        return {row["event_id"] for row in rows}

    def wait_alerted(self, *events: str) -> None:
        self.bench.wait_until(f"{events} have alerts", lambda: set(events) <= self.alerted(), self.job, 60)

    def newest(self, client: Client) -> models.DeadLetter:
        return client.dead_letters(self.pipeline_id, limit=1)[0]


@pytest.fixture(scope="module")
def world(servers: ServerSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    ensure_tenant(servers.settings.postgres, TENANT, "test")
    bench = Workbench(servers, TENANT, tmp_path_factory.mktemp("mended"))
    try:
        yield World(bench)
    finally:
        bench.close()


@pytest.fixture(scope="module")
def url(servers: ServerSet) -> Iterator[str]:
    worker = servers.settings.worker.model_copy(update={"answer_seconds": 60.0})
    with serve(create_app(servers.settings.model_copy(update={"tenant": TENANT, "worker": worker}))) as address:
        yield address


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(url, timeout_seconds=90) as opened:
        yield opened


class TestChecking:
    @pytest.mark.parametrize(
        ("offset", "cause"),
        [(3, "not_json"), (4, "wrong_type"), (5, "event_time_in_future")],
    )
    def test_the_record_as_it_is_kept(self, world: World, client: Client, offset: int, cause: str) -> None:
        found = client.check_dead_letter(world.pipeline_id, world.letters[offset])
        letter = client.get_dead_letter(world.pipeline_id, world.letters[offset])
        assert (found.is_event, found.cause, letter.cause) == (False, cause, cause)
        assert (found.field, bool(found.detail)) == (letter.field, True)

    @pytest.mark.parametrize(
        ("text", "cause"),
        [
            ('{"id": "e9", "country": "DE"}', None),
            ('{"id": "e9", "country": "DE", "at": "2026-01-31 12:00"}', None),
            ('{"id": "e9", "country": "DE", "at": "1969-12-31T00:00:00Z"}', "event_time_out_of_range"),
            ('{"id": "e9", "country": "DE", "at": "2026-01-31T99:99"}', "wrong_type"),
            ('{"id": "e9", "Country": "DE"}', "missing_field"),
            ('{"id": "' + "x" * 600 + '", "country": "DE"}', "out_of_range"),
            ("\x00", "not_json"),
            ("", "empty"),
            ('{"id": "e9", "country": "' + "x" * 1_100_000 + '"}', "too_large"),
        ],
        ids=lambda text: str(text)[:40],
    )
    def test_what_it_was_edited_to(self, world: World, client: Client, text: str, cause: str | None) -> None:
        found = client.check_dead_letter(world.pipeline_id, world.letters[3], text)
        assert (found.is_event, found.cause) == (cause is None, cause)


class TestRedriving:
    def test_one_that_would_fail_again_is_refused(self, world: World, client: Client) -> None:
        with pytest.raises(ConflictError, match="it would be a dead letter again: not_json"):
            client.redrive_dead_letter(world.pipeline_id, world.letters[3])
        assert client.get_dead_letter(world.pipeline_id, world.letters[3]).state == "open"

    def test_one_that_fails_again_points_at_its_first(self, world: World, client: Client) -> None:
        letter = world.letters[5]
        client.redrive_dead_letter(world.pipeline_id, letter, only_events=False)
        world.bench.wait_until(
            "it is a dead letter again",
            lambda: client.get_dead_letter(world.pipeline_id, letter).redrives[0].failed_as is not None,
            world.job,
            60,
        )
        again = world.newest(client)
        assert (again.cause, again.redrive_of, again.first_id) == ("event_time_in_future", letter, letter)
        assert (again.redrive_count, again.state, again.id) == (1, "open", again.id)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not there")
def test_the_guide_from_a_malformed_event_to_its_alert(world: World, client: Client, url: str) -> None:
    assert tuple(COMMANDS) == ("look", "check", "redrive", "many", "discard")

    def run(name: str) -> list[Any]:
        command = (
            COMMANDS[name]
            .replace("localhost:8000", url)
            .replace("pipelines/7/", f"pipelines/{world.pipeline_id}/")
            .replace("dead-letters/17", f"dead-letters/{world.letters[4]}")
        )
        done = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, check=True)
        return decoded(done.stdout)

    listed, counts, shown = run("look")
    assert [each["id"] for each in listed] == [world.letters[4]]
    assert counts["total"] >= 5
    assert (shown["cause"], shown["field"]) == ("wrong_type", "amount")
    kept, edited = run("check")
    assert (kept["is_event"], kept["cause"], edited["is_event"]) == (False, "wrong_type", True)
    (sent,) = run("redrive")
    assert (sent["sent"], sent["events"], sent["left"]) == (1, 1, 0), sent
    world.wait_alerted("e4")
    (repeated,) = run("redrive")
    assert (repeated["is_repeated"], repeated["redrives"][0]["kafka_offset"]) == (
        True,
        sent["redrives"][0]["kafka_offset"],
    )

    dry, many = run("many")
    assert (dry["events"], dry["by_cause"], many["sent"]) == (0, {"missing_field": 2}, 0)
    relaxed = [{**field, "nullable": True} if field["name"] == "country" else field for field in FIELDS]
    try:
        client.put_schema(world.pipeline_id, relaxed)
    except BreakingChangeError as error:
        client.put_schema(world.pipeline_id, relaxed, confirm=error.plan["confirm"])
    dry, many = run("many")
    assert (dry["events"], dry["by_cause"], dry["sent"], many["sent"]) == (2, {}, 0, 2)
    world.wait_alerted("e1", "e2")
    assert world.alerted() == {"e1", "e2", "e4"}

    discarded, entries = run("discard")
    assert discarded["changed"] == 1
    assert entries[0]["action"] == "dead_letter.discard"
    world.bench.wait_settled(world.pipeline_id, world.topic, world.job)
    found = json.loads(world.bench.command("reconcile", str(world.pipeline_id), "--json"))
    assert all((check["lost"], check["doubled"]) == (0, 0) for check in found["checks"]), found
    assert found["dead_letters"] >= 5
