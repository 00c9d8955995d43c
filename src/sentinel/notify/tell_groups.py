"""The second half of a turn: groups that are due become deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sentinel.domain.notification import MAX_TOLD_ALERTS, NotificationKind
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.notification_group import Group, GroupMember, GroupState
from sentinel.notify.route_alerts import say_deferred
from sentinel.notify.turn import Turn

MAX_GROUPS = 200
MAX_MEMBERS = 5_000
"""Alerts that one pass looks at; more of them wait for the next, so memory is bounded."""


def tell_due_groups(turn: Turn) -> bool:
    """Have what waits in due groups told, held back, or dropped with a reason; return whether more may be due."""
    groups = turn.tx.due_groups(turn.now, MAX_GROUPS)
    if not groups:
        return False
    members = turn.tx.members([group.id for group in groups], MAX_MEMBERS)
    waiting: dict[int, list[GroupMember]] = {}
    for member in members:
        waiting.setdefault(member.group_id, []).append(member)
    is_cut = len(members) == MAX_MEMBERS
    turn.alerts(member.alert_id for each in waiting.values() for member in each[-MAX_TOLD_ALERTS:])
    saved: list[Group] = []
    gone: list[GroupMember] = []
    held: list[int] = []
    for group in groups:
        found = waiting.get(group.id, [])
        if not found and is_cut:
            continue  # not looked at yet
        until = turn.quiet_until(group, [member.severity for member in found]) if found else None
        if until is not None:
            for member in found:
                if not member.is_deferred:
                    say_deferred(turn, member.alert_id, group, until)
            held.append(group.id)
            saved.append(replace(group, flush_at=until, is_deferred=True))
            continue
        is_partial = is_cut and bool(members) and members[-1].group_id == group.id
        saved.append(_told(turn, group, _survivors(turn, group, found), is_partial=is_partial))
        gone += found
    turn.tx.remove_members(gone)
    turn.tx.defer_members(held)
    turn.tx.save_groups(saved)
    return is_cut or len(groups) == MAX_GROUPS


def _survivors(turn: Turn, group: Group, members: Sequence[GroupMember]) -> list[int]:
    """Return the alerts that are told; note of the others why not."""
    channel = turn.channels.get(group.target.channel.name)
    if channel is None or not channel.is_active:
        why = "is gone" if channel is None else f"is disabled: {channel.disabled_reason or 'by hand'}"
        for member in members:
            turn.decide(
                Outcome.DISABLED,
                f"channel {group.target.channel.name!r} {why}",
                alert_id=member.alert_id,
                route=group.plan.route,
                channel=group.target.said,
            )
        return []
    told: list[int] = []
    for member in members:
        cause = turn.why_muted(member.labels, member.alert_id) if turn.mutes else None
        if cause is None:
            told.append(member.alert_id)
        else:
            outcome, reason, details = cause
            turn.decide(
                outcome,
                reason,
                alert_id=member.alert_id,
                route=group.plan.route,
                channel=group.target.said,
                details=details,
            )
    return told


def _told(turn: Turn, group: Group, alert_ids: Sequence[int], *, is_partial: bool) -> Group:
    """Have alerts told, and return the group after it."""
    left = replace(group, flush_at=turn.now if is_partial else None, is_deferred=False)
    if not alert_ids:
        return left
    turn.deliver(group, NotificationKind.FIRED, alert_ids)
    plan = group.plan
    steps = turn.policy.escalations.get(plan.escalation)
    if steps:
        turn.tx.begin_escalation(group.id, plan.escalation, steps, turn.version.version, turn.now)
    repeat = turn.now + timedelta(seconds=plan.repeat_interval_seconds) if plan.repeat_interval_seconds else None
    return replace(left, state=GroupState.OPEN, last_told_at=turn.now, repeat_at=repeat)
