"""What use cases on what people do about alerts ask of the stores. As in `sentinel.stores.base`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sentinel.domain.alert import Alert, AlertFilter
from sentinel.domain.alert_facets import AlertFacets
from sentinel.domain.alert_state import AlertChange, AlertNote, AlertStep
from sentinel.domain.entity_history import EntityHistory
from sentinel.domain.rule_quality import VersionQuality


class AlertStateStore(Protocol):
    """Keeps what people do about alerts."""

    def write(self, steps: Sequence[AlertStep]) -> frozenset[int]:
        """Write steps of different alerts, each with its history and its entry in the outbox.

        Returns:
            The alerts that were changed. The others are no longer at the version that their step begins at, or gone.
        """

    def notes(self, alert_id: int) -> Sequence[AlertNote]:
        """Return the notes of an alert, oldest first."""

    def add_note(self, alert_id: int, text: str, *, author: str, now: datetime, most: int) -> AlertNote | None:
        """Write a note; None when the alert has as many as it may."""

    def changes(self, alert_id: int, *, limit: int) -> Sequence[AlertChange]:
        """Return the changes of an alert, newest first."""


class QualityReader(Protocol):
    """Reads what people found the alerts of rules to be."""

    def of_rule(self, rule_id: int, *, since: datetime, until: datetime) -> Sequence[VersionQuality]:
        """Return all versions of a rule that raised an alert in [since, until), newest first, then all together.

        Raises:
            TooBroadError: PostgreSQL did not count them in time.
        """


class AlertFacetReader(Protocol):
    """Counts alerts."""

    def count(self, wanted: AlertFilter) -> AlertFacets:
        """Return how the alerts that fit divide.

        Raises:
            TooBroadError: PostgreSQL did not count them in time.
        """


class EntityHistoryReader(Protocol):
    """Finds alerts about the same."""

    def around(self, alert: Alert, *, limit: int) -> EntityHistory:
        """Return up to `limit` alerts on each side of an alert that are about the same, and the scores of its entities.

        Raises:
            TooBroadError: PostgreSQL did not find them in time.
        """
