"""Handing on stored events: what is confirmed is marked, and nothing else is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from sentinel.domain.webhook import PublishFailure, WaitingEvent, WebhookKind
from sentinel.errors import ConfigurationError, StoreUnavailableError
from sentinel.ingest.webhooks.publisher import BATCH, OutgoingRecord, WebhookPublisher, WriteFailure


class Claimed:
    """Some events of an outbox."""

    def __init__(self, outbox: Outbox, events: Sequence[WaitingEvent]) -> None:
        self.events = events
        self._outbox = outbox

    def settle(self, published: Sequence[int], postponed: Sequence[PublishFailure], *, seconds: float) -> None:
        """Note what became of them."""
        assert seconds > 0
        self._outbox.published += published
        self._outbox.postponed += postponed


class Outbox:
    """Events in memory."""

    def __init__(self, events: Sequence[WaitingEvent]) -> None:
        self.events = list(events)
        self.published: list[int] = []
        self.postponed: list[PublishFailure] = []

    def waiting(self) -> list[WaitingEvent]:
        """Return those that are open."""
        settled = {*self.published, *(failure.event_id for failure in self.postponed)}
        return [event for event in self.events if event.id not in settled]

    def waiting_tenants(self) -> list[str]:
        """Return the only tenant, while something waits."""
        return ["t"] if self.waiting() else []

    @contextmanager
    def claimed(self, tenant_id: str, limit: int) -> Iterator[Claimed]:
        """Hold events; what was noted counts only when nothing was raised."""
        assert tenant_id == "t"
        before = list(self.published)
        try:
            yield Claimed(self, self.waiting()[:limit])
        except BaseException:
            self.published = before
            raise


class Topics:
    """Topics in memory."""

    def __init__(self, write: Callable[[OutgoingRecord], WriteFailure | None] = lambda _: None) -> None:
        self.records: list[OutgoingRecord] = []
        self.ensured: list[str] = []
        self._write = write

    def write(self, records: Sequence[OutgoingRecord]) -> list[WriteFailure | None]:
        """Take what the function takes."""
        outcomes = [self._write(record) for record in records]
        self.records += [record for record, failure in zip(records, outcomes, strict=True) if failure is None]
        return outcomes

    def ensure(self, topic: str) -> None:
        """Note a topic."""
        self.ensured.append(topic)


def events(count: int, kind: WebhookKind = WebhookKind.TOKEN, raw: bytes = b'{"id": "e"}') -> list[WaitingEvent]:
    """Return events that wait."""
    return [WaitingEvent(number, kind, "t.x", f"e{number}", raw) for number in range(count)]


def publisher(outbox: Outbox, topics: Topics, sweep_seconds: float = 60.0) -> WebhookPublisher:
    """Return a publisher that was not started."""
    return WebhookPublisher(outbox, topics, sweep_seconds=sweep_seconds)


def test_batches_are_written_in_the_order_in_which_they_were_stored() -> None:
    outbox, topics = Outbox(events(2 * BATCH + 1)), Topics()
    assert publisher(outbox, topics).sweep() == 2 * BATCH + 1
    assert [record.key for record in topics.records] == [f"e{number}".encode() for number in range(2 * BATCH + 1)]
    assert outbox.waiting() == []
    assert publisher(outbox, topics).sweep() == 0


def test_what_is_not_confirmed_stays_and_ends_the_pass() -> None:
    away = WriteFailure("no broker", False)
    outbox, topics = Outbox(events(2 * BATCH)), Topics(lambda record: away if record.key == b"e3" else None)
    assert publisher(outbox, topics).publish("t") == BATCH - 1
    assert [event.id for event in outbox.waiting()][:2] == [3, BATCH]
    assert topics.ensured == ["t.x"]


def test_a_topic_is_created_before_it_is_written_to_and_again_when_it_is_gone() -> None:
    outbox, topics = Outbox(events(2)), Topics()
    one = publisher(outbox, topics)
    topics._write = lambda record: None if topics.ensured else WriteFailure("unknown topic", True)
    assert one.publish("t") == 2
    outbox.events += [WaitingEvent(9, WebhookKind.TOKEN, "t.x", "e9", b"{}")]
    topics._write = lambda record: None if len(topics.ensured) == 2 else WriteFailure("unknown topic", True)
    assert one.publish("t") == 1
    assert (topics.ensured, outbox.postponed) == (["t.x", "t.x"], [])


def test_what_can_not_be_written_is_put_off_and_the_others_go_on() -> None:
    huge = WriteFailure("too large", True)
    outbox, topics = Outbox(events(3)), Topics(lambda record: huge if record.key == b"e1" else None)
    assert publisher(outbox, topics).publish("t") == 2
    assert outbox.postponed == [PublishFailure(1, "too large")]


def test_an_event_of_which_no_record_can_be_made_does_not_hold_up_the_others() -> None:
    broken = WaitingEvent(7, WebhookKind.STRIPE, "t.stripe", "evt_7", b"{")
    outbox, topics = Outbox([broken, *events(1, WebhookKind.STRIPE)]), Topics()
    assert publisher(outbox, topics).publish("t") == 1
    assert [failure.event_id for failure in outbox.postponed] == [7]
    assert "no record could be made" in outbox.postponed[0].reason


def test_a_crash_after_writing_writes_again() -> None:
    outbox, topics = Outbox(events(1)), Topics()
    crashing = publisher(outbox, topics)
    settle = Claimed.settle

    def crash(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Claimed, "settle", crash)
        with pytest.raises(KeyboardInterrupt):
            crashing.publish("t")
    assert Claimed.settle is settle
    assert publisher(outbox, topics).publish("t") == 1
    assert [record.key for record in topics.records] == [b"e0", b"e0"]


def test_other_kinds_are_written_as_they_came() -> None:
    raw = b'{"b": 1.10,  "a": 1}'
    topics = Topics()
    publisher(Outbox(events(1, raw=raw)), topics).publish("t")
    assert topics.records == [OutgoingRecord("t.x", b"e0", raw)]


class TestThread:
    def test_it_hands_on_when_it_is_woken_and_prepares_topics(self) -> None:
        written = threading.Event()
        outbox, topics = Outbox([]), Topics(lambda _: written.set())
        one = publisher(outbox, topics)
        one.start()
        try:
            outbox.events += events(1)
            one.prepare("t.y")
            one.wake("t")
            assert written.wait(5)
        finally:
            one.close()
        assert (outbox.published, topics.ensured) == ([0], ["t.y", "t.x"])

    def test_it_looks_for_what_waits_by_itself_and_goes_on_after_failures(self) -> None:
        written, failures = threading.Event(), iter([StoreUnavailableError("Kafka", "away"), ValueError("ours")])

        def write(_: OutgoingRecord) -> None:
            error = next(failures, None)
            if error is not None:
                raise error
            written.set()

        outbox = Outbox(events(1))
        one = publisher(outbox, Topics(write), sweep_seconds=0.05)
        one.start()
        try:
            assert written.wait(20)
        finally:
            one.close()
        assert outbox.published == [0]


class Refusing(Topics):
    """Topics of which one cannot be created."""

    def __init__(self, refused: str) -> None:
        super().__init__()
        self._refused = refused

    def ensure(self, topic: str) -> None:
        """Refuse the one."""
        if topic == self._refused:
            raise ConfigurationError(f"the topic {topic!r} cannot be created")
        super().ensure(topic)


def test_a_topic_that_cannot_be_created_keeps_no_other_waiting() -> None:
    bad = [WaitingEvent(100 + number, WebhookKind.TOKEN, "t.bad", f"b{number}", b"{}") for number in range(3)]
    outbox, topics = Outbox([*bad, *events(3)]), Refusing("t.bad")
    assert publisher(outbox, topics).publish("t") == 3
    assert outbox.published == [0, 1, 2]
    assert {failure.event_id for failure in outbox.postponed} == {100, 101, 102}
    assert "cannot be created" in outbox.postponed[0].reason


def test_a_wanted_topic_that_cannot_be_created_does_not_end_the_work() -> None:
    outbox = Outbox(events(2))
    one = publisher(outbox, Refusing("t.bad"))
    one.prepare("t.bad")
    one.start()
    one.wake("t")
    wait_for(lambda: outbox.waiting() == [])
    one.close()


def test_a_tenant_whose_events_cannot_be_handed_on_keeps_no_other_waiting() -> None:
    class Two(Outbox):
        """The first tenant's events cannot be held."""

        def waiting_tenants(self) -> list[str]:
            return ["broken", *super().waiting_tenants()]

        @contextmanager
        def claimed(self, tenant_id: str, limit: int) -> Iterator[Claimed]:
            if tenant_id == "broken":
                raise StoreUnavailableError("PostgreSQL", "lock")
            with super().claimed(tenant_id, limit) as claimed:
                yield claimed

    outbox = Two(events(2))
    assert publisher(outbox, Topics()).sweep() == 2


def test_a_tenant_that_fails_again_and_again_does_not_slow_the_others() -> None:
    class Growing(Outbox):
        """A tenant whose events cannot be held, and one with a new event at each look."""

        looks = 0

        def waiting_tenants(self) -> list[str]:
            self.looks += 1
            self.events.append(WaitingEvent(self.looks, WebhookKind.TOKEN, "t.x", f"e{self.looks}", b"{}"))
            return ["broken", "t"]

        @contextmanager
        def claimed(self, tenant_id: str, limit: int) -> Iterator[Claimed]:
            if tenant_id == "broken":
                raise StoreUnavailableError("PostgreSQL", "lock")
            with super().claimed(tenant_id, limit) as claimed:
                yield claimed

    outbox = Growing([])
    one = publisher(outbox, Topics(), sweep_seconds=0.05)
    one.start()
    # Each a second, two, four ... after the one before, ten looks would take minutes.
    wait_for(lambda: len(outbox.published) >= 10)
    one.close()


def test_what_waits_is_looked_for_also_while_others_never_cease() -> None:
    class Busy(Outbox):
        """Counts the looks."""

        looks = 0

        def waiting_tenants(self) -> list[str]:
            self.looks += 1
            return super().waiting_tenants()

    outbox = Busy([])
    one = publisher(outbox, Topics(), sweep_seconds=0.2)
    one.start()
    ceased = threading.Event()

    def wake() -> None:
        while not ceased.wait(0.01):
            one.wake("t")

    waker = threading.Thread(target=wake)
    waker.start()
    try:
        wait_for(lambda: outbox.looks >= 3)
    finally:
        ceased.set()
        waker.join()
        one.close()


def wait_for(check: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)
