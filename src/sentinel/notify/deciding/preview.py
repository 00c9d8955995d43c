"""What would happen to an alert, without doing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel.domain.label_matcher import Labels, value_of
from sentinel.domain.notification import NotifiedAlert
from sentinel.domain.notification_decision import Decision
from sentinel.domain.notification_group import Group, GroupState, RoutedAlert, common_labels, group_key
from sentinel.domain.notification_policy import NotificationPolicy, PolicyVersion
from sentinel.domain.rule import Severity
from sentinel.errors import NotFoundError
from sentinel.notify.deciding.mutes import Mutes
from sentinel.notify.deciding.route_alerts import group_labels, targets_of
from sentinel.notify.deciding.turn import Resolver, Turn
from sentinel.stores.notifications import RoutingTransaction


@dataclass(frozen=True, slots=True)
class PlannedTarget:
    """Where an alert would go.

    Attributes:
        group: The labels by which it would be told together with others.
        told_at: When; None: not at all, and `muted_by` says why.
    """

    route: str
    channel: str
    group: Mapping[str, str]
    told_at: datetime | None
    muted_by: str
    quiet_until: datetime | None
    escalation: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen.

    Attributes:
        refused: Decisions that keep it from somewhere: disabled channels, unknown targets, nobody to tell.
    """

    policy_version: int
    labels: Mapping[str, str]
    targets: Sequence[PlannedTarget]
    refused: Sequence[Decision]


@dataclass(frozen=True, slots=True)
class ImaginedAlert:
    """An alert that somebody imagines, as far as routes look at it."""

    pipeline: str
    rule: str
    severity: Severity
    tags: Sequence[str]
    entities: Mapping[str, str]
    notify: Sequence[str]
    source: str = "rule"

    def routed(self, at: datetime) -> RoutedAlert:
        """Return it as the router would see it."""
        told = NotifiedAlert(
            alert_id=0,
            rule=self.rule,
            pipeline=self.pipeline,
            severity=self.severity,
            description="",
            alert_timestamp=at,
            event_id="",
            score=0,
            tags=tuple(self.tags),
            entities=dict(self.entities),
        )
        return RoutedAlert(told, 0, self.source, tuple(self.notify), None)


def preview(
    tx: RoutingTransaction,
    wanted: int | ImaginedAlert,
    *,
    at: datetime,
    resolve: Resolver,
    policy: NotificationPolicy | None,
    new_id: Callable[[], str] = lambda: "",
) -> Preview:
    """Return what would happen to an alert if it came at a time; duplicates are not looked at. Writes nothing.

    Args:
        wanted: The id of an alert that there is, or one that is imagined.
        policy: One that is tried; None: the one in force.

    Raises:
        NotFoundError: There is no such alert.
    """
    if isinstance(wanted, ImaginedAlert):
        alert = wanted.routed(at)
    else:
        found = tx.alerts([wanted])
        if wanted not in found:
            raise NotFoundError(f"there is no alert {wanted}")
        alert = found[wanted]
    version = tx.policy() if policy is None else PolicyVersion(0, policy, "", "", None)
    turn = Turn(
        tx=tx,
        now=at,
        version=version,
        channels=tx.channels(),
        mutes=Mutes(version.policy, tx.silences(at)),
        resolve=resolve,
        tells=lambda _kind, _what: True,
        new_id=new_id,
    )
    labels = alert.labels
    targets = [_planned(turn, alert, labels, group) for group in _groups(turn, alert)]
    said = {name: value_of(labels, name) for name in labels}
    return Preview(version.version, said, targets, tuple(turn.decisions))


def _groups(turn: Turn, alert: RoutedAlert) -> list[Group]:
    groups = []
    for plan, target in targets_of(turn, alert):
        shared = common_labels(alert.labels, group_labels(plan, target))
        key = group_key(plan.route, target, shared)
        groups.append(Group(0, key, target, plan, shared, GroupState.OPEN, None, False, None, None, None))
    return groups


def _planned(turn: Turn, alert: RoutedAlert, labels: Labels, group: Group) -> PlannedTarget:
    muted = turn.why_muted(labels, alert.told.alert_id)
    quiet_until = turn.quiet_until(group, [alert.told.severity])
    waits_until = turn.now + timedelta(seconds=group.plan.group_wait_seconds)
    return PlannedTarget(
        route=group.plan.route,
        channel=group.target.said,
        group=group.labels,
        told_at=None if muted else quiet_until or waits_until,
        muted_by=muted[1] if muted else "",
        quiet_until=quiet_until,
        escalation=group.plan.escalation,
    )
