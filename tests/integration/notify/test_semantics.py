"""What a person on call would expect: severities, silences, policies that change, duplicates, inhibitions."""

from __future__ import annotations

import pytest

from sentinel.notify.deciding import mutes
from tests.support.notifications import Desk, Receiver

pytestmark = pytest.mark.integration

NOON = {"noon": {"time_zone": "UTC", "windows": [{"begins": "12:03", "ends": "13:00"}]}}
UP = {"up": [{"after_minutes": 5, "channels": ["boss"]}]}


def kinds(receiver: Receiver) -> list[str]:
    """Return the kind of each notification."""
    return [notification.kind.value for notification in receiver.got]


class TestSeverity:
    """How bad it is."""

    def test_it_is_the_highest_of_all_also_of_those_that_are_only_counted(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"]})
        rule = desk.rule()
        desk.alert(rule, severity="critical")
        desk.alerts(rule, 30)
        desk.run()
        assert [notification.severity.value for notification in slack.got] == ["critical"]
        assert slack.got[0].title.startswith("[critical]")


class TestInhibitions:
    """As in Alertmanager."""

    def test_alerts_on_both_sides_do_not_inhibit_each_other(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(
            defaults={"channels": ["slack"], "group_by": []},
            inhibitions=[{"name": "loud", "source": ['severity="critical"'], "target": ['rule=~".*"']}],
        )
        rule = desk.rule()
        critical = [desk.alert(rule, severity="critical", entities={"host": host}) for host in ("a", "b")]
        warning = desk.alert(rule, entities={"host": "c"})
        desk.run()
        assert slack.told == [critical]
        assert desk.outcomes(warning)[-1] == "inhibited"

    def test_a_source_is_found_among_more_than_one_look_up_brings(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mutes, "MAX_SOURCES", 2)
        desk.channel("hook")
        desk.policy(
            defaults={"channels": ["hook"]},
            inhibitions=[
                {"name": "down", "source": ['rule="down"'], "target": ['rule="slow"'], "equal": ["entity.host"]}
            ],
        )
        down, slow = desk.rule("down"), desk.rule("slow")
        for host in "abcdef":
            desk.alert(down, entities={"host": host})
            desk.run()
            desk.clock.turn(seconds=1)
        inhibited = desk.alert(slow, entities={"host": "a"})
        told = desk.alert(slow, entities={"host": "z"})
        desk.run()
        assert (desk.outcomes(inhibited)[-1], desk.outcomes(told)[-1]) == ("inhibited", "sent")

    def test_labels_that_both_lack_are_alike(self, desk: Desk) -> None:
        desk.channel("hook")
        desk.policy(
            defaults={"channels": ["hook"]},
            inhibitions=[
                {"name": "down", "source": ['rule="down"'], "target": ['rule="slow"'], "equal": ["entity.host"]}
            ],
        )
        desk.alert(desk.rule("down"))
        desk.run()
        inhibited = desk.alert(desk.rule("slow"))
        desk.run()
        assert desk.outcomes(inhibited)[-1] == "inhibited"


class TestDuplicates:
    """The same is not told twice, and is told once."""

    @pytest.mark.parametrize("muted_by", ["silence", "disabled"])
    def test_the_next_is_told_when_the_first_was_told_to_nobody(self, desk: Desk, muted_by: str) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "dedup_seconds": 86_400, "group_wait_seconds": 1})
        rule = desk.rule()
        first = desk.alert(rule, entities={"card": "c"})
        desk.route()
        if muted_by == "silence":
            desk.silence('rule="large"', hours=0.1)
        else:
            desk.query("UPDATE sentinel.notification_channels SET status = 'disabled' RETURNING id")
        desk.clock.turn(seconds=2)
        desk.run()
        desk.query("UPDATE sentinel.notification_channels SET status = 'active' RETURNING id")
        desk.clock.turn(minutes=30)
        second = desk.alert(rule, entities={"card": "c"})
        desk.run()
        desk.clock.turn(minutes=1)
        desk.run()
        assert slack.told == [[second]]
        third = desk.alert(rule, entities={"card": "c"})
        desk.run()
        assert desk.outcomes(third) == ["deduplicated"]
        assert "sent" not in desk.outcomes(first)

    def test_what_one_channel_was_told_is_no_duplicate_for_another(self, desk: Desk) -> None:
        team, boss = desk.channel("team"), desk.channel("boss")
        critical = {"name": "critical", "match": ['severity="critical"'], "channels": ["team", "boss"]}
        desk.policy(defaults={"channels": ["team"], "dedup_seconds": 600}, routes=[critical])
        rule = desk.rule()
        first = desk.alert(rule, entities={"card": "c"})
        desk.run()
        second = desk.alert(rule, entities={"card": "c"}, severity="critical")
        desk.run()
        desk.clock.turn(seconds=599)
        third = desk.alert(rule, entities={"card": "c"}, severity="critical")
        desk.run()
        assert (team.told, boss.told) == ([[first]], [[second]])
        assert desk.outcomes(second).count("deduplicated") == 1
        assert desk.outcomes(third) == ["deduplicated", "deduplicated"]
        desk.clock.turn(seconds=1)
        fourth = desk.alert(rule, entities={"card": "c"}, severity="critical")
        desk.run()
        # Each target's time is its own: the boss was told with the second.
        assert (team.told, boss.told) == ([[first], [fourth]], [[second], [fourth]])

    def test_where_one_channel_was_disabled_the_next_is_told_there(self, desk: Desk) -> None:
        team, boss = desk.channel("team"), desk.channel("boss")
        desk.policy(defaults={"channels": ["team", "boss"], "dedup_seconds": 86_400, "group_wait_seconds": 1})
        rule = desk.rule()
        first = desk.alert(rule, entities={"card": "c"})
        desk.route()
        change = "UPDATE sentinel.notification_channels SET status = %s WHERE name = 'boss' RETURNING id"
        desk.query(change, "disabled")
        desk.clock.turn(seconds=2)
        desk.run()
        desk.query(change, "active")
        second = desk.alert(rule, entities={"card": "c"})
        desk.run()
        desk.clock.turn(minutes=1)
        desk.run()
        assert (team.told, boss.told) == ([[first]], [[second]])

    def test_what_fires_after_the_same_was_resolved_is_none_also_when_both_waited_together(self, desk: Desk) -> None:
        hook = desk.channel("hook")
        desk.policy(defaults={"channels": ["hook"], "dedup_seconds": 600, "tell_resolved": False})
        rule = desk.rule()
        first = desk.alert(rule, entities={"card": "c"})
        desk.take_up(first, "resolved")
        second = desk.alert(rule, entities={"card": "c"})
        third = desk.alert(rule, entities={"card": "c"})
        desk.run()
        assert hook.told == [[first], [second]]
        assert desk.outcomes(third) == ["deduplicated"]

    def test_one_that_is_amended_after_somebody_took_it_up_stays_taken_up(self, desk: Desk) -> None:
        slack, boss = desk.channel("slack", "slack"), desk.channel("boss", "slack")
        desk.policy(defaults={"channels": ["slack"], "escalation": "up"}, escalations=UP)
        alert_id = desk.alert(desk.rule())
        desk.run()
        desk.take_up(alert_id, "acknowledged")
        desk.run()
        desk.take_up(alert_id, "amended")
        desk.clock.turn(minutes=1)
        desk.run()
        desk.clock.turn(minutes=10)
        desk.run()
        assert (kinds(slack), kinds(boss)) == (["fired"], [])


class TestEscalations:
    """Who else is woken."""

    def test_nobody_is_woken_about_what_was_silenced_since(self, desk: Desk) -> None:
        desk.channel("slack", "slack")
        boss = desk.channel("boss", "slack")
        desk.policy(defaults={"channels": ["slack"], "escalation": "up"}, escalations=UP)
        alert_id = desk.alert(desk.rule())
        desk.run()
        desk.silence('rule="large"')
        desk.clock.turn(minutes=5)
        desk.run()
        assert boss.got == []
        step = desk.why(alert_id).steps[-1]
        assert (step.outcome, step.route) == ("silenced", "escalation")
        assert step.reason.startswith("escalation 'up', step 1: silence ")

    def test_quiet_hours_hold_them_back(self, desk: Desk) -> None:
        desk.channel("slack", "slack")
        boss = desk.channel("boss", "slack")
        desk.policy(
            defaults={"channels": ["slack"], "escalation": "up", "quiet_hours": "noon"},
            escalations=UP,
            quiet_hours=NOON,
        )
        rule = desk.rule()
        alert_id = desk.alert(rule)
        desk.run()
        desk.clock.turn(minutes=5)
        desk.run()
        assert boss.got == []
        assert desk.outcomes(alert_id)[-1] == "deferred"
        desk.clock.turn(minutes=55)
        desk.run()
        assert boss.told == [[alert_id]]

    def test_a_critical_one_passes_them(self, desk: Desk) -> None:
        desk.channel("slack", "slack")
        boss = desk.channel("boss", "slack")
        desk.policy(
            defaults={"channels": ["slack"], "escalation": "up", "quiet_hours": "noon"},
            escalations=UP,
            quiet_hours=NOON,
        )
        desk.alert(desk.rule(), severity="critical")
        desk.run()
        desk.clock.turn(minutes=5)
        desk.run()
        assert kinds(boss) == ["escalated"]

    def test_all_open_alerts_are_counted(self, desk: Desk) -> None:
        desk.channel("slack", "slack")
        boss = desk.channel("boss", "slack")
        desk.policy(defaults={"channels": ["slack"], "escalation": "up"}, escalations=UP)
        desk.alerts(desk.rule(), 50)
        desk.run()
        desk.clock.turn(minutes=5)
        desk.run()
        assert (len(boss.got[0].alerts), boss.got[0].alert_count) == (20, 50)


class TestRepetitions:
    """Told again."""

    def test_all_open_alerts_are_counted(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "repeat_interval_seconds": 600})
        desk.alerts(desk.rule(), 50)
        desk.run()
        desk.clock.turn(minutes=10)
        desk.run()
        assert [notification.alert_count for notification in slack.got] == [50, 50]

    def test_nothing_is_repeated_to_a_channel_that_is_disabled(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "repeat_interval_seconds": 600})
        desk.alert(desk.rule())
        desk.run()
        desk.query("UPDATE sentinel.notification_channels SET status = 'disabled' RETURNING id")
        for _ in range(3):
            desk.clock.turn(minutes=10)
            desk.run()
        assert (desk.states(), kinds(slack)) == ({"sent": 1}, ["fired"])
        desk.query("UPDATE sentinel.notification_channels SET status = 'active' RETURNING id")
        desk.clock.turn(minutes=10)
        desk.run()
        assert kinds(slack) == ["fired", "repeated"]

    @pytest.mark.parametrize(
        "after",
        [
            {"defaults": {"channels": ["slack"]}},
            {"defaults": {"channels": [], "repeat_interval_seconds": 600}},
            {"defaults": {"channels": ["other"], "repeat_interval_seconds": 600}},
        ],
        ids=["not-repeated", "no-channel", "another-channel"],
    )
    def test_a_policy_that_ends_them_ends_those_under_way(self, desk: Desk, after: dict[str, object]) -> None:
        slack = desk.channel("slack", "slack")
        desk.channel("other", "slack")
        desk.policy(defaults={"channels": ["slack"], "repeat_interval_seconds": 600})
        desk.alert(desk.rule())
        desk.run()
        desk.policy(**after)
        for _ in range(3):
            desk.clock.turn(minutes=10)
            desk.run()
        assert kinds(slack) == ["fired"]


class TestPolicies:
    """Policies that change while something waits."""

    def test_a_route_without_quiet_hours_lets_go_what_they_held_also_when_others_have_them(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "quiet_hours": "noon"}, quiet_hours=NOON)
        desk.clock.turn(minutes=10)
        alert_id = desk.alert(desk.rule())
        desk.run()
        assert slack.got == []
        desk.policy(defaults={"channels": ["slack"]}, quiet_hours=NOON)
        desk.query("UPDATE sentinel.notification_groups SET flush_at = %s RETURNING id", desk.clock.now)
        desk.run()
        assert slack.told == [[alert_id]]
