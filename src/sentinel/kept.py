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


@dataclass(slots=True)
class _Entry(Generic[_V]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = float("-inf")
    value: _V | None = None


class Kept(Generic[_V]):
    """Makes an answer once for all who ask at the same time or shortly after. Safe for many threads.

    A failure is not kept: whoever asks next tries again.

    Args:
        monotonic_seconds: A clock.
    """

    def __init__(self, monotonic_seconds: Callable[[], float]) -> None:
        self._clock = monotonic_seconds
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
        with entry.lock:
            began = self._clock()
            if entry.value is None or began >= entry.until:
                entry.value = make()
                ended = self._clock()
                entry.until = ended + min(MOST_SECONDS, TIMES * (ended - began))
            return entry.value
