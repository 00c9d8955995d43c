"""Channels of kind webhook."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from sentinel.clock import utc_now
from sentinel.domain.channel import KeptSecret
from sentinel.domain.notification import NotificationKind
from sentinel.domain.origin import Origin
from sentinel.notify.channels.answers import retry_after
from sentinel.notify.channels.base import Fate
from sentinel.notify.channels.configured import Means
from sentinel.notify.channels.webhook import WebhookChannel, WebhookOptions
from sentinel.testing.channel_contract import (
    LOCAL,
    NOW,
    ChannelContract,
    failure_of,
    kept,
    make_means,
    notification,
)
from tests.support.channel_receivers import HttpContractReceiver, contract_http
from tests.support.receivers import HttpReceiver, http_receiver

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as listening:
        yield listening


def channel(receiver: HttpReceiver, *secrets: KeptSecret, now: datetime = NOW) -> WebhookChannel:
    return WebhookChannel(
        WebhookOptions(url=f"{receiver.url}/alerts?a=b"), secrets or kept(SECRET), make_means(LOCAL, now=now)
    )


class TestContract(ChannelContract):
    def receiver(self, directory: Path) -> AbstractContextManager[HttpContractReceiver]:
        return contract_http(204, b"")

    def channel(self, receiver: HttpContractReceiver, means: Means) -> WebhookChannel:
        return WebhookChannel(WebhookOptions(url=f"{receiver.server.url}/x"), kept(SECRET), means)

    def secrets(self, receiver: HttpContractReceiver) -> list[str]:
        return [SECRET]


class TestSend:
    def test_the_official_library_verifies_it_with_every_valid_secret(self, receiver: HttpReceiver) -> None:
        now = utc_now()
        expired = "whsec_" + base64.b64encode(bytes(range(2, 34))).decode()
        secrets = [KeptSecret(SECRET), KeptSecret(OTHER, now + timedelta(1)), KeptSecret(expired, now)]
        channel(receiver, *secrets, now=now).send(notification())
        (received,) = receiver.received
        assert received.path == "/alerts?a=b"
        assert len(received.headers["webhook-signature"].split(" ")) == 2
        for secret in (SECRET, OTHER):
            assert Webhook(secret).verify(received.body, received.headers)["alert_id"] == 2
        with pytest.raises(WebhookVerificationError):
            Webhook(expired).verify(received.body, received.headers)

    def test_the_payload_says_everything(self, receiver: HttpReceiver) -> None:
        channel(receiver).send(notification(count=25))
        found = json.loads(receiver.received[0].body)
        details = found.pop("details")
        assert "amount > 100 (amount = 750.5" in found.pop("message")
        assert found == {
            "alert_id": 2,
            "alert_type": "large",
            "tenant_id": "acme",
            "severity": "critical",
            "title": "[critical] Large payment (+24 more)",
            "timestamp": "2026-03-01T12:30:15.250Z",
        }
        assert (details["kind"], details["alert_count"], len(details["alerts"])) == ("fired", 25, 2)
        assert details["alerts"][0]["event"]["amount"] == 750.5

    def test_it_names_the_request_and_carries_the_trace_on(self, receiver: HttpReceiver) -> None:
        trace = f"00-{'a1' * 16}-{'b2' * 8}-01"
        told = notification()
        first = replace(told.alerts[0], origin=Origin("shop-17", trace))
        channel(receiver).send(replace(told, alerts=(first, told.alerts[1]), traceparent=trace))
        (received,) = receiver.received
        alerts = json.loads(received.body)["details"]["alerts"]
        assert [(each["request_id"], each["trace_id"]) for each in alerts] == [("shop-17", "a1" * 16), (None, None)]
        assert received.headers["traceparent"] == trace

    def test_what_is_not_traced_carries_nothing(self, receiver: HttpReceiver) -> None:
        channel(receiver).send(notification())
        assert "traceparent" not in receiver.received[0].headers

    def test_a_test_has_no_alert(self, receiver: HttpReceiver) -> None:
        channel(receiver).send(notification(NotificationKind.TEST, alerts=0))
        found = json.loads(receiver.received[0].body)
        assert (found["alert_id"], found["alert_type"], found["details"]["alerts"]) == (None, "test", [])

    def test_an_event_that_is_nested_too_deep_is_left_out_and_that_is_said(self, receiver: HttpReceiver) -> None:
        deep: Any = 1
        for _ in range(5000):
            deep = [deep]
        sent = notification(alerts=1)
        evidence = ({"condition": "x", "values": {"a": deep}},)
        channel(receiver).send(replace(sent, alerts=(replace(sent.alerts[0], event=deep, evidence=evidence),)))
        (alert,) = json.loads(receiver.received[0].body)["details"]["alerts"]
        assert "nested deeper than 100 levels" in alert["event"]

    def test_what_json_does_not_know_is_told_as_text(self, receiver: HttpReceiver) -> None:
        sent = notification(alerts=1)
        event = MappingProxyType({"a": Decimal("1.50"), "b": MappingProxyType({"c": NOW})})
        channel(receiver).send(replace(sent, alerts=(replace(sent.alerts[0], event=event),)))
        (alert,) = json.loads(receiver.received[0].body)["details"]["alerts"]
        assert alert["event"] == {"a": "1.50", "b": {"c": str(NOW)}}

    def test_without_a_valid_secret_nothing_is_sent(self, receiver: HttpReceiver) -> None:
        failure = failure_of(channel(receiver, KeptSecret(SECRET, NOW)), notification())
        assert (failure.fate, failure.reason, receiver.received) == (Fate.DEAD, "no_secret", [])

    @pytest.mark.parametrize(
        ("status", "fate", "reason"),
        [
            (410, Fate.GONE, "gone"),
            (302, Fate.RETRY, "redirect"),
            (400, Fate.RETRY, "status_4xx"),
            (404, Fate.RETRY, "status_4xx"),
            (429, Fate.RETRY, "rate_limited"),
            (500, Fate.RETRY, "status_5xx"),
        ],
    )
    def test_what_a_status_means(self, receiver: HttpReceiver, status: int, fate: Fate, reason: str) -> None:
        receiver.answers = [(status, {"Location": "/elsewhere"}, b"no")]
        failure = failure_of(channel(receiver), notification())
        assert (failure.fate, failure.reason, failure.status) == (fate, reason, status)
        assert len(receiver.received) == 1

    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_any_2xx_is_success(self, receiver: HttpReceiver, status: int) -> None:
        receiver.answers = [(status, {"Content-Length": "0"}, b"")]
        assert channel(receiver).send(notification()).status == status


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("17", 17.0),
            ("0", 0.0),
            ("999999999", 86_400.0),
            ("Sun, 01 Mar 2026 12:31:15 GMT", 59.75),
            ("Sun, 01 Mar 2026 12:00:00 GMT", 0.0),
            ("Sun, 01 Mar 2026 12:31:15 -0000", 59.75),
            ("Tue, 01 Mar 9999 12:00:00 GMT", 86_400.0),
            ("", None),
            ("-5", None),
            ("1e3", None),
            ("soon", None),
            ("١٢", None),
            ("9" * 400, None),
            ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
            ("Mon, 01 Jan 2026 00:00:00 +9999999999999999", None),
        ],
    )
    def test_seconds_and_dates_are_read(self, value: str, seconds: float | None) -> None:
        assert retry_after({"retry-after": value}, NOW.astimezone(UTC)) == seconds

    def test_it_is_told(self, receiver: HttpReceiver) -> None:
        receiver.answers = [(503, {"Retry-After": "120"}, b"")]
        assert failure_of(channel(receiver), notification()).retry_after_seconds == 120


class TestSecrets:
    @pytest.mark.parametrize("secret", ["", "short", SECRET.removeprefix("whsec_"), "whsec_!!!!!!!!", "whsec_AAAA"])
    def test_what_is_no_secret_is_refused_without_saying_it(self, secret: str) -> None:
        problem = WebhookChannel.secret_problem(WebhookOptions(url="https://example.com"), secret)
        assert problem
        assert not secret or secret not in problem

    def test_one_of_the_library_is_taken(self) -> None:
        assert WebhookChannel.secret_problem(WebhookOptions(url="https://example.com"), SECRET) is None
