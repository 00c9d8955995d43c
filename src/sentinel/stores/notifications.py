"""What notifying needs of a store. One transaction each; whoever opens it commits by leaving it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from sentinel.domain.delivery import AttemptResult, ChannelQueue, ClaimedDelivery
from sentinel.domain.escalation import DueEscalation
from sentinel.domain.notification_decision import Decision
from sentinel.domain.notification_group import (
    AlertTally,
    ChannelRef,
    DueSummary,
    Fingerprint,
    FiringLabels,
    Group,
    GroupMember,
    NewDelivery,
    OutboxEntry,
    RoutedAlert,
    SilenceInForce,
)
from sentinel.domain.notification_policy import EscalationStep, PolicyVersion
from sentinel.domain.rule import Severity


class RoutingTransaction(Protocol):
    """Decides for one tenant; nobody else does meanwhile."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Do something that is taken back when it raises; all else of the transaction stays.

        Raises:
            StoreUnavailableError: What failed is no matter of what was written: all of it may succeed later.
        """

    def claim(self, limit: int) -> list[OutboxEntry]:
        """Return the oldest entries of the outbox, and take them out of it."""

    def alerts(self, alert_ids: Sequence[int]) -> dict[int, RoutedAlert]:
        """Return alerts by id; those that are gone are missing."""

    def policy(self) -> PolicyVersion:
        """Return the policy in force."""

    def channels(self) -> dict[str, ChannelRef]:
        """Return the channels by name."""

    def silences(self, at: datetime) -> list[SilenceInForce]:
        """Return the silences in force."""

    def fire(self, alerts: Sequence[RoutedAlert], at: datetime) -> dict[bytes, Fingerprint]:
        """Count alerts by fingerprint and return what is known of each fingerprint after it."""

    def told(self, told: Mapping[bytes, Collection[str]], at: datetime) -> None:
        """Note that alerts of these fingerprints went on their way, each to some targets."""

    def firing(self, equalities: Mapping[str, str], since: datetime, limit: int) -> list[FiringLabels]:
        """Return the newest alerts per fingerprint that fired since, are not resolved and have these labels."""

    def groups(self, keys: Sequence[bytes]) -> dict[bytes, Group]:
        """Return the groups that there are already."""

    def save_groups(self, groups: Sequence[Group]) -> dict[bytes, int]:
        """Write groups by their keys, and return their ids."""

    def add_members(self, members: Sequence[GroupMember]) -> None:
        """Have alerts wait; one that waits already is left as it is."""

    def due_groups(self, at: datetime, limit: int) -> list[Group]:
        """Return the groups that are to be told by now, earliest first."""

    def members(self, group_ids: Sequence[int], limit: int) -> list[GroupMember]:
        """Return what waits in these groups, by group in their order and by alert, at most `limit`."""

    def has_member(self, group_id: int, severities: Collection[Severity]) -> bool:
        """Return whether an alert of one of these severities waits in a group."""

    def untell(self, untold: Collection[tuple[bytes, str]]) -> None:
        """Note that alerts of these fingerprints did not get to these targets: the next are no duplicates there."""

    def defer_members(self, group_ids: Sequence[int]) -> None:
        """Note of what waits in these groups that it is known to be deferred."""

    def remove_members(self, members: Sequence[GroupMember]) -> None:
        """Have alerts wait no more."""

    def deliver(self, deliveries: Sequence[NewDelivery]) -> None:
        """Write deliveries, due at once."""

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Write decisions, in their order."""

    def prune(self, at: datetime, *, keep_days: int, limit: int) -> int:
        """Delete what is no longer needed, at most `limit` of each kind, and return how much that was.

        Fingerprints and groups that were quiet for as long as any policy looks back; deliveries that ended, with
        their attempts, and decisions about alerts, both after `keep_days`.
        """

    def due_repeats(self, at: datetime, limit: int) -> list[Group]:
        """Return the groups whose alerts are to be told again by now."""

    def open_alerts(self, group_id: int, limit: int) -> tuple[list[int], int]:
        """Return the newest alerts of a group that were told and that nobody took up, and how many there are."""

    def any_open(self, group_id: int, *, unresolved: bool) -> bool:
        """Return whether a group has alerts that were told and that nobody took up.

        Args:
            unresolved: Those that somebody acknowledged count as well.
        """

    def told_alerts(self, group_id: int, limit: int) -> list[int]:
        """Return the newest alerts of a group that were told."""

    def unmark(self, alert_id: int) -> list[Group]:
        """Note that an alert is open again, and return the groups in which it was told."""

    def remember(self, fingerprint: bytes) -> None:
        """Note that an alert of a fingerprint is open again, so that it inhibits."""

    def forget(self, fingerprint: bytes, at: datetime) -> None:
        """Note that the alerts of a fingerprint are resolved: the next one is told, and they inhibit nothing."""

    def mark(self, alert_id: int, *, acknowledged_at: datetime | None, resolved_at: datetime | None) -> list[Group]:
        """Note that somebody took up an alert, and return the groups in which it was told."""

    def due_summaries(self, at: datetime) -> list[DueSummary]:
        """Return the summaries that are due."""

    def tally(self, since: datetime, until: datetime) -> AlertTally:
        """Count the alerts of a range of time."""

    def save_summary(self, name: str, told_until: datetime, next_at: datetime | None) -> None:
        """Write until when a summary told, and when it is told next; None: never, it is no longer there."""

    def begin_escalation(
        self, group_id: int, name: str, steps: Sequence[EscalationStep], policy_version: int, at: datetime
    ) -> None:
        """Begin to escalate a group, unless that is going on."""

    def due_escalations(self, at: datetime, limit: int) -> list[DueEscalation]:
        """Return the escalations with a step that is due."""

    def save_escalation(self, escalation: DueEscalation, *, next_at: datetime | None, state: str, at: datetime) -> None:
        """Write where an escalation stands."""

    def stop_escalation(self, group_id: int, at: datetime) -> bool:
        """Stop the escalation of a group, and return whether there was one."""


class RoutingStore(Protocol):
    """Where the router finds what to decide."""

    def tenants(self) -> list[str]:
        """Return every tenant.

        Raises:
            StoreUnavailableError: The store does not answer.
        """

    def waiting_tenants(self, at: datetime) -> list[str]:
        """Return the tenants for which something is to be decided.

        Raises:
            StoreUnavailableError: The store does not answer.
        """

    def opened(self, tenant_id: str) -> AbstractContextManager[RoutingTransaction | None]:
        """Begin to decide for a tenant; None: somebody else does.

        Raises:
            StoreUnavailableError: The store does not answer.
        """


class DeliveryTransaction(Protocol):
    """Deliveries of one tenant."""

    def queue(self, channel_id: int, *, wait: bool) -> ChannelQueue | None:
        """Return a channel's queue and hold it; None: there is none, or, unless waited for, somebody else holds it."""

    def take(self, channel_id: int, at: datetime, limit: int, *, until: datetime) -> list[ClaimedDelivery]:
        """Take the deliveries of a channel that are due, longest first; they count as being sent until then."""

    def limited(self, channel_id: int, at: datetime, limit: int) -> list[tuple[str, str]]:
        """Note of what is due next that it waits for the channel's rate; return those of which it was not noted before,
        with their targets. At most `limit` are looked at.
        """

    def save_queue(self, queue: ChannelQueue, *, not_before: datetime | None = None) -> None:
        """Write a queue. It is due when the first of its deliveries is, but not before its circuit closes.

        Args:
            not_before: Nor before this: when its rate allows the next.
        """

    def record(self, results: Sequence[AttemptResult], *, at: datetime) -> list[AttemptResult]:
        """Write what became of attempts; return those that count: not those of which another worker wrote one since."""

    def hasten(self, channel_id: int, at: datetime) -> int:
        """Have what was tried and waits on a channel be due at once; return how much that is. What was not tried since
        it was redriven keeps the rate that was asked for.
        """

    def give_up(self, channel_id: int, reason: str, at: datetime, *, limit: int, disable: bool) -> int:
        """Have what waits for a channel be dead, longest due first, each with a decision; return how much that is.

        What a worker took that fell silent since is among it.

        Args:
            disable: Disable the channel as well.
        """

    def thread(self, group_id: int, thread: str) -> None:
        """Keep what later notifications of a group are given, unless there is something already."""

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Write decisions, in their order."""


class DeliveryStore(Protocol):
    """Where the dispatcher finds what to send."""

    def due_channels(
        self, at: datetime, limit: int, besides: Sequence[int], tenants: Sequence[str]
    ) -> list[tuple[str, int]]:
        """Return tenants and channels for which a delivery is due and whose circuit is not open, longest due first.

        Args:
            besides: Channels that are left out.
            tenants: Tenants whose channels are left out.

        Raises:
            StoreUnavailableError: The store does not answer.
        """

    def opened(self, tenant_id: str) -> AbstractContextManager[DeliveryTransaction]:
        """Begin a transaction of a tenant.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
