"""A tenant's notifications on a real database, with a clock that tests turn and channels that tests answer for."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sentinel.catalog.audit import Auditor
from sentinel.catalog.deliveries import DeliveryCatalog
from sentinel.domain.channel import ChannelKind
from sentinel.domain.notification import Notification, NotificationKind
from sentinel.domain.notification_group import ChannelRef, Target
from sentinel.domain.notification_history import Why
from sentinel.errors import ConflictError, NotFoundError, SealedSecretError
from sentinel.notify.channels.base import AttemptFailedError, Channel, Fate, Receipt
from sentinel.notify.deciding.router import Router
from sentinel.notify.sending.attempt import OpenedChannel
from sentinel.notify.sending.dispatcher import Dispatcher
from sentinel.notify.sending.ordered_ids import OrderedIds
from sentinel.stores.postgres.audit import PostgresAudit
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.notifications.deliveries import PostgresDeliveries
from sentinel.stores.postgres.notifications.history import PostgresDeliveryReader
from sentinel.stores.postgres.notifications.policies import PostgresPolicies, PostgresSilences
from sentinel.stores.postgres.notifications.routing import PostgresRouting

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""A Monday at noon."""


@dataclass
class Clock:
    """A clock that stands until it is turned."""

    now: datetime = START

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def turn(self, **amount: float) -> datetime:
        """Turn it on."""
        self.now += timedelta(**amount)
        return self.now


@dataclass
class Receiver:
    """What a channel leads to: takes everything, unless told otherwise.

    Attributes:
        answer: Called with each notification; may raise AttemptFailedError.
    """

    kind: ChannelKind = ChannelKind.WEBHOOK
    rate_per_minute: int | None = None
    answer: Callable[[Notification], Receipt] = lambda _: Receipt(200)
    got: list[Notification] = field(default_factory=list)
    tries: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def told(self) -> list[list[int]]:
        """The alerts of each notification."""
        return [[alert.alert_id for alert in notification.alerts] for notification in self.got]


@dataclass
class _Opened:
    name: str
    kind: ChannelKind
    rate_per_minute: int | None
    receiver: Receiver
    now: Callable[[], datetime]

    def with_target(self, override: str | None) -> Channel:
        """Return what sends; overrides are not looked at."""
        return self

    def send(self, notification: Notification) -> Receipt:
        """Ask the receiver."""
        self.receiver.tries.append((self.now(), notification.delivery_id))
        receipt = self.receiver.answer(notification)
        self.receiver.got.append(notification)
        return receipt


def down(_: Notification) -> Receipt:
    """A receiver that is away."""
    raise AttemptFailedError("connection refused", fate=Fate.RETRY, reason="refused")


def gone(_: Notification) -> Receipt:
    """A receiver that wants nothing any more."""
    raise AttemptFailedError("it answered 410", fate=Fate.GONE, reason="status_410", status=410)


class Desk:
    """Notifications of one tenant."""

    def __init__(self, database: Database, tenant: str) -> None:
        self.database = database
        self.tenant = tenant
        self.clock = Clock()
        self.receivers: dict[str, Receiver] = {}
        self._ids: dict[int, str] = {}
        self._numbers = itertools.count(1)
        self.stopping = threading.Event()
        self.router = Router(
            PostgresRouting(database),
            now=self.clock,
            new_id=OrderedIds("dlv_", self.clock),
            resolve=self._resolve,
            tells=lambda kind, what: what is not NotificationKind.ACKNOWLEDGED or kind is ChannelKind.PAGERDUTY,
            keep_days=90,
        )
        self.dispatcher = self.new_dispatcher()
        self.pipeline_id = self._make_pipeline()

    def new_dispatcher(self, **changed: Any) -> Dispatcher:
        """Return a dispatcher, as a worker that has just started."""
        return Dispatcher(
            PostgresDeliveries(self.database),
            self.open_channel,
            now=self.clock,
            clock=lambda: 0.0,
            jitter=lambda: 0.0,
            **changed,
        )

    # -- arranging

    def channel(self, name: str, kind: str = "webhook", **changed: Any) -> Receiver:
        """Make a channel and return what it leads to."""
        row = self.query(
            "INSERT INTO sentinel.notification_channels (tenant_id, name, kind) VALUES (%s, %s, %s) RETURNING id",
            self.tenant,
            name,
            kind,
        )[0]
        return self.adopt(row["id"], name, kind, **changed)

    def adopt(self, channel_id: int, name: str, kind: str, **changed: Any) -> Receiver:
        """Answer for a channel that there is already."""
        self._ids[channel_id] = name
        self.receivers[name] = Receiver(kind=ChannelKind(kind), **changed)
        return self.receivers[name]

    def policy(self, **document: Any) -> None:
        """Put a policy in force."""
        with self.database.transaction(self.tenant) as connection:
            policies = PostgresPolicies(connection)
            known = policies.current()
            assert policies.add((known.version if known else 0) + 1, document, "", "test")
            policies.release()

    def silence(self, *matchers: str, hours: float = 1) -> int:
        """Silence alerts from now on."""
        with self.database.transaction(self.tenant) as connection:
            until = self.clock.now + timedelta(hours=hours)
            made = PostgresSilences(connection).add(list(matchers), self.clock.now, until, "maintenance", "anna")
        return made.id

    def rule(self, name: str = "large", notify: Sequence[str] = (), tags: Sequence[str] = ()) -> tuple[int, int]:
        """Make a rule and return its id and its version's."""
        actions = [{"kind": "notify", "value": value} for value in notify]
        actions += [{"kind": "tag", "value": value} for value in tags]
        rule_id = self.query(
            "INSERT INTO sentinel.rules (tenant_id, pipeline_id, name) VALUES (%s, %s, %s) RETURNING id",
            self.tenant,
            self.pipeline_id,
            name,
        )[0]["id"]
        version_id = self.query(
            "INSERT INTO sentinel.rule_versions (tenant_id, rule_id, version, rule_expression, severity, description, "
            "content_hash, actions) VALUES (%s, %s, 1, 'amount > 1', 'warning', %s, '', %s::jsonb) RETURNING id",
            self.tenant,
            rule_id,
            f"rule {name}",
            json.dumps(actions),
        )[0]["id"]
        return rule_id, version_id

    def alert(
        self,
        rule: tuple[int, int],
        *,
        severity: str = "warning",
        entities: dict[str, str] | None = None,
        refill_id: int | None = None,
    ) -> int:
        """Raise an alert, with its entry in the outbox, and return its id."""
        return self.alerts(rule, 1, severity=severity, entities=entities, refill_id=refill_id)[0]

    def alerts(
        self,
        rule: tuple[int, int],
        count: int,
        *,
        severity: str = "warning",
        entities: dict[str, str] | None = None,
        refill_id: int | None = None,
    ) -> list[int]:
        """Raise alerts in one transaction."""
        first = next(self._numbers)
        for _ in range(count - 1):
            next(self._numbers)
        rows = self.query(
            """
            WITH inserted AS (
                INSERT INTO sentinel.alerts
                    (tenant_id, pipeline_id, rule_id, rule_version_id, generation_id, event_id, severity, score,
                     entities, transaction_data, content_hash, kafka_partition, kafka_offset, kafka_timestamp,
                     alert_timestamp, refill_id)
                SELECT %s, %s, %s, %s, 1, 'e-' || n, %s, 50, %s::jsonb,
                       jsonb_build_object('amount', 12.5, 'n', n), ''::bytea, 0, n, %s, %s, %s
                FROM generate_series(%s::bigint, %s::bigint) AS n
                RETURNING id
            ), queued AS (
                INSERT INTO sentinel.alert_outbox (tenant_id, alert_id, event) SELECT %s, id, 'fired' FROM inserted
            )
            SELECT id FROM inserted ORDER BY id
            """,
            *(self.tenant, self.pipeline_id, *rule, severity, json.dumps(entities or {})),
            *(self.clock.now, self.clock.now, refill_id, first, first + count - 1, self.tenant),
        )
        return [row["id"] for row in rows]

    def take_up(self, alert_id: int, event: str) -> None:
        """Acknowledge or resolve an alert."""
        self.query(
            "INSERT INTO sentinel.alert_outbox (tenant_id, alert_id, event) VALUES (%s, %s, %s) RETURNING id",
            self.tenant,
            alert_id,
            event,
        )

    # -- acting

    def route(self) -> int:
        """Decide what waits."""
        return self.router.run_tenant(self.tenant, self.stopping)

    def send(self, dispatcher: Dispatcher | None = None) -> None:
        """Send what is due, until nothing is."""
        chosen = dispatcher or self.dispatcher
        for _ in range(100_000):
            began = chosen.pump()
            if not began and not chosen.under_way:
                return
            if not began:
                chosen.wait(0.2)
        raise AssertionError("it does not end")

    def run(self) -> None:
        """Decide and send."""
        self.route()
        self.send()

    def why(self, alert_id: int) -> Why:
        """Ask why somebody was told of an alert."""
        with self.database.transaction(self.tenant) as connection:
            return self._catalog(connection).why(alert_id)

    def outcomes(self, alert_id: int) -> list[str]:
        """Return the outcome of each step."""
        return [step.outcome for step in self.why(alert_id).steps]

    def query(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run SQL as the tenant."""
        with self.database.transaction(self.tenant) as connection:
            return connection.execute(statement, values).fetchall()

    def states(self) -> dict[str, int]:
        """Return how many deliveries are in each state."""
        rows = self.query("SELECT state, count(*) AS n FROM sentinel.deliveries GROUP BY state")
        return {row["state"]: row["n"] for row in rows}

    def open_channel(self, tenant_id: str, channel_id: int) -> OpenedChannel:
        """Open a channel, as the product does."""
        rows = self.query("SELECT name, status FROM sentinel.notification_channels WHERE id = %s", channel_id)
        if tenant_id != self.tenant:
            raise SealedSecretError("what other tests left is none of this one's business")
        if not rows:
            raise NotFoundError("there is no such channel")
        if rows[0]["status"] != "active":
            raise ConflictError("the channel is disabled")
        receiver = self.receivers[self._ids[channel_id]]
        return _Opened(rows[0]["name"], receiver.kind, receiver.rate_per_minute, receiver, self.clock)

    def _catalog(self, connection: Any) -> DeliveryCatalog:
        auditor = Auditor(PostgresAudit(connection), "test")
        return DeliveryCatalog(PostgresDeliveryReader(connection), auditor, caller="test", now=self.clock)

    @staticmethod
    def _resolve(wanted: str, channels: Sequence[ChannelRef]) -> Target | str:
        kind, _, name = wanted.partition(":")
        for channel in channels:
            if channel.kind == kind and channel.name == name:
                return Target(channel)
        return f"{wanted!r} is no channel"

    def _make_pipeline(self) -> int:
        return int(
            self.query(
                "INSERT INTO sentinel.pipelines (tenant_id, name, kafka_topic, schema_version) "
                "VALUES (%s, 'payments', 't', 1) RETURNING id",
                self.tenant,
            )[0]["id"]
        )
