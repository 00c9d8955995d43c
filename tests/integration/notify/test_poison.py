"""What one alert, group or tenant holds does not keep what comes after it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from sentinel.errors import ConfigurationError
from sentinel.notify.deciding import tell_groups
from sentinel.notify.deciding.router import BATCH, Router
from sentinel.notify.deciding.turn import Turn
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import ensure_tenant
from tests.support.notifications import Desk

pytestmark = pytest.mark.integration

EVENTS = {
    "beyond-numbers": '{"amount": 1e400}',
    "beyond-integers": '{"amount": 123456789012345678901234567890}',
    "deep": '{"a": ' + "[" * 300 + "]" * 300 + "}",
    "long": json.dumps({"text": "x" * 100_000}),
    "null": "null",
}


@pytest.fixture
def slack(desk: Desk) -> Desk:
    """A desk with one channel for people that is told of everything."""
    desk.channel("slack", "slack")
    desk.policy(defaults={"channels": ["slack"]})
    return desk


class TestAlerts:
    """Alerts that hold what nobody expects."""

    @pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
    def test_whatever_the_event_is_it_is_told(self, slack: Desk, event: str) -> None:
        raised = slack.alerts(slack.rule(), 3)
        slack.query(
            "UPDATE sentinel.alerts SET transaction_data = %s::jsonb WHERE id = %s RETURNING id", event, raised[1]
        )
        slack.run()
        assert slack.receivers["slack"].told == [raised]

    def test_evidence_beyond_numbers_or_measure_is_left_out(self, slack: Desk) -> None:
        raised = slack.alerts(slack.rule(), 2)
        for alert_id, value in zip(raised, ("123456789012345678901234567890", json.dumps("x" * 50_000)), strict=True):
            slack.query(
                "UPDATE sentinel.alerts SET evidence = %s::jsonb WHERE id = %s RETURNING id",
                f'[{{"condition": "amount > 1", "values": {{"amount": {value}}}}}]',
                alert_id,
            )
        slack.run()
        assert [alert.evidence for alert in slack.receivers["slack"].got[0].alerts] == [(), ()]

    def test_entities_beyond_measure_are_told_apart_and_told_short(self, slack: Desk) -> None:
        slack.policy(defaults={"channels": ["slack"], "group_by": ["entity.card"]})
        rule = slack.rule()
        for end in ("a", "b"):
            slack.alert(rule, entities={"card": "x" * 1_000_000 + end})
        slack.run()
        told = slack.receivers["slack"].got
        assert len({notification.labels["entity.card"] for notification in told}) == 2
        assert max(len(notification.labels["entity.card"]) for notification in told) <= 500

    def test_one_that_cannot_be_decided_is_set_aside_with_a_decision(self, slack: Desk) -> None:
        raised = slack.alerts(slack.rule(), 6)
        bad = slack.alert(slack.rule("odd"))
        later = slack.alert(slack.rule("small"))
        slack.query(
            'UPDATE sentinel.rule_versions SET actions = \'[{"kind": "notify"}]\' '
            "WHERE rule_id = (SELECT id FROM sentinel.rules WHERE name = 'odd') RETURNING id"
        )
        slack.run()
        assert slack.receivers["slack"].told == [raised, [later]]
        assert slack.outcomes(bad) == ["failed"]
        why = slack.why(bad)
        assert "KeyError" in why.steps[0].reason
        assert why.summary == "Not told: it cannot be decided."
        assert slack.query("SELECT count(*) AS n FROM sentinel.alert_outbox") == [{"n": 0}]

    def test_what_somebody_did_about_one_that_cannot_be_read_keeps_nobody(self, slack: Desk) -> None:
        rule = slack.rule("odd")
        bad = slack.alert(rule)
        slack.run()
        slack.query("UPDATE sentinel.rule_versions SET actions = '7' RETURNING id")
        slack.clock.turn(seconds=1)
        slack.take_up(bad, "resolved")
        with pytest.raises(TypeError):
            slack.run()
        slack.clock.turn(minutes=10)
        slack.run()
        assert slack.outcomes(bad)[-1] == "failed"
        assert slack.query("SELECT count(*) AS n FROM sentinel.alert_outbox") == [{"n": 0}]

    def test_where_nothing_can_be_decided_everything_waits_for_a_repaired_service(
        self, slack: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        raised = slack.alerts(slack.rule(), 20)

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr("sentinel.notify.deciding.router.route_alerts", broken)
            for _ in range(9):
                with pytest.raises(ZeroDivisionError):
                    slack.run()
                slack.clock.turn(minutes=1)
        slack.run()
        assert slack.receivers["slack"].told == [raised]

    def test_alone_it_is_set_aside_when_it_was_waited_for_long_enough(self, slack: Desk) -> None:
        bad = slack.alert(slack.rule("odd"))
        slack.query('UPDATE sentinel.rule_versions SET actions = \'[{"kind": "notify"}]\' RETURNING id')
        with pytest.raises(KeyError):
            slack.run()
        assert slack.why(bad).is_waiting
        slack.clock.turn(minutes=10)
        slack.run()
        assert slack.outcomes(bad) == ["failed"]


class TestGroups:
    """Groups that cannot be told."""

    def test_one_is_set_aside_and_the_others_are_told(self, slack: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        slack.policy(defaults={"channels": ["slack"], "group_wait_seconds": 5})
        good, bad = slack.alert(slack.rule("good")), slack.alert(slack.rule("bad"))
        slack.route()
        deliver = Turn.deliver

        def broken(self: Turn, group: object, kind: object, alert_ids: list[int], **more: object) -> str:
            if bad in alert_ids:
                raise ZeroDivisionError
            return deliver(self, group, kind, alert_ids, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(Turn, "deliver", broken)
        slack.clock.turn(seconds=5)
        slack.run()
        assert slack.receivers["slack"].told == [[good]]
        assert slack.outcomes(bad) == ["grouped", "failed"]
        assert slack.query("SELECT count(*) AS n FROM sentinel.group_members") == [{"n": 0}]

    def test_a_plan_of_another_version_of_the_service_is_read(self, slack: Desk) -> None:
        slack.policy(defaults={"channels": ["slack"], "group_wait_seconds": 5})
        alert_id = slack.alert(slack.rule())
        slack.route()
        slack.query(
            "UPDATE sentinel.notification_groups SET plan = plan - 'escalation' || '{\"later\": 1}' RETURNING id"
        )
        slack.clock.turn(seconds=5)
        slack.run()
        assert slack.receivers["slack"].told == [[alert_id]]

    def test_a_critical_alert_beyond_those_that_are_looked_at_passes_quiet_hours(
        self, slack: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tell_groups, "MAX_MEMBERS", 10)
        night = {"night": {"time_zone": "UTC", "windows": [{"begins": "11:00", "ends": "13:00"}]}}
        slack.policy(defaults={"channels": ["slack"], "quiet_hours": "night", "group_by": []}, quiet_hours=night)
        rule = slack.rule()
        quiet = slack.alerts(rule, 25)
        slack.run()
        assert slack.receivers["slack"].got == []
        critical = slack.alert(rule, severity="critical")
        slack.run()
        for _ in range(3):
            slack.clock.turn(seconds=1)
            slack.run()
        told = {alert for alerts in slack.receivers["slack"].told for alert in alerts}
        assert critical in told
        assert told <= {*quiet, critical}


class TestTenants:
    """One tenant's trouble or abundance."""

    def test_one_with_a_long_queue_delays_another_by_a_turn(
        self, desk: Desk, database: Database, settings: Settings
    ) -> None:
        tenant = f"{desk.tenant}b"
        ensure_tenant(settings.postgres, tenant, "test")
        other = Desk(database, tenant)
        desk.alerts(desk.rule(), 4 * BATCH)
        one = other.alert(other.rule())
        turns: list[tuple[str, int]] = []
        one_turn = Router._one_turn

        def counted(self: Router, tenant_id: str) -> tuple[int, bool]:
            done = one_turn(self, tenant_id)
            turns.append((tenant_id, done[0]))
            return done

        router = desk.router
        router._one_turn = counted.__get__(router)  # type: ignore[method-assign]
        router.run(desk.stopping)
        assert other.outcomes(one) == ["unrouted"]
        # The other tenant's only alert is decided after one turn of the first, not after all of them.
        # Tenants of other tests may have turns of their own in between.
        of_both = [entries for tenant_id, entries in turns if tenant_id in (desk.tenant, tenant)]
        assert of_both.index(1) <= 1
        assert of_both.count(BATCH) >= 4

    def test_one_whose_turn_fails_is_left_alone_for_a_while_and_then_decided(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alert_id = desk.alert(desk.rule())
        tries: Counter[str] = Counter()
        turn = Router._turn

        def broken(self: Router, tx: Any, span: Any, **more: bool) -> Any:
            tries["all"] += 1
            if tries["all"] < 2:
                raise ZeroDivisionError
            return turn(self, tx, span, **more)

        mine = desk.tenant
        monkeypatch.setattr(Router, "_turn", broken)
        monkeypatch.setattr(desk.router._store, "waiting_tenants", lambda _at: [mine])
        desk.router.run(desk.stopping)
        desk.router.run(desk.stopping)
        assert tries["all"] == 1
        desk.clock.turn(seconds=31)
        desk.router.run(desk.stopping)
        assert desk.outcomes(alert_id) == ["unrouted"]

    def test_what_is_old_and_cannot_be_deleted_keeps_nobody(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        desk.route()
        desk.clock.turn(hours=2)

        def broken(*_: object, **__: object) -> int:
            raise ZeroDivisionError

        monkeypatch.setattr("sentinel.stores.postgres.notifications.routing.PostgresRoutingTransaction.prune", broken)
        alert_id = desk.alert(desk.rule())
        desk.route()
        assert desk.outcomes(alert_id) == ["unrouted"]


class TestStored:
    """What another version of the service has stored."""

    def test_of_policies_the_newest_that_can_be_read_counts(self, slack: Desk) -> None:
        slack.policy(defaults={"channels": ["slack"]}, surprise=1)
        alert_id = slack.alert(slack.rule())
        slack.run()
        assert slack.receivers["slack"].told == [[alert_id]]

    def test_where_none_can_be_read_alerts_wait_for_one_that_can(self, desk: Desk) -> None:
        slack = desk.channel("slack", "slack")
        desk.policy(surprise=1)
        alert_id = desk.alert(desk.rule())
        with pytest.raises(ConfigurationError, match="put another in force: version 1 cannot be read: surprise"):
            desk.run()
        assert desk.why(alert_id).is_waiting
        desk.policy(defaults={"channels": ["slack"]})
        desk.run()
        assert slack.told == [[alert_id]]

    def test_a_silence_that_cannot_be_read_silences_nothing_and_keeps_nobody(self, slack: Desk) -> None:
        slack.silence("colour=~(")
        silent = slack.silence('rule="quiet"')
        told, quiet = slack.alert(slack.rule()), slack.alert(slack.rule("quiet"))
        slack.run()
        assert slack.receivers["slack"].told == [[told]]
        assert slack.why(quiet).steps[-1].details == {"silence_id": silent}
