"""The storm guard: how many alerts of one rule within an hour are written, and how many matches are only counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from sentinel.domain.finding import Match
from sentinel.domain.rule import RuleVersion

HOUR_MS = 3_600_000
MOST_REMEMBERED = 100_000

RuleHour = tuple[int, int]
"""Rule id, and the hour of the record's timestamp: milliseconds since the epoch divided by an hour's."""


class StormGuard:
    """Decides, match by match, whether a rule may still alert in its hour.

    It remembers what the database holds: `learn` before, `committed` or `forget` after a transaction.
    """

    def __init__(self) -> None:
        self._counts: dict[RuleHour, int] = {}

    def unknown(self, wanted: Iterable[RuleHour]) -> set[RuleHour]:
        """Return the rule hours whose count is to be looked up first."""
        return set(wanted) - self._counts.keys()

    def learn(self, counts: Mapping[RuleHour, int]) -> None:
        """Take over what the database holds."""
        if len(self._counts) > MOST_REMEMBERED:
            self._counts.clear()
        self._counts.update(counts)

    def admit(self, matches: Iterable[Match], rules: tuple[RuleVersion, ...], limit: int) -> Admitted:
        """Divide matches into alerts and what is only counted.

        Every rule hour of them is known (`unknown`, `learn`).
        """
        admitted = Admitted()
        counts = self._counts
        for match in matches:
            hour = hour_of(match.timestamp_ms)
            for index in match.rules:
                place = (rules[index].rule_id, hour)
                if counts[place] < limit:
                    counts[place] += 1
                    admitted.added[place] += 1
                else:
                    admitted.refused[match.partition, match.offset].add(index)
                    admitted.suppressed[place] += 1
        return admitted

    def forget(self, places: Iterable[RuleHour] | None = None) -> None:
        """Look these up again the next time; None: all of them."""
        if places is None:
            self._counts.clear()
        else:
            for place in list(places):
                self._counts.pop(place, None)


class Admitted:
    """What a batch of matches becomes.

    Attributes:
        added: Alerts per rule hour.
        suppressed: Matches per rule hour that are only counted.
        refused: Place of a record (partition, offset) -> indexes of rules that may not alert for it.
    """

    def __init__(self) -> None:
        self.added: Counter[RuleHour] = Counter()
        self.suppressed: Counter[RuleHour] = Counter()
        self.refused: defaultdict[tuple[int, int], set[int]] = defaultdict(set)

    def rules_of(self, match: Match) -> tuple[int, ...]:
        """Return the rules of a match that alert."""
        refused = self.refused.get((match.partition, match.offset))
        return match.rules if refused is None else tuple(index for index in match.rules if index not in refused)


def hour_of(timestamp_ms: int) -> int:
    """Return the hour of a Kafka timestamp, kept inside of what PostgreSQL holds."""
    return min(max(timestamp_ms, 0), 253_402_300_799_000) // HOUR_MS


def rule_hours(matches: Iterable[Match], rules: tuple[RuleVersion, ...]) -> set[RuleHour]:
    """Return every rule hour that matches touch."""
    return {(rules[index].rule_id, hour_of(match.timestamp_ms)) for match in matches for index in match.rules}
