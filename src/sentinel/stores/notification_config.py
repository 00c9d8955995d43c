"""What people configure about notifications and ask of them, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sentinel.domain.notification_history import (
    DeliveryDetail,
    DeliveryFilter,
    DeliverySummary,
    FireCount,
    OverdueDelivery,
    WhyStep,
)
from sentinel.domain.notification_policy import PolicyVersion
from sentinel.domain.silence import Silence


class PolicyStore(Protocol):
    """Policies of a tenant."""

    def current(self) -> PolicyVersion | None:
        """Return the newest; None: there is none."""

    def get(self, version: int) -> PolicyVersion | None:
        """Return one; None: there is no such version."""

    def versions(self, before: int | None, limit: int) -> list[PolicyVersion]:
        """Return versions, newest first."""

    def add(self, version: int, document: Mapping[str, Any], comment: str, created_by: str) -> PolicyVersion | None:
        """Write a version; None: somebody else wrote it first."""

    def channel_names(self) -> set[str]:
        """Return the names of all channels."""

    def plan_summaries(self, next_at: Mapping[str, datetime], at: datetime) -> None:
        """Have summaries told at these times, by name, and no others; a new one tells of what comes from `at` on."""

    def release(self) -> None:
        """Have groups that quiet hours hold back looked at again, at once."""


class SilenceStore(Protocol):
    """Silences of a tenant."""

    def add(
        self, matchers: Sequence[str], starts_at: datetime, ends_at: datetime, comment: str, created_by: str
    ) -> Silence:
        """Write a silence."""

    def get(self, silence_id: int) -> Silence | None:
        """Return a silence."""

    def page(self, at: datetime, *, expired: bool, before: int | None, limit: int) -> list[Silence]:
        """Return silences, newest first; those that are over as well where asked for."""

    def count(self, at: datetime) -> int:
        """Return how many are in force or to come."""

    def end(self, silence_id: int, at: datetime, ended_by: str) -> None:
        """End a silence before its time."""


class DeliveryReader(Protocol):
    """Deliveries of a tenant, for people."""

    def why(self, alert_id: int) -> list[WhyStep] | None:
        """Return what was decided and happened, in order; None: there is no such alert."""

    def is_waiting(self, alert_id: int) -> bool:
        """Return whether an alert waits in the outbox."""

    def fired(self, alert_id: int) -> FireCount | None:
        """Return what is known of alerts with the fingerprint of this one."""

    def under_way(self, alert_id: int) -> list[str]:
        """Return the channels to which an alert is on its way."""

    def page(self, wanted: DeliveryFilter, *, before: str | None, limit: int) -> list[DeliverySummary]:
        """Return deliveries, newest first, from after `before` on."""

    def get(self, delivery_id: str) -> DeliveryDetail | None:
        """Return one."""

    def dead(self, wanted: DeliveryFilter, limit: int, *, most: int) -> tuple[list[tuple[str, int]], int, int]:
        """Return dead deliveries that fit and were redriven less often than `most`, oldest first (id, channel), how
        many there are of them, and how many more were redriven as often. Those of disabled channels are left out.
        """

    def is_disabled(self, channel: str) -> bool:
        """Return whether there is a channel of this name that is disabled."""

    def redrive(self, due: Sequence[tuple[str, datetime]], channel_ids: Sequence[int], at: datetime, by: str) -> None:
        """Have dead deliveries be due again, each at its time, as if never tried."""

    def overdue(self, at: datetime, limit: int) -> list[OverdueDelivery]:
        """Return deliveries that were due before `at` and were not tried, longest due first."""
