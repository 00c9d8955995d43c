"""What is said afterwards: summaries, deleted channels, redrives, pages."""

from __future__ import annotations

from collections import Counter

import pytest

from sentinel.domain.notification_history import DeliveryFilter, DeliverySummary
from sentinel.errors import ConflictError, InvalidError
from sentinel.notify.channels.base import Receipt
from sentinel.settings import WebhookSettings
from sentinel.stores.postgres.channels import PostgresChannels
from sentinel.stores.postgres.secret_box import SecretBox
from tests.integration.notify.test_deliveries import catalog_of, redrive, refuse
from tests.support.notifications import Desk, down

pytestmark = pytest.mark.integration


@pytest.fixture
def hook(desk: Desk) -> Desk:
    """A desk with one webhook that is told of everything, each alert by itself."""
    desk.channel("hook")
    desk.policy(defaults={"channels": ["hook"]})
    return desk


class TestSummaries:
    """One sentence that is true."""

    def test_what_was_taken_up_before_it_was_told_does_not_wait(self, desk: Desk) -> None:
        desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "group_wait_seconds": 60})
        alert_id = desk.alert(desk.rule())
        desk.run()
        assert desk.why(alert_id).summary == "Waits to be told together with others (slack)."
        desk.take_up(alert_id, "acknowledged")
        desk.clock.turn(seconds=1)
        desk.run()
        assert desk.why(alert_id).summary == "Not told: somebody acknowledged it before (slack)."

    def test_what_was_told_with_others_is_on_its_way_until_it_is_sent(self, desk: Desk) -> None:
        desk.channel("slack", "slack")
        desk.policy(defaults={"channels": ["slack"], "group_wait_seconds": 60})
        alert_id = desk.alert(desk.rule())
        desk.run()
        desk.clock.turn(seconds=60)
        desk.route()
        assert desk.why(alert_id).summary == "On its way to slack."

    def test_what_was_redriven_has_not_failed_for_good(self, hook: Desk) -> None:
        hook.receivers["hook"].answer = refuse
        alert_id = hook.alert(hook.rule())
        hook.run()
        assert hook.why(alert_id).summary == "Failed for good (hook)."
        hook.clock.turn(seconds=1)
        redrive(hook, DeliveryFilter())
        assert hook.why(alert_id).summary == "On its way to hook."

    def test_of_very_many_steps_the_newest_are_told(self, hook: Desk) -> None:
        alert_id = hook.alert(hook.rule())
        hook.run()
        hook.query(
            "INSERT INTO sentinel.notification_decisions (tenant_id, alert_id, outcome, channel, reason, decided_at) "
            "SELECT %s, %s, 'acknowledged', '', 'n' || n, %s::timestamptz + make_interval(secs => n) "
            "FROM generate_series(1, 1200) n RETURNING id",
            hook.tenant,
            alert_id,
            hook.clock.now,
        )
        steps = hook.why(alert_id).steps
        assert (len(steps), steps[0].reason, steps[-1].reason) == (1000, "n201", "n1200")


class TestDeletedChannels:
    """Deliveries go with their channel; what became of alerts is known all the same."""

    def test_what_was_sent_and_what_was_not_is_kept(self, hook: Desk) -> None:
        slack = hook.channel("slack", "slack")
        hook.policy(defaults={"channels": ["hook"]})
        sent = hook.alert(hook.rule("a"))
        hook.run()
        hook.receivers["hook"].answer = down
        waits = hook.alert(hook.rule("b"))
        hook.run()
        hook.policy(defaults={"channels": ["hook", "slack"], "group_wait_seconds": 600})
        grouped = hook.alert(hook.rule("c"))
        hook.run()
        delete(hook, "hook")
        assert hook.why(sent).summary == "Sent to hook."
        assert hook.why(waits).summary == "Not told: the channel is disabled (hook)."
        assert hook.why(waits).steps[-1].reason == "the channel was deleted before it was told"
        hook.clock.turn(minutes=10)
        hook.run()
        assert slack.told == [[grouped]]
        assert hook.why(grouped).summary == "Sent to slack; not told: the channel is disabled (hook)."
        assert hook.states() == {"sent": 1}


class TestRedrives:
    """Dead deliveries sent again."""

    def test_those_of_a_disabled_channel_are_not(self, hook: Desk) -> None:
        hook.receivers["hook"].answer = refuse
        hook.alerts(hook.rule(), 3)
        hook.run()
        hook.query("UPDATE sentinel.notification_channels SET status = 'disabled' RETURNING id")
        with pytest.raises(ConflictError, match="'hook' is disabled; enable it first"):
            redrive(hook, DeliveryFilter(channel="hook"))
        assert redrive(hook, DeliveryFilter()).delivery_ids == []
        assert hook.query("SELECT sum(redrive_count) AS n FROM sentinel.deliveries") == [{"n": 0}]

    def test_those_that_were_redriven_too_often_do_not_keep_the_others(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = refuse
        hook.alerts(hook.rule(), 3)
        hook.run()
        hook.query("UPDATE sentinel.deliveries SET redrive_count = 3 RETURNING id")
        hook.clock.turn(minutes=1)
        later = hook.alerts(hook.rule("later"), 3)
        hook.run()
        receiver.answer = lambda _: Receipt(200)
        driven = redrive(hook, DeliveryFilter(), limit=2)
        assert (len(driven.delivery_ids), driven.looped, driven.left) == (2, 3, 1)
        hook.clock.turn(minutes=1)
        hook.run()
        told = [alert for alerts in receiver.told for alert in alerts]
        assert told == later[:2]
        assert len(redrive(hook, DeliveryFilter(), insist=True).delivery_ids) == 4


class TestPages:
    """Lists that are paged."""

    def test_a_page_after_a_delivery_that_is_gone_is_an_error_not_the_end(self, hook: Desk) -> None:
        hook.alerts(hook.rule(), 3)
        hook.run()
        with hook.database.transaction(hook.tenant) as connection:
            catalog = catalog_of(hook, connection)
            first = catalog.page(DeliveryFilter(), before=None, limit=2)
            assert len(catalog.page(DeliveryFilter(), before=first[-1].id, limit=2)) == 1
            with pytest.raises(InvalidError, match="begin anew"):
                catalog.page(DeliveryFilter(), before="dlv_of_another_tenant", limit=2)

    def test_filters_are_applied_together(self, hook: Desk) -> None:
        hook.channel("other")
        hook.policy(defaults={"channels": ["hook", "other"]})
        raised = hook.alerts(hook.rule(), 3)
        hook.run()
        with hook.database.transaction(hook.tenant) as connection:
            catalog = catalog_of(hook, connection)
            found = catalog.page(DeliveryFilter(channel="other", alert_id=raised[1]), before=None, limit=9)
            everything = catalog.page(DeliveryFilter(alert_id=raised[1]), before=None, limit=9)
            none = catalog.page(DeliveryFilter(channel="nobody"), before=None, limit=9)
        assert ([each.channel for each in found], none) == (["other"], [])
        assert Counter(each.channel for each in everything) == {"hook": 1, "other": 1}

    def test_the_reason_is_that_of_the_last_try(self, hook: Desk) -> None:
        hook.receivers["hook"].answer = down
        hook.alert(hook.rule())
        hook.run()
        assert [each.last_reason for each in page(hook, DeliveryFilter(reason="refused"))] == ["refused"]
        assert page(hook, DeliveryFilter(reason="timeout")) == []
        hook.receivers["hook"].answer = refuse
        hook.clock.turn(hours=1)
        hook.run()
        assert page(hook, DeliveryFilter(reason="refused")) == []
        assert [each.state for each in page(hook, DeliveryFilter(reason="invalid_payload"))] == ["dead"]

    def test_what_was_sent_has_none(self, hook: Desk) -> None:
        hook.alert(hook.rule())
        hook.run()
        assert [each.last_reason for each in page(hook, DeliveryFilter())] == [""]


def page(desk: Desk, wanted: DeliveryFilter) -> list[DeliverySummary]:
    """Return deliveries."""
    with desk.database.transaction(desk.tenant) as connection:
        return catalog_of(desk, connection).page(wanted, before=None, limit=9)


def delete(desk: Desk, name: str) -> None:
    """Delete a channel, as the API does."""
    with desk.database.transaction(desk.tenant) as connection:
        channels = PostgresChannels(connection, SecretBox(WebhookSettings()))
        channel = channels.get(name)
        assert channel is not None
        channels.delete(channel.id, desk.clock.now)
