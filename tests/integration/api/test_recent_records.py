"""The newest records of a pipeline's topic."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from httpx import Client

from config_api.app import create_app
from sentinel.client import Client as ApiClient
from sentinel.domain.api_key import Scope
from sentinel.settings import KafkaSettings, Settings
from sentinel.stores.kafka.event_log import EventLog, EventRecord
from sentinel.testing.http import serve
from tests.integration.api.conftest import create_pipeline

pytestmark = pytest.mark.integration


@pytest.fixture
def topic() -> str:
    """The name of a topic that does not exist yet."""
    return f"tail-{uuid.uuid4().hex}"


@pytest.fixture
def log(settings: Settings) -> Iterator[EventLog]:
    """Writes records."""
    opened = EventLog(settings.kafka, timeout_seconds=5)
    yield opened
    opened.close()


@pytest.fixture
def path(client: Client, topic: str) -> str:
    """Where the newest records of a pipeline on the topic are."""
    return f"/api/pipelines/{create_pipeline(client, kafka_topic=topic)['id']}/recent-records"


class TestRecentRecords:
    def test_anonymous_gets_401(self, anonymous: Client) -> None:
        assert anonymous.get("/api/pipelines/1/recent-records").status_code == 401

    def test_another_tenant_gets_404(self, stranger: Client, path: str) -> None:
        assert stranger.get(path).status_code == 404

    @pytest.mark.parametrize("limit", ["0", "101", "x"])
    def test_a_wrong_limit_is_refused(self, client: Client, path: str, limit: str) -> None:
        assert client.get(path, params={"limit": limit}).status_code == 422

    def test_a_topic_that_is_not_there_yet(self, client: Client, path: str, topic: str) -> None:
        answer = client.get(path)
        assert answer.status_code == 404
        assert topic in answer.json()["detail"]
        assert client.get(path).status_code == 404, "asking must not make it"

    def test_an_empty_topic(self, client: Client, path: str, topic: str, log: EventLog) -> None:
        log.ensure_topic(topic, partitions=2)
        assert client.get(path).json() == []

    def test_the_newest_first_of_all_partitions(self, client: Client, path: str, topic: str, log: EventLog) -> None:
        log.ensure_topic(topic, partitions=3)
        for number in range(40):
            assert log.append([EventRecord(topic, b'{"n":%d}' % number, b"k%d" % number)]) == [None]
        found = client.get(path, params={"limit": 5}).json()
        # Records of one millisecond have no order over partitions.
        assert {each["text"] for each in found} <= {f'{{"n":{number}}}' for number in range(30, 40)}
        assert [each["kafka_timestamp"] for each in found] == sorted(
            (each["kafka_timestamp"] for each in found), reverse=True
        )
        assert len(found) == 5

    def test_what_is_long_is_cut_and_what_is_no_text_is_told(
        self, client: Client, api: ApiClient, path: str, topic: str, log: EventLog
    ) -> None:
        log.ensure_topic(topic, partitions=1)
        assert log.append([EventRecord(topic, b"\xff<script>"), EventRecord(topic, b"x" * 1_000_000)]) == [None, None]
        long, odd = client.get(path).json()
        assert (len(long["text"]), long["size_bytes"], long["is_cut"]) == (16 * 1024, 1_000_000, True)
        assert (odd["text"], odd["is_cut"]) == ("\ufffd<script>", False)
        assert [each.offset for each in api.recent_records(int(path.split("/")[3]))] == [1, 0]

    def test_without_kafka_it_says_so(
        self, settings: Settings, key_of: Callable[..., str], tenant: str, pipeline: dict[str, Any]
    ) -> None:
        away = settings.model_copy(
            update={
                "kafka": KafkaSettings(bootstrap_servers="127.0.0.1:1"),
                "api": settings.api.model_copy(update={"open": False}),
            }
        )
        headers = {"Authorization": f"Bearer {key_of(tenant, Scope.READ)}"}
        with serve(create_app(away)) as url, Client(base_url=url, headers=headers, timeout=30) as caller:
            answer = caller.get(f"/api/pipelines/{pipeline['id']}/recent-records")
        assert answer.status_code == 503
        assert "Kafka" in answer.json()["detail"]
