"""Let rows of lists expire: what a rule sees of time is the version of the list, and this writes the next one."""

from __future__ import annotations

import logging
import threading

from sentinel.clock import utc_now
from sentinel.errors import SentinelError
from sentinel.stores.postgres.lists import ListSnapshotStore

log = logging.getLogger(__name__)


class ListExpiry(threading.Thread):
    """A thread that looks every few seconds for rows whose time is over.

    All that are due in a list go together, as one version, so a list with many short-lived rows starts at most one
    generation per interval. Several drivers may do so beside each other: each list is locked while it is looked at.
    """

    def __init__(self, store: ListSnapshotStore, *, interval_seconds: float) -> None:
        super().__init__(name="list-expiry", daemon=True)
        self._store = store
        self._interval_seconds = interval_seconds
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End before the next look."""
        self._stopped.set()

    def run(self) -> None:
        """Look until stopped; at once for the first time."""
        while not self._stopped.is_set():
            try:
                for expired in self._store.expire(utc_now()):
                    log.info("list %s: %s rows expired, version %s", expired.name, expired.rows, expired.version)
            except SentinelError as error:
                log.warning("rows of lists do not expire: %s", error)
            self._stopped.wait(self._interval_seconds)
