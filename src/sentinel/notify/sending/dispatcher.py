"""The dispatcher: deliveries -> channels, with retries, rates and circuits."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from sentinel.domain.delivery import AttemptResult, ChannelQueue
from sentinel.domain.notification_decision import Decision, Outcome
from sentinel.domain.notification_group import said_target
from sentinel.errors import ConflictError, NotFoundError, SentinelError, StoreUnavailableError
from sentinel.notify.metrics import NotifyMetrics
from sentinel.notify.sending.attempt import Attempt, Attempter, OpenedChannel
from sentinel.notify.sending.retry import after_failure, after_success, spend
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
# So much of one channel is written in a transaction; nobody else's deliveries wait for longer ones.
MAX_GIVEN_UP = 2_000
MAX_SAID_LIMITED = 1_000
# Nobody takes more than three times what is left free, so a tenant alone has three quarters of the workers, and there
# is room for another however many there are: dynamic thresholds (Choudhury and Hahne, IEEE/ACM ToN 6(2), 1998).
SHARE = 3


ChannelOpener = Callable[[str, int], OpenedChannel]
"""Opens a tenant's channel. Raises NotFoundError or ConflictError where it is gone or disabled."""


class Dispatcher:
    """Sends what is due, at least once.

    1. Deliveries are taken, with a lease; 2. they are sent; 3. what became of it is written. A crash between 2 and 3
    has them sent again when the lease is over, under the same id. A channel has at most `per_channel` attempts under
    way in this process, four times as many while it answers quickly, all of them at most `workers`, and one tenant's
    three quarters of these, so a slow receiver holds up nobody else and nothing piles up in memory: what is not taken
    stays in the store. A channel that cannot be dealt with is left alone for a minute.

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
        self._tenants: Counter[str] = Counter()
        self._left_alone: dict[int, float] = {}
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
        self._left_alone = {channel: until for channel, until in self._left_alone.items() if until > self._clock()}
        crowded = [tenant_id for tenant_id in self._tenants if self._share_of(tenant_id, room) <= 0]
        began = 0
        due = self._store.due_channels(self._now(), MAX_CHANNELS, [*full, *self._left_alone], crowded)
        for tenant_id, channel_id in due:
            free = room - began
            wanted = min(self._limit_of(channel_id) - self._busy[channel_id], free, self._share_of(tenant_id, free))
            if wanted <= 0:
                continue
            for attempt in self._taken(tenant_id, channel_id, wanted):
                self._busy[channel_id] += 1
                self._tenants[tenant_id] += 1
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
        unavailable: StoreUnavailableError | None = None
        for tenant_id, over in by_tenant.items():
            try:
                self._settle_tenant(tenant_id, over)
            except StoreUnavailableError as error:
                # A row that somebody holds is not everybody's trouble: the others are written.
                unavailable = error
        if unavailable is not None:
            raise unavailable

    def _settle_tenant(self, tenant_id: str, over: Sequence[tuple[Attempt, AttemptResult]]) -> None:
        try:
            self._write(tenant_id, over)
        except StoreUnavailableError:
            raise
        except Exception:
            # What the store refuses of one must not keep the others', and would be sent again and again.
            _LOG.exception("what became of %d deliveries of tenant %s cannot be written at once", len(over), tenant_id)
            for attempt, result in over:
                bare = replace(result, detail="what the receiver said cannot be written", thread=None)
                try:
                    self._write(tenant_id, [(attempt, bare)])
                except StoreUnavailableError:
                    raise
                except Exception:
                    _LOG.exception("what became of delivery %s is not known; it is sent again", result.delivery.id)
                self._release(tenant_id, (attempt, result))
            return
        for done in over:
            self._release(tenant_id, done)

    def _release(self, tenant_id: str, done: tuple[Attempt, AttemptResult]) -> None:
        self._finished.remove(done)
        channel_id = done[1].delivery.channel_id
        self._busy[channel_id] -= 1
        self._tenants[tenant_id] -= 1
        self._busy, self._tenants = +self._busy, +self._tenants

    def _share_of(self, tenant_id: str, free: int) -> int:
        """Return how many more attempts a tenant may have under way."""
        busy = self._tenants[tenant_id]
        return max((SHARE * free - busy) // (SHARE + 1), 0 if busy else 1)

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

    def _taken(self, tenant_id: str, channel_id: int, wanted: int) -> list[Attempt]:
        try:
            return self._claimed(tenant_id, channel_id, wanted)
        except StoreUnavailableError:
            raise
        except Exception:
            # What is wrong with one channel does not keep what is sent to others.
            _LOG.exception("channel %d of tenant %s is left alone for a minute", channel_id, tenant_id)
            self._left_alone[channel_id] = self._clock() + UNOPENED.total_seconds()
            return []

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
            is_trying = queue.open_until is not None
            if is_trying:
                # The circuit is half open: one delivery tries.
                wanted = min(wanted, max(0, 1 - self._busy[channel_id]))
            allowed, _, next_at = spend(queue, channel.rate_per_minute, wanted, now)
            taken = tx.take(channel_id, now, allowed, until=now + LEASE)
            _, queue, _ = spend(queue, channel.rate_per_minute, len(taken), now)
            if is_trying and taken:
                # No other worker tries meanwhile.
                queue = replace(queue, open_until=now + LEASE)
            if next_at is not None:
                self._say_limited(tx, tx.limited(channel_id, now, MAX_SAID_LIMITED), channel, next_at)
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
            given_up = tx.give_up(queue.channel_id, said, now, limit=MAX_GIVEN_UP, disable=False)
            tx.save_queue(queue)
            _LOG.warning("%d deliveries of tenant %s are dead: %s", given_up, tenant_id, said)
        else:
            _LOG.error("channel %d of tenant %s cannot be used: %s", queue.channel_id, tenant_id, said)
            tx.save_queue(queue, not_before=now + UNOPENED)

    def _say_limited(
        self, tx: DeliveryTransaction, waiting: Sequence[tuple[str, str]], channel: OpenedChannel, next_at: datetime
    ) -> None:
        rate = f"channel {channel.name!r} takes {channel.rate_per_minute} a minute"
        tx.decide(
            [
                Decision(
                    Outcome.RATE_LIMITED,
                    f"{rate}: sent from {next_at.isoformat()} on, in turn",
                    self._now(),
                    delivery_id=delivery_id,
                    channel=said_target(channel.name, target),
                    details={"rate_per_minute": channel.rate_per_minute, "next_at": next_at.isoformat()},
                )
                for delivery_id, target in waiting
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
            elif result.is_failure:
                queue = after_failure(queue, now)
            elif queue.open_until is not None:
                # It says nothing of whether the receiver is back: the next one tries.
                queue = replace(queue, open_until=min(queue.open_until, now))
        pauses = [result.pause_until for result in results if result.pause_until is not None]
        if pauses:
            queue = replace(
                queue, open_until=max(pauses) if queue.open_until is None else max(*pauses, queue.open_until)
            )
        gone = next((result for result in results if result.outcome is Outcome.DISABLED), None)
        if gone is not None:
            self._channels.pop(queue.channel_id, None)
            tx.give_up(queue.channel_id, gone.detail, now, limit=MAX_GIVEN_UP, disable=True)
        elif was_open and queue.open_until is None:
            # The receiver is back: what failed while it was away need not wait for its own next time.
            tx.hasten(queue.channel_id, now)
        tx.save_queue(queue)

    def _count(self, names: Mapping[int, OpenedChannel], results: Sequence[AttemptResult]) -> None:
        for result in results:
            self._metrics.attempted(names[result.delivery.channel_id].kind.value, result)
