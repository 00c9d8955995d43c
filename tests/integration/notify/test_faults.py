"""Deliveries that cannot be read, written or opened, and workers that meet at one channel."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from sentinel.domain.notification import Notification
from sentinel.notify.channels.base import AttemptFailedError, Fate, Receipt
from sentinel.notify.deciding.pruning import Pruner
from sentinel.notify.sending import dispatcher as dispatching
from sentinel.notify.sending.attempt import OpenedChannel
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.stores.postgres.notifications.routing import PostgresRouting
from tests.support.notifications import Desk, down, gone

pytestmark = pytest.mark.integration


@pytest.fixture
def hook(desk: Desk) -> Desk:
    """A desk with one webhook that is told of everything, each alert by itself."""
    desk.channel("hook")
    desk.policy(defaults={"channels": ["hook"]})
    return desk


class TestData:
    """What one delivery or channel holds is no other's trouble."""

    def test_a_delivery_that_cannot_be_read_takes_no_place_and_dies_with_a_reason(self, hook: Desk) -> None:
        alert_id = hook.alerts(hook.rule(), 6)[0]
        hook.route()
        hook.query("UPDATE sentinel.deliveries SET content = '{}' RETURNING id")
        for _ in range(12):
            hook.send()
            hook.clock.turn(days=1)
        assert hook.dispatcher.under_way == 0
        assert hook.states() == {"dead": 6}
        assert Counter(hook.outcomes(alert_id)) == {"routed": 1, "retried": 9, "dead_lettered": 1}

    def test_an_answer_that_cannot_be_stored_is_stored_without_it(self, hook: Desk) -> None:
        hook.receivers["hook"].answer = lambda _: Receipt(200, answer="\ud800 \x00", thread="\x00\udfff")
        hook.alerts(hook.rule(), 3)
        hook.run()
        assert hook.states() == {"sent": 3}
        assert len(hook.receivers["hook"].got) == 3

    def test_a_channel_that_cannot_be_opened_for_an_unknown_reason_holds_up_no_other(self, hook: Desk) -> None:
        broken, told = hook.channel("broken"), hook.receivers["hook"]
        hook.policy(defaults={"channels": ["broken", "hook"]})

        def opened(tenant_id: str, channel_id: int) -> OpenedChannel:
            channel = hook.open_channel(tenant_id, channel_id)
            if channel.name == "broken":
                raise KeyError("what nobody has thought of")
            return channel

        hook.alert(hook.rule())
        hook.route()
        worker = hook.new_dispatcher()
        worker._open = opened
        hook.send(worker)
        assert (len(told.got), broken.got) == (1, [])
        hook.send()
        assert len(broken.got) == 1


class TestDisabled:
    """Channels that are disabled while something waits for them."""

    def test_what_a_killed_worker_had_taken_is_dead_with_the_rest(self, hook: Desk) -> None:
        hook.alert(hook.rule())
        hook.route()
        hook.query(
            "UPDATE sentinel.deliveries SET state = 'sending', next_attempt_at = %s RETURNING id",
            hook.clock.now + timedelta(seconds=120),
        )
        hook.query("UPDATE sentinel.notification_channels SET status = 'disabled' RETURNING id")
        hook.send()
        assert hook.states() == {"sending": 1}
        hook.clock.turn(seconds=121)
        hook.send()
        assert hook.states() == {"dead": 1}
        assert hook.query("SELECT due_at FROM sentinel.channel_queues") == [{"due_at": None}]

    def test_a_long_queue_is_given_up_in_parts(self, hook: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dispatching, "MAX_GIVEN_UP", 10)
        hook.receivers["hook"].answer = gone
        raised = hook.alerts(hook.rule(), 45)
        hook.run()
        hook.send()
        tries = len(hook.receivers["hook"].tries)
        for _ in range(5):
            hook.dispatcher.pump()
        assert hook.states() == {"dead": 45}
        assert len(hook.receivers["hook"].tries) == tries <= 4
        assert Counter(outcome for alert in raised for outcome in hook.outcomes(alert))["disabled"] == 45


class TestPatience:
    """Receivers that ask for it, circuits, rates."""

    def test_what_comes_later_waits_too_when_the_receiver_asked_for_patience(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = busy(600)
        rule = hook.rule()
        hook.alert(rule)
        hook.run()
        hook.clock.turn(minutes=1)
        hook.alert(rule)
        hook.run()
        assert len(receiver.tries) == 1
        receiver.answer = lambda _: Receipt(200)
        hook.clock.turn(minutes=10)
        hook.run()
        assert hook.states() == {"sent": 2}

    def test_patience_without_a_time_does_not_stop_the_channel_for_the_wait_of_one_delivery(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = busy(None)
        hook.alerts(hook.rule(), 2)
        hook.route()
        # The next try of one of them would be in hours.
        hook.query(
            "UPDATE sentinel.deliveries SET round_attempts = CASE WHEN first THEN 5 ELSE 0 END, "
            "next_attempt_at = next_attempt_at + CASE WHEN first THEN interval '0 s' ELSE interval '1 s' END "
            "FROM (SELECT id AS known, row_number() OVER (ORDER BY id) = 1 AS first FROM sentinel.deliveries) n "
            "WHERE id = known RETURNING id"
        )
        hook.send()
        receiver.answer = lambda _: Receipt(200)
        hook.clock.turn(minutes=1)
        hook.send()
        assert len(receiver.got) == 1 + 1

    def test_workers_do_not_all_try_a_receiver_that_may_be_back(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = down
        hook.alerts(hook.rule(), 40)
        hook.run()
        tried = len(receiver.tries)
        hook.clock.turn(minutes=6)
        goes_on = threading.Event()

        def slow(_: Notification) -> Receipt:
            goes_on.wait(30)
            return Receipt(200)

        receiver.answer = slow
        workers = [hook.new_dispatcher() for _ in range(3)]
        began = [worker.pump() for worker in workers]
        assert began == [1, 0, 0]
        goes_on.set()
        hook.send(workers[0])
        hook.send(workers[1])
        assert hook.states() == {"sent": 40}
        assert len(receiver.tries) == tried + 40

    def test_a_worker_that_is_killed_while_it_tries_is_not_waited_for_long(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = down
        hook.alerts(hook.rule(), 10)
        hook.run()
        hook.clock.turn(minutes=6)
        killed = hook.new_dispatcher()
        assert killed.pump() == 1
        receiver.answer = lambda _: Receipt(200)
        hook.clock.turn(seconds=121)
        hook.send()
        assert hook.states() == {"sent": 10}

    def test_what_was_redriven_at_a_rate_keeps_it_when_the_receiver_is_back(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = down
        hook.alerts(hook.rule(), 20)
        hook.run()
        far = hook.clock.now + timedelta(hours=2)
        hook.query(
            "UPDATE sentinel.deliveries SET next_attempt_at = %s, round_attempts = 0 "
            "WHERE id IN (SELECT id FROM sentinel.deliveries ORDER BY id DESC LIMIT 5) RETURNING id",
            far,
        )
        receiver.answer = lambda _: Receipt(200)
        hook.clock.turn(minutes=6)
        hook.send()
        assert hook.states() == {"sent": 15, "queued": 5}

    def test_a_refused_message_says_nothing_of_whether_the_receiver_is_back(self, hook: Desk) -> None:
        receiver = hook.receivers["hook"]
        receiver.answer = down
        hook.alerts(hook.rule(), 12)
        hook.run()
        hook.clock.turn(minutes=6)
        receiver.answer = refuse
        hook.send()
        assert hook.states() == {"dead": 12}

    def test_of_a_long_queue_those_that_come_next_are_said_to_wait(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatching, "MAX_SAID_LIMITED", 3)
        desk.channel("slow", rate_per_minute=60)
        desk.policy(defaults={"channels": ["slow"]})
        raised = desk.alerts(desk.rule(), 30)
        desk.run()
        said = desk.query("SELECT count(*) AS n FROM sentinel.notification_decisions WHERE outcome = 'rate_limited'")
        assert said == [{"n": 3}]
        for _ in range(30):
            desk.clock.turn(seconds=1)
            desk.send()
        assert desk.states() == {"sent": 30}
        counted = Counter(outcome for alert in raised for outcome in desk.outcomes(alert))
        assert (counted["rate_limited"], counted["sent"]) == (20, 30)


class TestFairness:
    """Many slow receivers of one tenant."""

    def test_one_tenants_slow_receivers_leave_room_for_another(
        self, desk: Desk, database: Database, settings: Settings
    ) -> None:
        tenant = f"{desk.tenant}b"
        ensure_tenant(settings.postgres, tenant, "test")
        other = Desk(database, tenant)
        names = [f"slow-{number}" for number in range(12)]
        goes_on = threading.Event()

        def slow(_: Notification) -> Receipt:
            goes_on.wait(60)
            return Receipt(200)

        for name in names:
            desk.channel(name).answer = slow
        desk.policy(defaults={"channels": names})
        desk.alerts(desk.rule(), 4)
        desk.route()
        quick = other.channel("quick")
        other.policy(defaults={"channels": ["quick"]})
        desks = {desk.tenant: desk, tenant: other}
        worker = desk.new_dispatcher(workers=8)
        worker._open = lambda tenant_id, channel_id: desks.get(tenant_id, desk).open_channel(tenant_id, channel_id)
        began = 0
        for _ in range(5):
            began += worker.pump()
        assert began == 6
        other.clock.turn(seconds=1)
        desk.clock.turn(seconds=1)
        other.alert(other.rule())
        other.route()
        while not quick.got:
            worker.pump()
            worker.wait(0.05)
        goes_on.set()
        desk.send(worker)
        assert desk.states() == {"sent": 48}


def busy(seconds: float | None) -> Callable[[Notification], Receipt]:
    """Return a receiver that asks for patience."""

    def answer(_: Notification) -> Receipt:
        raise AttemptFailedError(
            "slow down", fate=Fate.RETRY, reason="rate_limited", status=429, retry_after_seconds=seconds
        )

    return answer


def refuse(_: Notification) -> Receipt:
    """A receiver that will never take it."""
    raise AttemptFailedError("invalid_payload", fate=Fate.DEAD, reason="invalid_payload", status=400)


class TestPruning:
    def test_what_is_old_goes_also_of_a_tenant_for_which_nothing_is_decided(
        self, desk: Desk, database: Database
    ) -> None:
        desk.channel("crm")
        desk.alert(desk.rule(notify=["webhook:crm"]))
        desk.run()
        pruner = Pruner(PostgresRouting(database), now=desk.clock, keep_days=90)

        def left() -> tuple[int, int]:
            found = desk.query(
                "SELECT (SELECT count(*) FROM sentinel.deliveries WHERE tenant_id = %s) AS deliveries, "
                "(SELECT count(*) FROM sentinel.alert_fingerprints WHERE tenant_id = %s) AS fingerprints",
                desk.tenant,
                desk.tenant,
            )[0]
            return found["deliveries"], found["fingerprints"]

        def sweep() -> int:
            # There may be more tenants than one turn takes.
            return sum(pruner.turn(desk.stopping) for _ in range(2 + len(PostgresRouting(database).tenants()) // 20))

        sweep()
        assert left() == (1, 1)
        desk.clock.turn(days=91)
        assert sweep() >= 2
        assert left() == (0, 0)
        desk.clock.turn(minutes=30)
        assert pruner.turn(desk.stopping) == 0
