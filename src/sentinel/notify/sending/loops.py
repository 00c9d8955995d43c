"""The notifier's loops of the worker process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from sentinel.errors import StoreUnavailableError
from sentinel.notify.deciding.router import Router
from sentinel.notify.sending.dispatcher import Dispatcher

_LOG = logging.getLogger(__name__)

FINISH_SECONDS = 20.0
IDLE_SECONDS = 5.0

Ear = Callable[[Callable[[], None]], AbstractContextManager[object]]
"""Calls somebody whenever there may be something to do, while its context lasts."""


class RoutingLoop:
    """Decides about alerts as they come.

    Args:
        beat: Called after each turn: the loop goes on. It waits for `IDLE_SECONDS` at most.
    """

    name = "notification-router"

    def __init__(self, router: Router, ear: Ear, *, beat: Callable[[], None] = lambda: None) -> None:
        self._router = router
        self._ear = ear
        self._beat = beat

    def run(self, stopping: threading.Event) -> None:
        """Decide until asked to stop.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer; nothing is lost.
        """
        woken = threading.Event()
        with self._ear(woken.set):
            while not stopping.is_set():
                woken.clear()
                self._router.run(stopping)
                self._beat()
                woken.wait(IDLE_SECONDS)


class DeliveryLoop:
    """Sends deliveries as they become due.

    Args:
        beat: As of `RoutingLoop`.
    """

    name = "deliveries"

    def __init__(self, make: Callable[[], Dispatcher], ear: Ear, *, beat: Callable[[], None] = lambda: None) -> None:
        self._make = make
        self._ear = ear
        self._beat = beat

    def run(self, stopping: threading.Event) -> None:
        """Send until asked to stop; then wait for what is under way.

        While PostgreSQL is away, what became of attempts is kept and written later: sending them again would be the
        alternative.
        """
        dispatcher = self._make()
        is_away = False
        try:
            with self._ear(dispatcher.wake):
                while not stopping.is_set():
                    try:
                        began = dispatcher.pump()
                        is_away = False
                    except StoreUnavailableError as error:
                        if not is_away:
                            _LOG.warning("deliveries wait: %s", error.message)
                        began, is_away = 0, True
                    self._beat()
                    if not began:
                        dispatcher.wait(IDLE_SECONDS)
        finally:
            dispatcher.finish(FINISH_SECONDS)
