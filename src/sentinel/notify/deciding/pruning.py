"""What is old is deleted, of every tenant, also of those for which nothing is decided any more."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from sentinel.stores.notifications import RoutingStore

_LOG = logging.getLogger(__name__)

PRUNE_EVERY = timedelta(hours=1)
# Of one tenant in one transaction. Whoever has more comes again after the others.
PRUNE_BATCH = 5_000
# Tenants between two turns of the router, which come every five seconds at the latest: 14,400 an hour.
TENANTS_PER_TURN = 20


class Pruner:
    """Goes through all tenants, first when it starts and then every hour.

    Nobody waits for it: where it fails for a tenant, that is left to the next hour.

    Args:
        keep_days: How long deliveries and decisions are kept.
    """

    def __init__(self, store: RoutingStore, *, now: Callable[[], datetime], keep_days: int) -> None:
        self._store = store
        self._now = now
        self._keep_days = keep_days
        self._waiting: deque[str] = deque()
        self._began_at: datetime | None = None

    def turn(self, stopping: threading.Event) -> int:
        """Delete what is old of some tenants, and return how much that was.

        Raises:
            StoreUnavailableError: The store does not say which tenants there are.
        """
        now = self._now()
        if not self._waiting and (self._began_at is None or not timedelta() <= now - self._began_at < PRUNE_EVERY):
            self._waiting.extend(self._store.tenants())
            self._began_at = now
        pruned = 0
        for _ in range(min(TENANTS_PER_TURN, len(self._waiting))):
            if stopping.is_set():
                break
            tenant_id = self._waiting.popleft()
            count = self._prune(tenant_id, now)
            pruned += count
            if count >= PRUNE_BATCH:
                self._waiting.append(tenant_id)
        return pruned

    def _prune(self, tenant_id: str, now: datetime) -> int:
        try:
            with self._store.opened(tenant_id) as tx:
                # While somebody else decides for it, it is left to the next hour.
                return tx.prune(now, keep_days=self._keep_days, limit=PRUNE_BATCH) if tx is not None else 0
        except Exception as error:
            _LOG.warning("what is old of tenant %s is not deleted: %s", tenant_id, error)
            return 0
