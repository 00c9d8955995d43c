"""Groups, duplicates, silences, inhibitions, quiet hours, escalations, as time goes by."""

from __future__ import annotations

from collections import Counter

import pytest

from sentinel.domain.notification import NotificationKind
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.stores.postgres.notifications.routing import PostgresRouting
from tests.support.notifications import Desk, Receiver

pytestmark = pytest.mark.integration

QUIET = {"night": {"time_zone": "Europe/Vienna", "windows": [{"begins": "22:00", "ends": "07:00"}]}}
UP = {"up": [{"after_minutes": 5, "channels": ["second"]}, {"after_minutes": 15, "channels": ["third"]}]}


def kinds(receiver: Receiver) -> list[str]:
    """Return the kind of each notification."""
    return [notification.kind.value for notification in receiver.got]


class TestGroups:
    """What is told together."""

    def test_people_are_told_by_rule_at_once_and_then_every_half_minute(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"]})
        large, small = desk.rule("large"), desk.rule("small")
        first = desk.alerts(large, 3)
        other = desk.alert(small)
        desk.run()
        assert sorted(slack.told) == [first, [other]]
        later = desk.alerts(large, 2)
        desk.run()
        desk.clock.turn(seconds=20)
        later += desk.alerts(large, 1)
        desk.run()
        assert len(slack.got) == 2
        desk.clock.turn(seconds=10)
        desk.run()
        assert slack.told[2:] == [later]
        keys = {notification.labels["rule"]: notification.group_key for notification in slack.got[:2]}
        assert slack.got[2].labels == {"pipeline": "payments", "rule": "large"}
        assert slack.got[2].group_key == keys["large"] != keys["small"]

    def test_webhooks_are_told_of_each_alert_by_itself(self, desk: Desk) -> None:
        hook = desk.channel("hook")
        desk.policy(defaults={"channels": ["hook"]})
        raised = desk.alerts(desk.rule(), 5)
        desk.run()
        assert sorted(hook.told) == [[alert] for alert in raised]

    def test_a_group_waits_before_it_is_first_told(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "group_wait_seconds": 10, "group_by": ["severity"]})
        raised = [desk.alert(desk.rule("a"))]
        desk.run()
        desk.clock.turn(seconds=9)
        raised.append(desk.alert(desk.rule("b")))
        desk.run()
        assert slack.got == []
        desk.clock.turn(seconds=1)
        desk.run()
        assert slack.told == [raised]

    def test_of_many_alerts_the_newest_are_told_and_all_are_counted(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"]})
        raised = desk.alerts(desk.rule(), 7_000)
        desk.run()
        # A turn takes 500 entries of the outbox, so the first are told at once and all others together.
        desk.clock.turn(seconds=30)
        desk.run()
        assert sum(notification.alert_count for notification in slack.got) == 7_000
        assert len(slack.got) <= 3
        assert all(len(notification.alerts) == 20 for notification in slack.got)
        assert raised[-20:] in slack.told
        told = desk.query("SELECT count(DISTINCT alert_id) AS n FROM sentinel.delivery_alerts")
        assert told == [{"n": 7_000}]

    def test_what_a_rule_names_is_told_besides_what_routes_say_and_once(self, desk: Desk) -> None:
        hook, other = desk.channel("hook"), desk.channel("other")
        desk.policy(defaults={"channels": ["hook", "other"]})
        alert_id = desk.alert(desk.rule(notify=["webhook:hook"]))
        desk.run()
        assert (hook.told, other.told) == ([[alert_id]], [[alert_id]])

    def test_without_a_policy_rules_are_followed_alone(self, desk: Desk) -> None:
        hook = desk.channel("hook")
        named, silent = desk.alert(desk.rule("a", notify=["webhook:hook"])), desk.alert(desk.rule("b"))
        desk.run()
        assert hook.told == [[named]]
        assert desk.outcomes(silent) == ["unrouted"]


class TestMutes:
    """Silences and inhibitions."""

    def test_a_silence_that_is_over_counts_no_more(self, desk: Desk) -> None:
        hook = desk.channel("hook")
        desk.policy(defaults={"channels": ["hook"]})
        rule = desk.rule(tags=["night"])
        desk.silence('tag="night"', hours=1)
        silent = desk.alert(rule)
        desk.run()
        desk.clock.turn(hours=1)
        told = desk.alert(rule)
        desk.run()
        assert hook.told == [[told]]
        step = desk.why(silent).steps[-1]
        assert step.outcome == "silenced"
        assert step.reason.startswith(f"silence {step.details['silence_id']} by anna until")
        assert step.reason.endswith(": maintenance")

    def test_a_silence_made_while_alerts_wait_counts_for_them(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "group_wait_seconds": 60})
        alert_id = desk.alert(desk.rule())
        desk.run()
        desk.silence('rule="large"')
        desk.clock.turn(minutes=1)
        desk.run()
        assert slack.got == []
        assert desk.outcomes(alert_id) == ["grouped", "silenced"]

    def test_an_inhibition_ends_when_its_source_is_resolved(self, desk: Desk) -> None:
        hook = desk.channel("hook")
        desk.policy(
            defaults={"channels": ["hook"]},
            inhibitions=[
                {
                    "name": "outage",
                    "source": ['severity="critical"'],
                    "target": ['severity!="critical"'],
                    "seconds": 600,
                }
            ],
        )
        rule = desk.rule()
        source = desk.alert(rule, severity="critical", entities={"host": "a"})
        desk.run()
        quiet = desk.alert(rule, entities={"host": "b"})
        desk.run()
        desk.take_up(source, "resolved")
        desk.run()
        told = desk.alert(rule, entities={"host": "c"})
        desk.run()
        assert hook.told[0] == [source]
        assert [told] in hook.told
        assert desk.outcomes(quiet) == ["routed", "inhibited"]
        assert desk.why(quiet).steps[-1].details == {"inhibition": "outage", "by_alert_id": source}

    def test_an_alert_does_not_inhibit_itself(self, desk: Desk) -> None:
        hook = desk.channel("hook")
        matches = ['rule="large"']
        desk.policy(
            defaults={"channels": ["hook"]}, inhibitions=[{"name": "all", "source": matches, "target": matches}]
        )
        alert_id = desk.alert(desk.rule())
        desk.run()
        assert hook.told == [[alert_id]]

    def test_the_same_again_is_told_when_the_time_is_over_or_it_was_resolved(self, desk: Desk) -> None:
        hook = desk.channel("hook")
        desk.policy(defaults={"channels": ["hook"], "dedup_seconds": 600})
        rule = desk.rule()

        def again() -> int:
            alert_id = desk.alert(rule, entities={"card": "c"})
            desk.run()
            return alert_id

        first = again()
        desk.clock.turn(seconds=599)
        second = again()
        desk.clock.turn(seconds=1)
        third = again()
        desk.take_up(third, "resolved")
        desk.run()
        fourth = again()
        told = [alerts for kind, alerts in zip(kinds(hook), hook.told, strict=True) if kind == "fired"]
        assert told == [[first], [third], [fourth]]
        step = desk.why(second).steps[0]
        assert (step.outcome, step.details["fire_count"], step.details["first_alert_id"]) == ("deduplicated", 2, first)
        fired = desk.why(first).fired
        assert fired is not None
        assert (fired.fire_count, fired.first_alert_id, fired.last_alert_id) == (4, first, fourth)


class TestQuietHours:
    """What can wait does."""

    def test_a_night_becomes_one_notification_and_critical_passes(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "quiet_hours": "night", "group_by": []}, quiet_hours=QUIET)
        rule = desk.rule()
        desk.clock.turn(hours=10)
        night = []
        for _ in range(8):
            night.append(desk.alert(rule))
            desk.run()
            desk.clock.turn(hours=1)
        assert slack.got == []
        desk.run()
        assert slack.told == [night]
        # 07:00 in Vienna, to the second.
        assert slack.tries[0][0].isoformat() == "2026-11-24T06:00:00+00:00"
        assert all(Counter(desk.outcomes(alert))["deferred"] == 1 for alert in night)
        desk.clock.turn(hours=17)
        waiting = desk.alert(rule)
        desk.run()
        critical = desk.alert(rule, severity="critical")
        desk.run()
        assert slack.told[1:] == [[waiting, critical]]

    def test_a_policy_that_ends_quiet_hours_lets_go_what_they_held(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "quiet_hours": "night"}, quiet_hours=QUIET)
        desk.clock.turn(hours=10)
        alert_id = desk.alert(desk.rule())
        desk.run()
        assert slack.got == []
        desk.policy(defaults={"channels": ["slack"]})
        desk.query("UPDATE sentinel.notification_groups SET flush_at = %s RETURNING id", desk.clock.now)
        desk.run()
        assert slack.told == [[alert_id]]


class TestFollowUp:
    """Somebody takes alerts up, or nobody does."""

    def test_the_next_ones_are_told_until_somebody_acknowledges(self, desk: Desk) -> None:
        first, second, third = (desk.channel(name, "slack") for name in ("first", "second", "third"))
        desk.policy(defaults={"channels": ["first"], "escalation": "up"}, escalations=UP)
        alert_id = desk.alert(desk.rule())
        desk.run()
        desk.clock.turn(minutes=4, seconds=59)
        desk.run()
        assert second.got == []
        desk.clock.turn(seconds=1)
        desk.run()
        assert (kinds(first), kinds(second)) == (["fired"], ["escalated"])
        desk.take_up(alert_id, "acknowledged")
        desk.clock.turn(hours=1)
        desk.run()
        assert third.got == []

    def test_the_chain_is_the_one_of_when_it_began(self, desk: Desk) -> None:
        desk.channel("first", "slack")
        second = desk.channel("second", "slack")
        third = desk.channel("third", "slack")
        desk.policy(defaults={"channels": ["first"], "escalation": "up"}, escalations=UP)
        desk.alert(desk.rule())
        desk.run()
        desk.policy(defaults={"channels": ["first"]})
        desk.clock.turn(minutes=15)
        desk.run()
        desk.run()
        assert (kinds(second), kinds(third)) == (["escalated"], ["escalated"])

    def test_it_goes_on_until_the_last_alert_of_a_group_is_acknowledged(self, desk: Desk) -> None:
        desk.channel("first", "slack")
        second = desk.channel("second", "slack")
        desk.policy(defaults={"channels": ["first"], "escalation": "up"}, escalations=UP)
        one, other = desk.alerts(desk.rule(), 2)
        desk.run()
        desk.take_up(one, "acknowledged")
        desk.clock.turn(minutes=5)
        desk.run()
        assert second.told == [[other]]
        assert second.got[0].alert_count == 1

    def test_the_pager_is_told_of_everything_and_people_of_what_they_ask_for(self, desk: Desk) -> None:
        pager, slack = desk.channel("pager", "pagerduty"), desk.channel("slack", "slack")
        asks = desk.channel("asks", "slack")
        desk.policy(
            routes=[
                {"name": "asks", "channels": ["asks"], "tell_resolved": True, "continue": True},
                {"name": "rest", "channels": ["pager", "slack"]},
            ]
        )
        alert_id = desk.alert(desk.rule())
        desk.run()
        for event in ("acknowledged", "acknowledged", "resolved", "resolved"):
            desk.take_up(alert_id, event)
            desk.run()
        assert kinds(pager) == ["fired", "acknowledged", "resolved"]
        assert kinds(slack) == ["fired"]
        assert kinds(asks) == ["fired", "resolved"]
        assert len({notification.group_key for notification in pager.got}) == 1

    def test_what_was_taken_up_before_it_was_told_is_not_told(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "group_wait_seconds": 60})
        taken, left = desk.alerts(desk.rule(), 2)
        desk.run()
        desk.take_up(taken, "resolved")
        desk.run()
        desk.clock.turn(minutes=1)
        desk.run()
        assert slack.told == [[left]]

    def test_open_alerts_are_repeated_until_they_are_taken_up(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "repeat_interval_seconds": 3600})
        one, other = desk.alerts(desk.rule(), 2)
        desk.run()
        desk.clock.turn(hours=1)
        desk.take_up(one, "acknowledged")
        desk.run()
        assert (kinds(slack), slack.told[1]) == (["fired", "repeated"], [other])
        desk.take_up(other, "acknowledged")
        for _ in range(5):
            desk.clock.turn(hours=1)
            desk.run()
        assert kinds(slack) == ["fired", "repeated"]
        assert slack.got[1].kind is NotificationKind.REPEATED

    def test_an_alert_that_is_opened_again_is_repeated_again(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "repeat_interval_seconds": 3600})
        alert_id = desk.alert(desk.rule())
        desk.run()
        desk.take_up(alert_id, "suppressed")
        desk.clock.turn(hours=2)
        desk.run()
        assert kinds(slack) == ["fired"]
        desk.take_up(alert_id, "reopened")
        desk.run()
        assert kinds(slack) == ["fired"]
        desk.clock.turn(hours=1)
        desk.run()
        assert kinds(slack) == ["fired", "repeated"]
        assert desk.outcomes(alert_id)[2:4] == ["resolved", "reopened"]


class TestTenants:
    """Nobody sees another tenant's."""

    def test_a_tenants_policy_channels_and_silences_are_its_own(
        self, desk: Desk, database: Database, settings: Settings
    ) -> None:
        mine = desk.channel("hook")
        desk.policy(defaults={"channels": ["hook"]})
        desk.silence('rule="other"')
        tenant = f"{desk.tenant}b"
        ensure_tenant(settings.postgres, tenant, "test")
        other = Desk(database, tenant)
        theirs = other.channel("hook")
        alert_id = other.alert(other.rule("other"))
        desk.alert(desk.rule("mine"))
        assert set(PostgresRouting(database).waiting_tenants(desk.clock.now)) >= {desk.tenant, tenant}
        desk.run()
        other.run()
        assert (len(mine.got), theirs.got) == (1, [])
        assert other.outcomes(alert_id) == ["unrouted"]
        assert desk.query("SELECT count(*) AS n FROM sentinel.deliveries WHERE tenant_id = %s", tenant) == [{"n": 0}]
