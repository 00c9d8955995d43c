"""The second half of a turn: groups that are due become deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sentinel.domain.notification import MAX_TOLD_ALERTS, NotificationKind
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.notification_group import Group, GroupMember, GroupState
from sentinel.notify.deciding.route_alerts import say_deferred
from sentinel.notify.deciding.turn import Turn
from sentinel.notify.isolation import for_all

MAX_GROUPS = 200
MAX_MEMBERS = 5_000
"""Alerts that one pass looks at; more of them wait for the next, so memory is bounded."""


def tell_due_groups(turn: Turn) -> bool:
    """Have what waits in due groups told, held back, or dropped with a reason; return whether more may be due."""
    groups = turn.tx.due_groups(turn.now, MAX_GROUPS)
    if not groups:
        return False
    members = turn.tx.members([group.id for group in groups], MAX_MEMBERS)
    is_cut = len(members) == MAX_MEMBERS
    waiting: dict[int, list[GroupMember]] = {}
    for member in members:
        waiting.setdefault(member.group_id, []).append(member)
    # Where the members are cut, those of the last group may be, and groups after it are not looked at yet.
    cut_id = members[-1].group_id if is_cut else 0
    due = [
        _Due(turn.as_of_now(group) or group, waiting.get(group.id, []), group.id == cut_id)
        for group in groups
        if group.id in waiting or not is_cut
    ]
    for_all(turn, due, lambda some: _tell(turn, some), lambda each, why: _set_aside(turn, each, why))
    return is_cut or len(groups) == MAX_GROUPS


@dataclass(frozen=True, slots=True)
class _Due:
    """A group that is due, and what waits in it; further alerts do where it is cut."""

    group: Group
    members: Sequence[GroupMember]
    is_cut: bool

    @property
    def id(self) -> int:
        """The group's."""
        return self.group.id


def _tell(turn: Turn, due: Sequence[_Due]) -> None:
    turn.alerts(member.alert_id for each in due for member in each.members[-MAX_TOLD_ALERTS:])
    saved: list[Group] = []
    gone: list[GroupMember] = []
    held: list[int] = []
    silent: list[tuple[int, str]] = []
    for each in due:
        group, found = each.group, each.members
        until = _held_until(turn, each)
        if until is not None:
            for member in found:
                if not member.is_deferred:
                    say_deferred(turn, member.alert_id, group, until)
            held.append(group.id)
            saved.append(replace(group, flush_at=until, is_deferred=True))
            continue
        told = _survivors(turn, group, found)
        saved.append(_told(turn, group, told, is_partial=each.is_cut))
        gone += found
        if group.plan.dedup_seconds:
            heard = {member.alert_id for member in told}
            silent += [(member.alert_id, group.target.key) for member in found if member.alert_id not in heard]
    turn.tx.remove_members(gone)
    turn.tx.defer_members(held)
    turn.tx.save_groups(saved)
    turn.close()
    _untell(turn, silent)


def _held_until(turn: Turn, due: _Due) -> datetime | None:
    if not due.members:
        return None
    until = turn.quiet_until(due.group, [member.severity for member in due.members])
    if until is None or not due.is_cut:
        return until
    # What was not looked at may hold an alert that passes.
    passes = turn.policy.quiet_hours[due.group.plan.quiet_hours].passes
    return None if turn.tx.has_member(due.group.id, passes) else until


def _untell(turn: Turn, silent: Sequence[tuple[int, str]]) -> None:
    """Forget that alerts were told which joined a group and were not told after all: the next like them is."""
    alerts = turn.alerts(dict.fromkeys(alert_id for alert_id, _ in silent))
    turn.tx.untell({(alerts[alert_id].fingerprint, target) for alert_id, target in silent if alert_id in alerts})


def _set_aside(turn: Turn, due: _Due, why: str) -> None:
    group = due.group
    for member in due.members:
        turn.decide(Outcome.FAILED, why, alert_id=member.alert_id, route=group.plan.route, channel=group.target.said)
    turn.tx.remove_members(due.members)
    turn.tx.save_groups([replace(group, flush_at=turn.now if due.is_cut else None, is_deferred=False)])


def _survivors(turn: Turn, group: Group, members: Sequence[GroupMember]) -> list[GroupMember]:
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
    told: list[GroupMember] = []
    for member in members:
        cause = turn.why_muted(member.labels, member.alert_id) if turn.mutes else None
        if cause is None:
            told.append(member)
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


def _told(turn: Turn, group: Group, members: Sequence[GroupMember], *, is_partial: bool) -> Group:
    """Have alerts told, and return the group after it."""
    left = replace(group, flush_at=turn.now if is_partial else None, is_deferred=False)
    if not members:
        return left
    alert_ids = [member.alert_id for member in members]
    turn.deliver(group, NotificationKind.FIRED, alert_ids, severities={member.severity for member in members})
    plan = group.plan
    steps = turn.policy.escalations.get(plan.escalation)
    if steps:
        turn.tx.begin_escalation(group.id, plan.escalation, steps, turn.version.version, turn.now)
    repeat = turn.now + timedelta(seconds=plan.repeat_interval_seconds) if plan.repeat_interval_seconds else None
    return replace(left, state=GroupState.OPEN, last_told_at=turn.now, repeat_at=repeat)
