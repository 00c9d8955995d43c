"""`sentinel dead-letters` against a real API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from httpx import Client
from typer.testing import CliRunner, Result

from sentinel.cli.dead_letters import app
from sentinel.errors import ConflictError, EngineUnavailableError, InvalidError, NotFoundError
from sentinel.settings import Settings
from sentinel.stores.kafka.event_log import EventLog
from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import create_pipeline
from tests.integration.api.findings import Findings
from tests.support.topics import held

pytestmark = pytest.mark.integration


@pytest.fixture
def own(client: Client, tenant: str, settings: Settings) -> dict[str, Any]:
    """A pipeline with a topic of its own."""
    topic = f"{tenant}.events"
    log = EventLog(settings.kafka, timeout_seconds=30)
    log.ensure_topic(topic, partitions=1)
    log.close()
    return create_pipeline(client, kafka_topic=topic)


@pytest.fixture
def run(cli_of_tenant: None, own: dict[str, Any]) -> Callable[..., Result]:
    """Runs a command on the pipeline; one that fails raises."""

    def invoke(verb: str, *arguments: object, **more: Any) -> Result:
        words = [verb, str(own["id"]), *map(str, arguments)]
        return CliRunner().invoke(app, words, catch_exceptions=False, **more)

    return invoke


@pytest.fixture
def ids(client: Client, own: dict[str, Any], database: Database, tenant: str) -> list[int]:
    """Three dead letters, oldest first."""
    findings = Findings(database, tenant)
    for offset, raw in enumerate((b'{"transaction_id": "t1"}', b"a\x1b[2Jb", b"{")):
        findings.dead_letter(own["id"], 1000 + offset, "not_json" if offset else "missing_field", raw)
    found = client.get(f"/api/pipelines/{own['id']}/dead-letters").json()
    return [each["id"] for each in reversed(found)]


def test_looking(run: Callable[..., Result], ids: list[int]) -> None:
    lines = run("list", "--cause", "not_json").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [str(ids[2]), str(ids[1])]
    assert '"raw_text": "{"' in run("list", "--json").stdout
    shown = run("show", ids[1]).stdout
    assert f"dead letter {ids[1]}: not_json, open" in shown
    assert "a\\x1b[2Jb" in shown
    assert run("show", ids[0], "--raw").stdout == '{"transaction_id": "t1"}'
    assert len(run("list", "--since", "2030-01-01").stdout.splitlines()) == 1
    with pytest.raises(NotFoundError):
        run("show", 2**62)
    with pytest.raises(InvalidError, match="is no time"):
        run("list", "--since", "yesterday")


def test_redriving(
    run: Callable[..., Result], ids: list[int], own: dict[str, Any], settings: Settings, tmp_path: Path
) -> None:
    edited = tmp_path / "record.json"
    edited.write_text('{"transaction_id": "t2", "user_id": "u2", "amount": 1}')
    assert run("redrive", ids[0], "--file", edited, "--force").stdout == "1 sent, 0 left\n"
    done = run("redrive", *ids, "--force", "--rate", 1)
    assert (done.exit_code, done.stdout) == (1, "2 sent, 1 left\n")
    assert f"{ids[0]}: it is redriven" in done.stderr
    assert "sent edited as record 0 of partition 0" in run("show", ids[0]).stdout
    records = held(settings, own["kafka_topic"])
    assert [each.value for each in records] == [edited.read_bytes(), b"a\x1b[2Jb", b"{"]
    with pytest.raises(ConflictError):
        run("redrive", ids[0], "--file", edited, "--force")


def test_what_needs_the_rule_worker_says_so(run: Callable[..., Result], ids: list[int]) -> None:
    with pytest.raises(EngineUnavailableError, match="rule worker"):
        run("check", ids[0])


@pytest.mark.parametrize(
    "arguments",
    [[], ["1", "--all"], ["1", "2", "--file", "x"], ["1", "--file", "/nowhere/x"], ["1", "--file", "x", "--dry-run"]],
    ids=str,
)
def test_a_wrong_choice_is_said(run: Callable[..., Result], arguments: list[str]) -> None:
    with pytest.raises(InvalidError):
        run("redrive", *arguments)


def test_discarding_and_back(run: Callable[..., Result], ids: list[int]) -> None:
    with pytest.raises(InvalidError, match="--reason"):
        run("discard", ids[0])
    assert (
        run("discard", "--cause", "not_json", "--reason", "x", "--dry-run").stdout == "2 would be discarded, 0 left\n"
    )
    refused = run("discard", "--all", "--reason", "x", input="n\n")
    assert refused.exit_code == 1
    assert run("discard", "--cause", "not_json", "--reason", "a test", "--yes").stdout == "2 discarded, 0 left\n"
    assert "by test" in run("show", ids[1]).stdout
    assert ": a test" in run("show", ids[1]).stdout
    again = run("discard", *ids, "--reason", "x")
    assert (again.exit_code, again.stdout) == (1, "1 discarded, 2 left\n")
    assert run("reopen", *ids).stdout == "3 open again, 0 left\n"
