"""What follows after alerts were told: somebody takes them up, or nobody does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sentinel.domain.channel import ChannelKind
from sentinel.domain.escalation import DueEscalation
from sentinel.domain.notification import MAX_TOLD_ALERTS, AlertEvent, NotificationKind
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.notification_group import Group, GroupState, OutboxEntry, RoutedAlert, Target, group_key
from sentinel.domain.notification_policy import ESCALATION_ROUTE
from sentinel.notify.deciding.route_alerts import say_deferred
from sentinel.notify.deciding.turn import Turn
from sentinel.notify.isolation import for_all

MAX_DUE = 100
# Kinds whose receivers keep a state of their own, and so are told by themselves that alerts are resolved.
STATEFUL_KINDS = frozenset({ChannelKind.PAGERDUTY})
LEFT_OUT = timedelta(minutes=5)
"""What cannot be repeated or escalated is tried again after it."""


def take_up(turn: Turn, entries: Sequence[OutboxEntry]) -> None:
    """Note that somebody acknowledged or resolved alerts; once all of a group are, tell channels that ask for it."""
    for_all(
        turn,
        entries,
        lambda some: _take_up(turn, some),
        lambda entry, why: turn.decide(Outcome.FAILED, f"{entry.event.value}: {why}", alert_id=entry.alert_id),
    )


def _take_up(turn: Turn, entries: Sequence[OutboxEntry]) -> None:
    for entry in entries:
        alert = turn.alerts([entry.alert_id]).get(entry.alert_id)
        if entry.event is AlertEvent.REOPENED:
            _reopen(turn, entry.alert_id, alert)
            continue
        is_resolved = entry.event is not AlertEvent.ACKNOWLEDGED
        if alert is not None and is_resolved:
            turn.tx.forget(alert.fingerprint, turn.now)
        groups = turn.tx.mark(
            entry.alert_id,
            acknowledged_at=None if is_resolved else turn.now,
            resolved_at=turn.now if is_resolved else None,
        )
        outcome = Outcome.RESOLVED if is_resolved else Outcome.ACKNOWLEDGED
        is_over = alert is not None and alert.is_over
        reason = "its detector says that it is no longer so" if is_over else f"somebody {entry.event.value} it"
        turn.decide(outcome, reason, alert_id=entry.alert_id)
        for group in groups:
            _close(turn, group, is_resolved=is_resolved)


def _reopen(turn: Turn, alert_id: int, alert: RoutedAlert | None) -> None:
    """Have an alert count as open again: it is repeated as before, and inhibits; it is not told anew."""
    if alert is not None:
        turn.tx.remember(alert.fingerprint)
    turn.decide(Outcome.REOPENED, "somebody opened it again", alert_id=alert_id)
    for group in turn.tx.unmark(alert_id):
        every = group.plan.repeat_interval_seconds
        repeat_at = turn.now + timedelta(seconds=every) if every else None
        turn.tx.save_groups([replace(group, state=GroupState.OPEN, repeat_at=repeat_at)])


def _close(turn: Turn, group: Group, *, is_resolved: bool) -> None:
    wanted = GroupState.RESOLVED if is_resolved else GroupState.ACKNOWLEDGED
    if group.state in (wanted, GroupState.RESOLVED):
        return
    if turn.tx.any_open(group.id, unresolved=is_resolved):
        return
    turn.tx.stop_escalation(group.id, turn.now)
    turn.tx.save_groups([replace(group, state=wanted, repeat_at=None)])
    kind = NotificationKind.RESOLVED if is_resolved else NotificationKind.ACKNOWLEDGED
    wants = group.plan.tell_resolved if is_resolved else None
    if wants is None:
        wants = group.target.channel.kind in STATEFUL_KINDS
    if wants and group.target.channel.is_active and turn.tells(group.target.channel.kind, kind):
        told = turn.tx.told_alerts(group.id, MAX_TOLD_ALERTS)
        turn.deliver(group, kind, told)


def repeat(turn: Turn) -> bool:
    """Tell groups again whose alerts are still open; return whether more may be due."""
    groups = turn.tx.due_repeats(turn.now, MAX_DUE)
    for_all(
        turn,
        groups,
        lambda some: _repeat(turn, some),
        # Left out this time.
        lambda group, _: turn.tx.save_groups([replace(group, repeat_at=turn.now + LEFT_OUT)]),
    )
    return len(groups) == MAX_DUE


def _repeat(turn: Turn, groups: Sequence[Group]) -> None:
    for stored in groups:
        group = turn.as_of_now(stored)
        every = timedelta(seconds=group.plan.repeat_interval_seconds) if group is not None else timedelta()
        newest, count = turn.tx.open_alerts(stored.id, MAX_TOLD_ALERTS) if every else ([], 0)
        alerts = turn.alerts(newest)
        if group is None or not alerts:
            turn.tx.save_groups([replace(stored, repeat_at=None)])
            continue
        heard = [number for number, alert in alerts.items() if turn.why_muted(alert.labels, number) is None]
        until = turn.quiet_until(group, [alert.told.severity for alert in alerts.values()])
        if heard and until is None and group.target.channel.is_active:
            told_count = count - (len(alerts) - len(heard))
            delivery_id = turn.deliver(group, NotificationKind.REPEATED, heard, alert_count=told_count)
            turn.decide(
                Outcome.REPEATED,
                f"{count} alerts are still open after {every}",
                delivery_id=delivery_id,
                route=group.plan.route,
                channel=group.target.said,
            )
        turn.tx.save_groups([replace(group, repeat_at=until or turn.now + every)])


def escalate(turn: Turn) -> bool:
    """Tell the next ones of escalations whose alerts nobody took up; return whether more may be due."""
    due = turn.tx.due_escalations(turn.now, MAX_DUE)
    for_all(
        turn,
        due,
        lambda some: _escalate(turn, some),
        lambda escalation, _: turn.tx.save_escalation(
            escalation, next_at=turn.now + LEFT_OUT, state="active", at=turn.now
        ),
    )
    return len(due) == MAX_DUE


def _escalate(turn: Turn, due: Sequence[DueEscalation]) -> None:
    for escalation in due:
        origin = turn.as_of_now(escalation.group) or escalation.group
        newest, count = turn.tx.open_alerts(origin.id, MAX_TOLD_ALERTS)
        if not count:
            turn.tx.save_escalation(escalation, next_at=None, state="stopped", at=turn.now)
            continue
        alerts = turn.alerts(newest)
        until = turn.quiet_until(origin, [alert.told.severity for alert in alerts.values()])
        if until is not None:
            for alert_id in newest:
                say_deferred(turn, alert_id, origin, until)
            turn.tx.save_escalation(escalation, next_at=until, state="active", at=turn.now)
            continue
        heard = _heard(turn, escalation, newest)
        step = escalation.steps[escalation.next_step]
        if heard:
            for name in step.channels:
                _tell_next(turn, escalation, name, heard, count - (len(newest) - len(heard)))
        rest = escalation.steps[escalation.next_step + 1 :]
        next_at = escalation.started_at + timedelta(minutes=rest[0].after_minutes) if rest else None
        turn.tx.save_escalation(
            replace(escalation, next_step=escalation.next_step + 1),
            next_at=next_at,
            state="active" if rest else "done",
            at=turn.now,
        )


def _heard(turn: Turn, escalation: DueEscalation, alert_ids: Sequence[int]) -> list[int]:
    """Return the alerts that may be told; note of the others why not: who silences an alert does not wake others."""
    heard = []
    alerts = turn.alerts(alert_ids)
    for alert_id in alert_ids:
        cause = turn.why_muted(alerts[alert_id].labels, alert_id) if alert_id in alerts else None
        if cause is None:
            heard.append(alert_id)
            continue
        outcome, reason, details = cause
        said = f"escalation {escalation.name!r}, step {escalation.next_step + 1}: {reason}"
        turn.decide(outcome, said[:500], alert_id=alert_id, route=ESCALATION_ROUTE, details=details)
    return heard


def _tell_next(turn: Turn, escalation: DueEscalation, name: str, alert_ids: Sequence[int], count: int) -> None:
    number = escalation.next_step + 1
    said = f"escalation {escalation.name!r}, step {number} of {len(escalation.steps)}"
    details = {"escalation": escalation.name, "step": number, "open_alerts": count}
    channel = turn.channels.get(name)
    if channel is None or not channel.is_active:
        why = "there is no such channel any more" if channel is None else "the channel is disabled"
        for alert_id in alert_ids:
            turn.decide(
                Outcome.DISABLED,
                f"{said}: {why}",
                alert_id=alert_id,
                route=ESCALATION_ROUTE,
                channel=name,
                details=details,
            )
        return
    target = Target(channel)
    origin = escalation.group
    plan = replace(origin.plan, route=ESCALATION_ROUTE, escalation="", repeat_interval_seconds=0.0)
    key = group_key(f"{ESCALATION_ROUTE}:{origin.public_key}", target, origin.labels)
    known = turn.tx.groups([key]).get(key)
    group = known or Group(0, key, target, plan, origin.labels, GroupState.OPEN, None, False, None, None, None)
    group = replace(group, state=GroupState.OPEN, last_told_at=turn.now)
    group = replace(group, id=turn.tx.save_groups([group])[key])
    delivery_id = turn.deliver(group, NotificationKind.ESCALATED, alert_ids, alert_count=count)
    turn.decide(
        Outcome.ESCALATED,
        f"{said}: {count} alerts are not acknowledged",
        delivery_id=delivery_id,
        route=ESCALATION_ROUTE,
        channel=target.said,
        details=details,
    )
