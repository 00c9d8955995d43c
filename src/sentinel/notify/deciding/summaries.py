"""Summaries: what came in a day, told at a time of day."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from sentinel.domain.notification import NotificationKind
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.notification_group import AlertTally, DueSummary, Group, GroupState, Target, group_key
from sentinel.domain.notification_policy import Plan
from sentinel.domain.rule import Severity
from sentinel.errors import TransientError
from sentinel.notify.deciding.turn import Turn

_LOG = logging.getLogger(__name__)

LEFT_OUT = timedelta(minutes=5)
ROUTE = "summary"
TOLD_RULES = 5


def summarize(turn: Turn) -> None:
    """Tell the summaries that are due, each once, also when nothing came: silence would say nothing."""
    for due in turn.tx.due_summaries(turn.now):
        try:
            with turn.attempted():
                _summarize(turn, due)
        except TransientError:
            raise
        except Exception:
            # It must not keep what comes after it; it is tried again the next time.
            _LOG.exception("summary %s is left out this time", due.name)
            turn.tx.save_summary(due.name, due.since, turn.now + LEFT_OUT)


def _summarize(turn: Turn, due: DueSummary) -> None:
    summary = turn.policy.summaries.get(due.name)
    if summary is None:
        turn.tx.save_summary(due.name, due.until, None)
        return
    tally = turn.tx.tally(due.since, due.until)
    for name in summary.channels:
        channel = turn.channels.get(name)
        if channel is not None and channel.is_active and turn.tells(channel.kind, NotificationKind.SUMMARY):
            _tell(turn, due, tally, Target(channel))
    # A worker that was away for days tells once of all of them.
    turn.tx.save_summary(due.name, due.until, summary.next_after(turn.now))


def _tell(turn: Turn, due: DueSummary, tally: AlertTally, target: Target) -> None:
    labels = labels_of(due, tally)
    plan = replace(Plan.root(turn.policy.defaults), route=f"{ROUTE}/{due.name}", channels=())
    key = group_key(plan.route, target, {})
    known = turn.tx.groups([key]).get(key)
    # Resolved from the start: nobody takes up a summary.
    group = known or Group(0, key, target, plan, {}, GroupState.RESOLVED, None, False, None, None, None)
    group = replace(group, last_told_at=turn.now)
    group = replace(group, id=turn.tx.save_groups([group])[key], labels=labels)
    delivery_id = turn.deliver(
        group,
        NotificationKind.SUMMARY,
        tally.newest,
        severities=[severity for severity, count in tally.by_severity.items() if count],
        alert_count=tally.total,
    )
    turn.decide(
        Outcome.SUMMARIZED,
        f"summary {due.name!r} of {tally.total} alerts",
        delivery_id=delivery_id,
        route=plan.route,
        channel=target.said,
        details={"since": due.since.isoformat(), "until": due.until.isoformat()},
    )


def labels_of(due: DueSummary, tally: AlertTally) -> dict[str, str]:
    """Return what a summary says besides its newest alerts."""
    rules = ", ".join(f"{rule} {count}" for rule, count in tally.by_rule[:TOLD_RULES])
    return {
        "since": due.since.isoformat(timespec="minutes"),
        "until": due.until.isoformat(timespec="minutes"),
        **{severity.value: str(tally.by_severity.get(severity, 0)) for severity in Severity},
        **({"most of": rules} if rules else {}),
    }
