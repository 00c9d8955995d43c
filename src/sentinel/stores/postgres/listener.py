"""Hears what PostgreSQL notifies of."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

import psycopg
from psycopg import sql

from sentinel.settings import PostgresSettings
from sentinel.stores.postgres.database import first_line

_LOG = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class PostgresListener(threading.Thread):
    """A thread that calls somebody whenever a channel is notified, and every second besides.

    Notifications are lost with a connection, so nobody may rely on them: they only spare waiting.
    """

    def __init__(self, settings: PostgresSettings, heard: Mapping[str, Callable[[], None]], *, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._conninfo = settings.conninfo("app")
        self._heard = dict(heard)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End, at the latest after one poll."""
        self._stopped.set()

    def run(self) -> None:
        """Listen until stopped."""
        is_away = False
        while not self._stopped.is_set():
            try:
                self._listen()
                is_away = False
            except psycopg.Error as error:
                if not is_away:
                    _LOG.warning("%s: polling, PostgreSQL does not answer: %s", self.name, first_line(error))
                is_away = True
                self._call_all()
                self._stopped.wait(POLL_SECONDS)

    def _listen(self) -> None:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            for channel in self._heard:
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            while not self._stopped.is_set():
                self._call_all()
                for notification in connection.notifies(timeout=POLL_SECONDS):
                    self._heard[notification.channel]()
                    if self._stopped.is_set():
                        break

    def _call_all(self) -> None:
        for call in self._heard.values():
            call()
