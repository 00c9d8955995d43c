"""The first half of a turn: which groups alerts join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sentinel.domain.channel import ChannelKind
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.notification_group import (
    Fingerprint,
    Group,
    GroupMember,
    GroupState,
    RoutedAlert,
    Target,
    common_labels,
    group_key,
)
from sentinel.domain.notification_policy import HUMAN_GROUP_BY, MACHINE_GROUP_BY, RULE_ROUTE, Plan
from sentinel.notify.deciding.plans import plan_of_rule, plans_of
from sentinel.notify.deciding.turn import Turn

# Channels that programs read, which are told of each alert by itself.
MACHINE_KINDS = frozenset({ChannelKind.WEBHOOK})


def route_alerts(turn: Turn, alerts: Sequence[RoutedAlert]) -> None:
    """Decide for each alert, in the order of their ids, where it goes, and have it wait in the groups it joins."""
    live = [alert for alert in alerts if alert.refill_id is None]
    for alert in alerts:
        if alert.refill_id is not None:
            turn.decide(
                Outcome.REFILLED,
                f"refill {alert.refill_id} made it, of the past: nobody is told",
                alert_id=alert.told.alert_id,
                details={"refill_id": alert.refill_id},
            )
    known = turn.tx.fire(live, turn.now)
    joins: dict[bytes, list[tuple[RoutedAlert, Plan, Target]]] = {}
    told: dict[bytes, set[str]] = {}
    for alert in live:
        before = known[alert.fingerprint]
        now_told = dict(before.told_to)
        for plan, target in targets_of(turn, alert):
            if _is_duplicate(turn, alert, plan, target, before):
                continue
            key = group_key(plan.route, target, common_labels(alert.labels, group_labels(plan, target)))
            joins.setdefault(key, []).append((alert, plan, target))
            told.setdefault(alert.fingerprint, set()).add(target.key)
            now_told[target.key] = turn.now
        known[alert.fingerprint] = replace(before, told_to=now_told)
    turn.tx.told(told, turn.now)
    _join(turn, joins)


def targets_of(turn: Turn, alert: RoutedAlert) -> list[tuple[Plan, Target]]:
    """Return where an alert goes, each target once: first what its rule asks for, then what the routes say."""
    chosen: dict[tuple[int, str], tuple[Plan, Target]] = {}
    alert_id = alert.told.alert_id
    is_decided = False

    def take(plan: Plan, target: Target) -> None:
        nonlocal is_decided
        if target.channel.is_active:
            chosen.setdefault((target.channel.id, target.override), (plan, target))
            return
        is_decided = True
        reason = f"channel {target.channel.name!r} is disabled: {target.channel.disabled_reason or 'by hand'}"
        turn.decide(Outcome.DISABLED, reason, alert_id=alert_id, route=plan.route, channel=target.said)

    own = plan_of_rule(turn.policy)
    for wanted in alert.notify:
        found = turn.resolve(wanted, list(turn.channels.values()))
        if isinstance(found, Target):
            take(own, found)
        else:
            is_decided = True
            turn.decide(Outcome.UNRESOLVED, found, alert_id=alert_id, route=own.route, channel=wanted)
    plans = plans_of(turn.policy, alert.labels)
    for plan in plans:
        for name in plan.channels:
            channel = turn.channels.get(name)
            if channel is not None:
                take(plan, Target(channel))
            else:
                is_decided = True
                reason = f"the policy names channel {name!r}, which there is no more"
                turn.decide(Outcome.UNRESOLVED, reason, alert_id=alert_id, route=plan.route, channel=name)
    if not chosen and not is_decided:
        routes = ", ".join(repr(plan.route) for plan in plans if plan.route)
        reason = f"route {routes} names no channel" if routes else "no route takes it, and its rule names no channel"
        turn.decide(Outcome.UNROUTED, f"{reason}: nobody is told", alert_id=alert_id)
    return list(chosen.values())


def group_labels(plan: Plan, target: Target) -> Sequence[str]:
    """Return the labels by which alerts are told together."""
    if plan.group_by is not None:
        return plan.group_by
    return MACHINE_GROUP_BY if target.channel.kind in MACHINE_KINDS else HUMAN_GROUP_BY


def _is_duplicate(turn: Turn, alert: RoutedAlert, plan: Plan, target: Target, before: Fingerprint) -> bool:
    told_at = before.told_to.get(target.key)
    if not plan.dedup_seconds or told_at is None:
        return False
    until = told_at + timedelta(seconds=plan.dedup_seconds)
    if turn.now >= until:
        return False
    turn.decide(
        Outcome.DEDUPLICATED,
        f"an alert of the same rule and entities was told there at {told_at.isoformat()}; "
        f"it fired {before.fire_count} times since alert {before.first_alert_id}",
        alert_id=alert.told.alert_id,
        route=plan.route,
        channel=target.said,
        details={
            "fingerprint": alert.fingerprint.hex(),
            "fire_count": before.fire_count,
            "first_alert_id": before.first_alert_id,
            "until": until.isoformat(),
        },
    )
    return True


def _join(turn: Turn, joins: dict[bytes, list[tuple[RoutedAlert, Plan, Target]]]) -> None:
    existing = turn.tx.groups(list(joins))
    saved: list[Group] = []
    for key, joined in joins.items():
        alert, plan, target = joined[0]
        labels = common_labels(alert.labels, group_labels(plan, target))
        group = existing.get(key) or Group(0, key, target, plan, labels, GroupState.OPEN, None, False, None, None, None)
        group = replace(group, plan=plan, target=target)
        passes = turn.quiet_until(group, [each.told.severity for each, _, _ in joined]) is None
        flush_at, is_deferred = _flush(group, plan, turn.now, passes=passes)
        saved.append(replace(group, flush_at=flush_at, is_deferred=is_deferred))
    ids = turn.tx.save_groups(saved)
    members: list[GroupMember] = []
    for group in saved:
        was_waiting = group.key in existing and existing[group.key].flush_at is not None
        for alert, _, _ in joins[group.key]:
            _say_joined(turn, alert, group, is_first=not was_waiting)
            was_waiting = True
            members.append(
                GroupMember(ids[group.key], alert.told.alert_id, alert.told.severity, alert.labels, group.is_deferred)
            )
    turn.tx.add_members(members)


def _flush(group: Group, plan: Plan, now: datetime, *, passes: bool) -> tuple[datetime, bool]:
    """Return when a group that alerts join is told, and whether quiet hours hold it back until then."""
    if group.flush_at is not None:
        return (now, False) if group.is_deferred and passes else (group.flush_at, group.is_deferred)
    if group.last_told_at is None:
        return now + timedelta(seconds=plan.group_wait_seconds), False
    return max(now, group.last_told_at + timedelta(seconds=plan.group_interval_seconds)), False


def _say_joined(turn: Turn, alert: RoutedAlert, group: Group, *, is_first: bool) -> None:
    due = group.flush_at or turn.now
    at_once = is_first and due <= turn.now
    route = f"route {group.plan.route!r}" if group.plan.route else "the policy's defaults"
    if group.plan.route == RULE_ROUTE:
        route = "its rule's notify()"
    when = "" if due <= turn.now else f" at {due.isoformat()}"
    turn.decide(
        Outcome.ROUTED if at_once else Outcome.GROUPED,
        f"{route}: told at once" if at_once else f"{route}: told together with others{when}",
        alert_id=alert.told.alert_id,
        route=group.plan.route,
        channel=group.target.said,
        details={"group": group.public_key, "labels": dict(group.labels), "flush_at": due.isoformat()},
    )
    if group.is_deferred:
        say_deferred(turn, alert.told.alert_id, group, due)


def say_deferred(turn: Turn, alert_id: int, group: Group, until: datetime) -> None:
    """Note that quiet hours hold an alert back."""
    turn.decide(
        Outcome.DEFERRED,
        f"quiet hours {group.plan.quiet_hours!r}: told at {until.isoformat()}",
        alert_id=alert_id,
        route=group.plan.route,
        channel=group.target.said,
        details={"group": group.public_key, "until": until.isoformat()},
    )
