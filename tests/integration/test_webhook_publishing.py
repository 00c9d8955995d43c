"""Stored events of webhooks reach their topic: after a crash, and after an outage of the broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx import Client

from config_api.app import create_app
from sentinel.domain.pipeline import PipelineConfig, PipelineStatus
from sentinel.domain.schema_definition import FieldDefinition
from sentinel.domain.webhook import EventIdentity, TokenOptions, WebhookKind
from sentinel.localstack.ports import free_port
from sentinel.settings import PROJECT_ROOT, Settings
from sentinel.stores.postgres.webhook_inbox import PostgresWebhookInbox
from sentinel.testing.http import serve
from sentinel.testing.servers import ServerSet, start_servers
from sentinel.wiring import Backend
from sentinel.wiring_webhooks import Webhooks
from tests.integration.api.test_webhooks import create_source, event_body, listed, send, wait_until_published
from tests.support.topics import awaited, held
from tests.support.webhooks import TOKEN, delivery

pytestmark = pytest.mark.integration

START_SECONDS = 60


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for a server that was just started."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if Client(base_url=url).get("/healthz").status_code == 200:
                return
        except httpx.TransportError:
            assert process.poll() is None
            assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def api_without_broker(
    settings: Settings, tenant: str, tmp_path: Path
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The API as a process of its own, which reaches PostgreSQL and no broker."""
    port = free_port()
    environment = {
        **os.environ,
        "SENTINEL_HOME": str(settings.home),
        "SENTINEL_TENANT": tenant,
        "SENTINEL_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    }
    command = [sys.executable, "-m", "uvicorn", "config_api.app:create_app", "--factory", "--port", str(port)]
    with (tmp_path / "api.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=PROJECT_ROOT, stdout=log, stderr=log)
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.kill()
            process.wait()


def test_a_crash_between_commit_and_publishing_loses_nothing(
    settings: Settings, tenant: str, api_without_broker: tuple[str, subprocess.Popen[bytes]]
) -> None:
    url, process = api_without_broker
    with Client(base_url=url, timeout=30) as client:
        source = create_source(client)
        for number in range(3):
            assert send(client, source, event_body(f"evt_{number}")).status_code == 200
        process.send_signal(signal.SIGKILL)
        process.wait()
    with (
        serve(create_app(settings.model_copy(update={"tenant": tenant}))) as fresh,
        Client(base_url=fresh, timeout=30) as client,
    ):
        wait_until_published(client, source)
    assert sorted(key or b"" for key, _, _ in awaited(settings, f"{tenant}.stripe", 3)) == [
        b"evt_0",
        b"evt_1",
        b"evt_2",
    ]


def test_several_publishers_hand_each_event_on_once(settings: Settings, tenant: str) -> None:
    backend = Backend(settings)
    backend.open()
    with backend.unit(tenant, "test") as unit:
        pipeline_id = unit.pipelines.create(**pipeline_of(tenant)).id
        source = unit.webhooks.create(**source_of(pipeline_id))
    inbox = backend.webhook_inbox()
    for number in range(250):
        store(inbox, tenant, source.id, number)
    publishers = [Webhooks(settings, inbox, backend.backfill_inbox()) for _ in range(3)]
    try:
        with ThreadPoolExecutor(3) as threads:
            counts = list(threads.map(lambda one: one.publisher.publish(tenant), publishers))
        for _ in range(20):
            counts.append(publishers[0].publisher.publish(tenant))
    finally:
        for one in publishers:
            one.close()
        backend.close()
    assert sum(counts) == 250
    assert sorted(value or b"" for _, value, _ in held(settings, f"{tenant}.own")) == sorted(
        b'{"n": %d}' % number for number in range(250)
    )


@pytest.fixture
def own_servers(tmp_path: Path) -> Iterator[ServerSet]:
    """PostgreSQL and Kafka that this test may stop."""
    with start_servers(tmp_path, ("postgres", "kafka")) as running:
        yield running


def test_while_the_broker_is_away_events_are_taken_and_handed_on_afterwards(own_servers: ServerSet) -> None:
    settings = own_servers.settings
    quick = settings.model_copy(
        update={
            "ingest": settings.ingest.model_copy(update={"timeout_seconds": 2.0}),
            "webhooks": settings.webhooks.model_copy(update={"sweep_seconds": 0.5}),
        }
    )
    with serve(create_app(quick)) as url, Client(base_url=url, timeout=30) as client:
        source = create_source(client)
        assert send(client, source, event_body("evt_before")).status_code == 200
        wait_until_published(client, source)
        own_servers.stop("kafka")
        began = time.monotonic()
        for number in range(20):
            assert send(client, source, event_body(f"evt_{number}")).status_code == 200
        # Nobody waited for the broker.
        assert time.monotonic() - began < 20 * quick.ingest.timeout_seconds
        time.sleep(3)
        assert len(listed(client, source, "events", unpublished=True)) == 20
        assert send(client, source, event_body("evt_0")).json()["status"] in {"duplicate", "conflict"}
        own_servers.start("kafka")
        wait_until_published(client, source, seconds=90)
        expected = {b"evt_before", *(f"evt_{number}".encode() for number in range(20))}
        assert {key for key, _, _ in held(quick, f"{settings.tenant}.stripe")} == expected


def pipeline_of(tenant: str) -> dict[str, Any]:
    """Return what a pipeline whose topic is the tenant's is made of."""
    return {
        "name": "own",
        "kafka_topic": f"{tenant}.own",
        "definitions": [FieldDefinition("n", "integer")],
        "config": PipelineConfig(),
        "start_at": "earliest",
        "status": PipelineStatus.ACTIVE,
    }


def source_of(pipeline_id: int) -> dict[str, Any]:
    """Return what a source is made of."""
    return {
        "name": "own",
        "kind": WebhookKind.TOKEN,
        "pipeline_id": pipeline_id,
        "options": TokenOptions(),
        "secrets": [TOKEN],
    }


def store(inbox: PostgresWebhookInbox, tenant: str, source_id: int, number: int) -> None:
    """Take in an event that nobody is told of."""
    body = b'{"n": %d}' % number
    with inbox.opened(tenant, source_id) as transaction:
        transaction.store(EventIdentity(f"e{number}", "", None, body), delivery(body, {}))
