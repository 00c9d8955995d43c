"""When an attempt is repeated, when a channel is left alone, and how fast it is sent to. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sentinel.domain.channel import ChannelKind
from sentinel.domain.delivery import ChannelQueue

# After each attempt, in seconds. Standard Webhooks 1.0, "deliverability and reliability"
# (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
WEBHOOK_SCHEDULE = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
FIRST_SECONDS = 2.0
LONGEST_SECONDS = 3_600.0
GIVE_UP = timedelta(hours=24)
MAX_RETRY_AFTER_SECONDS = 86_400.0
JITTER = 0.1

OPENS_AFTER = 5
"""Failed attempts in a row after which a channel is left alone."""
FIRST_OPEN_SECONDS = 15.0
LONGEST_OPEN_SECONDS = 300.0


def next_attempt(
    kind: ChannelKind, attempt: int, *, began: datetime, now: datetime, retry_after_seconds: float | None, jitter: float
) -> datetime | None:
    """Return when to try again after an attempt failed; None: it was the last.

    Webhooks follow the schedule of Standard Webhooks. All others wait 2 s after the first attempt and twice as long
    after each further one, at most an hour, for a day.

    Args:
        kind: Of the channel.
        attempt: Number of the attempt that failed, from 1 on.
        began: When the first one was due.
        retry_after_seconds: What the receiver asked for; it lengthens the wait, up to a day.
        jitter: From 0 to 1, drawn at random; spreads the wait over a tenth of it, so that receivers that come back are
            not met by everybody at once.
    """
    if kind is ChannelKind.WEBHOOK:
        if attempt > len(WEBHOOK_SCHEDULE):
            return None
        seconds = float(WEBHOOK_SCHEDULE[attempt - 1])
    else:
        seconds = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt - 1, 30))
        if now + timedelta(seconds=seconds) > began + GIVE_UP:
            return None
    seconds = max(seconds, min(retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS))
    return now + timedelta(seconds=seconds * (1 + JITTER * jitter))


def after_success(queue: ChannelQueue) -> ChannelQueue:
    """Return a channel's queue after an attempt succeeded: its circuit is closed."""
    return replace(queue, failure_count=0, open_until=None)


def after_failure(queue: ChannelQueue, now: datetime) -> ChannelQueue:
    """Return a channel's queue after an attempt failed: from the fifth in a row on its circuit is open for a while.

    15 s at first, then twice as long for each further one, at most five minutes. After it one delivery is tried.
    """
    count = queue.failure_count + 1
    if count < OPENS_AFTER:
        return replace(queue, failure_count=count)
    seconds = min(LONGEST_OPEN_SECONDS, FIRST_OPEN_SECONDS * 2.0 ** min(count - OPENS_AFTER, 30))
    return replace(queue, failure_count=count, open_until=now + timedelta(seconds=seconds))


def spend(
    queue: ChannelQueue, rate_per_minute: int | None, wanted: int, now: datetime
) -> tuple[int, ChannelQueue, datetime | None]:
    """Return how many of the wanted deliveries a channel's rate allows now, its queue after that, and when the next is.

    The generic cell rate algorithm (ITU-T I.371, annex A): a delivery moves the theoretical arrival time on by a
    minute divided by the rate; it may be at most a burst of a sixth of a minute's deliveries ahead of the time.
    """
    if rate_per_minute is None:
        return wanted, queue, None
    each = timedelta(minutes=1) / rate_per_minute
    ahead = each * (max(1, rate_per_minute // 6) - 1)
    # It is never further ahead than by what the burst allows, unless the clock was set back.
    free_at = min(max(queue.rate_free_at or now, now), now + ahead + each)
    allowed = 0
    while allowed < wanted and free_at - ahead <= now:
        free_at += each
        allowed += 1
    next_at = None if allowed == wanted else free_at - ahead
    return allowed, replace(queue, rate_free_at=free_at), next_at
