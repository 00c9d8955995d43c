"""One turn of the router: what is decided for one tenant in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sentinel.domain.channel import ChannelKind
from sentinel.domain.label_matcher import Labels
from sentinel.domain.notification import MAX_TOLD_ALERTS, NotificationKind
from sentinel.domain.notification_content import content_of
from sentinel.domain.notification_decision import Decision, Outcome
from sentinel.domain.notification_group import ChannelRef, Group, NewDelivery, RoutedAlert, Target, severest
from sentinel.domain.notification_policy import ESCALATION_ROUTE, RULE_ROUTE, NotificationPolicy, Plan, PolicyVersion
from sentinel.domain.rule import Severity
from sentinel.notify.deciding.mutes import Mutes
from sentinel.notify.deciding.plans import plan_of_route
from sentinel.stores.notifications import RoutingTransaction

Resolver = Callable[[str, Sequence[ChannelRef]], "Target | str"]
"""Says what a target such as `slack:#big-orders` is: a target, or a sentence why there is none."""

Teller = Callable[[ChannelKind, NotificationKind], bool]
"""Says whether channels of a kind tell notifications of a kind."""


@dataclass(slots=True)
class Turn:
    """What decisions go by, and what they come to.

    Attributes:
        new_id: Makes ids of deliveries.
        outcomes: How often each was decided.
        sets_aside: Turns of this tenant failed for long, so what fails is set aside even if nothing else succeeds.
    """

    tx: RoutingTransaction
    now: datetime
    version: PolicyVersion
    channels: Mapping[str, ChannelRef]
    mutes: Mutes
    resolve: Resolver
    tells: Teller
    new_id: Callable[[], str]
    sets_aside: bool = False
    decisions: list[Decision] = field(default_factory=list)
    deliveries: list[NewDelivery] = field(default_factory=list)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    _alerts: dict[int, RoutedAlert] = field(default_factory=dict)
    _plans: dict[str, Plan | None] = field(default_factory=dict)

    @property
    def policy(self) -> NotificationPolicy:
        """The policy in force."""
        return self.version.policy

    def alerts(self, alert_ids: Iterable[int]) -> dict[int, RoutedAlert]:
        """Return alerts by id, each looked up once per turn; those that are gone are missing."""
        wanted = list(alert_ids)
        missing = [number for number in wanted if number not in self._alerts]
        if missing:
            self._alerts.update(self.tx.alerts(missing))
        return {number: self._alerts[number] for number in wanted if number in self._alerts}

    def decide(
        self,
        outcome: Outcome,
        reason: str,
        *,
        alert_id: int | None = None,
        delivery_id: str | None = None,
        route: str = "",
        channel: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Note a decision; it is written at the end of the turn."""
        self.outcomes[outcome] += 1
        self.decisions.append(Decision(outcome, reason, self.now, alert_id, delivery_id, route, channel, details or {}))

    def deliver(
        self,
        group: Group,
        kind: NotificationKind,
        alert_ids: Sequence[int],
        *,
        severities: Iterable[Severity] = (),
        alert_count: int | None = None,
    ) -> str:
        """Have alerts of a group told, and return the delivery's id.

        Args:
            severities: Of all of them, where they are known; those that are told in full count anyway.
            alert_count: How many there are; None: as many as `alert_ids`.
        """
        told = self.alerts(sorted(alert_ids)[-MAX_TOLD_ALERTS:])
        severity = severest([*severities, *(alert.told.severity for alert in told.values())])
        delivery_id = self.new_id()
        content = content_of(
            kind=kind,
            severity=severity,
            group_key=group.public_key,
            labels=group.labels,
            alerts=[alert.told for alert in told.values()],
            alert_count=len(alert_ids) if alert_count is None else alert_count,
            created_at=self.now,
        )
        self.deliveries.append(
            NewDelivery(delivery_id, group.target, group.id, kind, severity, content, tuple(alert_ids), self.now)
        )
        return delivery_id

    def why_muted(self, labels: Labels, alert_id: int) -> tuple[Outcome, str, dict[str, Any]] | None:
        """Return why nobody is told of an alert with these labels, if so."""
        return self.mutes.cause(self.tx, labels, alert_id, self.now)

    def quiet_until(self, group: Group, severities: Sequence[Severity]) -> datetime | None:
        """Return when quiet hours of a group end that hold these alerts back; None: they do not."""
        quiet = self.policy.quiet_hours.get(group.plan.quiet_hours)
        if quiet is None or any(severity in quiet.passes for severity in severities):
            return None
        until = quiet.hours.first_allowed(self.now)
        return until if until is not None and until > self.now else None

    def as_of_now(self, group: Group) -> Group | None:
        """Return a group handled as the policy in force says; None: by it, its alerts do not go there any more.

        What began to wait under an earlier policy must not go by it for ever.
        """
        route = group.plan.route
        if route == ESCALATION_ROUTE:
            return group
        if route not in self._plans:
            self._plans[route] = plan_of_route(self.policy, route)
        plan = self._plans[route]
        if plan is None or (route != RULE_ROUTE and group.target.channel.name not in plan.channels):
            return None
        return replace(group, plan=plan)

    @contextmanager
    def attempted(self) -> Iterator[None]:
        """Decide and write something, all of it or nothing."""
        try:
            with self.tx.savepoint():
                yield
                self.close()
        except BaseException:
            self.deliveries, self.decisions = [], []
            raise

    def close(self) -> None:
        """Write what the turn came to: deliveries first, since decisions refer to them."""
        self.tx.deliver(self.deliveries)
        self.tx.decide(self.decisions)
        self.deliveries, self.decisions = [], []
