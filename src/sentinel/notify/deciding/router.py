"""The router: outbox -> decisions -> deliveries."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from sentinel.domain.notification import AlertEvent
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.notification_group import OutboxEntry, RoutedAlert
from sentinel.domain.origin import UNKNOWN
from sentinel.errors import SentinelError, TransientError
from sentinel.notify.deciding.follow_up import escalate, repeat, take_up
from sentinel.notify.deciding.mutes import Mutes
from sentinel.notify.deciding.pruning import Pruner
from sentinel.notify.deciding.route_alerts import route_alerts
from sentinel.notify.deciding.summaries import summarize
from sentinel.notify.deciding.tell_groups import tell_due_groups
from sentinel.notify.deciding.turn import Resolver, Teller, Turn
from sentinel.notify.isolation import for_all
from sentinel.notify.metrics import NotifyMetrics
from sentinel.stores.notifications import RoutingStore, RoutingTransaction
from sentinel.telemetry.traces import MOST_VALUES, NO_TRACES, Span, Traces

_LOG = logging.getLogger(__name__)

BATCH = 500
MAX_MATCHES = 500_000
# Before a tenant is looked at again whose turn failed for an unknown reason; the log would have little else.
LEFT_ALONE = timedelta(seconds=30)
# Before what fails is set aside although nothing else succeeds: who rolls a bad version back by then has lost nothing.
PATIENCE = timedelta(minutes=10)
_FIRED = (AlertEvent.FIRED, AlertEvent.AMENDED)


class Router:
    """Decides what is sent where.

    A turn is one transaction of one tenant: 1. outbox entries are taken; 2. their alerts join groups; 3. groups that
    are due become deliveries; 4. what follows (somebody took alerts up, nobody did) is decided; 5. all of it is
    committed together. So each alert is decided once, whatever crashes. One router at a time decides for a tenant.
    What cannot be decided by what it holds is set aside with a decision that says so, and keeps nothing behind it.

    Args:
        keep_days: How long deliveries and decisions are kept.
        beat: Called after each turn: the router goes on.
    """

    def __init__(
        self,
        store: RoutingStore,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        resolve: Resolver,
        tells: Teller,
        keep_days: int,
        metrics: NotifyMetrics | None = None,
        beat: Callable[[], None] = lambda: None,
        traces: Traces = NO_TRACES,
    ) -> None:
        self._store = store
        self._now = now
        self._new_id = new_id
        self._resolve = resolve
        self._tells = tells
        self._pruner = Pruner(store, now=now, keep_days=keep_days)
        self._metrics = metrics or NotifyMetrics()
        self._beat = beat
        self._traces = traces
        self._left_alone: dict[str, datetime] = {}
        self._failing_since: dict[str, datetime] = {}

    def run(self, stopping: threading.Event) -> int:
        """Decide whatever waits, of every tenant, and return how many outbox entries that were; tidy up a little.

        Raises:
            StoreUnavailableError: The store does not say who waits.
        """
        decided, goes_on = 0, True
        wrong: set[str] = set()
        while goes_on:
            goes_on = False
            # One turn each, in rounds: a tenant with a million alerts delays the others by a turn.
            for tenant_id in self._store.waiting_tenants(self._now()):
                if stopping.is_set():
                    return decided
                if tenant_id in wrong or self._is_left_alone(tenant_id):
                    continue
                try:
                    entries, is_more = self._one_turn(tenant_id)
                except SentinelError as error:
                    self._metrics.failed()
                    wrong.add(tenant_id)
                    if not isinstance(error, TransientError):
                        self._left_alone[tenant_id] = self._now()
                    _LOG.warning("notifications of tenant %s wait: %s", tenant_id, error.message)
                except Exception:
                    # What is wrong with one tenant's alerts does not keep those of others.
                    self._metrics.failed()
                    self._left_alone[tenant_id] = self._now()
                    _LOG.exception("notifications of tenant %s cannot be decided", tenant_id)
                else:
                    decided += entries
                    goes_on = goes_on or is_more
        self._pruner.turn(stopping)
        return decided

    def _is_left_alone(self, tenant_id: str) -> bool:
        failed_at = self._left_alone.get(tenant_id)
        return failed_at is not None and timedelta() <= self._now() - failed_at < LEFT_ALONE

    def run_tenant(self, tenant_id: str, stopping: threading.Event) -> int:
        """Decide whatever waits of one tenant, turn by turn, and return how many outbox entries that were.

        Raises:
            StoreUnavailableError: The store does not answer; what was not committed is decided by the next run.
        """
        decided, goes_on = 0, True
        while goes_on and not stopping.is_set():
            entries, goes_on = self._one_turn(tenant_id)
            decided += entries
        return decided

    def _one_turn(self, tenant_id: str) -> tuple[int, bool]:
        """Return how many outbox entries were decided, and whether there is more to do at once."""
        failing_since = self._failing_since.get(tenant_id)
        sets_aside = failing_since is not None and self._now() - failing_since >= PATIENCE
        told = {"sentinel.tenant": tenant_id}
        try:
            with self._traces.span("notifications turn", told) as span, self._store.opened(tenant_id) as tx:
                if tx is None:
                    return 0, False
                entries, goes_on, outcomes = self._turn(tx, span, sets_aside=sets_aside)
        except SentinelError:
            raise
        except Exception:
            self._failing_since.setdefault(tenant_id, self._now())
            raise
        self._failing_since.pop(tenant_id, None)
        self._metrics.decided(entries, outcomes)
        self._beat()
        return entries, goes_on

    def _turn(self, tx: RoutingTransaction, span: Span, *, sets_aside: bool) -> tuple[int, bool, Counter[Outcome]]:
        now = self._now()
        version = tx.policy()
        turn = Turn(
            tx=tx,
            now=now,
            version=version,
            channels=tx.channels(),
            mutes=Mutes(version.policy, tx.silences(now)),
            resolve=self._resolve,
            tells=self._tells,
            new_id=self._new_id,
            sets_aside=sets_aside,
        )
        # The longest policy takes 28 ms per alert: PostgreSQL must not wait for a turn for more than seconds.
        batch = max(1, min(BATCH, MAX_MATCHES // (1 + version.policy.matcher_count)))
        entries = tx.claim(batch)
        # In their order: what fires after the same was resolved is no duplicate of it.
        for has_fired, run in groupby(entries, key=lambda entry: entry.event in _FIRED):
            if has_fired:
                self._fire(turn, list(run), span)
            else:
                tell_due_groups(turn)
                take_up(turn, list(run))
        more_due = tell_due_groups(turn)
        more_repeats = repeat(turn)
        more_escalations = escalate(turn)
        summarize(turn)
        goes_on = len(entries) == batch or more_due or more_repeats or more_escalations
        return len(entries), goes_on, turn.outcomes

    def _fire(self, turn: Turn, entries: Sequence[OutboxEntry], span: Span) -> None:
        over: dict[int, OutboxEntry] = {}
        for_all(
            turn,
            entries,
            lambda some: over.update(_fired(turn, some, span)),
            lambda entry, why: turn.decide(Outcome.FAILED, why, alert_id=entry.alert_id),
        )
        if over:
            tell_due_groups(turn)
            take_up(turn, list(over.values()))


def _name_origins(alerts: Collection[RoutedAlert], span: Span) -> None:
    """Say in the span and the log which requests brought the events of alerts."""
    origins = [alert.told.origin for alert in alerts if alert.told.origin != UNKNOWN]
    for traceparent in list(dict.fromkeys(origin.traceparent for origin in origins))[:MOST_VALUES]:
        span.link(traceparent)
    by_request: dict[str, list[str]] = {}
    for alert in alerts:
        if alert.told.origin.request_id:
            by_request.setdefault(alert.told.origin.request_id, []).append(str(alert.told.alert_id))
    for request_id, numbers in by_request.items():
        _LOG.info(
            "alerts of request %s: %s", request_id, ", ".join(numbers), extra={"fields": {"request_id": request_id}}
        )


def _fired(turn: Turn, entries: Sequence[OutboxEntry], span: Span) -> dict[int, OutboxEntry]:
    """Have alerts routed that fired or became worse; return those of which a detector says that they are over."""
    fired: dict[int, RoutedAlert] = {}
    over: dict[int, OutboxEntry] = {}
    alerts = turn.alerts(dict.fromkeys(entry.alert_id for entry in entries))
    span.note("sentinel.alert_ids", [str(number) for number in alerts])
    _name_origins(alerts.values(), span)
    span.note("sentinel.event_ids", [alert.told.event_id for alert in alerts.values() if alert.told.event_id])
    # An alert that fired and was amended in one batch is one alert.
    new = {entry.alert_id for entry in entries if entry.event is AlertEvent.FIRED}
    for number, alert in sorted(alerts.items()):
        if alert.is_over:
            over[number] = OutboxEntry(0, number, AlertEvent.RESOLVED)
        elif number in new or alert.is_worse:
            fired[number] = alert
        else:
            levels = f"level {alert.former_level}, now {alert.level}"
            reason = f"its detector changed what it says ({levels}): not told again"
            turn.decide(Outcome.AMENDED, reason, alert_id=number)
    if fired:
        route_alerts(turn, list(fired.values()))
    return over
