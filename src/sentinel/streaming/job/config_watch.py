"""Notice changes of pipelines: LISTEN/NOTIFY, with polling behind it."""

from __future__ import annotations

import logging
import threading

import psycopg

from sentinel.settings import PostgresSettings
from sentinel.stores.postgres.database import first_line

log = logging.getLogger(__name__)

CHANNEL = "sentinel_pipeline"
RETRY_SECONDS = 1.0


class ConfigWatcher(threading.Thread):
    """A thread that sets a pipeline's event whenever its row changes.

    A notification arrives within milliseconds of the commit. Notifications that are lost with a connection are made
    up for: after every (re)connect, and every `poll_seconds`, all events are set, and whoever waits looks himself.
    """

    def __init__(self, settings: PostgresSettings, *, poll_seconds: float) -> None:
        super().__init__(name="config-watch", daemon=True)
        self._conninfo = settings.conninfo("app")
        self._poll_seconds = poll_seconds
        self._stopped = threading.Event()
        self._events: dict[int, threading.Event] = {}

    def watch(self, pipeline_id: int) -> threading.Event:
        """Return the event of a pipeline. Call before the thread starts."""
        return self._events.setdefault(pipeline_id, threading.Event())

    def stop(self) -> None:
        """End, at the latest after one poll."""
        self._stopped.set()

    def run(self) -> None:
        """Listen until stopped."""
        while not self._stopped.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                log.warning("configuration changes are polled for, PostgreSQL does not answer: %s", first_line(error))
                self._wake_all()
                self._stopped.wait(RETRY_SECONDS)

    def _listen(self) -> None:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            while not self._stopped.is_set():
                self._wake_all()
                for notification in connection.notifies(timeout=self._poll_seconds):
                    event = self._events.get(int(notification.payload)) if notification.payload.isdigit() else None
                    if event:
                        event.set()
                    if self._stopped.is_set():
                        break

    def _wake_all(self) -> None:
        for event in list(self._events.values()):
            event.set()
