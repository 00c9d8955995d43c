"""Deliveries as people ask for them, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sentinel.domain.delivery import DeliveryState
from sentinel.domain.notification_group import fingerprint_of
from sentinel.domain.notification_history import (
    DeliveryAttempt,
    DeliveryDetail,
    DeliveryFilter,
    DeliverySummary,
    FireCount,
    OverdueDelivery,
    WhyStep,
)
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.notifications.rows import MAX_ENTITY_CHARACTERS
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("notification_config")
_ROUTING = load_statements("notification_routing")


class PostgresDeliveryReader:
    """The deliveries of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def why(self, alert_id: int) -> list[WhyStep] | None:
        """Return what was decided and happened, in order; None: there is no such alert."""
        steps = [
            WhyStep(**{name: value for name, value in row.items() if name != "place"})
            for row in self._rows("why", alert_id=alert_id)
        ]
        return steps if steps or self._says("alert_exists", alert_id=alert_id) else None

    def is_waiting(self, alert_id: int) -> bool:
        """Return whether an alert waits in the outbox."""
        return self._says("is_waiting", alert_id=alert_id)

    def fired(self, alert_id: int) -> FireCount | None:
        """Return what is known of alerts with the fingerprint of this one."""
        parameters = {"ids": [alert_id], "event_characters": 0, "evidence_characters": 0}
        parameters |= {"entity_characters": MAX_ENTITY_CHARACTERS}
        row = self._connection.execute(_ROUTING["alerts"], parameters).fetchone()
        if row is None:
            return None
        entities = {name: str(value) for name, value in row["entities"].items()}
        fingerprint = fingerprint_of(row["source"], row["rule_id"], entities, row["subject"], row["event_id"])
        for found in self._rows("fired", fingerprint=fingerprint):
            return FireCount(**found)
        return None

    def under_way(self, alert_id: int) -> list[str]:
        """Return the channels to which an alert is on its way."""
        return [row["channel"] for row in self._rows("under_way", alert_id=alert_id)]

    def page(self, wanted: DeliveryFilter, *, before: str | None, limit: int) -> list[DeliverySummary]:
        """Return deliveries, newest first, from after `before` on."""
        rows = self._rows("deliveries", **asdict(wanted), id=None, before=before, limit=limit)
        return [_summary(row) for row in rows]

    def get(self, delivery_id: str) -> DeliveryDetail | None:
        """Return one."""
        rows = self._rows("deliveries", **asdict(DeliveryFilter()), id=delivery_id, before=None, limit=1)
        if not rows:
            return None
        said = self._rows("delivery_content", id=delivery_id)[0]
        attempts = tuple(DeliveryAttempt(**row) for row in self._rows("attempts", id=delivery_id))
        return DeliveryDetail(_summary(rows[0]), said["content"], said["alert_ids"], attempts)

    def dead(self, wanted: DeliveryFilter, limit: int, *, most: int) -> tuple[list[tuple[str, int]], int, int]:
        """Return dead deliveries that fit and were redriven less often than `most`, oldest first (id, channel), how
        many there are of them, and how many more were redriven as often.
        """
        rows = self._rows("dead", **asdict(wanted), id=None, limit=limit, most=most)
        found = [(row["id"], row["channel_id"]) for row in rows if row["redrive_count"] < most]
        return (found, rows[0]["fitting"], rows[0]["looped"]) if rows else ([], 0, 0)

    def is_disabled(self, channel: str) -> bool:
        """Return whether there is a channel of this name that is disabled."""
        return bool(self._rows("disabled_channel", name=channel))

    def redrive(self, due: Sequence[tuple[str, datetime]], channel_ids: Sequence[int], at: datetime, by: str) -> None:
        """Have dead deliveries be due again, each at its time, as if never tried."""
        ids, times = [delivery_id for delivery_id, _ in due], [due_at for _, due_at in due]
        self._connection.execute(_SQL["redrive"], {"ids": ids, "due": times, "at": at, "by": by})
        self._connection.execute(_SQL["queue"], {"channel_ids": list(channel_ids), "at": at})
        self._connection.execute(_SQL["wake"])

    def overdue(self, at: datetime, limit: int) -> list[OverdueDelivery]:
        """Return deliveries that were due before `at` and were not tried, longest due first."""
        return [OverdueDelivery(**row) for row in self._rows("overdue", at=at, limit=limit)]

    def _rows(self, statement: str, **parameters: Any) -> list[Row]:
        # Not prepared: filters that are not set fold away when it is planned with its values.
        return self._connection.execute(_SQL[statement], parameters, prepare=False).fetchall()

    def _says(self, statement: str, **parameters: Any) -> bool:
        return bool(required(self._connection.execute(_SQL[statement], parameters).fetchone())["found"])


def _summary(row: Row) -> DeliverySummary:
    return DeliverySummary(**{**row, "state": DeliveryState(row["state"])})
