"""The storm guard: how many alerts of one rule within an hour are written, and how many matches are only counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sentinel.domain.timestamps import utc

HOUR_MS = 3_600_000
MOST_REMEMBERED = 100_000

RuleHour = tuple[int, int]
"""Rule id, and the hour of the record's timestamp: hours since the epoch."""


class StormGuard:
    """Decides, match by match, whether a rule may still alert in its hour.

    It remembers what the database holds: `learn` before, `forget` after a transaction that did something else.
    """

    def __init__(self) -> None:
        self._counts: dict[RuleHour, int] = {}

    def unknown(self, wanted: Iterable[RuleHour]) -> set[RuleHour]:
        """Return the rule hours whose count is to be looked up first."""
        return set(wanted) - self._counts.keys()

    def learn(self, counts: Mapping[RuleHour, int]) -> None:
        """Take over what the database holds."""
        self._counts.update(counts)

    def admit(self, place: RuleHour, limit: int) -> bool:
        """Tell whether one more match of a known rule hour becomes an alert, and count it then."""
        if self._counts[place] >= limit:
            return False
        self._counts[place] += 1
        return True

    def forget(self, places: Iterable[RuleHour] | None = None) -> None:
        """Look these up again the next time; None: all of them."""
        if places is None or len(self._counts) > MOST_REMEMBERED:
            self._counts.clear()
            return
        for place in places:
            self._counts.pop(place, None)


def hour_of(timestamp_ms: int) -> int:
    """Return the hour of a Kafka timestamp, kept inside of what PostgreSQL holds."""
    return int(utc(timestamp_ms).timestamp()) // 3600
