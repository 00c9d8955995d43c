"""Looking up topics on a real broker, and on none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sentinel.errors import NotFoundError, StoreUnavailableError
from sentinel.localstack.ports import free_port
from sentinel.settings import KafkaSettings, Settings
from sentinel.streaming import topics as topics_module
from sentinel.streaming.topics import Topics
from tests.support.detection import Workbench

pytestmark = pytest.mark.integration


@pytest.fixture
def topics(settings: Settings) -> Iterator[Topics]:
    opened = Topics(settings.kafka, group_id="test-topics")
    yield opened
    opened.close()


def test_a_topic_made_anew_under_its_name_has_another_id(bench: Workbench, topics: Topics) -> None:
    name = bench.create_topic(1)
    first = topics.topic_id(name)
    assert first == topics.topic_id(name)
    bench.make_anew(name, [b"{}"])
    assert topics.topic_id(name) not in ("", first)


def test_a_topic_that_is_not_there_is_named(topics: Topics) -> None:
    with pytest.raises(NotFoundError, match="'no-such-topic' does not exist"):
        topics.topic_id("no-such-topic")


def test_a_broker_that_does_not_answer_is_waited_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics_module, "TIMEOUT_SECONDS", 0.5)
    nowhere = Topics(KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}"), group_id="test-topics")
    with pytest.raises(StoreUnavailableError):
        nowhere.topic_id("any")
    nowhere.close()
