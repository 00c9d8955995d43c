"""Events by HTTP while a store is away: nothing that was accepted is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx import Client

from config_api.app import create_app
from sentinel.settings import Settings
from sentinel.stores.kafka.event_spool import EventSpool
from sentinel.testing.http import serve
from sentinel.testing.servers import ServerSet, start_servers
from tests.support.topics import held


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerSet]:
    """Servers that this module may stop."""
    with start_servers(tmp_path_factory.mktemp("own") / "stack", ("postgres", "kafka", "redis")) as servers:
        yield servers


def with_intake(settings: Settings, **changed: Any) -> Settings:
    quick = {"timeout_seconds": 1.5, "config_seconds": 0.1, **changed}
    return settings.model_copy(update={"ingest": settings.ingest.model_copy(update=quick)})


def ids_held(settings: Settings, topic: str) -> list[str]:
    """The keys of all records of a topic: here, the events' ids."""
    return sorted((record.key or b"").decode() for record in held(settings, topic))


def until_held(sender: Client, event_id: str) -> None:
    """Send an event until the broker, which may have just come back, holds it."""
    deadline = time.monotonic() + 30
    while True:
        answer = sender.post("/events", json=event(event_id))
        if answer.status_code == 202 and not answer.json()["spooled"]:
            return
        assert time.monotonic() < deadline, answer.text


def event(event_id: str) -> dict[str, str]:
    return {"type": "order", "id": event_id}


def test_without_a_broker_503_says_when_to_come_back(own: ServerSet) -> None:
    with serve(create_app(with_intake(own.settings))) as url, Client(base_url=url, timeout=30) as sender:
        until_held(sender, "b-1")
        own.stop("kafka")
        try:
            began = time.monotonic()
            refused = sender.post("/events", json=event("b-2"))
            waited = time.monotonic() - began
        finally:
            own.start("kafka")
        assert refused.status_code == 503, refused.text
        assert int(refused.headers["Retry-After"]) >= 1
        assert "Kafka does not answer" in refused.json()["detail"]
        assert waited < 10
        until_held(sender, "b-3")
        again = sender.post("/events", json=[event("b-1"), event("b-2")])
        assert [item["status"] for item in again.json()["items"]] == ["duplicate", "accepted"]
    assert set(ids_held(own.settings, "default.events")) >= {"b-1", "b-2"}


def test_a_spool_keeps_events_over_a_restart_until_the_broker_is_back(own: ServerSet, tmp_path: Path) -> None:
    settings = with_intake(own.settings, spool_max_bytes=3_000, spool_file=str(tmp_path / "spool.sqlite"))
    without = with_intake(own.settings)
    with serve(create_app(without)) as url, Client(base_url=url, timeout=30) as sender:
        until_held(sender, "s-0")
    own.stop("kafka")
    try:
        with serve(create_app(settings)) as url, Client(base_url=url, timeout=30) as sender:
            spooled = sender.post("/events", json=[event(f"s-{n}") for n in range(1, 11)])
            assert spooled.status_code == 202, spooled.text
            assert spooled.json()["spooled"] is True
            full = sender.post("/events", json=[{"type": "order", "id": "s-99", "data": "x" * 3_000}])
            assert full.status_code == 503
        # The API is gone, the broker as well; what was accepted is on disk.
        assert EventSpool(tmp_path / "spool.sqlite", max_bytes=3_000).counts() == (10, 0)
    finally:
        own.start("kafka")
    with serve(create_app(settings)) as url, Client(base_url=url, timeout=30) as sender:
        spool = EventSpool(tmp_path / "spool.sqlite", max_bytes=3_000)
        deadline = time.monotonic() + 60
        while spool.counts()[0] and time.monotonic() < deadline:
            time.sleep(0.1)
        assert spool.counts() == (0, 0)
        # A repetition of what was spooled is known as one.
        assert sender.post("/events", json=event("s-3")).json()["duplicate"] == 1
    held = [each for each in ids_held(own.settings, "default.events") if each.startswith("s-")]
    assert held == sorted(f"s-{n}" for n in range(11))


@pytest.mark.parametrize("mode", ["accept", "refuse"])
def test_without_redis_events_are_taken_or_refused_as_it_is_set(own: ServerSet, mode: str) -> None:
    settings = with_intake(own.settings, without_redis=mode, events_per_minute=5)
    with serve(create_app(settings)) as url, Client(base_url=url, timeout=30) as sender:
        until_held(sender, f"{mode}-0")
        own.stop("redis")
        try:
            first = sender.post("/events", json=event(f"{mode}-1"))
            if mode == "refuse":
                assert first.status_code == 503
                assert "Redis does not answer" in first.json()["detail"]
                return
            assert first.status_code == 202, first.text
            assert first.json()["deduplicated"] is False
            twice = sender.post("/events", json=event("accept-1"), headers={"Idempotency-Key": "k"})
            assert twice.json()["accepted"] == 1
            # Each process counts for itself meanwhile; five are too many also when a minute has just ended.
            assert sender.post("/events", json=[event(f"accept-{n}") for n in range(5)]).status_code == 429
        finally:
            own.start("redis")


def test_without_postgresql_events_are_taken_by_what_is_known(own: ServerSet) -> None:
    with serve(create_app(with_intake(own.settings))) as url, Client(base_url=url, timeout=60) as sender:
        until_held(sender, "p-1")
        own.stop("postgres")
        try:
            time.sleep(0.2)
            answer = sender.post("/events", json=event("p-2"))
        finally:
            own.start("postgres")
        assert answer.status_code == 202, answer.text
    assert {"p-1", "p-2"} <= set(ids_held(own.settings, "default.events"))
