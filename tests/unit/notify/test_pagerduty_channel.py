"""Channels of kind pagerduty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from sentinel.domain.notification import NotificationKind
from sentinel.notify.channels.base import Fate
from sentinel.notify.channels.configured import Means
from sentinel.notify.channels.pagerduty import PagerDutyChannel, PagerDutyOptions
from sentinel.testing.channel_contract import LOCAL, ChannelContract, failure_of, kept, make_means, notification
from tests.support.channel_receivers import HttpContractReceiver, contract_http
from tests.support.receivers import HttpReceiver, http_receiver

KEY = "0123456789abcdef0123456789ABCDEF"
TAKEN = b'{"status": "success", "message": "Event processed", "dedup_key": "x"}'


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as listening:
        listening.answers = [(202, {}, TAKEN)]
        yield listening


def channel(receiver: HttpReceiver) -> PagerDutyChannel:
    return PagerDutyChannel(PagerDutyOptions(endpoint=f"{receiver.url}/"), kept(KEY), make_means(LOCAL))


def events(receiver: HttpReceiver) -> list[dict[str, object]]:
    return [json.loads(received.body) for received in receiver.received]


class TestContract(ChannelContract):
    def receiver(self, directory: Path) -> AbstractContextManager[HttpContractReceiver]:
        return contract_http(202, TAKEN)

    def channel(self, receiver: HttpContractReceiver, means: Means) -> PagerDutyChannel:
        return PagerDutyChannel(PagerDutyOptions(endpoint=receiver.server.url), kept(KEY), means)

    def secrets(self, receiver: HttpContractReceiver) -> list[str]:
        return [KEY]


class TestSend:
    def test_one_group_is_one_incident_from_trigger_to_resolve(self, receiver: HttpReceiver) -> None:
        for kind in (NotificationKind.FIRED, NotificationKind.ACKNOWLEDGED, NotificationKind.RESOLVED):
            channel(receiver).send(notification(kind))
        assert [event["event_action"] for event in events(receiver)] == ["trigger", "acknowledge", "resolve"]
        assert {event["dedup_key"] for event in events(receiver)} == {"1:rule=large"}
        assert "payload" not in events(receiver)[1]
        assert receiver.received[0].path == "/v2/enqueue"

    def test_the_limits_of_pagerduty_hold(self, receiver: HttpReceiver) -> None:
        channel(receiver).send(notification(text="x" * 5000, group_key="k" * 300))
        (event,) = events(receiver)
        payload = event["payload"]
        assert isinstance(payload, dict)
        assert len(payload["summary"]) <= 1024
        assert payload["severity"] == "critical"
        assert len(str(event["dedup_key"])) <= 255

    def test_a_test_leaves_no_incident_open(self, receiver: HttpReceiver) -> None:
        channel(receiver).send(notification(NotificationKind.TEST, alerts=0))
        assert [event["event_action"] for event in events(receiver)] == ["trigger", "resolve"]
        assert {event["dedup_key"] for event in events(receiver)} == {"dlv_01"}

    @pytest.mark.parametrize(
        ("status", "fate"),
        [(400, Fate.DEAD), (404, Fate.DEAD), (429, Fate.RETRY), (408, Fate.RETRY), (500, Fate.RETRY)],
    )
    def test_what_a_status_means(self, receiver: HttpReceiver, status: int, fate: Fate) -> None:
        receiver.answers = [(status, {}, b'{"status": "invalid event"}')]
        failure = failure_of(channel(receiver), notification())
        assert (failure.fate, failure.status) == (fate, status)

    def test_a_summary_pages_nobody(self) -> None:
        assert NotificationKind.SUMMARY not in PagerDutyChannel.tells


@pytest.mark.parametrize("key", ["", "short", KEY[:-1] + "-", KEY + "0"])
def test_what_is_no_key_is_refused(key: str) -> None:
    assert PagerDutyChannel.secret_problem(PagerDutyOptions(), key)
