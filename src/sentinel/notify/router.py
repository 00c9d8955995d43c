"""The router: outbox -> decisions -> deliveries."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sentinel.domain.notification import AlertEvent
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.notification_group import OutboxEntry
from sentinel.errors import SentinelError
from sentinel.notify.follow_up import escalate, repeat, take_up
from sentinel.notify.metrics import NotifyMetrics
from sentinel.notify.mutes import Mutes
from sentinel.notify.route_alerts import route_alerts
from sentinel.notify.tell_groups import tell_due_groups
from sentinel.notify.turn import Resolver, Teller, Turn
from sentinel.stores.notifications import RoutingStore, RoutingTransaction
from sentinel.telemetry.traces import NO_TRACES, Span, Traces

_LOG = logging.getLogger(__name__)

BATCH = 500
PRUNE_EVERY = timedelta(hours=1)
PRUNE_BATCH = 5_000
_FIRED = (AlertEvent.FIRED, AlertEvent.AMENDED)


class Router:
    """Decides what is sent where.

    A turn is one transaction of one tenant: 1. outbox entries are taken; 2. their alerts join groups; 3. groups that
    are due become deliveries; 4. what follows (somebody took alerts up, nobody did) is decided; 5. all of it is
    committed together. So each alert is decided once, whatever crashes. One router at a time decides for a tenant.

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
        self._keep_days = keep_days
        self._metrics = metrics or NotifyMetrics()
        self._beat = beat
        self._traces = traces
        self._pruned_at: dict[str, datetime] = {}

    def run(self, stopping: threading.Event) -> int:
        """Decide whatever waits, of every tenant, and return how many outbox entries that were.

        Raises:
            StoreUnavailableError: The store does not say who waits.
        """
        decided = 0
        for tenant_id in self._store.waiting_tenants(self._now()):
            if stopping.is_set():
                break
            try:
                decided += self.run_tenant(tenant_id, stopping)
            except SentinelError as error:
                self._metrics.failed()
                _LOG.warning("notifications of tenant %s wait: %s", tenant_id, error.message)
            except Exception:
                # What is wrong with one tenant's alerts does not keep those of others.
                self._metrics.failed()
                _LOG.exception("notifications of tenant %s cannot be decided", tenant_id)
        return decided

    def run_tenant(self, tenant_id: str, stopping: threading.Event) -> int:
        """Decide whatever waits of one tenant, turn by turn, and return how many outbox entries that were.

        Raises:
            StoreUnavailableError: The store does not answer; what was not committed is decided by the next run.
        """
        decided, goes_on = 0, True
        while goes_on and not stopping.is_set():
            told = {"sentinel.tenant": tenant_id}
            with self._traces.span("notifications turn", told) as span, self._store.opened(tenant_id) as tx:
                if tx is None:
                    break
                entries, goes_on, outcomes = self._turn(tx, tenant_id, span)
            self._metrics.decided(entries, outcomes)
            self._beat()
            decided += entries
        return decided

    def _turn(self, tx: RoutingTransaction, tenant_id: str, span: Span) -> tuple[int, bool, Counter[Outcome]]:
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
        )
        entries = tx.claim(BATCH)
        self._fire(turn, [entry for entry in entries if entry.event in _FIRED], span)
        more_due = tell_due_groups(turn)
        turn.close()
        take_up(turn, [entry for entry in entries if entry.event not in _FIRED])
        more_repeats = repeat(turn)
        more_escalations = escalate(turn)
        turn.close()
        self._prune(tx, tenant_id, now)
        goes_on = len(entries) == BATCH or more_due or more_repeats or more_escalations
        return len(entries), goes_on, turn.outcomes

    def _prune(self, tx: RoutingTransaction, tenant_id: str, now: datetime) -> None:
        if now - self._pruned_at.setdefault(tenant_id, now) >= PRUNE_EVERY:
            pruned = tx.prune(now, keep_days=self._keep_days, limit=PRUNE_BATCH)
            # More may be left: it is looked at again soon.
            self._pruned_at[tenant_id] = now - PRUNE_EVERY if pruned >= PRUNE_BATCH else now

    def _fire(self, turn: Turn, entries: Sequence[OutboxEntry], span: Span) -> None:
        # An alert that fired and was amended in one batch is one alert.
        alerts = turn.alerts(dict.fromkeys(entry.alert_id for entry in entries))
        span.note("sentinel.alert_ids", [str(number) for number in alerts])
        span.note("sentinel.event_ids", [alert.told.event_id for alert in alerts.values() if alert.told.event_id])
        if alerts:
            route_alerts(turn, [alerts[number] for number in sorted(alerts)])
