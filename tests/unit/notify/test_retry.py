"""When attempts are repeated, circuits and rates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinel.domain.channel import ChannelKind
from sentinel.domain.delivery import ChannelQueue
from sentinel.notify.sending.retry import after_failure, after_success, next_attempt, spend

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUEUE = ChannelQueue(1, 0, None, None)


class TestSchedule:
    """The wait after each attempt."""

    def test_webhooks_follow_standard_webhooks(self) -> None:
        waits, attempt = [], 1
        while (
            at := next_attempt(ChannelKind.WEBHOOK, attempt, began=NOW, now=NOW, retry_after_seconds=None, jitter=0.0)
        ) is not None:
            waits.append((at - NOW).total_seconds())
            attempt += 1
        hours = 3600
        assert waits == [5, 300, 1800, 2 * hours, 5 * hours, 10 * hours, 14 * hours, 20 * hours, 24 * hours]

    def test_others_wait_twice_as_long_each_time_for_a_day(self) -> None:
        now, waits, attempt = NOW, [], 1
        while (
            at := next_attempt(ChannelKind.SLACK, attempt, began=NOW, now=now, retry_after_seconds=None, jitter=0.0)
        ) is not None:
            waits.append((at - now).total_seconds())
            now, attempt = at, attempt + 1
        assert waits[:5] == [2, 4, 8, 16, 32]
        assert max(waits) == 3600
        assert timedelta(hours=22) < now - NOW <= timedelta(hours=24)

    def test_jitter_lengthens_by_at_most_a_tenth(self) -> None:
        at = next_attempt(ChannelKind.WEBHOOK, 2, began=NOW, now=NOW, retry_after_seconds=None, jitter=1.0)
        assert at == NOW + timedelta(seconds=330)

    @pytest.mark.parametrize(("asked", "waits"), [(60, 60), (1, 5), (10**9, 86_400), (None, 5)])
    def test_what_the_receiver_asks_for_lengthens_the_wait(self, asked: float | None, waits: float) -> None:
        at = next_attempt(ChannelKind.WEBHOOK, 1, began=NOW, now=NOW, retry_after_seconds=asked, jitter=0.0)
        assert at == NOW + timedelta(seconds=waits)


class TestCircuit:
    """Channels that fail are left alone."""

    def test_it_opens_with_the_fifth_failure_and_longer_each_time(self) -> None:
        queue, waits = QUEUE, []
        for _ in range(12):
            queue = after_failure(queue, NOW)
            waits.append(None if queue.open_until is None else (queue.open_until - NOW).total_seconds())
        assert waits == [None] * 4 + [15, 30, 60, 120, 240, 300, 300, 300]

    def test_success_closes_it(self) -> None:
        queue = QUEUE
        for _ in range(7):
            queue = after_failure(queue, NOW)
        assert after_success(queue) == QUEUE


class TestRate:
    """At most so many a minute."""

    def test_without_a_rate_everything_goes(self) -> None:
        assert spend(QUEUE, None, 1000, NOW) == (1000, QUEUE, None)

    def test_a_burst_goes_at_once_and_the_rest_evenly(self) -> None:
        allowed, queue, next_at = spend(QUEUE, 60, 100, NOW)
        assert allowed == 10
        assert next_at == NOW + timedelta(seconds=1)
        allowed, queue, next_at = spend(queue, 60, 90, NOW + timedelta(seconds=1))
        assert (allowed, next_at) == (1, NOW + timedelta(seconds=2))

    def test_over_an_hour_it_is_the_rate(self) -> None:
        queue, now, sent = QUEUE, NOW, 0
        while now < NOW + timedelta(hours=1):
            allowed, queue, next_at = spend(queue, 7, 1000, now)
            sent += allowed
            now = next_at or now
        assert sent == 7 * 60

    def test_a_small_rate_sends_one_at_a_time(self) -> None:
        allowed, _, next_at = spend(QUEUE, 1, 5, NOW)
        assert (allowed, next_at) == (1, NOW + timedelta(minutes=1))
