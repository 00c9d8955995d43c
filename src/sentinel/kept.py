"""Answers that are dear and asked for often: kept for a moment, so that many who look cost what one does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_V = TypeVar("_V")
# An answer is kept this many times as long as it took: making it anew takes a twentieth of one core at most.
TIMES = 20.0
MOST_SECONDS = 30.0
# Answers of so many questions; what has expired goes first.
MAX_KEPT = 500


def as_long_as_dear(seconds: float) -> float:
    """Return for how many seconds to keep an answer that took so many."""
    return min(MOST_SECONDS, TIMES * seconds)


@dataclass(slots=True)
class _Entry(Generic[_V]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = float("-inf")
    value: _V | None = None
    failure: Exception | None = None
    failed_at: float = float("-inf")


class Kept(Generic[_V]):
    """Makes an answer once for all who ask at the same time or shortly after. Safe for many threads.

    A failure is not kept: whoever asks next tries again. Those who waited for what failed get the failure, since to try
    one after the other would have the last of them wait for all the others.

    Args:
        monotonic_seconds: A clock.
        keep_seconds: For how long an answer is kept that took so many seconds.
    """

    def __init__(
        self, monotonic_seconds: Callable[[], float], keep_seconds: Callable[[float], float] = as_long_as_dear
    ) -> None:
        self._clock = monotonic_seconds
        self._keep_seconds = keep_seconds
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry[_V]] = {}

    def get(self, key: Hashable, make: Callable[[], _V]) -> _V:
        """Return the answer to a question.

        Args:
            key: The question, and whose it is: answers are shared by whoever asks with the same key.
        """
        with self._lock:
            if len(self._entries) >= MAX_KEPT and key not in self._entries:
                now = self._clock()
                self._entries = {each: kept for each, kept in self._entries.items() if kept.until > now}
                if len(self._entries) >= MAX_KEPT:
                    self._entries.clear()
            entry = self._entries.setdefault(key, _Entry())
        asked = self._clock()
        with entry.lock:
            began = self._clock()
            if entry.failure is not None and entry.failed_at > asked:
                raise entry.failure.with_traceback(None)
            if entry.value is None or began >= entry.until:
                entry.failure = None
                try:
                    entry.value = make()
                except Exception as error:
                    entry.failure, entry.failed_at = error, self._clock()
                    raise
                ended = self._clock()
                entry.until = ended + self._keep_seconds(ended - began)
            return entry.value

    def forget(self, is_about: Callable[[Hashable], bool]) -> None:
        """Make some answers anew when they are asked for next, because something was changed.

        An answer that is being made meanwhile may be from before the change; it is given to those who wait for it, and
        not kept.
        """
        with self._lock:
            self._entries = {key: entry for key, entry in self._entries.items() if not is_about(key)}
