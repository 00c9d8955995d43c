"""Deliveries: outages, crashes, slow receivers, rates, circuits, redrives."""

from __future__ import annotations

import threading
import tracemalloc
from collections import Counter
from datetime import timedelta

import pytest

from sentinel.catalog.audit import Auditor
from sentinel.catalog.deliveries import DeliveryCatalog
from sentinel.domain.notification import Notification
from sentinel.domain.notification_history import DeliveryFilter, Redriven
from sentinel.notify.channels.base import AttemptFailedError, Fate, Receipt
from sentinel.stores.postgres.audit import PostgresAudit
from sentinel.stores.postgres.notifications.history import PostgresDeliveryReader
from tests.support.notifications import START, Desk, down, gone

pytestmark = pytest.mark.integration


@pytest.fixture
def hook(desk: Desk) -> Desk:
    """A desk with one webhook that is told of everything, each alert by itself."""
    desk.channel("hook")
    desk.policy(defaults={"channels": ["hook"]})
    return desk


class TestOutages:
    """Receivers that are away."""

    def test_after_forty_hours_every_message_arrives_once_per_id(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = down
        rule = hook.rule()
        raised: list[int] = []
        for _ in range(40 * 4):
            raised += hook.alerts(rule, 2)
            hook.run()
            hook.clock.turn(minutes=15)
        assert receiver.got == []
        tried = len(receiver.tries)
        receiver.answer = lambda _: Receipt(200)
        until = hook.clock.now + timedelta(hours=25)
        while hook.clock.now < until and hook.states() != {"sent": len(raised)}:
            hook.run()
            hook.clock.turn(minutes=5)
        assert hook.states() == {"sent": len(raised)}
        assert sorted(alert for told in receiver.told for alert in told) == raised
        assert set(Counter(notification.delivery_id for notification in receiver.got).values()) == {1}
        # The circuit spared the receiver: some attempts an hour instead of eight new messages and their repetitions.
        assert tried < 40 * 16
        # And when it was back, nothing waited for its own next time of up to a day.
        assert hook.clock.now - START < timedelta(hours=41)

    def test_the_schedule_is_that_of_standard_webhooks(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = down
        alert_id = hook.alert(hook.rule())
        hook.route()
        for _ in range(90 * 60):
            hook.send()
            hook.clock.turn(minutes=1)
        times = [at - receiver.tries[0][0] for at, _ in receiver.tries]
        # 0, 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, to the minute that the test turns its clock by.
        hours = [0, 0, 0, 0.5, 2, 5, 10, 14, 20, 24]
        at = timedelta()
        for index, found in enumerate(times):
            at += timedelta(hours=hours[index], minutes=5 if index == 2 else 0)
            assert at <= found <= at + timedelta(minutes=index + 1), index
        assert len(times) == 10
        assert hook.states() == {"dead": 1}
        assert Counter(hook.outcomes(alert_id)) == {"routed": 1, "retried": 9, "dead_lettered": 1}

    def test_what_it_asks_for_by_retry_after_is_honoured(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = busy
        hook.alerts(hook.rule(), 3)
        hook.run()
        tried = len(receiver.tries)
        hook.clock.turn(minutes=9)
        hook.run()
        assert len(receiver.tries) == tried
        receiver.answer = lambda _: Receipt(200)
        hook.clock.turn(minutes=2)
        hook.run()
        assert hook.states() == {"sent": 3}

    def test_one_that_is_gone_is_disabled_and_what_waits_for_it_is_dead(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = gone
        hook.alerts(hook.rule(), 50)
        hook.run()
        assert hook.states() == {"dead": 50}
        assert len(receiver.tries) <= 4
        row = hook.query("SELECT status, disabled_reason FROM sentinel.notification_channels")[0]
        assert row == {"status": "disabled", "disabled_reason": "it answered 410"}

    def test_while_the_circuit_is_open_nothing_is_tried_and_then_one_thing(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = down
        hook.alerts(hook.rule(), 40)
        hook.run()
        tried = len(receiver.tries)
        assert 5 <= tried <= 8
        hook.clock.turn(seconds=10)
        hook.run()
        assert len(receiver.tries) == tried
        hook.clock.turn(minutes=5)
        hook.run()
        assert len(receiver.tries) == tried + 1
        receiver.answer = lambda _: Receipt(200)
        hook.clock.turn(minutes=5)
        hook.run()
        assert hook.states() == {"sent": 40}


class TestCrashes:
    """Workers that are killed."""

    def test_killed_between_sending_and_writing_sends_at_most_once_more_under_the_same_id(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        alert_id = hook.alert(hook.rule())
        hook.route()
        killed = hook.new_dispatcher()
        assert killed.pump() == 1
        while not receiver.got:
            killed.wait(0.05)
        # It is killed here: sent, and nothing written. Another worker leaves it alone until the lease is over.
        hook.send()
        assert len(receiver.got) == 1
        hook.clock.turn(seconds=121)
        hook.send()
        assert [notification.delivery_id for notification in receiver.got] == [receiver.got[0].delivery_id] * 2
        hook.clock.turn(hours=30)
        hook.send()
        assert len(receiver.got) == 2
        assert hook.outcomes(alert_id) == ["routed", "sent"]

    def test_what_the_first_one_writes_afterwards_does_not_count(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = down
        hook.alert(hook.rule())
        hook.route()
        slow = hook.new_dispatcher()
        assert slow.pump() == 1
        while not receiver.tries:
            slow.wait(0.05)
        receiver.answer = lambda _: Receipt(200)
        hook.clock.turn(seconds=121)
        hook.send()
        slow.wait(0.2)
        slow.settle()
        assert hook.states() == {"sent": 1}
        assert hook.query("SELECT attempt, outcome FROM sentinel.delivery_attempts") == [
            {"attempt": 2, "outcome": "sent"}
        ]

    def test_two_workers_at_once_send_everything_once(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        raised = hook.alerts(hook.rule(), 300)
        workers = [threading.Thread(target=hook.send, args=(hook.new_dispatcher(),)) for _ in range(2)]
        routers = [threading.Thread(target=hook.route) for _ in range(2)]
        for thread in [*routers, *workers]:
            thread.start()
        for thread in [*routers, *workers]:
            thread.join(60)
        hook.run()
        assert sorted(alert for told in receiver.told for alert in told) == raised
        assert hook.states() == {"sent": 300}


class TestManyAtOnce:
    """Ten thousand alerts in a minute."""

    def test_a_slow_receiver_holds_up_nobody_else_and_fills_no_memory(self, desk: Desk) -> None:
        slow, quick = desk.channel("slow"), desk.channel("quick")
        open_again, under_way = threading.Event(), Counter[str]()
        most = 0

        def wait(_: Notification) -> Receipt:
            nonlocal most
            under_way["slow"] += 1
            most = max(most, under_way["slow"])
            open_again.wait(60)
            under_way["slow"] -= 1
            return Receipt(200)

        slow.answer = wait
        desk.policy(
            routes=[
                {"name": "slow", "match": ['rule="slow"'], "channels": ["slow"]},
                {"name": "quick", "channels": ["quick"]},
            ]
        )
        many, one = desk.rule("slow"), desk.rule("quick")
        desk.alerts(many, 10_000)
        told = desk.alerts(one, 20)
        tracemalloc.start()
        desk.route()
        routed = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        # Everything for the other channel arrives while the slow one has answered nothing at all.
        while len(quick.got) < len(told):
            desk.dispatcher.pump()
            desk.dispatcher.wait(0.05)
        sent = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert slow.got == []
        assert [alert for each in sorted(quick.told) for alert in each] == told
        assert most <= 4
        # 10,020 alerts with their events are some 40 MB.
        assert (routed, sent) < (30_000_000, 10_000_000)
        open_again.set()
        desk.send()
        assert desk.states() == {"sent": 10_020}
        assert len({notification.delivery_id for notification in slow.got}) == 10_000

    def test_a_rate_spreads_them(self, desk: Desk) -> None:
        slow = desk.channel("slow", rate_per_minute=30)
        desk.policy(defaults={"channels": ["slow"]})
        raised = desk.alerts(desk.rule(), 100)
        per_minute = []
        for _ in range(4):
            before = len(slow.got)
            for _ in range(30):
                desk.run()
                desk.clock.turn(seconds=2)
            per_minute.append(len(slow.got) - before)
        assert per_minute[0] <= 35
        assert per_minute[1:] == [30, 30, 100 - per_minute[0] - 60]
        assert Counter(outcome for alert in raised for outcome in desk.outcomes(alert))["rate_limited"] == 95


class TestRedrives:
    """Dead deliveries sent again."""

    def test_they_go_out_under_their_ids_at_a_rate(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = refuse
        hook.alerts(hook.rule(), 10)
        hook.run()
        assert hook.states() == {"dead": 10}
        ids = {delivery for _, delivery in receiver.tries}
        receiver.answer = lambda _: Receipt(200)
        tried = redrive(hook, DeliveryFilter(reason="invalid_payload"), dry_run=True)
        assert (len(tried.delivery_ids), hook.states()) == (10, {"dead": 10})
        driven = redrive(hook, DeliveryFilter(reason="invalid_payload"))
        assert driven.ends_at == hook.clock.now + timedelta(seconds=9)
        hook.run()
        assert len(receiver.got) == 1
        for _ in range(10):
            hook.clock.turn(seconds=1)
            hook.run()
        assert {notification.delivery_id for notification in receiver.got} == ids
        assert hook.states() == {"sent": 10}

    def test_a_loop_of_redrives_ends_unless_somebody_insists(self, hook: Desk) -> None:
        hook.receivers["hook"].answer = refuse
        alert_id = hook.alert(hook.rule())
        for _ in range(4):
            hook.run()
            last = redrive(hook, DeliveryFilter())
            hook.run()
        assert (list(last.delivery_ids), last.looped) == ([], 1)
        assert Counter(hook.outcomes(alert_id)) == {"routed": 1, "dead_lettered": 4, "redriven": 3}
        assert redrive(hook, DeliveryFilter(), insist=True).looped == 0

    def test_what_is_left_is_told(self, hook: Desk) -> None:
        hook.receivers["hook"].answer = refuse
        hook.alerts(hook.rule(), 5)
        hook.run()
        driven = redrive(hook, DeliveryFilter(), limit=2)
        assert (len(driven.delivery_ids), driven.left) == (2, 3)


class TestAudit:
    """Deliveries that nobody makes."""

    def test_one_whose_next_attempt_lies_in_the_past_is_found(self, hook: Desk) -> None:
        hook.alert(hook.rule())
        hook.route()
        assert overdue(hook) == []
        hook.clock.turn(seconds=61)
        assert overdue(hook) == ["no_worker"]
        hook.send()
        assert overdue(hook) == []


def busy(_: Notification) -> Receipt:
    """A receiver that asks for patience."""
    raise AttemptFailedError("slow down", fate=Fate.RETRY, reason="rate_limited", status=429, retry_after_seconds=600)


def refuse(_: Notification) -> Receipt:
    """A receiver that will never take it."""
    raise AttemptFailedError("invalid_payload", fate=Fate.DEAD, reason="invalid_payload", status=400)


def redrive(
    desk: Desk, wanted: DeliveryFilter, *, limit: int = 100, dry_run: bool = False, insist: bool = False
) -> Redriven:
    """Send dead deliveries again, one a second."""
    with desk.database.transaction(desk.tenant) as connection:
        return catalog_of(desk, connection).redrive(
            wanted, rate_per_minute=60, limit=limit, dry_run=dry_run, insist=insist
        )


def overdue(desk: Desk) -> list[str]:
    """Return why deliveries are overdue."""
    with desk.database.transaction(desk.tenant) as connection:
        return [each.cause for each in catalog_of(desk, connection).overdue(limit=10)]


def catalog_of(desk: Desk, connection: object) -> DeliveryCatalog:
    """Return the use cases."""
    auditor = Auditor(PostgresAudit(connection), "test")  # type: ignore[arg-type]
    return DeliveryCatalog(PostgresDeliveryReader(connection), auditor, caller="test", now=desk.clock)  # type: ignore[arg-type]
