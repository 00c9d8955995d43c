"""Which channels an alert goes to: the tree of routes, and what the rule itself asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from sentinel.domain.label_matcher import Labels, Matcher, all_match, matcher_of
from sentinel.domain.notification_policy import NotificationPolicy, Plan, Route

RULE_ROUTE = "rule"
"""Stands for what a rule asks for by notify()."""


def plans_of(policy: NotificationPolicy, labels: Labels) -> list[Plan]:
    """Return the plans of the routes that take an alert, in order; the root's where no route does."""
    root = Plan.root(policy.defaults)
    return list(_descend(policy.routes, root, labels)) or [root]


def plan_of_rule(policy: NotificationPolicy) -> Plan:
    """Return how alerts are handled that a rule itself sends somewhere: as at the root."""
    root = Plan.root(policy.defaults)
    return Plan(
        RULE_ROUTE,
        (),
        root.group_by,
        root.group_wait_seconds,
        root.group_interval_seconds,
        root.repeat_interval_seconds,
        root.dedup_seconds,
        root.quiet_hours,
        root.escalation,
        root.tell_resolved,
    )


def _descend(routes: Sequence[Route], parent: Plan, labels: Labels) -> Iterator[Plan]:
    for route in routes:
        if not all_match(_matchers(route.match), labels):
            continue
        plan = parent.child(route)
        yield from list(_descend(route.routes, plan, labels)) or [plan]
        if not route.goes_on:
            return


@lru_cache(maxsize=4096)
def _matchers(texts: tuple[str, ...]) -> tuple[Matcher, ...]:
    return tuple(map(matcher_of, texts))
