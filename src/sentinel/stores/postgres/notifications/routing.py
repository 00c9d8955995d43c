"""What the router decides, in PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg

from sentinel.domain.label_matcher import known_matcher_of
from sentinel.domain.notification import AlertEvent
from sentinel.domain.notification_decision import Decision
from sentinel.domain.notification_group import (
    ChannelRef,
    Fingerprint,
    FiringLabels,
    Group,
    GroupMember,
    NewDelivery,
    OutboxEntry,
    RoutedAlert,
    SilenceInForce,
)
from sentinel.domain.notification_policy import PolicyVersion
from sentinel.domain.rule import Severity
from sentinel.errors import ConfigurationError, InvalidError, StoreUnavailableError
from sentinel.stores.postgres.database import Connection, Database, first_line, required
from sentinel.stores.postgres.notifications.follow_ups import FollowUpStatements
from sentinel.stores.postgres.notifications.rows import (
    MAX_ENTITY_CHARACTERS,
    MAX_EVENT_CHARACTERS,
    MAX_EVIDENCE_CHARACTERS,
    alert_of,
    channel_of,
    group_of,
    group_row,
    json_of,
    policy_of,
    write_decisions,
)
from sentinel.stores.postgres.statements import load_statements

_LOG = logging.getLogger(__name__)
_SQL = load_statements("notification_routing")

# A day more than what a policy may look back for duplicates and inhibitions.
IDLE = timedelta(days=8)
MAX_KEPT_POLICIES = 200

Policies = dict[str, tuple[int, PolicyVersion]]
"""Tenant -> its newest version, and what counts: versions never change, and reading a long one takes 0.2 s."""


class PostgresRouting:
    """Where the router finds what to decide, for every tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._policies: Policies = {}

    def waiting_tenants(self, at: datetime) -> list[str]:
        """Return the tenants for which something is to be decided.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction("", notifier="all") as connection:
            return [row["tenant_id"] for row in connection.execute(_SQL["waiting_tenants"], {"at": at})]

    def tenants(self) -> list[str]:
        """Return every tenant.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction("", notifier="all") as connection:
            return [row["tenant_id"] for row in connection.execute(_SQL["tenants"])]

    @contextmanager
    def reading(self, tenant_id: str) -> Iterator[PostgresRoutingTransaction]:
        """Look at what a tenant has, without deciding anything.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(tenant_id) as connection:
            yield PostgresRoutingTransaction(connection, tenant_id, self._policies)

    @contextmanager
    def opened(self, tenant_id: str) -> Iterator[PostgresRoutingTransaction | None]:
        """Begin to decide for a tenant; None: somebody else does.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(tenant_id) as connection:
            row = required(connection.execute(_SQL["lock"], {"tenant_id": tenant_id}).fetchone())
            yield PostgresRoutingTransaction(connection, tenant_id, self._policies) if row["locked"] else None


class PostgresRoutingTransaction(FollowUpStatements):
    """One turn for one tenant."""

    statements = _SQL

    def __init__(self, connection: Connection, tenant_id: str, policies: Policies) -> None:
        super().__init__(connection, tenant_id)
        self._policies = policies

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Do something that is taken back when it raises; all else of the transaction stays.

        Raises:
            StoreUnavailableError: What failed is no matter of what was written: all of it may succeed later.
        """
        try:
            with self._connection.transaction():
                yield
        except (psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex):
            raise  # operational by name, but about the data
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.IntegrityError) as error:
            # A channel that was deleted since the turn began violates a foreign key: the next turn knows of it.
            raise StoreUnavailableError("PostgreSQL", first_line(error)) from error

    def claim(self, limit: int) -> list[OutboxEntry]:
        """Return the oldest entries of the outbox, and take them out of it."""
        rows = self._rows("claim", limit=limit)
        entries = [OutboxEntry(row["id"], row["alert_id"], AlertEvent(row["event"])) for row in rows]
        return sorted(entries, key=lambda entry: entry.id)

    def alerts(self, alert_ids: Sequence[int]) -> dict[int, RoutedAlert]:
        """Return alerts by id; those that are gone are missing."""
        if not alert_ids:
            return {}
        rows = self._rows(
            "alerts",
            ids=list(alert_ids),
            event_characters=MAX_EVENT_CHARACTERS,
            evidence_characters=MAX_EVIDENCE_CHARACTERS,
            entity_characters=MAX_ENTITY_CHARACTERS,
        )
        return {row["id"]: alert_of(row) for row in rows}

    def policy(self) -> PolicyVersion:
        """Return the policy in force; where this version of the service cannot read it, the newest that it can.

        Raises:
            ConfigurationError: It can read none.
        """
        newest = next((row["version"] for row in self._rows("policy_version")), 0)
        known = self._policies.get(self._tenant_id)
        if known is None or known[0] != newest:
            known = newest, self._readable(newest)
            if len(self._policies) >= MAX_KEPT_POLICIES:
                self._policies.clear()
            self._policies[self._tenant_id] = known
        return known[1]

    def _readable(self, newest: int) -> PolicyVersion:
        if not newest:
            return PolicyVersion.initial()
        versions = map(policy_of, self._rows("policies"))
        problem = ""
        for version in versions:
            if not version.problem:
                if problem:
                    _LOG.error(
                        "tenant %s: version %d of its policy counts: %s", self._tenant_id, version.version, problem
                    )
                return version
            problem = problem or f"version {newest} cannot be read: {version.problem}"
        raise ConfigurationError(f"no notification policy can be read; put another in force: {problem}")

    def channels(self) -> dict[str, ChannelRef]:
        """Return the channels by name."""
        return {row["name"]: channel_of(row) for row in self._rows("channels")}

    def silences(self, at: datetime) -> list[SilenceInForce]:
        """Return the silences in force; one that this version of the service cannot read silences nothing."""
        found = []
        for row in self._rows("silences", at=at):
            try:
                matchers = tuple(map(known_matcher_of, row["matchers"]))
            except InvalidError as error:
                _LOG.error("silence %d of tenant %s does not count: %s", row["id"], self._tenant_id, error.message)
                continue
            found.append(SilenceInForce(row["id"], matchers, row["ends_at"], row["comment"], row["created_by"]))
        return found

    def fire(self, alerts: Sequence[RoutedAlert], at: datetime) -> dict[bytes, Fingerprint]:
        """Count alerts by fingerprint and return what is known of each fingerprint after it."""
        fired: dict[bytes, dict[str, Any]] = {}
        for alert in alerts:
            number = alert.told.alert_id
            known = fired.setdefault(
                alert.fingerprint,
                {"fingerprint": alert.fingerprint.hex(), "fire_count": 0, "first_alert_id": number},
            )
            known |= {"labels": alert.labels, "fire_count": known["fire_count"] + 1, "last_alert_id": number}
        if not fired:
            return {}
        rows = self._rows("fire", fired=json_of(list(fired.values())), at=at)
        return {
            bytes(row["fingerprint"]): Fingerprint(
                row["fire_count"],
                row["first_alert_id"],
                {target: datetime.fromisoformat(at) for target, at in row["told_to"].items()},
            )
            for row in rows
        }

    def told(self, told: Mapping[bytes, Collection[str]], at: datetime) -> None:
        """Note that alerts of these fingerprints went on their way, each to some targets."""
        if told:
            rows = [
                {"fingerprint": each.hex(), "told_to": dict.fromkeys(targets, at.isoformat())}
                for each, targets in told.items()
            ]
            self._run("told", told=json_of(rows), at=at)

    def forget(self, fingerprint: bytes, at: datetime) -> None:
        """Note that the alerts of a fingerprint are resolved."""
        self._run("forget", fingerprint=fingerprint, at=at)

    def firing(self, equalities: Mapping[str, str], since: datetime, limit: int) -> list[FiringLabels]:
        """Return the newest alerts per fingerprint that fired since, are not resolved and have these labels."""
        labels = json_of({name: [value] for name, value in equalities.items()})
        rows = self._rows("firing", labels=labels, since=since, limit=limit)
        return [FiringLabels(row["alert_id"], row["labels"]) for row in rows]

    def groups(self, keys: Sequence[bytes]) -> dict[bytes, Group]:
        """Return the groups that there are already."""
        found = [group_of(row) for row in self._rows("groups", keys=list(keys))] if keys else []
        return {group.key: group for group in found}

    def save_groups(self, groups: Sequence[Group]) -> dict[bytes, int]:
        """Write groups by their keys, and return their ids."""
        if not groups:
            return {}
        rows = self._rows("save_groups", groups=json_of([group_row(group) for group in groups]))
        return {bytes(row["group_key"]): row["id"] for row in rows}

    def add_members(self, members: Sequence[GroupMember]) -> None:
        """Have alerts wait; one that waits already is left as it is."""
        if members:
            rows = [
                {
                    "group_id": member.group_id,
                    "alert_id": member.alert_id,
                    "severity": member.severity.value,
                    "labels": member.labels,
                    "is_deferred": member.is_deferred,
                }
                for member in members
            ]
            self._run("add_members", members=json_of(rows))

    def due_groups(self, at: datetime, limit: int) -> list[Group]:
        """Return the groups that are to be told by now, earliest first."""
        return [group_of(row) for row in self._rows("due_groups", at=at, limit=limit)]

    def members(self, group_ids: Sequence[int], limit: int) -> list[GroupMember]:
        """Return what waits in these groups, by group in their order and by alert, at most `limit`."""
        rows = self._rows("members", group_ids=list(group_ids), limit=limit)
        return [GroupMember(**{**row, "severity": Severity(row["severity"])}) for row in rows]

    def has_member(self, group_id: int, severities: Collection[Severity]) -> bool:
        """Return whether an alert of one of these severities waits in a group."""
        return bool(self._rows("has_member", group_id=group_id, severities=[each.value for each in severities]))

    def untell(self, untold: Collection[tuple[bytes, str]]) -> None:
        """Note that alerts of these fingerprints did not get to these targets: the next are no duplicates there."""
        if untold:
            rows = [{"fingerprint": each.hex(), "target": target} for each, target in untold]
            self._run("untell", untold=json_of(rows))

    def defer_members(self, group_ids: Sequence[int]) -> None:
        """Note of what waits in these groups that it is known to be deferred."""
        if group_ids:
            self._run("defer_members", group_ids=list(group_ids))

    def remove_members(self, members: Sequence[GroupMember]) -> None:
        """Have alerts wait no more."""
        if members:
            self._run(
                "remove_members",
                group_ids=[member.group_id for member in members],
                alert_ids=[member.alert_id for member in members],
            )

    def deliver(self, deliveries: Sequence[NewDelivery]) -> None:
        """Write deliveries, due at once."""
        if not deliveries:
            return
        rows = [
            {
                "id": delivery.id,
                "channel_id": delivery.target.channel.id,
                "target": delivery.target.override,
                "group_id": delivery.group_id,
                "kind": delivery.kind.value,
                "severity": delivery.severity.value,
                "content": delivery.content,
                "alert_count": len(delivery.alert_ids),
                "created_at": delivery.created_at,
            }
            for delivery in deliveries
        ]
        self._run("deliver", deliveries=json_of(rows))
        told = [
            (delivery.id, delivery.group_id, alert_id) for delivery in deliveries for alert_id in delivery.alert_ids
        ]
        self._run(
            "delivery_alerts",
            delivery_ids=[delivery_id for delivery_id, _, _ in told],
            group_ids=[group_id for _, group_id, _ in told],
            alert_ids=[alert_id for _, _, alert_id in told],
        )
        channels = sorted({delivery.target.channel.id for delivery in deliveries})
        self._run("queue", channel_ids=channels, at=min(delivery.created_at for delivery in deliveries))
        self._run("wake")

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Write decisions, in their order."""
        write_decisions(self._connection, self._tenant_id, decisions)

    def prune(self, at: datetime, *, keep_days: int, limit: int) -> int:
        """Delete what is no longer needed, at most `limit` of each kind, and return how much that was."""
        ages = {"idle_before": at - IDLE, "ended_before": at - timedelta(days=keep_days)}
        statements = ("prune_fingerprints", "prune_deliveries", "prune_groups", "prune_decisions")
        return sum(self._run(name, **ages, limit=limit) for name in statements)

    def due_repeats(self, at: datetime, limit: int) -> list[Group]:
        """Return the groups whose alerts are to be told again by now."""
        return [group_of(row) for row in self._rows("due_repeats", at=at, limit=limit)]

    def open_alerts(self, group_id: int, limit: int) -> tuple[list[int], int]:
        """Return the newest alerts of a group that were told and that nobody took up, and how many there are."""
        rows = self._rows("open_alerts", group_id=group_id, limit=limit)
        return [row["alert_id"] for row in rows], rows[0]["open_count"] if rows else 0

    def any_open(self, group_id: int, *, unresolved: bool) -> bool:
        """Return whether a group has alerts that were told and that nobody took up."""
        statement = "any_unresolved" if unresolved else "any_open"
        return bool(self._rows(statement, group_id=group_id))

    def told_alerts(self, group_id: int, limit: int) -> list[int]:
        """Return the newest alerts of a group that were told."""
        return [row["alert_id"] for row in self._rows("told_alerts", group_id=group_id, limit=limit)]

    def mark(self, alert_id: int, *, acknowledged_at: datetime | None, resolved_at: datetime | None) -> list[Group]:
        """Note that somebody took up an alert, and return the groups in which it was told."""
        self._run("mark", alert_id=alert_id, acknowledged_at=acknowledged_at, resolved_at=resolved_at)
        return [group_of(row) for row in self._rows("groups_of_alert", alert_id=alert_id)]

    def unmark(self, alert_id: int) -> list[Group]:
        """Note that an alert is open again, and return the groups in which it was told."""
        self._run("unmark", alert_id=alert_id)
        return [group_of(row) for row in self._rows("groups_of_alert", alert_id=alert_id)]

    def remember(self, fingerprint: bytes) -> None:
        """Note that an alert of a fingerprint is open again, so that it inhibits."""
        self._run("remember", fingerprint=fingerprint)
