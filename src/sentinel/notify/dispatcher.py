"""The dispatcher: deliveries -> channels, with retries, rates and circuits."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sentinel.domain.delivery import AttemptResult, ChannelQueue
from sentinel.domain.notification_decision import Decision, Outcome
from sentinel.errors import ConflictError, NotFoundError, SentinelError, StoreUnavailableError
from sentinel.notify.attempt import Attempt, Attempter, OpenedChannel
from sentinel.notify.metrics import NotifyMetrics
from sentinel.notify.retry import after_failure, after_success, spend
from sentinel.stores.notifications import DeliveryStore, DeliveryTransaction
from sentinel.telemetry.traces import NO_TRACES, Traces

_LOG = logging.getLogger(__name__)

MAX_CHANNELS = 100
MAX_KEPT_CHANNELS = 1_000
# What is changed about a channel counts after so long at the latest.
KEPT_SECONDS = 1.0
QUICK_SECONDS = 0.5
QUICK_TIMES = 4
# Longer than any channel takes for an attempt: after it, whoever took the delivery counts as gone.
LEASE = timedelta(seconds=120)
# A channel that cannot be opened for a passing reason is looked at again.
UNOPENED = timedelta(seconds=60)


ChannelOpener = Callable[[str, int], OpenedChannel]
"""Opens a tenant's channel. Raises NotFoundError or ConflictError where it is gone or disabled."""


class Dispatcher:
    """Sends what is due, at least once.

    1. Deliveries are taken, with a lease; 2. they are sent; 3. what became of it is written. A crash between 2 and 3
    has them sent again when the lease is over, under the same id. A channel has at most `per_channel` attempts under
    way in this process, four times as many while it answers quickly, and all of them at most `workers`, so a slow
    receiver holds up nobody else and nothing piles up in memory: what is not taken stays in the store.

    Args:
        jitter: Draws a number from 0 to 1.
    """

    def __init__(
        self,
        store: DeliveryStore,
        open_channel: ChannelOpener,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        jitter: Callable[[], float],
        workers: int = 32,
        per_channel: int = 4,
        metrics: NotifyMetrics | None = None,
        traces: Traces = NO_TRACES,
    ) -> None:
        self._store = store
        self._open = open_channel
        self._now = now
        self._clock = clock
        self._attempter = Attempter(now, clock, jitter, traces)
        self._per_channel = per_channel
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="deliver")
        self._finished: deque[tuple[Attempt, AttemptResult]] = deque()
        self._busy: Counter[int] = Counter()
        self._quick: set[int] = set()
        self._channels: dict[int, tuple[float, OpenedChannel]] = {}
        self._woken = threading.Event()
        self._metrics = metrics or NotifyMetrics()

    def wake(self) -> None:
        """Look now whether something is due. Does not wait."""
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Wait until somebody wakes it, an attempt is over, or so long."""
        self._woken.wait(seconds)
        self._woken.clear()

    @property
    def under_way(self) -> int:
        """How many attempts are under way or not written yet."""
        return self._busy.total()

    def pump(self) -> int:
        """Write what became of attempts, take what is due and begin to send it; return how many that were.

        Raises:
            StoreUnavailableError: The store does not answer; what is under way is written later.
        """
        self.settle()
        room = self._workers - self.under_way
        self._metrics.under_way(self.under_way)
        if room <= 0:
            return 0
        full = [channel for channel, count in self._busy.items() if count >= self._limit_of(channel)]
        began = 0
        for tenant_id, channel_id in self._store.due_channels(self._now(), MAX_CHANNELS, full):
            if room - began <= 0:
                break
            wanted = min(self._limit_of(channel_id) - self._busy[channel_id], room - began)
            for attempt in self._claimed(tenant_id, channel_id, wanted):
                self._busy[channel_id] += 1
                began += 1
                self._pool.submit(self._try, attempt)
        self._metrics.under_way(self.under_way)
        return began

    def settle(self) -> None:
        """Write what became of attempts that are over.

        Raises:
            StoreUnavailableError: The store does not answer; it is written the next time.
        """
        finished = list(self._finished)
        by_tenant: dict[str, list[tuple[Attempt, AttemptResult]]] = {}
        for attempt, result in finished:
            by_tenant.setdefault(attempt.tenant_id, []).append((attempt, result))
        for tenant_id, over in by_tenant.items():
            self._write(tenant_id, over)
            for done in over:
                self._finished.remove(done)
                channel_id = done[1].delivery.channel_id
                self._busy[channel_id] -= 1
                if not self._busy[channel_id]:
                    del self._busy[channel_id]

    def _limit_of(self, channel_id: int) -> int:
        """Return how many attempts a channel may have under way: more, where its last ones were quick successes."""
        return self._per_channel * QUICK_TIMES if channel_id in self._quick else self._per_channel

    def finish(self, seconds: float) -> None:
        """Begin nothing new; wait for what is under way, so long at most, and write what became of it."""
        deadline = self._clock() + seconds
        while self.under_way and self._clock() < deadline:
            self.wait(0.05)
            try:
                self.settle()
            except StoreUnavailableError as error:
                _LOG.warning("what became of deliveries is not written: %s", error.message)
        self._pool.shutdown(wait=False, cancel_futures=True)

    # -- taking

    def _claimed(self, tenant_id: str, channel_id: int, wanted: int) -> list[Attempt]:
        channel, problem = self._opened(tenant_id, channel_id)
        with self._store.opened(tenant_id) as tx:
            now = self._now()
            queue = tx.queue(channel_id, wait=False)
            if queue is None or (queue.open_until is not None and queue.open_until > now):
                return []
            if channel is None:
                self._set_aside(tx, tenant_id, queue, problem)
                return []
            if queue.open_until is not None:
                # The circuit is half open: one delivery tries.
                wanted = min(wanted, 1 - self._busy[channel_id])
            allowed, _, next_at = spend(queue, channel.rate_per_minute, wanted, now)
            taken = tx.take(channel_id, now, allowed, until=now + LEASE)
            _, queue, _ = spend(queue, channel.rate_per_minute, len(taken), now)
            if next_at is not None:
                self._say_limited(tx, tx.limited(channel_id, now), channel, next_at)
            tx.save_queue(queue, not_before=next_at)
        return [Attempt(tenant_id, channel, delivery) for delivery in taken]

    def _opened(self, tenant_id: str, channel_id: int) -> tuple[OpenedChannel | None, SentinelError | None]:
        known = self._channels.get(channel_id)
        if known is not None and self._clock() < known[0]:
            return known[1], None
        try:
            channel = self._open(tenant_id, channel_id)
        except StoreUnavailableError:
            raise
        except SentinelError as error:
            self._channels.pop(channel_id, None)
            return None, error
        if len(self._channels) >= MAX_KEPT_CHANNELS:
            self._channels.clear()
        self._channels[channel_id] = (self._clock() + KEPT_SECONDS, channel)
        return channel, None

    def _set_aside(
        self, tx: DeliveryTransaction, tenant_id: str, queue: ChannelQueue, problem: SentinelError | None
    ) -> None:
        """Deal with what waits for a channel that cannot be opened."""
        now, said = self._now(), problem.message if problem else ""
        if isinstance(problem, NotFoundError | ConflictError):
            given_up = tx.give_up(queue.channel_id, said, now, disable=False)
            tx.save_queue(queue)
            _LOG.warning("%d deliveries of tenant %s are dead: %s", given_up, tenant_id, said)
        else:
            _LOG.error("channel %d of tenant %s cannot be used: %s", queue.channel_id, tenant_id, said)
            tx.save_queue(queue, not_before=now + UNOPENED)

    def _say_limited(
        self, tx: DeliveryTransaction, delivery_ids: Sequence[str], channel: OpenedChannel, next_at: datetime
    ) -> None:
        rate = f"channel {channel.name!r} takes {channel.rate_per_minute} a minute"
        tx.decide(
            [
                Decision(
                    Outcome.RATE_LIMITED,
                    f"{rate}: sent from {next_at.isoformat()} on, in turn",
                    self._now(),
                    delivery_id=delivery_id,
                    channel=channel.name,
                    details={"rate_per_minute": channel.rate_per_minute, "next_at": next_at.isoformat()},
                )
                for delivery_id in delivery_ids
            ]
        )

    # -- sending, in a thread of the pool

    def _try(self, attempt: Attempt) -> None:
        self._finished.append((attempt, self._attempter.attempt(attempt)))
        self.wake()

    # -- writing

    def _write(self, tenant_id: str, over: Sequence[tuple[Attempt, AttemptResult]]) -> None:
        names = {result.delivery.channel_id: attempt.channel for attempt, result in over}
        with self._store.opened(tenant_id) as tx:
            queues = {channel_id: tx.queue(channel_id, wait=True) for channel_id in sorted(names)}
            counted = tx.record([result for _, result in over], at=self._now())
            for channel_id, queue in queues.items():
                results = [result for result in counted if result.delivery.channel_id == channel_id]
                if queue is not None:
                    self._follow(tx, queue, results)
            for result in counted:
                if result.thread is not None and result.delivery.group_id is not None:
                    tx.thread(result.delivery.group_id, result.thread)
        for _, result in over:
            is_quick = result.outcome is Outcome.SENT and result.seconds < QUICK_SECONDS
            (self._quick.add if is_quick else self._quick.discard)(result.delivery.channel_id)
        self._count(names, counted)

    def _follow(self, tx: DeliveryTransaction, queue: ChannelQueue, results: Sequence[AttemptResult]) -> None:
        """Bring a channel's circuit up to date."""
        now = self._now()
        was_open = queue.open_until is not None
        for result in results:
            if result.outcome is Outcome.SENT:
                queue = after_success(queue)
            elif result.outcome is Outcome.RETRIED and result.reason != "rate_limited":
                queue = after_failure(queue, now)
        gone = next((result for result in results if result.outcome is Outcome.DISABLED), None)
        if gone is not None:
            tx.give_up(queue.channel_id, gone.detail, now, disable=True)
        elif was_open and queue.open_until is None:
            # The receiver is back: what failed while it was away need not wait for its own next time.
            tx.hasten(queue.channel_id, now)
        asked = [
            result.next_attempt_at
            for result in results
            if result.reason == "rate_limited" and result.next_attempt_at is not None
        ]
        tx.save_queue(queue, not_before=min(asked, default=None))

    def _count(self, names: Mapping[int, OpenedChannel], results: Sequence[AttemptResult]) -> None:
        for result in results:
            self._metrics.attempted(names[result.delivery.channel_id].kind.value, result)
