"""What the notifier counts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import sentinel.notify
from sentinel.domain.delivery import AttemptResult, ClaimedDelivery
from sentinel.domain.notification_decision import Outcome
from sentinel.notify.channels.answers import reason_of
from sentinel.notify.metrics import REASONS, NotifyMetrics

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def attempt(outcome: Outcome, reason: str = "") -> AttemptResult:
    delivery = ClaimedDelivery("dlv_1", 1, "", None, {}, None, 1, 1, NOW)
    return AttemptResult(delivery, outcome, reason, "", None, NOW, 0.2)


class TestNotifyMetrics:
    def test_attempts_are_counted_by_kind_outcome_and_reason(self) -> None:
        registry = CollectorRegistry()
        metrics = NotifyMetrics(registry)
        metrics.attempted("slack", attempt(Outcome.SENT))
        metrics.attempted("slack", attempt(Outcome.RETRIED, "timeout"))
        told = generate_latest(registry).decode()
        assert 'notifications_sent_total{kind="slack"} 1.0' in told
        assert 'delivery_attempts_total{kind="slack",outcome="retried",reason="timeout"} 1.0' in told
        assert 'delivery_attempt_seconds_count{kind="slack"} 2.0' in told

    @pytest.mark.parametrize("reason", ['x"} 9\nforged 1', "a" * 10_000, "snt_secret", "status_999"])
    def test_a_reason_that_nobody_knows_is_no_label(self, reason: str) -> None:
        registry = CollectorRegistry()
        metrics = NotifyMetrics(registry)
        metrics.attempted("webhook", attempt(Outcome.RETRIED, reason))
        told = generate_latest(registry).decode()
        assert 'delivery_attempts_total{kind="webhook",outcome="retried",reason="other"} 1.0' in told
        assert "forged" not in told
        assert "snt_" not in told

    def test_every_reason_that_a_channel_gives_is_known(self) -> None:
        folder = Path(sentinel.notify.__file__).parent
        written = {
            reason
            for path in folder.rglob("*.py")
            for reason in re.findall(r'reason=\(?"([a-z_0-9]+)"', path.read_text())
        }
        assert {"timeout", "bad_url"} <= written
        assert written <= REASONS
        assert {reason_of(status) for status in range(100, 600)} <= REASONS

    def test_decisions_and_failures_of_turns_are_counted(self) -> None:
        registry = CollectorRegistry()
        metrics = NotifyMetrics(registry)
        metrics.decided(5, {Outcome.ROUTED: 3, Outcome.SILENCED: 2})
        metrics.failed()
        told = generate_latest(registry).decode()
        assert "outbox_entries_routed_total 5.0" in told
        assert 'notification_decisions_total{outcome="silenced"} 2.0' in told
        assert "routing_failures_total 1.0" in told
