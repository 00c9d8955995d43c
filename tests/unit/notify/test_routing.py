"""The tree of routes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sentinel.domain.notification_policy import NotificationPolicy, Plan
from sentinel.notify.deciding.plans import plan_of_rule, plans_of


def policy(**document: Any) -> NotificationPolicy:
    """Return a policy."""
    return NotificationPolicy.model_validate(document)


def labels(**values: str) -> dict[str, tuple[str, ...]]:
    """Return labels."""
    return {name: (value,) for name, value in values.items()}


TREE = policy(
    defaults={"channels": ["ops"], "group_wait_seconds": 5, "repeat_interval_seconds": 600},
    routes=[
        {
            "name": "payments",
            "match": ['pipeline="payments"'],
            "channels": ["fraud"],
            "group_by": ["rule"],
            "routes": [
                {"name": "critical", "match": ['severity="critical"'], "channels": ["pager"], "continue": True},
                {"name": "cards", "match": ['rule=~"card_.*"'], "group_wait_seconds": 0},
            ],
        },
        {"name": "noise", "match": ['severity="info"'], "channels": []},
        {"name": "sensors", "match": ['pipeline="sensors"'], "repeat_interval_seconds": 0},
    ],
)


def routes(**values: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return which routes take an alert, with their channels."""
    return [(plan.route, plan.channels) for plan in plans_of(TREE, labels(**values))]


class TestTree:
    """Where alerts end up."""

    def test_what_no_route_takes_stays_at_the_root(self) -> None:
        assert routes(pipeline="other", severity="critical") == [("", ("ops",))]

    def test_it_goes_down_as_far_as_matchers_hold(self) -> None:
        assert routes(pipeline="payments", severity="warning", rule="card_x") == [("payments/cards", ("fraud",))]
        assert routes(pipeline="payments", severity="warning", rule="other") == [("payments", ("fraud",))]

    def test_a_route_that_says_continue_does_not_end_the_search(self) -> None:
        assert routes(pipeline="payments", severity="critical", rule="card_x") == [
            ("payments/critical", ("pager",)),
            ("payments/cards", ("fraud",)),
        ]

    def test_the_first_route_that_matches_takes_it(self) -> None:
        assert routes(pipeline="payments", severity="info", rule="other") == [("payments", ("fraud",))]

    def test_no_channels_is_not_the_same_as_those_of_the_parent(self) -> None:
        assert routes(pipeline="x", severity="info") == [("noise", ())]
        assert routes(pipeline="sensors", severity="warning") == [("sensors", ("ops",))]

    def test_what_is_left_out_is_inherited(self) -> None:
        (cards,) = plans_of(TREE, labels(pipeline="payments", severity="warning", rule="card_x"))
        assert (cards.group_by, cards.group_wait_seconds, cards.repeat_interval_seconds) == (("rule",), 0, 600)
        (sensors,) = plans_of(TREE, labels(pipeline="sensors", severity="warning"))
        assert (sensors.group_wait_seconds, sensors.repeat_interval_seconds) == (5, 0)

    def test_what_a_rule_asks_for_is_handled_as_at_the_root(self) -> None:
        plan = plan_of_rule(TREE)
        assert (plan.route, plan.channels, plan.group_wait_seconds) == ("rule", (), 5)

    def test_an_empty_policy_has_nobody_told(self) -> None:
        assert plans_of(policy(), labels(rule="x")) == [Plan("", (), None, 0.0, 30.0, 0.0, 0.0, "", "", None)]


class TestRefusals:
    """What is no policy."""

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            ({"routes": [{"name": "a"}, {"name": "a"}]}, "two routes named 'a'"),
            ({"routes": [{"name": "a", "quiet_hours": "night"}]}, "no quiet hours named 'night'"),
            ({"defaults": {"escalation": "up"}}, "no escalation named 'up'"),
            ({"routes": [{"name": "a", "match": ["severity"]}]}, "is no matcher"),
            ({"routes": [{"name": "a", "group_by": ["amount"]}]}, "is no label"),
            ({"defaults": {"group_wait": 5}}, "Extra inputs"),
            ({"quiet_hours": {"n": {"time_zone": "Mars/Olympus", "windows": []}}}, "is no time zone"),
            ({"quiet_hours": {"n": {"time_zone": "../../etc/passwd", "windows": []}}}, "is no time zone"),
            (
                {"quiet_hours": {"n": {"time_zone": "UTC", "windows": [{"begins": "00:00", "ends": "00:00"}]}}},
                "never end",
            ),
            ({"quiet_hours": {"n": {"time_zone": "UTC", "windows": [{"begins": "7:00", "ends": "8:00"}]}}}, "HH:MM"),
            (
                {
                    "escalations": {
                        "up": [{"after_minutes": 9, "channels": ["a"]}, {"after_minutes": 5, "channels": ["b"]}]
                    }
                },
                "later than the one before",
            ),
            ({"escalations": {"up": []}}, "at least 1"),
            ({"routes": [{"name": f"r{n}"} for n in range(301)]}, "at most 300"),
        ],
        ids=lambda value: value.replace(" ", "-")[:20] if isinstance(value, str) else "",
    )
    def test_it_says_why(self, document: dict[str, Any], said: str) -> None:
        with pytest.raises(ValidationError, match=said):
            NotificationPolicy.model_validate(document)

    def test_routes_nested_too_deep_are_refused(self) -> None:
        route: dict[str, Any] = {"name": "r6"}
        for depth in range(6):
            route = {"name": f"r{depth}", "routes": [route]}
        with pytest.raises(ValidationError, match="too deep"):
            policy(routes=[route])

    def test_every_channel_that_is_named_is_known(self) -> None:
        found = policy(
            defaults={"channels": ["a"]},
            routes=[{"name": "r", "routes": [{"name": "s", "channels": ["b"]}]}],
            escalations={"up": [{"after_minutes": 1, "channels": ["c"]}]},
        )
        assert found.channel_names == {"a", "b", "c"}
