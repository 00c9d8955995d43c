"""Silences and inhibitions: why nobody is told of an alert."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sentinel.domain.label_matcher import Labels, Matcher, all_match, value_of
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.notification_group import FiringLabels, SilenceInForce
from sentinel.domain.notification_policy import Inhibition, NotificationPolicy
from sentinel.stores.notifications import RoutingTransaction

MAX_SOURCES = 1_000
"""Alerts that are looked at as the source of one inhibition, newest first."""

Cause = tuple[Outcome, str, dict[str, Any]]


class Mutes:
    """The silences in force and the inhibitions of a policy; for one turn."""

    def __init__(self, policy: NotificationPolicy, silences: Sequence[SilenceInForce]) -> None:
        self._silences = silences
        self._inhibitions = policy.inhibition_matchers
        self._newest: dict[str, list[FiringLabels]] = {}
        self._sources: dict[tuple[str, tuple[str, ...]], list[FiringLabels]] = {}

    def __bool__(self) -> bool:
        return bool(self._silences or self._inhibitions)

    def cause(self, tx: RoutingTransaction, labels: Labels, alert_id: int, now: datetime) -> Cause | None:
        """Return why nobody is told of an alert: outcome, a sentence, and what it goes by; None: it is told."""
        for silence in self._silences:
            if all_match(silence.matchers, labels):
                said = f"silence {silence.id} by {silence.created_by} until {silence.ends_at.isoformat()}"
                return Outcome.SILENCED, f"{said}: {silence.comment}"[:500], {"silence_id": silence.id}
        for inhibition, sources, targets in self._inhibitions:
            if all_match(targets, labels):
                candidates = self._candidates(tx, inhibition, sources, labels, now)
                # As in Alertmanager, an alert that is on both sides is inhibited by none that is: two of them would
                # inhibit each other, and nobody would be told of either.
                is_source = all_match(sources, labels)
                found = next(
                    (
                        each
                        for each in candidates
                        if each.alert_id != alert_id and not (is_source and all_match(targets, each.labels))
                    ),
                    None,
                )
                if found is not None:
                    said = f"inhibition {inhibition.name!r}: alert {found.alert_id} is open"
                    return Outcome.INHIBITED, said, {"inhibition": inhibition.name, "by_alert_id": found.alert_id}
        return None

    def _candidates(
        self,
        tx: RoutingTransaction,
        inhibition: Inhibition,
        sources: Sequence[Matcher],
        labels: Labels,
        now: datetime,
    ) -> list[FiringLabels]:
        equal = {name: value_of(labels, name) for name in inhibition.equal}
        key = (inhibition.name, tuple(equal.values()))
        known = self._sources.get(key)
        if known is not None:
            return known
        since = now - timedelta(seconds=inhibition.seconds)
        wanted = {matcher.name: matcher.value for matcher in sources if matcher.operator == "=" and matcher.value}
        newest = self._newest.get(inhibition.name)
        if newest is None:
            newest = self._newest[inhibition.name] = tx.firing(wanted, since, MAX_SOURCES)
        if len(newest) == MAX_SOURCES:
            # There are more than one look-up brings: one of its own for each combination of what must be alike.
            wanted |= {name: value for name, value in equal.items() if value and name != "tag"}
            newest = tx.firing(wanted, since, MAX_SOURCES)
        found = [
            each
            for each in newest
            if all_match(sources, each.labels)
            and all(value_of(each.labels, name) == value for name, value in equal.items())
        ]
        self._sources[key] = found
        return found
