"""Whether something that goes round and round still does."""

from __future__ import annotations

from collections.abc import Callable


class Pulse:
    """Counts the turns of a loop, and knows how long ago the last one was. One thread beats, others look."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self.count = 0

    def beat(self) -> None:
        """Note that a turn was made."""
        self._last = self._clock()
        self.count += 1

    @property
    def age_seconds(self) -> float:
        """Since the last turn, or since it was made."""
        return max(0.0, self._clock() - self._last)
