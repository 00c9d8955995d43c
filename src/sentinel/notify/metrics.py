"""What the notifier counts. Labels are bounded: kinds, outcomes, and reasons that are known beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sentinel.domain.delivery import AttemptResult
from sentinel.domain.notification_decision import Outcome
from sentinel.errors import SentinelError
from sentinel.telemetry.bounded import known

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


def _slugs(kind: type[SentinelError]) -> Iterable[str]:
    yield kind.slug
    for each in kind.__subclasses__():
        yield from _slugs(each)


# What channels and their clients say, and the slugs of our own errors: what else is said is counted as "other".
REASONS = frozenset(
    {
        *("", "timeout", "refused", "broken", "tls", "protocol", "unresolved", "address_not_allowed", "bad_url"),
        *("rate_limited", "redirect", "gone", *(f"status_{digit}xx" for digit in range(1, 6))),
        *("login_refused", "recipient_refused", "no_recipient", "not_supported", "no_secret", "switched_off"),
        *("apprise", "internal", *_slugs(SentinelError)),
    }
)


class NotifyMetrics:
    """Counts decisions and attempts. Thread-safe.

    Args:
        registry: Where they are told; None: nowhere.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._sent = Counter("notifications_sent", "Deliveries that were taken.", ["kind"], registry=registry)
        self._attempts = Counter(
            "delivery_attempts",
            "Attempts at deliveries, by what was decided after them and why.",
            ["kind", "outcome", "reason"],
            registry=registry,
        )
        self._seconds = Histogram(
            "delivery_attempt_seconds", "Time of one attempt.", ["kind"], buckets=BUCKETS, registry=registry
        )
        self._decisions = Counter(
            "notification_decisions", "Decisions about alerts, by outcome.", ["outcome"], registry=registry
        )
        self._entries = Counter("outbox_entries_routed", "Outbox entries that were decided.", registry=registry)
        self._failures = Counter("routing_failures", "Turns of the router that failed.", registry=registry)
        self._under_way = Gauge(
            "delivery_attempts_under_way", "Attempts that are made or not written yet.", registry=registry
        )

    def attempted(self, kind: str, result: AttemptResult) -> None:
        """Count an attempt that was written.

        Args:
            kind: Of the channel; one of `ChannelKind`.
        """
        self._attempts.labels(kind, result.outcome.value, known(result.reason, REASONS)).inc()
        self._seconds.labels(kind).observe(result.seconds)
        if result.outcome is Outcome.SENT:
            self._sent.labels(kind).inc()

    def under_way(self, count: int) -> None:
        """Note how many attempts are under way."""
        self._under_way.set(count)

    def decided(self, entries: int, outcomes: Mapping[Outcome, int]) -> None:
        """Count the decisions of a turn that was committed."""
        self._entries.inc(entries)
        for outcome, count in outcomes.items():
            self._decisions.labels(outcome.value).inc(count)

    def failed(self) -> None:
        """Count a turn that failed."""
        self._failures.inc()
