"""Which channels an alert goes to: the tree of routes, and what the rule itself asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sentinel.domain.label_matcher import Labels, all_match
from sentinel.domain.notification_policy import RULE_ROUTE, NotificationPolicy, Plan, Route


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


def plan_of_route(policy: NotificationPolicy, route: str) -> Plan | None:
    """Return the plan of a route, named as in `Plan.route`; None: there is no such route."""
    if route == RULE_ROUTE:
        return plan_of_rule(policy)
    plan, routes = Plan.root(policy.defaults), policy.routes
    for name in route.split("/") if route else ():
        found = next((each for each in routes if each.name == name), None)
        if found is None:
            return None
        plan, routes = plan.child(found), found.routes
    return plan


def _descend(routes: Sequence[Route], parent: Plan, labels: Labels) -> Iterator[Plan]:
    for route in routes:
        if not all_match(route.matchers, labels):
            continue
        plan = parent.child(route)
        yield from list(_descend(route.routes, plan, labels)) or [plan]
        if not route.goes_on:
            return
