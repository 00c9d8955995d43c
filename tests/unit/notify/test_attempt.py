"""Attempts: what they say of where the alerts came from."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

import pytest

from sentinel.domain.channel import ChannelKind
from sentinel.domain.delivery import ClaimedDelivery
from sentinel.domain.notification import Notification
from sentinel.domain.notification_content import content_of
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.origin import Origin
from sentinel.notify.channels.base import Channel, Receipt
from sentinel.notify.sending.attempt import Attempt, Attempter
from sentinel.telemetry.context import REQUEST, request_id
from sentinel.telemetry.traces import begin_traces
from sentinel.testing.channel_contract import NOW, notification
from tests.support.collector import collector

TRACES = [f"00-{number:032x}-{'b2' * 8}-01" for number in range(1, 4)]


@dataclass
class Keeping:
    """A channel that keeps what it is given."""

    kind: ChannelKind = ChannelKind.WEBHOOK
    name: str = "crm"
    rate_per_minute: int | None = None
    sent: list[Notification] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def with_target(self, override: str | None) -> Channel:
        return self

    def send(self, told: Notification) -> Receipt:
        self.sent.append(told)
        self.requests.append(request_id())
        return Receipt(status=200)


def delivery(*origins: Origin) -> ClaimedDelivery:
    told = notification(alerts=len(origins))
    alerts = [replace(alert, origin=origin) for alert, origin in zip(told.alerts, origins, strict=True)]
    content = content_of(
        kind=told.kind,
        severity=told.severity,
        group_key="g",
        labels={},
        alerts=alerts,
        alert_count=len(alerts),
        created_at=NOW,
    )
    return ClaimedDelivery("dlv_1", 1, "", None, content, None, 1, 1, NOW)


class TestOrigins:
    def test_the_newest_alerts_trace_goes_on_and_the_others_are_linked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        channel = Keeping()
        with collector() as collected:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
            traces = begin_traces("worker", {"OTEL_EXPORTER_OTLP_ENDPOINT": collected.url})
            attempter = Attempter(lambda: NOW, lambda: 0.0, lambda: 0.5, traces)
            claimed = delivery(Origin("a", TRACES[0]), Origin("b", TRACES[1]), Origin("", TRACES[0]), Origin("c"))
            assert attempter.attempt(Attempt("t", channel, claimed)).outcome is Outcome.SENT
            traces.close()
            (span,) = collected.of("delivery attempt")
        assert (span.trace_id, span.links) == (f"{1:032x}", [f"{2:032x}"])
        assert span.attributes["sentinel.request_ids"] == ["c", "b", "a"]
        assert channel.sent[0].traceparent.startswith(f"00-{span.trace_id}-{span.span_id}-")

    def test_lines_name_the_request_of_the_newest_alert(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "sentinel")
        channel = Keeping()
        attempter = Attempter(lambda: NOW, lambda: 0.0, lambda: 0.5)
        attempter.attempt(Attempt("t", channel, delivery(Origin("a"), Origin("b"))))
        assert channel.requests == ["b"]
        assert REQUEST.get() is None
        assert channel.sent[0].traceparent == ""
        assert caplog.messages == ["delivery dlv_1 to crm, attempt 1: sent; of requests b, a"]

    def test_without_any_nothing_is_said_of_requests(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "sentinel")
        Attempter(lambda: NOW, lambda: 0.0, lambda: 0.5).attempt(Attempt("t", Keeping(), delivery(Origin())))
        assert caplog.messages == ["delivery dlv_1 to crm, attempt 1: sent"]
